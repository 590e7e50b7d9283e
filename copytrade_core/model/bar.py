"""Bars, funding payments and quotes of one market, as integer arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Ticks

Int64s = NDArray[np.int64]
Int32s = NDArray[np.int32]
Float64s = NDArray[np.float64]


class PriceOrigin(StrEnum):
    """Where prices come from; a simulated market is named so in every output."""

    RECORDED = "recorded"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: `open_time_ms` inclusive, prices in ticks, `interval_ms` long."""

    market: Market
    open_time_ms: int
    interval_ms: int
    open: Ticks
    high: Ticks
    low: Ticks
    close: Ticks

    @property
    def end_ms(self) -> int:
        """First millisecond after the bar: when its close is known."""
        return self.open_time_ms + self.interval_ms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BarSeries:
    """Bars of one market.

    Arrays have shape `(n_bars,)`: `open_time_ms` int64, strictly increasing multiples of `interval_ms`; `open`, `high`,
    `low`, `close` int32 ticks; `volume` float64 base units. Gaps are allowed here and found with `first_gap`.

    Raises:
        BadInput: unequal lengths, times or prices that are not integers, unsorted or duplicate or misaligned times, a
            price that is not positive, high below low, open or close outside them, a volume that is negative or no
            number; names the row and the field.
    """

    market: Market
    interval_ms: int
    origin: PriceOrigin
    open_time_ms: Int64s
    open: Int32s
    high: Int32s
    low: Int32s
    close: Int32s
    volume: Float64s

    def __post_init__(self) -> None:
        n = len(self.open_time_ms)
        for name in ("open", "high", "low", "close", "volume"):
            if len(getattr(self, name)) != n:
                raise BadInput(f"{self.market}: {name} has another length than open_time_ms", where=Where(field=name))
        for name in ("open_time_ms", "open", "high", "low", "close"):
            if not np.issubdtype(getattr(self, name).dtype, np.integer):
                raise BadInput(f"{self.market}: {name} must be whole numbers", where=Where(field=name))
        if self.interval_ms <= 0:
            raise BadInput(f"{self.market}: the bar interval must be positive", where=Where(field="interval_ms"))
        self._refuse("open_time_ms", "times are not strictly increasing", np.diff(self.open_time_ms) <= 0, shift=1)
        self._refuse("open_time_ms", "a time is off the interval's grid", self.open_time_ms % self.interval_ms != 0)
        for name in ("open", "high", "low", "close"):
            self._refuse(name, "a price is not positive", getattr(self, name) <= 0)
        self._refuse("high", "high is below low", self.high < self.low)
        for name in ("open", "close"):
            prices = getattr(self, name)
            self._refuse(name, f"{name} is outside low..high", (prices > self.high) | (prices < self.low))

        self._refuse("volume", "a volume is negative or not a number", ~(self.volume >= 0))

    def _refuse(self, field: str, what: str, wrong: NDArray[np.bool_], *, shift: int = 0) -> None:
        if wrong.any():
            row = int(np.argmax(wrong)) + shift
            raise BadInput(f"{self.market}: {what}", where=Where(row=row, field=field))

    def __len__(self) -> int:
        return len(self.open_time_ms)

    @property
    def start_ms(self) -> int:
        """Open time of the first bar."""
        return int(self.open_time_ms[0])

    @property
    def end_ms(self) -> int:
        """End of the last bar."""
        return int(self.open_time_ms[-1]) + self.interval_ms

    def bar(self, index: int) -> Bar:
        """The bar at an index."""
        return Bar(
            market=self.market,
            open_time_ms=int(self.open_time_ms[index]),
            interval_ms=self.interval_ms,
            open=Ticks(int(self.open[index])),
            high=Ticks(int(self.high[index])),
            low=Ticks(int(self.low[index])),
            close=Ticks(int(self.close[index])),
        )

    def index_at_or_after(self, time_ms: int) -> int:
        """Index of the first bar that opens at or after a time; `len(self)` when there is none."""
        return int(np.searchsorted(self.open_time_ms, time_ms, side="left"))

    def index_known_at(self, time_ms: int) -> int:
        """Index of the last bar whose close is known at a time; -1 when there is none."""
        return int(np.searchsorted(self.open_time_ms, time_ms - self.interval_ms, side="right")) - 1

    def first_gap(self, start_ms: int, end_ms: int) -> int | None:
        """Open time of the first missing bar that should open in `[start_ms, end_ms)`; None without gap."""
        first = -(-start_ms // self.interval_ms) * self.interval_ms
        index = self.index_at_or_after(first)
        last = self.index_at_or_after(end_ms)
        expected = first + np.arange(last - index, dtype=np.int64) * self.interval_ms
        wrong = np.nonzero(self.open_time_ms[index:last] != expected)[0]
        if len(wrong):
            return int(expected[wrong[0]])
        reached = first + (last - index) * self.interval_ms
        return reached if reached < end_ms else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FundingSeries:
    """Funding payments of one market: `time_ms` and `rate` (1e-8), both int64 of shape `(n,)`, times increasing."""

    market: Market
    time_ms: Int64s
    rate: Int64s

    def __post_init__(self) -> None:
        if len(self.time_ms) != len(self.rate):
            raise BadInput(f"{self.market}: funding times and rates differ in length", where=Where(field="rate"))
        wrong = np.diff(self.time_ms) <= 0
        if wrong.any():
            raise BadInput(
                f"{self.market}: funding times are not strictly increasing",
                where=Where(row=int(np.argmax(wrong)) + 1, field="time_ms"),
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuoteSeries:
    """Recorded best quotes: `time_ms` int64, `bid` and `ask` int32 ticks, shape `(n,)`, times increasing."""

    market: Market
    time_ms: Int64s
    bid: Int32s
    ask: Int32s

    def __post_init__(self) -> None:
        if not len(self.time_ms) == len(self.bid) == len(self.ask):
            raise BadInput(f"{self.market}: quote arrays differ in length", where=Where(field="bid"))
        for field, wrong in (
            ("time_ms", np.diff(self.time_ms, prepend=-1) <= 0),
            ("bid", (self.bid <= 0) | (self.bid > self.ask)),
        ):
            if wrong.any():
                raise BadInput(
                    f"{self.market}: quotes are unsorted or crossed",
                    where=Where(row=int(np.argmax(wrong)), field=field),
                )
