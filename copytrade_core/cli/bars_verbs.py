"""`copytrade bars`: prices of markets into the store, and what is there."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import Correction, JsonFlag, LeadOption, MarketOption
from copytrade_core.cli.output import answer, draw_facts, imported_words, say, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from rich.console import Console

group = typer.Typer(no_args_is_help=True, help="Market prices: import files, see what is stored.")

FETCH_COLUMNS = ("market", "month", "bars", "fetched", "origin", "funding", "problem")
STATUS_COLUMNS = ("market", "interval", "origin", "first bar", "end", "bars", "missing")


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="bars")


@group.command("import")
def import_bars(
    path: Annotated[Path, typer.Argument()],
    market: MarketOption,
    interval: Annotated[str, typer.Option("--interval", metavar="TEXT", help="Bar interval, such as 5m.")],
    obtained_at: Annotated[
        str | None,
        typer.Option(
            "--obtained-at",
            metavar="INSTANT",
            help="When the file was downloaded (2026-05-02T08:00:00Z or a day): a bar open then is dropped.",
        ),
    ] = None,
    correction: Correction = None,
    exact: Annotated[bool, typer.Option("--exact", help="A price off the tick grid is an error, not rounded.")] = False,
    json_output: JsonFlag = False,
) -> None:
    """Import bars of one market from a file; all of it or nothing.

    PATH is a CSV, CSV.gz, JSON, JSON.gz, Parquet, freqtrade feather or Binance archive zip.

    Example: copytrade bars import BTCUSDT_5m.csv.gz --market BTC/USDT:USDT --interval 5m
    """
    from copytrade_core.edges.market.bars_parse import DataKind
    from copytrade_core.edges.market.intervals import instant_of_text
    from copytrade_core.edges.stages.market_files import import_bars_file

    result = import_bars_file(
        workplace(),
        path=path,
        market=market,
        interval=interval,
        kind=DataKind.VENUE if exact else DataKind.FOREIGN,
        obtained_at=None if obtained_at is None else instant_of_text(obtained_at, "--obtained-at"),
        correction=correction,
    )
    payload = dict(result.metadata)
    answer(payload, as_json=json_output, render=lambda to: draw_facts(to, imported_words(payload), title="imported"))


@group.command("fetch")
def fetch(lead: LeadOption, json_output: JsonFlag = False) -> None:
    """Fetch bars and funding of every month and market that a lead's episodes need, from the market host.

    Example: copytrade bars fetch --lead 4751838302089254401
    """
    from copytrade_core.edges.lead_line import derive_lead, fetch_markets

    place = workplace()
    _ = derive_lead(place, lead)
    rows = [asdict(month) for month in fetch_markets(place, lead)]
    answer({"lead": lead, "months": rows}, as_json=json_output, render=lambda to: _draw_months(to, rows))


def _draw_months(to: Console, rows: list[dict[str, object]]) -> None:
    table(to, FETCH_COLUMNS, [list(row.values()) for row in rows], title=None, right=("bars", "fetched", "funding"))


@group.command("status")
def status(json_output: JsonFlag = False) -> None:
    """Show which bars are stored, by market and interval.

    Example: copytrade bars status
    """
    rows: list[dict[str, object]] = [dict(zip(STATUS_COLUMNS, row, strict=True)) for row in _spans()]
    answer({"bars": rows}, as_json=json_output, render=lambda to: _draw_spans(to, rows))


def _spans() -> list[tuple[object, ...]]:
    from copytrade_core.edges.market.intervals import instant, interval_text
    from copytrade_core.edges.market.market_store import stored_spans

    return [
        (
            span.market,
            interval_text(span.interval_ms),
            span.origin.value,
            f"{instant(span.start_ms):%Y-%m-%d %H:%M}",
            f"{instant(span.end_ms):%Y-%m-%d %H:%M}",
            span.row_count,
            (span.end_ms - span.start_ms) // span.interval_ms - span.row_count,
        )
        for span in stored_spans(workplace().lake)
    ]


def _draw_spans(to: Console, rows: list[dict[str, object]]) -> None:
    if not rows:
        say("no bars are stored; import some: copytrade bars import PATH --market BTC/USDT:USDT --interval 5m", to=to)
        return
    table(to, STATUS_COLUMNS, [list(row.values()) for row in rows], title=None, right=("bars", "missing"))
