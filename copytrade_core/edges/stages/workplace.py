"""What every stage works with: settings, the raw archive, the lake, the clock and the code's version.

What a stage does belongs to its own module.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from copytrade_core.edges.lake import Head, Lake
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.stages.code_version import code_version
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.promotion.contract import Contract, contract_from_mapping

SCHEMA_VERSION = 1
"""Version of the tables and documents that the stages write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Settings with the stores they name. `now` is the clock."""

    settings: Settings
    archive: PageArchive
    lake: Lake
    now: Callable[[], datetime]
    code_version: str

    def contract(self) -> Contract:
        """The promotion contract that the settings name.

        Raises:
            BadConfig: it cannot be read, or says something it does not know.
        """
        path = self.settings.paths.promotion_contract
        return contract_from_mapping(read_toml(path), file=str(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutcome:
    """What a stage stored (its own heads, the most important first) and what a person may want to know about it."""

    heads: tuple[Head, ...]
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])

    def head(self, asset: str) -> Head:
        """The stored head of one asset."""
        return next(head for head in self.heads if head.asset == asset)


def open_workplace(settings: Settings, *, now: Callable[[], datetime] | None = None) -> Workplace:
    """The stores below `settings.data_dir`; nothing is created before the first write."""
    clock = now or utc_now
    return Workplace(
        settings=settings,
        archive=PageArchive(settings.data_dir / "raw"),
        lake=Lake(settings.data_dir, now=clock),
        now=clock,
        code_version=code_version(),
    )


def utc_now() -> datetime:
    """The clock of every process that is not a test."""
    return datetime.now(UTC)


def parents(*heads: Head) -> dict[str, str]:
    """`asset/partition` -> digest of what was read."""
    return {f"{head.asset}/{head.partition}": head.digest for head in heads}


def read_toml(path: Path) -> dict[str, object]:
    """A TOML file with exact decimals.

    Raises:
        BadConfig: absent, unreadable or not TOML; names the file.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise BadConfig(
            f"Cannot read {path.name}: {error.strerror}",
            where=Where(file=str(path)),
            next_step="Correct the path in copytrade.toml, section [paths] or [policies]",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path.name} is not TOML: {error}", where=Where(file=str(path))) from error
