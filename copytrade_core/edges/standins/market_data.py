"""One market as the stand-in serves it: bars of any longer interval, the running bar, the mark price, funding.

No HTTP here. Prices after the virtual instant asked about are never visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from copytrade_core.model.bar import BarSeries, Float64s, FundingSeries, Int64s, PriceOrigin
from copytrade_core.model.instrument import Instrument

INTERVALS_MS = {
    "1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000,
    "4h": 14_400_000, "6h": 21_600_000, "8h": 28_800_000, "12h": 43_200_000, "1d": 86_400_000,
}  # fmt: skip
"""Intervals served. Weeks and months are not: their grids do not start at the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Bars as columns of shape `(n,)`: open time in ms, prices in ticks, volume in base units."""

    open_time_ms: Int64s
    open: Int64s
    high: Int64s
    low: Int64s
    close: Int64s
    volume: Float64s


@dataclass(frozen=True, slots=True, kw_only=True)
class KlineRow:
    """One bar as far as it has happened."""

    open_time_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMarket:
    """Base bars, funding and rules of one symbol.

    `bars` are the finest bars known; longer intervals are made from them, so all intervals tell one story.
    `funding_origin` can differ from the bars' origin.
    """

    symbol: str
    instrument: Instrument
    bars: BarSeries
    funding: FundingSeries
    funding_origin: PriceOrigin
    _by_interval: dict[int, Columns] = field(default_factory=dict)

    def serves(self, interval_ms: int) -> bool:
        """Whether bars of this length can be made exactly from the base bars."""
        return interval_ms % self.bars.interval_ms == 0

    def klines(
        self, interval_ms: int, *, start_ms: int | None, end_ms: int | None, limit: int, as_of_ms: int
    ) -> list[KlineRow]:
        """Bars with `start_ms <= open time <= end_ms` known at `as_of_ms`, the running bar included.

        With a start the first `limit` of them, without one the last `limit`, always ascending.
        """
        columns = self._columns(interval_ms)
        times = columns.open_time_ms
        last_ms = as_of_ms if end_ms is None else min(end_ms, as_of_ms)
        stop = int(np.searchsorted(times, last_ms, side="right"))
        start = 0 if start_ms is None else int(np.searchsorted(times, start_ms, side="left"))
        if start_ms is None:
            start = max(0, stop - limit)
        else:
            stop = min(stop, start + limit)
        if stop <= start:
            return []
        rows = _rows(columns, start, stop)
        if rows[-1].open_time_ms + interval_ms > as_of_ms:
            rows[-1:] = self._running(rows[-1].open_time_ms, as_of_ms)
        return rows

    def price_ticks(self, as_of_ms: int) -> int:
        """The last price at an instant: inside a bar on its path, in a gap or after the end the last close."""
        index = int(np.searchsorted(self.bars.open_time_ms, as_of_ms, side="right")) - 1
        if index < 0:
            return int(self.bars.open[0])
        return self._partial(index, as_of_ms).close

    def known_funding(self, as_of_ms: int) -> int:
        """How many funding payments have happened."""
        return int(np.searchsorted(self.funding.time_ms, as_of_ms, side="right"))

    def _columns(self, interval_ms: int) -> Columns:
        columns = self._by_interval.get(interval_ms)
        if columns is None:
            columns = _aggregated(self.bars, interval_ms)
            self._by_interval[interval_ms] = columns
        return columns

    def _running(self, open_time_ms: int, as_of_ms: int) -> list[KlineRow]:
        """The bar that is still running; none when a gap hides all of it so far."""
        first = int(np.searchsorted(self.bars.open_time_ms, open_time_ms, side="left"))
        stop = int(np.searchsorted(self.bars.open_time_ms, as_of_ms, side="right"))
        parts = [self._partial(index, as_of_ms) for index in range(first, stop)]
        if not parts:
            return []
        row = KlineRow(
            open_time_ms=open_time_ms,
            open=parts[0].open,
            high=max(part.high for part in parts),
            low=min(part.low for part in parts),
            close=parts[-1].close,
            volume=sum(part.volume for part in parts),
        )
        return [row]

    def _partial(self, index: int, as_of_ms: int) -> KlineRow:
        """Base bar `index` as far as it has happened, on the path open, near extreme, far extreme, close."""
        bar = self.bars.bar(index)
        elapsed = min(as_of_ms - bar.open_time_ms, bar.interval_ms)
        rising = bar.close >= bar.open
        corners = (bar.open, bar.low, bar.high, bar.close) if rising else (bar.open, bar.high, bar.low, bar.close)
        leg, into = divmod(elapsed * 3, bar.interval_ms)
        price = corners[3] if leg == 3 else corners[leg] + (corners[leg + 1] - corners[leg]) * into // bar.interval_ms
        seen = (*corners[: leg + 1], price)
        return KlineRow(
            open_time_ms=bar.open_time_ms,
            open=bar.open,
            high=max(seen),
            low=min(seen),
            close=price,
            volume=float(self.bars.volume[index]) * elapsed / bar.interval_ms,
        )


def _aggregated(bars: BarSeries, interval_ms: int) -> Columns:
    slot = bars.open_time_ms // interval_ms
    starts = np.flatnonzero(np.diff(slot, prepend=slot[0] - 1))
    ends = np.append(starts[1:], len(slot)) - 1
    return Columns(
        open_time_ms=slot[starts] * interval_ms,
        open=bars.open[starts].astype(np.int64),
        high=np.maximum.reduceat(bars.high, starts).astype(np.int64),
        low=np.minimum.reduceat(bars.low, starts).astype(np.int64),
        close=bars.close[ends].astype(np.int64),
        volume=np.add.reduceat(bars.volume, starts),
    )


def _rows(columns: Columns, start: int, stop: int) -> list[KlineRow]:
    lists: Sequence[list[int]] = [
        column[start:stop].tolist()
        for column in (columns.open_time_ms, columns.open, columns.high, columns.low, columns.close)
    ]
    volumes: list[float] = columns.volume[start:stop].tolist()
    return [
        KlineRow(open_time_ms=at, open=o, high=h, low=low, close=c, volume=volume)
        for at, o, h, low, c, volume in zip(*lists, volumes, strict=True)
    ]
