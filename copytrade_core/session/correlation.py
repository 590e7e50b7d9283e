"""How alike two markets have moved lately: correlation of the returns of bars that both had. Judging it is `risk`'s."""

from __future__ import annotations

import numpy as np

from copytrade_core.model.bar import BarSeries
from copytrade_core.model.units import RATE_SCALE

RETURNS_COUNT = 288
"""A day of five-minute bars."""
RETURNS_MIN = 30
"""With fewer common returns a correlation is noise: then it is not known."""


def correlation_ppm(one: BarSeries, other: BarSeries, at_ms: int) -> int | None:
    """Pearson's correlation of the latest common log returns known at a time, in ppm; None where it is not known.

    Only bars that had ended are used, and only returns between neighbouring bars. A market that did not move has none.
    """
    if one.interval_ms != other.interval_ms:
        return None
    recent = [_recent(series, at_ms) for series in (one, other)]
    common, first, second = np.intersect1d(
        recent[0].open_time_ms, recent[1].open_time_ms, assume_unique=True, return_indices=True
    )
    if len(common) < RETURNS_MIN + 1:
        return None
    closes = np.log([recent[0].close[first].astype(np.float64), recent[1].close[second].astype(np.float64)])
    moves = np.diff(closes, axis=1)[:, np.diff(common) == one.interval_ms]
    if moves.shape[1] < RETURNS_MIN or not (moves.std(axis=1) > 0).all():
        return None
    return int(np.clip(round(float(np.corrcoef(moves)[0, 1]) * RATE_SCALE), -RATE_SCALE, RATE_SCALE))


def _recent(series: BarSeries, at_ms: int) -> BarSeries:
    last = series.index_known_at(at_ms) + 1
    kept = slice(max(0, last - RETURNS_COUNT - 1), last)
    return BarSeries(
        market=series.market,
        interval_ms=series.interval_ms,
        origin=series.origin,
        open_time_ms=series.open_time_ms[kept],
        open=series.open[kept],
        high=series.high[kept],
        low=series.low[kept],
        close=series.close[kept],
        volume=series.volume[kept],
    )
