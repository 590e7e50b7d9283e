"""Where a virtual venue's prices come from: a scripted path, or bars. Reading files is in `edges/venue_feeds.py`.

A feed is a path of steps. A jump (`start` = `end`) is a price that is simply there from its instant on; a move passes
through every price from `start` to `end`. Orders that rest between two instants are matched against these steps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from typing_extensions import override

from copytrade_core.model.bar import Bar, BarSeries, FundingSeries
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import INT64_MAX, FundingRate, Steps, Ticks

STEPS_PER_BAR = 4
"""Open at once; then at each quarter of the bar the extreme against its direction, the other extreme, the close."""
_FEW_BARS = 12
_Value = TypeVar("_Value")


class PathStep(NamedTuple):
    """From `time_ms` on the price is `end`; it came there through every price from `start` on."""

    time_ms: int
    start: Ticks
    end: Ticks


class Traded(NamedTuple):
    """What the market trades around an instant: an id that changes with every bar, and its volume (None: no limit)."""

    bar_id: int
    volume: Steps | None


class PriceFeed(Protocol):
    """Prices, volumes and funding rates of some markets, known beforehand; nothing here depends on what was asked.

    Every method raises BadInput for a market without prices or an instant outside them.
    """

    def price(self, market: Market, at_ms: int) -> Ticks:
        """The price at an instant."""
        ...

    def range(self, market: Market, from_ms: int, to_ms: int) -> tuple[Ticks, Ticks] | None:
        """Bounds of every price of `(from_ms, to_ms]`; exact over whole bars; None when no step falls into it."""
        ...

    def steps(self, market: Market, from_ms: int, to_ms: int) -> Iterator[PathStep]:
        """The steps of `(from_ms, to_ms]` in order."""
        ...

    def traded(self, market: Market, at_ms: int) -> Traded:
        """The bar around an instant and its volume."""
        ...

    def funding_rate(self, market: Market, at_ms: int) -> FundingRate | None:
        """The rate of a funding instant; None when none is known."""
        ...

    def starts_ms(self, market: Market) -> int:
        """The first instant with a price."""
        ...

    def ends_ms(self, market: Market) -> int:
        """The first instant after the last price."""
        ...


class ScriptedPath(PriceFeed):
    """Prices that jump at given instants and hold in between.

    Args:
        points: by market (epoch ms, ticks), times strictly increasing.
        volume: steps that the market trades from one point to the next; None: no limit.
        funding: by market the rate of each funding instant.
        ends_ms: the first instant without a price; None: the last price holds for ever.

    Raises:
        BadInput: a market without points, times that do not increase, a price that is not positive.
    """

    def __init__(
        self,
        points: Mapping[Market, Sequence[tuple[int, Ticks]]],
        *,
        volume: Steps | None = None,
        funding: Mapping[Market, Mapping[int, FundingRate]] | None = None,
        ends_ms: int | None = None,
    ) -> None:
        self._times = {market: [time_ms for time_ms, _ in path] for market, path in points.items()}
        self._prices = {market: [price for _, price in path] for market, path in points.items()}
        self._volume = volume
        self._funding = funding or {}
        self._ends_ms = INT64_MAX if ends_ms is None else ends_ms
        for market, times in self._times.items():
            if not times:
                raise BadInput(f"{market} has no points", where=Where(field="points"))
            for row, (before, after) in enumerate(pairwise(times), start=1):
                if after <= before:
                    raise BadInput(f"{market}: times do not increase", where=Where(row=row, field="points"))
            if min(self._prices[market]) <= 0:
                raise BadInput(f"{market}: a price is not positive", where=Where(field="points"))

    @override
    def price(self, market: Market, at_ms: int) -> Ticks:
        index = self._index(market, at_ms)
        return self._prices[market][index]

    @override
    def range(self, market: Market, from_ms: int, to_ms: int) -> tuple[Ticks, Ticks] | None:
        first, last = self._index(market, from_ms) + 1, self._index(market, to_ms)
        if first > last:
            return None
        prices = self._prices[market][first : last + 1]
        return min(prices), max(prices)

    @override
    def steps(self, market: Market, from_ms: int, to_ms: int) -> Iterator[PathStep]:
        prices, times = self._prices[market], self._times[market]
        for index in range(self._index(market, from_ms) + 1, self._index(market, to_ms) + 1):
            yield PathStep(times[index], prices[index], prices[index])

    @override
    def traded(self, market: Market, at_ms: int) -> Traded:
        return Traded(self._index(market, at_ms), self._volume)

    @override
    def funding_rate(self, market: Market, at_ms: int) -> FundingRate | None:
        return self._funding.get(market, {}).get(at_ms)

    @override
    def starts_ms(self, market: Market) -> int:
        return _known(self._times, market)[0]

    @override
    def ends_ms(self, market: Market) -> int:
        _ = _known(self._times, market)
        return self._ends_ms

    def _index(self, market: Market, at_ms: int) -> int:
        index = bisect_right(_known(self._times, market), at_ms) - 1
        if index < 0 or at_ms >= self._ends_ms:
            raise _outside(market, at_ms)
        return index


class BarsFeed(PriceFeed):
    """The path inside bars: open, then the extreme against the bar's direction, the other extreme, and the close.

    A rising bar is taken as open, low, high, close, a falling one as open, high, low, close: the adverse comes first
    for whoever follows the bar. Where a bar is missing the last close holds.

    Args:
        series: the bars; one interval per market.
        instruments: the grid that turns volume in base units into steps.
        funding: by market its payments.

    Raises:
        BadInput: a market without bars or without an instrument, an interval that has no quarters.
    """

    def __init__(
        self,
        series: Mapping[Market, BarSeries],
        *,
        instruments: Mapping[Market, Instrument],
        funding: Mapping[Market, FundingSeries] | None = None,
    ) -> None:
        self._bars = {market: _Bars(bars, _known(instruments, market)) for market, bars in series.items()}
        self._funding = {
            market: dict(zip(rates.time_ms.tolist(), rates.rate.tolist(), strict=True))
            for market, rates in (funding or {}).items()
        }

    @override
    def price(self, market: Market, at_ms: int) -> Ticks:
        bars = _known(self._bars, market)
        index = bars.index(at_ms)
        return bars.path(index)[min((at_ms - bars.times[index]) // bars.quarter, 3)]

    @override
    def range(self, market: Market, from_ms: int, to_ms: int) -> tuple[Ticks, Ticks] | None:
        bars = _known(self._bars, market)
        return bars.bounds(bars.index(from_ms + 1) if from_ms + 1 >= bars.times[0] else 0, bars.index(to_ms))

    @override
    def steps(self, market: Market, from_ms: int, to_ms: int) -> Iterator[PathStep]:
        bars = _known(self._bars, market)
        for index in range(bars.index(from_ms), bars.index(to_ms) + 1):
            path, time_ms = bars.path(index), bars.times[index]
            start = path[0]
            for price in path:
                if from_ms < time_ms <= to_ms:
                    yield PathStep(time_ms, start, price)
                start, time_ms = price, time_ms + bars.quarter

    @override
    def traded(self, market: Market, at_ms: int) -> Traded:
        bars = _known(self._bars, market)
        index = bars.index(at_ms)
        return Traded(index, bars.volume[index])

    @override
    def funding_rate(self, market: Market, at_ms: int) -> FundingRate | None:
        rate = self._funding.get(market, {}).get(at_ms)
        return None if rate is None else FundingRate(rate)

    @override
    def starts_ms(self, market: Market) -> int:
        return _known(self._bars, market).times[0]

    @override
    def ends_ms(self, market: Market) -> int:
        return _known(self._bars, market).end_ms


class _Bars:
    """One market's bars as lists: an element of a list is read ten times faster than one of an array."""

    def __init__(self, series: BarSeries, instrument: Instrument) -> None:
        if not len(series):
            raise BadInput(f"{series.market} has no bars", where=Where(field="series"))
        if series.interval_ms < STEPS_PER_BAR:
            raise BadInput(f"{series.market}: a bar has no quarters", where=Where(field="interval_ms"))
        self.market = series.market
        self.times: list[int] = series.open_time_ms.tolist()
        self.quarter = series.interval_ms // STEPS_PER_BAR
        self.end_ms = series.end_ms
        self._series = series
        self._prices = [series.open.tolist(), series.high.tolist(), series.low.tolist(), series.close.tolist()]
        volume = np.floor(series.volume / float(instrument.step_size))
        self.volume = [Steps(int(steps)) for steps in volume.tolist()]

    def index(self, at_ms: int) -> int:
        if not self.times[0] <= at_ms < self.end_ms:
            raise _outside(self.market, at_ms)
        return bisect_right(self.times, at_ms) - 1

    def path(self, index: int) -> tuple[Ticks, Ticks, Ticks, Ticks]:
        opens, high, low, close = (Ticks(prices[index]) for prices in self._prices)
        return (opens, low, high, close) if close >= opens else (opens, high, low, close)

    def bounds(self, first: int, last: int) -> tuple[Ticks, Ticks] | None:
        if first > last:
            return None
        if last - first < _FEW_BARS:
            return Ticks(min(self._prices[2][first : last + 1])), Ticks(max(self._prices[1][first : last + 1]))
        low, high = self._series.low[first : last + 1], self._series.high[first : last + 1]
        return Ticks(int(low.min())), Ticks(int(high.max()))


def bars_of(feed: PriceFeed, market: Market, *, interval_ms: int, from_ms: int, to_ms: int) -> tuple[Bar, ...]:
    """Whole bars of a feed that open in `[from_ms, to_ms)` and have prices: what a venue's kline call shows."""
    first = max(-(-from_ms // interval_ms), -(-feed.starts_ms(market) // interval_ms)) * interval_ms
    until = min(to_ms, feed.ends_ms(market) - interval_ms + 1)
    made: list[Bar] = []
    for opened in range(first, until, interval_ms):
        last = opened + interval_ms - 1
        opens, close = feed.price(market, opened), feed.price(market, last)
        low, high = feed.range(market, opened, last) or (opens, opens)
        made.append(
            Bar(
                market=market,
                open_time_ms=opened,
                interval_ms=interval_ms,
                open=opens,
                high=max(high, opens),
                low=min(low, opens),
                close=close,
            )
        )
    return tuple(made)


def _known(values: Mapping[Market, _Value], market: Market) -> _Value:
    found = values.get(market)
    if found is None:
        raise BadInput(f"{market} has no prices", where=Where(field="market"))
    return found


def _outside(market: Market, at_ms: int) -> BadInput:
    return BadInput(f"{market} has no price at {at_ms} ms", where=Where(field="at_ms"))
