from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
