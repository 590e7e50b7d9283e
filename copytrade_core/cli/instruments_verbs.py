"""`copytrade instruments`: trading rules of markets, from files into the store, and which are in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from copytrade_core.cli.options import JsonFlag, OptionalMarket
from copytrade_core.cli.output import answer, say, table
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import Console

group = typer.Typer(no_args_is_help=True, help="Trading rules of markets: import files, see what is stored.")

COLUMNS = ("market", "tick_size", "step_size", "min_quantity", "min_notional_usdt", "as_of", "source")
NUMBERS = ("tick_size", "step_size", "min_quantity", "min_notional_usdt")
Rules = list[dict[str, object]]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="instruments")


@group.command("import")
def import_instruments(
    path: Annotated[Path, typer.Argument()],
    market: OptionalMarket = None,
    source: Annotated[
        str | None, typer.Option("--source", metavar="TEXT", help="Who published the rules; else the file's name.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="DAY", help="Since when a table's rules hold; an answer says it.")
    ] = None,
    min_notional: Annotated[
        str | None,
        typer.Option("--min-notional", metavar="USDT", help="Assumed, and marked so, where the file gives none."),
    ] = None,
    json_output: JsonFlag = False,
) -> None:
    """Import trading rules: newer ones replace older ones, never the other way round.

    PATH is a saved exchangeInfo answer (.json, .json.gz) or Lean's symbol properties table (.csv).

    Example: copytrade instruments import exchangeInfo.json.gz --market BTC/USDT:USDT
    """
    from copytrade_core.edges.market.intervals import instant_of_text
    from copytrade_core.edges.stages.market_files import RulesFile, import_instruments_file

    file = RulesFile(
        path=path,
        source=source or f"file {path.name}",
        as_of=None if as_of is None else instant_of_text(as_of, "--as-of"),
        assumed_min_notional=None if min_notional is None else _usdt(min_notional),
    )
    payload = dict(import_instruments_file(workplace(), file, market=market).metadata)
    answer(payload, as_json=json_output, render=lambda to: _draw_imported(to, payload))


def _usdt(text: str) -> Decimal:
    from copytrade_core.edges.market.bars_text import decimal_of
    from copytrade_core.model.errors import BadInput, Where

    number = decimal_of(text)
    if number is None or number < 0:
        raise BadInput(f"{text!r} is not an amount of zero or more", where=Where(field="--min-notional"))
    return number


def _draw_imported(to: Console, payload: dict[str, object]) -> None:
    _draw(to, cast("Rules", payload["instruments"]))
    unusable = cast("Rules", payload["unusable"])
    say(f"{payload['stored']} stored, {len(unusable)} unusable", to=to)
    for one in unusable:
        say(f"unusable: {one['symbol']}: {one['reason']}", to=to)


@group.command("show")
def show(market: OptionalMarket = None, json_output: JsonFlag = False) -> None:
    """Show the stored trading rules: grid, minimums, their day and who published them.

    Rules of `settings/instruments.toml` are stored when a market is first used.

    Example: copytrade instruments show --market BTC/USDT:USDT
    """
    from copytrade_core.edges.stages.market_files import stored_rules

    rules = stored_rules(workplace(), market)
    answer({"instruments": rules}, as_json=json_output, render=lambda to: _draw(to, rules))


def _draw(to: Console, rules: Rules) -> None:
    if not rules:
        say("no trading rules are stored; import some: copytrade instruments import PATH", to=to)
        return
    table(to, COLUMNS, [[rule[name] for name in COLUMNS] for rule in rules], title=None, right=NUMBERS)
