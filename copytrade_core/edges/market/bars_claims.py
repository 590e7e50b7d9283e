"""What a market file says it is: the market and interval in its name and in its columns.

What the user asked for is compared with it; nothing is guessed from prices.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from copytrade_core.edges.market.bars_text import Rows
from copytrade_core.edges.market.intervals import interval_text
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import LINEAR_QUOTES, market_of_symbol

FREQTRADE_NAME = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)_([A-Z0-9]+)-([1-9][0-9]*[smhdwM])-")
SYMBOL_NAME = re.compile(rf"([A-Z0-9]+(?:{'|'.join(LINEAR_QUOTES)}))(?:[-_]([1-9][0-9]*[smhdwM]))?(?=[-_.]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NameClaim:
    """The market and interval in a file's name; None where the name is silent."""

    market: str | None
    interval: str | None


def claim_of_name(name: str) -> NameClaim:
    """What `BTCUSDT-5m-2026-01.zip`, `BTCUSDT_5m.csv.gz` or `BTC_USDT_USDT-1m-futures.feather` claims to hold."""
    if match := FREQTRADE_NAME.match(name):
        base, quote, settle, interval = match.groups()
        return NameClaim(market=f"{base}/{quote}:{settle}", interval=interval)
    if match := SYMBOL_NAME.match(name):
        return NameClaim(market=market_of_symbol(match[1]), interval=match[2])
    return NameClaim(market=None, interval=None)


def refuse_other_market(name: str, rows: Rows, market: str) -> None:
    """Stops when the name or a row of the file belongs to another market.

    Raises:
        BadInput: wrong market; names the file, or the row.
    """
    claimed = claim_of_name(name).market
    if claimed is not None and claimed != market:
        raise BadInput(
            f"The file's name says {claimed}, not {market}",
            where=Where(file=rows.place.file, field="market"),
            next_step="Give the right --market, or rename the file if its name is wrong",
        )
    for index, symbol in enumerate(rows.columns.get("symbol", ())):
        if symbol != market and market_of_symbol((symbol or "").strip()) != market:
            raise rows.fault(index, "symbol", f"a row of {symbol!r} in a file of {market}")


def refuse_other_interval(name: str, rows: Rows, interval_ms: int) -> None:
    """Stops when the name or a row of the file says another interval.

    Raises:
        BadInput: wrong interval; names the file, or the row.
    """
    wanted = interval_text(interval_ms)
    claimed = claim_of_name(name).interval
    if claimed is not None and claimed != wanted:
        raise BadInput(
            f"The file's name says {claimed} bars, not {wanted}",
            where=Where(file=rows.place.file, field="interval"),
            next_step="Give the right --interval, or rename the file if its name is wrong",
        )
    for index, interval in enumerate(rows.columns.get("interval", ())):
        if interval != wanted:
            raise rows.fault(index, "interval", f"a row of {interval!r} bars in a file of {wanted}")
