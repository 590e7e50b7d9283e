"""Equity over time and how far it fell: the marked timeline, daily equity, drawdowns.

What a drawdown may be is decided by the gates; here are only the curves and their depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.round_trip import EquityCurve, ReplayResult, RoundTrip

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Equity in money (1e-8 quote) over time; int64 arrays of shape `(n,)`, times not decreasing.

    `equity` is marked at bar closes, `worst_intrabar` at the adverse extreme inside the bar. The first point is the
    start of the run, and after every exit that leaves nothing held there is a point with the cash that remained.
    """

    time_ms: Int64s
    equity: Int64s
    worst_intrabar: Int64s


def marked_timeline(result: ReplayResult) -> Timeline:
    """The marked equity of a result, closed by what was in cash whenever nothing was held."""
    flat_times, flat_equity = _flat_points(result.round_trips, result.spec.initial_equity)
    curve = result.equity
    start_ms = _start_ms(result)
    times = np.concatenate([np.array([start_ms], dtype=np.int64), curve.time_ms, flat_times])
    start = np.array([result.spec.initial_equity], dtype=np.int64)
    equity = np.concatenate([start, curve.equity, flat_equity])
    worst = np.concatenate([start, np.minimum(curve.worst_intrabar, curve.equity), flat_equity])
    # Stable: at equal times the bar's own mark comes before the cash that the exit left.
    order = np.argsort(times, kind="stable")
    return Timeline(time_ms=times[order], equity=equity[order], worst_intrabar=worst[order])


def _start_ms(result: ReplayResult) -> int:
    signals = [trip.signal_at_ms for trip in result.round_trips]
    first_marks = [int(result.equity.time_ms[0])] if len(result.equity.time_ms) else []
    return min([*signals, *first_marks], default=0)


def _flat_points(trips: Sequence[RoundTrip], initial_equity: int) -> tuple[Int64s, Int64s]:
    ordered = sorted(trips, key=lambda trip: trip.exited_at_ms)
    entries = np.sort(np.array([trip.entered_at_ms for trip in ordered], dtype=np.int64))
    exits = np.array([trip.exited_at_ms for trip in ordered], dtype=np.int64)
    cash = initial_equity + np.cumsum(np.array([trip.pnl for trip in ordered], dtype=np.int64))
    entered = np.searchsorted(entries, exits, side="right")
    left = np.searchsorted(exits, exits, side="right")
    is_flat = (entered == left) & (left == np.arange(1, len(ordered) + 1))
    return exits[is_flat], cash[is_flat]


def realised_equity(trips: Sequence[RoundTrip], initial_equity: int) -> tuple[Int64s, Int64s]:
    """Exit times and initial equity plus running net profit, in exit order; the first point is the initial equity."""
    ordered = sorted(trips, key=lambda trip: (trip.exited_at_ms, trip.episode_id))
    first_ms = min((trip.signal_at_ms for trip in trips), default=0)
    times = np.array([first_ms, *(trip.exited_at_ms for trip in ordered)], dtype=np.int64)
    steps = np.array([initial_equity, *(trip.pnl for trip in ordered)], dtype=np.int64)
    return times, np.cumsum(steps)


def max_drawdown_ratio(equity: Int64s) -> float:
    """Largest fall from a peak, over that peak; 0 for fewer than two points.

    `max over t of (peak up to t - equity at t) / peak up to t`. Peaks of zero or less count as a total loss.
    """
    return float(drawdown_ratios(equity).max(initial=0.0))


def drawdown_ratios(equity: Int64s) -> Float64s:
    """The fall from the running peak at every point, as a positive share of the peak."""
    peak = np.maximum.accumulate(equity) if len(equity) else equity
    return _share_of_peak(peak, equity)


def max_intrabar_drawdown_ratio(timeline: Timeline) -> float:
    """Largest fall from the highest marked close before a bar to the adverse extreme inside it, over that close."""
    if len(timeline.equity) == 0:
        return 0.0
    peak = np.maximum.accumulate(timeline.equity)
    peak_before = np.concatenate([peak[:1], peak[:-1]])
    inside = _share_of_peak(peak_before, np.minimum(timeline.worst_intrabar, timeline.equity))
    return max(float(inside.max(initial=0.0)), max_drawdown_ratio(timeline.equity))


def _share_of_peak(peak: Int64s, equity: Int64s) -> Float64s:
    fall = np.maximum(peak - equity, 0).astype(np.float64)
    whole = np.where(fall > 0, 1.0, 0.0)
    return np.divide(fall, peak, out=whole, where=peak > 0)


def gross_to_equity_max_ratio(curve: EquityCurve) -> float | None:
    """Largest gross notional over equity at the same bar end; None without a curve or once equity is used up."""
    if len(curve.gross) == 0 or bool((curve.equity <= 0).any()):
        return None
    return float((curve.gross / curve.equity).max())


def equity_worst_ratio(curve: EquityCurve, initial_equity: int) -> float | None:
    """Lowest equity at any adverse extreme, over initial equity; None without a curve."""
    if len(curve.worst_intrabar) == 0:
        return None
    return float(np.minimum(curve.worst_intrabar, curve.equity).min()) / initial_equity


def daily_equity(timeline: Timeline) -> Int64s:
    """Equity at the end of every UTC day from the first point's day to the last's, preceded by the first point.

    A day without a mark keeps the equity before it; shape `(days + 1,)`.
    """
    if len(timeline.time_ms) == 0:
        return np.zeros(0, dtype=np.int64)
    # A mark at midnight closes the day before it.
    first_day = int(timeline.time_ms[0]) // DAY_MS
    last_day = max(first_day, (int(timeline.time_ms[-1]) - 1) // DAY_MS)
    ends = (np.arange(first_day, last_day + 1, dtype=np.int64) + 1) * DAY_MS
    index = np.searchsorted(timeline.time_ms, ends, side="right") - 1
    return np.concatenate([timeline.equity[:1], timeline.equity[index]])
