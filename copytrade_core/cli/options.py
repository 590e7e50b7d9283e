"""Options that several verbs share, and the settings they lead to.

Reading and checking the settings belongs to `edges.settings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from copytrade_core.edges.settings import Loaded, Settings

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on standard output and nothing else.")]
LeadOption = Annotated[str, typer.Option("--lead", metavar="ID", help="The lead's portfolio id.")]
OptionalLead = Annotated[str | None, typer.Option("--lead", metavar="ID", help="The lead's portfolio id.")]
Correction = Annotated[
    str | None,
    typer.Option("--correction", metavar="REASON", help="Replace stored rows that differ; the reason is kept."),
]
MarketOption = Annotated[str, typer.Option("--market", metavar="NAME", help="Unified name, BTC/USDT:USDT.")]
OptionalMarket = Annotated[
    str | None, typer.Option("--market", metavar="NAME", help="Unified name, BTC/USDT:USDT; without it all.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What holds for the whole command line. `debug` shows what is otherwise told in plain words."""

    debug: bool


def is_debugging() -> bool:
    """Whether the command line has `--debug`."""
    shell = click.get_current_context().find_root().obj
    return isinstance(shell, Shell) and shell.debug


def config_file() -> Path | None:
    """The file that `--config` names, if any."""
    named = click.get_current_context().find_root().params.get("config")
    return None if named is None else Path(named)


def loaded(overrides: Mapping[str, object] | None = None) -> Loaded:
    """The settings in force with their origins.

    Raises:
        BadConfig: see `load_with_origins`.
    """
    from copytrade_core.edges.settings import load_with_origins

    return load_with_origins(file=config_file(), overrides=overrides)


def settings(overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings in force."""
    return loaded(overrides).settings
