"""What most verbs work on: the settings, the store and the archive of one data folder.

What is done with them belongs to `edges.stages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from copytrade_core.cli.options import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from copytrade_core.edges.lake import Lake
    from copytrade_core.edges.page_archive import PageArchive
    from copytrade_core.edges.settings import Settings


def now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """One data folder; nothing is opened until it is asked for."""

    settings: Settings

    @property
    def lake(self) -> Lake:
        """The store of derived tables."""
        from copytrade_core.edges.lake import Lake

        return Lake(self.settings.data_dir, now=now)

    @property
    def archive(self) -> PageArchive:
        """The raw pages."""
        from copytrade_core.edges.page_archive import PageArchive

        return PageArchive(self.settings.data_dir / "raw")


def workplace(overrides: Mapping[str, object] | None = None) -> Workplace:
    """The workplace of the settings in force."""
    return Workplace(settings=settings(overrides))
