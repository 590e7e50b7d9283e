"""What is odd about a series of bars: gaps, price jumps, silence. Facts only: nothing is filled or corrected.

Whether an oddity blocks is decided by the checks that read these records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from copytrade_core.model.bar import BarSeries, Int64s
from copytrade_core.model.instrument import Market

BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BarGap:
    """Missing bars: `open_time_ms` of the first missing one, and how many are missing in a row."""

    open_time_ms: int
    missing_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceJump:
    """A bar that moved too far: `move_bps` is the largest of its moves away from the close before it."""

    open_time_ms: int
    move_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SanityLimits:
    """Limits of `inspect_bars`; no defaults.

    `price_move_bps_max` bounds how far high or low may be from the close before; `zero_volume_ratio_max` is the share
    of bars without volume that is still believed.
    """

    price_move_bps_max: int
    zero_volume_ratio_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BarSanity:
    """What an inspection of one series found. `bar_count` bars, `missing_count` missing ones in all `gaps`."""

    market: Market
    interval_ms: int
    bar_count: int
    missing_count: int
    gaps: tuple[BarGap, ...]
    jumps: tuple[PriceJump, ...]
    zero_volume_ratio: float
    limits: SanityLimits

    @property
    def no_gaps(self) -> bool:
        """Whether every bar of the span is there."""
        return not self.gaps

    @property
    def prices_sane(self) -> bool:
        """Whether no bar jumps beyond the limit and the market was not silent."""
        return not self.jumps and self.zero_volume_ratio <= self.limits.zero_volume_ratio_max


def inspect_bars(series: BarSeries, *, start_ms: int, end_ms: int, limits: SanityLimits) -> BarSanity:
    """Everything odd about the bars of `[start_ms, end_ms)`; bars outside the span only serve as the close before."""
    gaps = bar_gaps(series, start_ms=start_ms, end_ms=end_ms)
    first, last = series.index_at_or_after(start_ms), series.index_at_or_after(end_ms)
    volume = series.volume[first:last]
    jumps = price_jumps(series, move_bps_max=limits.price_move_bps_max)
    return BarSanity(
        market=series.market,
        interval_ms=series.interval_ms,
        bar_count=last - first,
        missing_count=sum(gap.missing_count for gap in gaps),
        gaps=gaps,
        jumps=tuple(jump for jump in jumps if start_ms <= jump.open_time_ms < end_ms),
        zero_volume_ratio=(len(volume) - int(np.count_nonzero(volume))) / len(volume) if len(volume) else 0.0,
        limits=limits,
    )


def bar_gaps(series: BarSeries, *, start_ms: int, end_ms: int) -> tuple[BarGap, ...]:
    """Every run of missing bars needed to cover `[start_ms, end_ms)`, edges included, in order of time."""
    interval_ms = series.interval_ms
    first_ms = -(-start_ms // interval_ms) * interval_ms
    inside = series.open_time_ms[series.index_at_or_after(first_ms) : series.index_at_or_after(end_ms)]
    after_ms = max(first_ms, -(-end_ms // interval_ms) * interval_ms)
    # A bar just before the span and one just after it turn the edges into ordinary neighbours.
    times: Int64s = np.concatenate(([first_ms - interval_ms], inside, [after_ms])).astype(np.int64)
    missing: Int64s = np.diff(times) // interval_ms - 1
    return tuple(
        BarGap(open_time_ms=int(times[index]) + interval_ms, missing_count=int(missing[index]))
        for index in np.flatnonzero(missing > 0).tolist()
    )


def price_jumps(series: BarSeries, *, move_bps_max: int) -> tuple[PriceJump, ...]:
    """Bars whose high or low is more than `move_bps_max` away from the close before (the first bar: from its open).

    All in integers: `|price - before| x 10,000 > limit x before`. A bar after a gap is judged like any other.
    """
    if not len(series):
        return ()
    before: Int64s = np.concatenate((series.open[:1], series.close[:-1])).astype(np.int64)
    up = series.high.astype(np.int64) - before
    down = before - series.low.astype(np.int64)
    move: Int64s = np.maximum(up, down)
    beyond: NDArray[np.bool_] = move * BPS > before * move_bps_max
    return tuple(
        PriceJump(
            open_time_ms=int(series.open_time_ms[index]), move_bps=int(-(-int(move[index]) * BPS // int(before[index])))
        )
        for index in np.flatnonzero(beyond).tolist()
    )
