"""The uncertainty of a sum: stationary bootstrap and t-statistic.

Search and overfitting statistics do not belong here.
"""

from __future__ import annotations

import math

import numpy as np

from copytrade_core.model.bar import Float64s
from copytrade_core.model.measure import BootstrapSettings


def stationary_bootstrap_sums(values: Float64s, settings: BootstrapSettings) -> Float64s:
    """Sums of redrawn histories, shape `(resamples_count,)`.

    Politis & Romano (1994), The Stationary Bootstrap: blocks start anywhere with equal chance and have geometric length
    with mean `block_mean_count`; the history is wrapped into a circle, so every block has its full length.

    Args:
        values: one number per round trip in the order of their exits, shape `(n,)`, n >= 1.
        settings: seed, number of resamples and mean block length.
    """
    count = len(values)
    assert count >= 1, "nothing to resample"
    draws = np.random.default_rng(settings.seed)
    new_block_chance = 1.0 / settings.block_mean_count
    index = draws.integers(0, count, size=settings.resamples_count)
    sums = values[index].astype(np.float64)
    for _ in range(count - 1):
        starts_block = draws.random(settings.resamples_count) < new_block_chance
        anywhere = draws.integers(0, count, size=settings.resamples_count)
        index = np.where(starts_block, anywhere, (index + 1) % count)
        sums += values[index]
    return sums


def net_interval(values: Float64s, settings: BootstrapSettings) -> tuple[float, float] | None:
    """Percentile interval of the sum at `confidence_ratio`; None under two values, which have no spread."""
    if len(values) < 2:
        return None
    sums = stationary_bootstrap_sums(values, settings)
    tail = (1.0 - settings.confidence_ratio) / 2.0
    low, high = np.quantile(sums, [tail, 1.0 - tail])
    return float(low), float(high)


def t_statistic(values: Float64s) -> float | None:
    """Mean / (sample standard deviation / sqrt(n)); None under two values or without spread."""
    if len(values) < 2:
        return None
    deviation = float(values.std(ddof=1))
    if deviation <= 1e-12 * max(1.0, float(np.abs(values).max())):
        return None
    return float(values.mean()) / (deviation / math.sqrt(len(values)))
