from __future__ import annotations

from collections import Counter
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from copytrade_core.evidence.bootstrap import net_interval, stationary_bootstrap_sums, t_statistic
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.measure import BootstrapSettings


def settings(*, seed: int = 1, resamples: int = 500, block: float = 4.0) -> BootstrapSettings:
    return BootstrapSettings(seed=seed, resamples_count=resamples, block_mean_count=block, confidence_ratio=0.95)


def variance_of_sum(values: np.ndarray, block: float) -> float:
    """Politis & Romano (1994), lemma 1: the exact variance of the resampled sum, given the data."""
    n, p = len(values), 1 / block
    centred = values - values.mean()
    total = float((centred**2).mean())
    for lag in range(1, n):
        weight = (1 - lag / n) * (1 - p) ** lag + lag / n * (1 - p) ** (n - lag)
        total += 2 * weight * float((centred[: n - lag] * centred[lag:]).sum()) / n
    return n * total


@pytest.mark.parametrize("block", [1.0, 3.0, 12.0])
def test_spread_of_the_resampled_sum_equals_the_papers_formula(block):
    values = np.random.default_rng(5).normal(size=30).cumsum()
    sums = stationary_bootstrap_sums(values, settings(resamples=60_000, block=block))
    assert sums.var() == pytest.approx(variance_of_sum(values, block), rel=0.03)
    assert sums.mean() == pytest.approx(values.sum(), abs=4 * sums.std() / np.sqrt(60_000))


def test_endless_blocks_only_turn_the_circle_so_the_sum_stays():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    assert set(stationary_bootstrap_sums(values, settings(block=1e15))) == {15.0}


def law_of_counts(count: int, block: float) -> dict[tuple[int, ...], float]:
    """How often each value is drawn, by the paper's definition: every history with its probability, added up.

    The first value is anywhere; the next begins a new block anywhere with chance 1 / block, else it is the neighbour on
    the circle.
    """
    p = 1 / block
    law: dict[tuple[int, ...], float] = {}
    for history in product(range(count), repeat=count):
        chance = 1 / count
        for before, now in pairwise(history):
            chance *= p / count + (1 - p) * (now == (before + 1) % count)
        drawn = tuple(history.count(value) for value in range(count))
        law[drawn] = law.get(drawn, 0.0) + chance
    return law


@pytest.mark.parametrize("block", [1.0, 2.5, 10.0])
def test_histories_come_as_often_as_the_papers_definition_says(block):
    """Values 1, 5, 25, 125: the sum tells how often each was drawn."""
    law, resamples = law_of_counts(4, block), 40_000
    sums = stationary_bootstrap_sums(np.array([1.0, 5.0, 25.0, 125.0]), settings(resamples=resamples, block=block))
    seen = Counter(tuple(int(total) // 5**i % 5 for i in range(4)) for total in sums)
    assert sum(law.values()) == pytest.approx(1)
    assert set(seen) <= set(law)
    expected = np.array([law[drawn] * resamples for drawn in sorted(law)])
    found = np.array([seen[drawn] for drawn in sorted(law)])
    # Rare counts are added up, so that the chi-square law holds.
    rare = expected < 20
    pooled = [np.append(counts[~rare], counts[rare].sum()) for counts in (found, expected)]
    keep = pooled[1] > 0
    assert stats.chisquare(pooled[0][keep], pooled[1][keep]).pvalue > 0.001


def slow_sum(values: np.ndarray, block: float, draws: np.random.Generator) -> float:
    """Politis & Romano's own words: blocks of geometric length from anywhere, laid end to end on the wrapped data."""
    history: list[float] = []
    while len(history) < len(values):
        start, length = int(draws.integers(len(values))), int(draws.geometric(1 / block))
        history += [values[(start + step) % len(values)] for step in range(length)]
    return sum(history[: len(values)])


def test_the_interval_is_that_of_blocks_laid_end_to_end():
    values = np.random.default_rng(2).standard_t(4, size=25).cumsum() + 3
    draws = np.random.default_rng(99)
    slow = np.array([slow_sum(values, 4.0, draws) for _ in range(8000)])
    interval = net_interval(values, settings(resamples=40_000, block=4.0))
    assert interval is not None
    low, high = np.quantile(slow, [0.025, 0.975])
    assert interval == pytest.approx((low, high), abs=0.05 * float(slow.std()))


def test_the_same_seed_draws_the_same_histories_and_another_seed_others():
    values = np.arange(20.0)
    first = stationary_bootstrap_sums(values, settings(seed=3))
    assert np.array_equal(first, stationary_bootstrap_sums(values, settings(seed=3)))
    assert not np.array_equal(first, stationary_bootstrap_sums(values, settings(seed=4)))


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), seed=st.integers(0, 2**32))
def test_the_interval_is_ordered_and_inside_what_can_be_drawn(values, seed):
    array = np.array(values)
    interval = net_interval(array, settings(seed=seed, resamples=50))
    assert interval is not None
    low, high = interval
    slack = 1e-6 * (1 + float(np.abs(array).sum()))
    assert array.min() * len(array) - slack <= low <= high <= array.max() * len(array) + slack


def test_one_value_has_no_interval_and_no_t():
    assert net_interval(np.array([3.0]), settings()) is None
    assert t_statistic(np.array([3.0])) is None


def test_equal_values_have_no_t():
    assert t_statistic(np.full(5, 0.1)) is None


@pytest.mark.parametrize(
    ("field", "value"), [("seed", -1), ("resamples_count", 0), ("block_mean_count", 0.5), ("confidence_ratio", 1.0)]
)
def test_impossible_settings_are_refused_with_their_name(field, value):
    given_values: dict[str, Any] = {
        "seed": 1,
        "resamples_count": 10,
        "block_mean_count": 2.0,
        "confidence_ratio": 0.9,
        field: value,
    }
    with pytest.raises(BadConfig, match=field):
        BootstrapSettings(**given_values)
