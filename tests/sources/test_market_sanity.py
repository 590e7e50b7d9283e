"""Oddities of bars are found, counted and never corrected."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.instrument import Market
from copytrade_core.sources.market_sanity import BarGap, PriceJump, SanityLimits, bar_gaps, inspect_bars, price_jumps

MINUTE = 60_000
LIMITS = SanityLimits(price_move_bps_max=1000, zero_volume_ratio_max=0.25)


def series(opened: list[int], *, close: list[int] | None = None, volume: list[float] | None = None) -> BarSeries:
    prices = np.array(close or [1000] * len(opened), dtype=np.int32)
    return BarSeries(
        market=Market("BTC/USDT:USDT"),
        interval_ms=MINUTE,
        origin=PriceOrigin.RECORDED,
        open_time_ms=np.array(opened, dtype=np.int64) * MINUTE,
        open=prices,
        high=prices,
        low=prices,
        close=prices,
        volume=np.array(volume or [1.0] * len(opened)),
    )


def test_gaps_inside_and_at_both_edges_are_counted() -> None:
    found = bar_gaps(series([12, 13, 16]), start_ms=10 * MINUTE + 1, end_ms=18 * MINUTE)
    assert found == (
        BarGap(open_time_ms=11 * MINUTE, missing_count=1),
        BarGap(open_time_ms=14 * MINUTE, missing_count=2),
        BarGap(open_time_ms=17 * MINUTE, missing_count=1),
    )


@given(st.sets(st.integers(0, 40)), st.integers(0, 40 * MINUTE), st.integers(0, 40 * MINUTE))
def test_gaps_agree_with_first_gap_and_with_counting(opened: set[int], a: int, b: int) -> None:
    bars = series(sorted(opened))
    start_ms, end_ms = sorted((a, b))
    found = bar_gaps(bars, start_ms=start_ms, end_ms=end_ms)
    needed = {k for k in range(41) if start_ms <= k * MINUTE < end_ms}
    listed = [gap.open_time_ms // MINUTE + n for gap in found for n in range(gap.missing_count)]
    assert listed == sorted(needed - opened)
    assert bars.first_gap(start_ms, end_ms) == (found[0].open_time_ms if found else None)


def test_a_jump_beyond_the_limit_is_found_and_one_at_the_limit_is_not() -> None:
    bars = series([1, 2, 3, 4], close=[1000, 1100, 1100, 980])
    assert price_jumps(bars, move_bps_max=1000) == (PriceJump(open_time_ms=4 * MINUTE, move_bps=1091),)
    assert price_jumps(series([]), move_bps_max=1) == ()


def test_silence_beyond_the_limit_is_not_sane() -> None:
    quiet = series([1, 2, 3, 4], volume=[0.0, 1.0, 1.0, 1.0])
    found = inspect_bars(quiet, start_ms=MINUTE, end_ms=5 * MINUTE, limits=LIMITS)
    assert (found.zero_volume_ratio, found.prices_sane, found.no_gaps, found.bar_count) == (0.25, True, True, 4)
    silent = series([1, 2, 3, 4], volume=[0.0, 0.0, 1.0, 1.0])
    assert not inspect_bars(silent, start_ms=MINUTE, end_ms=5 * MINUTE, limits=LIMITS).prices_sane


def test_an_inspection_counts_what_is_missing() -> None:
    found = inspect_bars(series([1, 4], close=[1000, 1200]), start_ms=MINUTE, end_ms=6 * MINUTE, limits=LIMITS)
    assert (found.missing_count, found.no_gaps, found.prices_sane) == (3, False, False)
    nothing = inspect_bars(series([]), start_ms=0, end_ms=2 * MINUTE, limits=LIMITS)
    assert (nothing.bar_count, nothing.missing_count) == (0, 2)
