from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats

from copytrade_core.evidence.sharpe import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    min_track_record_length,
    moments,
    probabilistic_sharpe_ratio,
)
from copytrade_core.model.errors import BadInput

samples = st.lists(st.floats(-1e4, 1e4).map(lambda x: round(x, 2)), min_size=5, max_size=40).map(np.array)
ratios = st.floats(-2, 2)
skews = st.floats(-2, 2)


def kurtosis_above(skewness: float, more: float = 0.5) -> float:
    """Some kurtosis that a sample with this skewness can have."""
    return skewness**2 + 1 + more


# The worked example of Bailey & López de Prado (2014), "A numerical example": daily data, 250 days a year.
DAYS = 250
EXAMPLE: dict[str, Any] = {
    "sharpe": 2.5 / math.sqrt(DAYS),
    "observations_count": 5 * DAYS,
    "trials_sharpe_variance": 0.5 / DAYS,
}


def test_the_best_of_a_hundred_trials_is_expected_where_the_paper_says():
    assert round(expected_maximum_sharpe(trials_count=100, trials_sharpe_variance=0.5 / DAYS), 4) == 0.1132


def test_the_deflated_ratio_is_the_papers():
    found = deflated_sharpe_ratio(**EXAMPLE, skewness=-3, kurtosis=10, trials_count=100)
    assert found is not None
    assert round(found, 4) == 0.9004


@pytest.mark.parametrize(("trials_count", "skewness", "kurtosis"), [(46, -3, 10), (88, 0, 3)])
def test_fewer_trials_or_normal_returns_would_have_passed_as_the_paper_says(trials_count, skewness, kurtosis):
    found = deflated_sharpe_ratio(**EXAMPLE, skewness=skewness, kurtosis=kurtosis, trials_count=trials_count)
    assert found is not None
    assert round(found, 4) == 0.9505


# Bailey & López de Prado (2012): monthly mean 0.036, deviation 0.079 (annualised 1.59, so 0.458 a month).
@pytest.mark.parametrize(
    ("months", "skewness", "kurtosis", "stated"),
    [(24, 0, 3, 0.982), (24, -2.448, 10.164, 0.913), (36, -2.448, 10.164, 0.953)],
)
def test_the_probabilistic_ratio_is_the_papers(months, skewness, kurtosis, stated):
    found = probabilistic_sharpe_ratio(
        sharpe=0.458, benchmark=0, observations_count=months, skewness=skewness, kurtosis=kurtosis
    )
    assert found == pytest.approx(stated, abs=0.001)


@pytest.mark.parametrize(
    ("per_year", "skewness", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_the_minimum_track_record_is_the_papers(per_year, skewness, kurtosis, years):
    """Annualised Sharpe ratio 2 to be told from 1 with 95 %."""
    length = min_track_record_length(
        sharpe=2 / math.sqrt(per_year),
        benchmark=1 / math.sqrt(per_year),
        skewness=skewness,
        kurtosis=kurtosis,
        confidence_ratio=0.95,
    )
    assert length is not None
    assert round(length / per_year, 2) == years


@pytest.mark.parametrize("trials_count", [5, 10, 100, 1000, 20_000])
def test_the_expected_maximum_is_near_the_integral_it_approximates(trials_count):
    """E[max] = integral of x n phi(x) Phi(x)^(n-1); the formula is an extreme-value limit, best for many trials."""
    exact, _ = integrate.quad(
        lambda x: x * trials_count * stats.norm.pdf(x) * stats.norm.cdf(x) ** (trials_count - 1), -10, 10
    )
    found = expected_maximum_sharpe(trials_count=trials_count, trials_sharpe_variance=1.0)
    assert found == pytest.approx(exact, rel=0.03 if trials_count > 5 else 0.05)


def test_the_best_of_drawn_trials_is_near_the_expected_maximum():
    sharpes = np.random.default_rng(11).normal(scale=0.2, size=(4000, 60))
    found = expected_maximum_sharpe(trials_count=60, trials_sharpe_variance=0.04)
    assert sharpes.max(axis=1).mean() == pytest.approx(found, rel=0.02)


def test_the_best_of_many_trials_without_skill_rarely_passes_deflation_and_often_passes_without_it():
    draws = np.random.default_rng(3)
    deflated, plain = [], []
    for _ in range(300):
        pnl = draws.normal(size=(120, 50))
        trials = pnl.mean(axis=0) / pnl.std(axis=0, ddof=1)
        best = moments(pnl[:, int(trials.argmax())])
        assert best.sharpe is not None
        assert best.skewness is not None
        assert best.kurtosis is not None
        shape: dict[str, Any] = {
            "sharpe": best.sharpe,
            "observations_count": 120,
            "skewness": best.skewness,
            "kurtosis": best.kurtosis,
        }
        variance = float(trials.var(ddof=1))
        deflated.append(deflated_sharpe_ratio(**shape, trials_count=50, trials_sharpe_variance=variance))
        plain.append(probabilistic_sharpe_ratio(**shape, benchmark=0))
    assert np.mean(np.array(deflated) > 0.95) < 0.05
    assert np.mean(np.array(plain) > 0.95) > 0.8


def test_the_stated_error_is_the_spread_of_drawn_ratios_for_a_skewed_source():
    """Exponential profits less 0.5: mean 0.5, deviation 1, skewness 2, kurtosis 9."""
    count, sharpe = 400, 0.5
    drawn = np.random.default_rng(8).exponential(size=(20_000, count)) - 0.5
    seen = drawn.mean(axis=1) / drawn.std(axis=1, ddof=1)
    stated = math.sqrt((1 - 2 * sharpe + (9 - 1) / 4 * sharpe**2) / (count - 1))
    assert seen.std() == pytest.approx(stated, rel=0.03)
    one_deviation_up = probabilistic_sharpe_ratio(
        sharpe=sharpe, benchmark=sharpe - float(seen.std()), observations_count=count, skewness=2, kurtosis=9
    )
    assert one_deviation_up == pytest.approx(stats.norm.cdf(1), abs=0.01)


@given(values=samples)
def test_moments_equal_scipys(values):
    found = moments(values)
    if found.sharpe is None:
        assert np.ptp(values) <= 1e-9 * np.abs(values).max(initial=0)
        return
    assert found.observations_count == len(values)
    assert found.sharpe == pytest.approx(values.mean() / values.std(ddof=1), rel=1e-9, abs=1e-12)
    assert found.skewness == pytest.approx(float(stats.skew(values)), rel=1e-6, abs=1e-9)
    assert found.kurtosis == pytest.approx(float(stats.kurtosis(values, fisher=False)), rel=1e-6)
    assert found.kurtosis is not None
    assert found.skewness is not None
    assert found.kurtosis >= found.skewness**2 + 1 - 1e-9


@given(values=samples, factor=st.sampled_from([1e-300, 1e-8, 0.37, 3.0, 1e8, 1e300]))
def test_moments_do_not_depend_on_the_unit(values, factor):
    one, other = moments(values), moments(values * factor)
    assert (one.sharpe is None) == (other.sharpe is None)
    if one.sharpe is not None:
        assert other.sharpe == pytest.approx(one.sharpe, rel=1e-9, abs=1e-12)
        assert other.skewness == pytest.approx(one.skewness, rel=1e-6, abs=1e-9)
        assert other.kurtosis == pytest.approx(one.kurtosis, rel=1e-6)


@given(values=samples)
def test_the_mirrored_sample_has_the_mirrored_ratio(values):
    one, other = moments(values), moments(-values)
    assert other == replace(
        one,
        sharpe=None if one.sharpe is None else pytest.approx(-one.sharpe),
        skewness=None if one.skewness is None else pytest.approx(-one.skewness),
        kurtosis=None if one.kurtosis is None else pytest.approx(one.kurtosis),
    )


@given(sharpe=st.floats(-1, 2), count=st.integers(5, 5000), skewness=skews, trials=st.integers(1, 10**6), more=...)
def test_more_trials_never_raise_the_deflated_ratio(sharpe, count, skewness, trials, more: bool):
    shape: dict[str, Any] = {
        "sharpe": sharpe,
        "observations_count": count,
        "skewness": skewness,
        "kurtosis": kurtosis_above(skewness),
        "trials_sharpe_variance": 0.01,
    }
    fewer = deflated_sharpe_ratio(**shape, trials_count=trials)
    greater = deflated_sharpe_ratio(**shape, trials_count=trials * 2 if more else trials + 1)
    assert fewer is not None
    assert greater is not None
    assert greater <= fewer
    assert greater < fewer or fewer < 1e-12 or fewer > 1 - 1e-12 or trials > 10**4


@given(sharpe=ratios, benchmark=ratios, skewness=skews, count=st.integers(2, 10_000), more=st.integers(1, 10_000))
def test_more_observations_bring_a_ratio_above_the_benchmark_nearer_to_certainty(
    sharpe, benchmark, skewness, count, more
):
    shape: dict[str, Any] = {
        "sharpe": sharpe,
        "benchmark": benchmark,
        "skewness": skewness,
        "kurtosis": kurtosis_above(skewness),
    }
    fewer = probabilistic_sharpe_ratio(**shape, observations_count=count)
    greater = probabilistic_sharpe_ratio(**shape, observations_count=count + more)
    assert fewer is not None
    assert greater is not None
    assert greater >= fewer >= 0.5 if sharpe >= benchmark else greater <= fewer <= 0.5


@given(sharpe=st.floats(0.05, 2), gap=st.floats(0.05, 2), skewness=skews, confidence=st.floats(0.5, 0.999))
def test_at_the_minimum_length_the_probability_is_the_confidence(sharpe, gap, skewness, confidence):
    shape: dict[str, Any] = {
        "sharpe": sharpe,
        "benchmark": sharpe - gap,
        "skewness": skewness,
        "kurtosis": kurtosis_above(skewness),
    }
    length = min_track_record_length(**shape, confidence_ratio=confidence)
    assert length is not None
    assume(length > 2)
    reached = probabilistic_sharpe_ratio(**shape, observations_count=math.ceil(length))
    before = probabilistic_sharpe_ratio(**shape, observations_count=max(2, math.ceil(length) - 1))
    assert reached is not None
    assert before is not None
    assert reached >= confidence - 1e-9
    assert before <= confidence + 1e-9 or math.ceil(length) <= 3


def test_one_trial_was_not_chosen_so_nothing_is_deducted():
    shape: dict[str, Any] = {"sharpe": 0.2, "observations_count": 50, "skewness": 0.0, "kurtosis": 3.0}
    assert expected_maximum_sharpe(trials_count=1, trials_sharpe_variance=9.0) == 0
    assert deflated_sharpe_ratio(**shape, trials_count=1, trials_sharpe_variance=9.0) == probabilistic_sharpe_ratio(
        **shape, benchmark=0
    )


@pytest.mark.parametrize(
    ("values", "defined"),
    [
        ([], ""),
        ([5.0], ""),
        ([1.0, 2.0], "sharpe"),
        ([1.0, 2.0, 4.0], "sharpe skewness"),
        ([1.0, 2.0, 4.0, 4.0], "sharpe skewness kurtosis"),
        ([0.1] * 9, ""),
        ([0.0] * 9, ""),
        ([1e-7] * 7, ""),
    ],
)
def test_a_figure_that_does_not_depend_on_the_sample_is_absent(values, defined):
    found = moments(np.array(values, dtype=np.float64))
    assert [name for name in ("sharpe", "skewness", "kurtosis") if getattr(found, name) is not None] == defined.split()


def test_one_observation_and_a_two_valued_sample_have_no_error():
    shape: dict[str, Any] = {"benchmark": 0.0, "skewness": 0.0, "kurtosis": 3.0}
    assert probabilistic_sharpe_ratio(sharpe=1.0, observations_count=1, **shape) is None
    # Skewness 2 and kurtosis 5 belong to two values only; at a ratio of 1 the formula's error is zero.
    two_valued = {"sharpe": 1.0, "benchmark": 0.0, "skewness": 2.0, "kurtosis": 5.0}
    assert probabilistic_sharpe_ratio(**two_valued, observations_count=30) is None
    assert min_track_record_length(**two_valued, confidence_ratio=0.95) is None


@pytest.mark.parametrize("sharpe", [-0.5, 0.0, 0.3])
def test_no_length_is_enough_for_a_ratio_that_is_not_above_the_benchmark(sharpe):
    assert (
        min_track_record_length(sharpe=sharpe, benchmark=0.3, skewness=0.0, kurtosis=3.0, confidence_ratio=0.95) is None
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused_with_its_row(wrong):
    with pytest.raises(BadInput, match="row 2, field values"):
        moments(np.array([1.0, 2.0, wrong, 4.0, wrong]))


@pytest.mark.parametrize("field", ["sharpe", "benchmark", "skewness", "kurtosis"])
def test_a_figure_that_is_not_finite_is_refused_with_its_name(field):
    figures = {"sharpe": 0.1, "benchmark": 0.0, "skewness": 0.0, "kurtosis": 3.0} | {field: math.nan}
    with pytest.raises(BadInput, match=f"field {field}"):
        probabilistic_sharpe_ratio(**figures, observations_count=10)
    with pytest.raises(BadInput, match=f"field {field}"):
        min_track_record_length(**figures, confidence_ratio=0.95)


def test_what_no_sample_can_be_is_refused():
    with pytest.raises(BadInput, match="field kurtosis"):
        probabilistic_sharpe_ratio(sharpe=0.1, benchmark=0.0, observations_count=9, skewness=2.0, kurtosis=3.0)
    with pytest.raises(BadInput, match="field trials_count"):
        expected_maximum_sharpe(trials_count=0, trials_sharpe_variance=1.0)
    with pytest.raises(BadInput, match="field trials_sharpe_variance"):
        expected_maximum_sharpe(trials_count=3, trials_sharpe_variance=-1.0)
    with pytest.raises(BadInput, match="field trials_sharpe_variance"):
        expected_maximum_sharpe(trials_count=3, trials_sharpe_variance=math.nan)
    for confidence in (0.4, 1.0, math.nan):
        with pytest.raises(BadInput, match="field confidence_ratio"):
            min_track_record_length(sharpe=0.1, benchmark=0.0, skewness=0.0, kurtosis=3.0, confidence_ratio=confidence)
