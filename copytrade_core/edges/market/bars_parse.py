"""Rows of text as bars and funding payments: every row is judged and the first wrong one named; nothing is filled.

Reading files, asking the exchange and storing do not belong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np

from copytrade_core.edges.market.bars_text import Rows, decimal_of, ticks_of, times_ms, volumes_of
from copytrade_core.edges.market.intervals import UNIT_MS, interval_text
from copytrade_core.model.bar import BarSeries, FundingSeries, Int64s, PriceOrigin
from copytrade_core.model.errors import OutOfBounds
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import funding_rate_from_decimal

FUNDING_JITTER_MS = 60_000
"""Funding is due on the hour; recorded instants are a few milliseconds late (the largest seen in 2025-26: 30 ms)."""


class DataKind(StrEnum):
    """How a price off the tick grid is judged."""

    VENUE = "venue"
    """The venue's own answer under today's rules: an error."""
    FOREIGN = "foreign"
    """A file of unknown history: rounded half to even and counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBars:
    """Bars of one file or answer. `rows` is the file's row of each bar, shape `(n_bars,)`."""

    series: BarSeries
    rows: Int64s
    off_grid_count: int
    dropped_open_bar: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFunding:
    """Funding of one file or answer. `rows` is the file's row of each payment."""

    series: FundingSeries
    rows: Int64s


def parse_bars(
    rows: Rows,
    *,
    market: Market,
    interval_ms: int,
    tick_size: Decimal,
    kind: DataKind,
    origin: PriceOrigin,
    known_until_ms: int | None,
    drop_last: bool,
) -> ParsedBars:
    """Bars of rows with the columns open_time, open, high, low, close, volume and perhaps close_time.

    Args:
        rows: the text, at least one row.
        market: which market they are of.
        interval_ms: their interval.
        tick_size: the grid of prices.
        kind: how a price off the grid is judged.
        origin: recorded or simulated.
        known_until_ms: when the rows were obtained; a last bar that ends later was still open and is dropped. None: the
            caller knows that every bar has ended.
        drop_last: the form of the file says that its last bar was still open.

    Raises:
        BadInput: a value that cannot be used, another interval, unsorted or repeated times, high below low, bars from
            the future; names file, row and field.
    """
    opened = times_ms(rows, "open_time")
    _judge_times(rows, opened, interval_ms)
    ends = opened + interval_ms
    after = np.zeros(len(rows), np.bool_) if known_until_ms is None else ends > known_until_ms
    rows.refuse(after[:-1], "open_time", "a bar ends after the file was obtained")
    prices = {
        name: ticks_of(rows, name, tick_size, may_round=kind is DataKind.FOREIGN)
        for name in ("open", "high", "low", "close")
    }
    volume = volumes_of(rows, "volume")
    high, low = prices["high"].ticks, prices["low"].ticks
    rows.refuse(high < low, "high", "high is below low")
    for name in ("open", "close"):
        ticks = prices[name].ticks
        rows.refuse((ticks > high) | (ticks < low), name, f"{name} is outside low..high")
    is_open = drop_last or bool(after[-1])
    kept = slice(0, len(rows) - is_open)
    series = BarSeries(
        market=market,
        interval_ms=interval_ms,
        origin=origin,
        open_time_ms=opened[kept],
        open=prices["open"].ticks[kept],
        high=high[kept],
        low=low[kept],
        close=prices["close"].ticks[kept],
        volume=volume[kept],
    )
    off_grid_count = sum(column.off_grid_count for column in prices.values())
    return ParsedBars(series=series, rows=rows.numbers[kept], off_grid_count=off_grid_count, dropped_open_bar=is_open)


def _judge_times(rows: Rows, opened: Int64s, interval_ms: int) -> None:
    wanted = interval_text(interval_ms)
    step = np.diff(opened, prepend=opened[:1] - interval_ms)
    rows.refuse(opened % interval_ms != 0, "open_time", f"wrong interval: an open time is off the {wanted} grid")
    repeats = np.flatnonzero(step == 0)
    if len(repeats):
        index = int(repeats[0])
        names = [name for name in rows.columns if rows.columns[name][index] != rows.columns[name][index - 1]]
        said = f"with another {names[0]}" if names else "with equal values"
        raise rows.fault(index, "open_time", f"row {int(rows.numbers[index - 1])} is repeated {said}")
    rows.refuse(step < 0, "open_time", "times are not sorted")
    if "close_time" in rows.columns:
        closes = times_ms(rows, "close_time")
        length = closes - opened
        # Binance's close time is the last millisecond of the bar; some exporters write the next bar's open.
        wrong = (length != interval_ms - 1) & (length != interval_ms)
        rows.refuse(wrong, "close_time", f"wrong interval: a bar is not {wanted} long")
    elif len(opened) > 1 and int(step[1:].min()) != interval_ms:
        row = 1 + int(np.argmin(step[1:]))
        apart = int(step[row]) // 1000
        raise rows.fault(row, "open_time", f"wrong interval: bars are at least {apart} s apart, not {wanted}")


def parse_funding(rows: Rows, *, market: Market) -> ParsedFunding:
    """Funding payments of rows with the columns time and rate, moved to the full hour at which they were due.

    Raises:
        BadInput: a value that cannot be used, an instant not near a full hour, unsorted or repeated times, a rate
            beyond 10 %; names file, row and field.
    """
    recorded = times_ms(rows, "time")
    hour = UNIT_MS["h"]
    due: Int64s = (recorded + hour // 2) // hour * hour
    rows.refuse(np.abs(recorded - due) > FUNDING_JITTER_MS, "time", "funding is not at a full hour")
    step = np.diff(due, prepend=due[:1] - hour)
    rows.refuse(step == 0, "time", "a funding time is repeated")
    rows.refuse(step < 0, "time", "times are not sorted")
    rates = np.array([_rate(rows, index) for index in range(len(rows))], dtype=np.int64)
    return ParsedFunding(series=FundingSeries(market=market, time_ms=due, rate=rates), rows=rows.numbers)


def _rate(rows: Rows, index: int) -> int:
    text = rows.columns["rate"][index]
    number = decimal_of(text)
    if number is None:
        raise rows.fault(index, "rate", f"a rate is absent or not a finite number: {text!r}")
    try:
        return funding_rate_from_decimal(number)
    except OutOfBounds as error:
        raise rows.fault(index, "rate", error.what) from error
