"""A simulated market: bars and funding that pass through the prices a lead recorded.

Nothing here reads recorded bars or fills an order. What comes out is labelled simulated and is never evidence about a
real market.

Same arguments, same bytes, on any machine: noise is the raw stream of PCG64 summed as integers (numpy keeps raw
streams stable, distributions it may change), logarithms are Decimal's correctly rounded ones, and the path uses only
the IEEE operations + - * / with an exponential of its own, because libm, SIMD and fused multiply-add differ by machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext

import numpy as np
from numpy.random import PCG64, SeedSequence
from numpy.typing import NDArray

from copytrade_core.model.bar import BarSeries, Float64s, FundingSeries, Int64s, PriceOrigin
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import TICKS_MAX

SUBSTEPS = 4
"""Path points per bar: a bar's extremes come from these and from the anchors inside it."""
FUNDING_INTERVAL_MS = 8 * 3600 * 1000
HOUR_MS = 3600 * 1000
_LANE_MEAN = 4 * 65535 // 2
_LANE_DEVIATION = math.sqrt(4 * (65536.0 * 65536.0 - 1.0) / 12.0)
_EXP_HALVINGS = 12
_LOG_MOVE_MAX = 40.0
_VOLUME_STEPS_MIN = 1000
_FUNDING_MEAN, _FUNDING_DEVIATION = 3_000, 4_000
"""In 1e-8: 0.003 % on average, as ordinary as the recorded BTC rates of spring 2026."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """`count` bars of `interval_ms` from `start_ms` on, with `SUBSTEPS` path points each."""

    start_ms: int
    interval_ms: int
    count: int

    def point(self, time_ms: int) -> int:
        return (time_ms - self.start_ms) * SUBSTEPS // self.interval_ms


def simulated_bars(
    anchors: Sequence[tuple[int, Decimal]],
    instrument: Instrument,
    *,
    interval_ms: int,
    start_ms: int,
    end_ms: int,
    seed: int,
    volatility_bps: int,
) -> BarSeries:
    """Gapless bars over `[start_ms, end_ms)` whose path is a geometric Brownian bridge through the anchors.

    The span is widened to whole bars. Every anchor inside it lies within low..high of its bar, also when it is off the
    tick grid and when several fall into one bar; anchors outside the span are left out. Before the first and after the
    last anchor the path is free. Each bar opens at the close of the bar before it.

    Args:
        anchors: (epoch milliseconds, price in quote units), any order.
        instrument: gives the market, the tick grid and the step of the volume.
        interval_ms: length of a bar.
        start_ms: first instant covered.
        end_ms: first instant no longer needed.
        seed: not negative; the market's name is mixed in, so markets of one seed differ.
        volatility_bps: standard deviation of the log return over one hour.

    Raises:
        BadInput: an empty span, no anchor inside it, an anchor off 1..2**31-1 ticks, a negative seed or volatility.
        OutOfBounds: the path leaves the range of int32 ticks.
    """
    grid = _grid(instrument.market, interval_ms, start_ms, end_ms)
    _refuse("seed", "the seed must not be negative", when=seed < 0)
    _refuse("volatility_bps", "the volatility must not be negative", when=volatility_bps < 0)
    inside = _anchors_in_ticks(anchors, instrument, grid)
    path = _path(inside, grid, _raw(seed, instrument.market, "bars", grid.count * SUBSTEPS), volatility_bps)
    opens, closes = path[:-1:SUBSTEPS], path[SUBSTEPS::SUBSTEPS]
    points = path[:-1].reshape(grid.count, SUBSTEPS)
    high = np.maximum(points.max(axis=1), closes)
    low = np.minimum(points.min(axis=1), closes)
    bars = np.array([grid.point(time_ms) // SUBSTEPS for time_ms, _ in inside], dtype=np.int64)
    np.maximum.at(high, bars, np.array([int(p.to_integral_value(ROUND_CEILING)) for _, p in inside], dtype=np.int64))
    np.minimum.at(low, bars, np.array([int(p.to_integral_value(ROUND_FLOOR)) for _, p in inside], dtype=np.int64))
    if int(high.max()) > TICKS_MAX:
        raise OutOfBounds(f"{instrument.market}: the simulated price leaves the range of int32 ticks")
    lots = _VOLUME_STEPS_MIN + (_raw(seed, instrument.market, "volume", grid.count) >> np.uint64(48)).astype(np.int64)
    return BarSeries(
        market=instrument.market,
        interval_ms=interval_ms,
        origin=PriceOrigin.SIMULATED,
        open_time_ms=grid.start_ms + np.arange(grid.count, dtype=np.int64) * interval_ms,
        open=opens.astype(np.int32),
        high=high.astype(np.int32),
        low=low.astype(np.int32),
        close=closes.astype(np.int32),
        volume=(lots * float(instrument.step_size)).astype(np.float64),
    )


def simulated_funding(market: Market, *, start_ms: int, end_ms: int, seed: int) -> FundingSeries:
    """Funding at every 8 hours (00:00, 08:00, 16:00 UTC) of `[start_ms, end_ms)`, rates in 1e-8 around 0.003 %.

    Raises:
        BadInput: an empty span or a negative seed.
    """
    _refuse("end_ms", f"{market}: the span is empty", when=end_ms <= start_ms)
    _refuse("seed", "the seed must not be negative", when=seed < 0)
    first = -(-start_ms // FUNDING_INTERVAL_MS) * FUNDING_INTERVAL_MS
    times = np.arange(first, end_ms, FUNDING_INTERVAL_MS, dtype=np.int64)
    noise = _noise(_raw(seed, market, "funding", len(times)))
    return FundingSeries(
        market=market, time_ms=times, rate=_FUNDING_MEAN + noise * _FUNDING_DEVIATION // int(_LANE_DEVIATION)
    )


def _refuse(field: str, what: str, *, when: bool) -> None:
    if when:
        raise BadInput(what, where=Where(field=field))


def _grid(market: Market, interval_ms: int, start_ms: int, end_ms: int) -> _Grid:
    _refuse("interval_ms", f"{market}: a bar must last {SUBSTEPS} ms at least", when=interval_ms < SUBSTEPS)
    _refuse("end_ms", f"{market}: the span is empty", when=end_ms <= start_ms)
    first = start_ms // interval_ms * interval_ms
    return _Grid(start_ms=first, interval_ms=interval_ms, count=-(-(end_ms - first) // interval_ms))


def _anchors_in_ticks(
    anchors: Sequence[tuple[int, Decimal]], instrument: Instrument, grid: _Grid
) -> list[tuple[int, Decimal]]:
    """Anchors of the span by time, prices in (fractional) ticks."""
    end_ms = grid.start_ms + grid.count * grid.interval_ms
    with localcontext() as context:
        context.prec = 28
        inside = sorted((at, price / instrument.tick_size) for at, price in anchors if grid.start_ms <= at < end_ms)
    _refuse("anchors", f"{instrument.market}: no anchor price inside the span", when=not inside)
    for time_ms, price in inside:
        under = not 1 <= price <= TICKS_MAX
        _refuse("anchors", f"{instrument.market}: the anchor at {time_ms} is outside 1..{TICKS_MAX} ticks", when=under)
    return inside


def _raw(seed: int, market: Market, purpose: str, count: int) -> NDArray[np.uint64]:
    words = [seed, *f"{market}/{purpose}".encode()]
    return np.atleast_1d(np.asarray(PCG64(SeedSequence(words)).random_raw(count), dtype=np.uint64))


def _noise(raw: NDArray[np.uint64]) -> Int64s:
    """Bell-shaped integers of mean 0 and deviation `_LANE_DEVIATION`: the sum of four 16-bit lanes."""
    lanes = sum(((raw >> np.uint64(shift)) & np.uint64(0xFFFF)).astype(np.int64) for shift in (0, 16, 32, 48))
    return np.asarray(lanes, dtype=np.int64) - _LANE_MEAN


def _path(anchors: Sequence[tuple[int, Decimal]], grid: _Grid, raw: NDArray[np.uint64], volatility_bps: int) -> Int64s:
    """Ticks at the `count * SUBSTEPS + 1` points; the first anchor of a point is its knot."""
    knots: dict[int, Decimal] = {}
    for time_ms, price in anchors:
        _ = knots.setdefault(grid.point(time_ms), price)
    reference = next(iter(knots.values()))
    with localcontext() as context:
        context.prec = 28
        logs = np.array([float((price / reference).ln()) for price in knots.values()], dtype=np.float64)
    step_deviation = volatility_bps / 10_000 * math.sqrt(grid.interval_ms / SUBSTEPS / HOUR_MS)
    walk = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(_noise(raw)))) * (step_deviation / _LANE_DEVIATION)
    at = np.array(list(knots), dtype=np.int64)
    moved = walk + _between(np.arange(len(walk), dtype=np.int64), at, logs - walk[at])
    if float(np.abs(moved).max()) > _LOG_MOVE_MAX:
        raise OutOfBounds("the simulated price moves by more than e**40: lower volatility_bps or shorten the span")
    prices = np.floor(float(reference) * _exp(moved) + 0.5)
    return np.clip(prices, 1, 2.0**62).astype(np.int64)


def _between(points: Int64s, knots: Int64s, values: Float64s) -> Float64s:
    """Straight lines between knots, flat outside; np.interp may fuse operations, this may not."""
    left = np.clip(np.searchsorted(knots, points, side="right") - 1, 0, len(knots) - 1)
    right = np.minimum(left + 1, len(knots) - 1)
    span = np.maximum(knots[right] - knots[left], 1)
    share = np.clip((points - knots[left]) / span, 0.0, 1.0)
    return values[left] + share * (values[right] - values[left])


def _exp(x: Float64s) -> Float64s:
    """e**x by a Taylor polynomial of x / 2**12, squared 12 times: only + and *, relative error about 1e-12."""
    small = x / 2.0**_EXP_HALVINGS
    power = np.ones_like(small)
    for divisor in (6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        power = 1.0 + power * small / divisor
    for _ in range(_EXP_HALVINGS):
        power = power * power
    return power
