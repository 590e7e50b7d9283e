"""`copytrade funding`: funding payments of markets into the store, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copytrade_core.cli.options import Correction, JsonFlag, MarketOption
from copytrade_core.cli.output import answer, draw_facts, imported_words
from copytrade_core.cli.workplace import workplace

group = typer.Typer(no_args_is_help=True, help="Funding payments: import files.")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="funding")


@group.callback()
def _group() -> None:
    """Keeps `import` a verb of its own: a group of one verb would swallow its name."""


@group.command("import")
def import_funding(
    path: Annotated[Path, typer.Argument()],
    market: MarketOption,
    correction: Correction = None,
    json_output: JsonFlag = False,
) -> None:
    """Import funding rates of one market from a file; all of it or nothing.

    PATH is a Binance JSON answer or archive zip, CSV, CSV.gz, Parquet or freqtrade feather.

    Example: copytrade funding import BTCUSDT_funding_rate.json --market BTC/USDT:USDT
    """
    from copytrade_core.edges.stages.market_files import import_funding_file

    result = import_funding_file(workplace(), path=path, market=market, correction=correction)
    payload = dict(result.metadata)
    answer(payload, as_json=json_output, render=lambda to: draw_facts(to, imported_words(payload), title="imported"))
