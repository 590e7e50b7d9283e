from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from copytrade_core.evidence.backtest_overfitting import BacktestOverfitting, backtest_overfitting
from copytrade_core.evidence.bootstrap import net_interval
from copytrade_core.evidence.overfitting import OverfittingInputs, overfitting_figures
from copytrade_core.evidence.sharpe import deflated_sharpe_ratio, expected_maximum_sharpe, min_track_record_length
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.overfitting import OverfittingFigures

BOOTSTRAP = BootstrapSettings(seed=1, resamples_count=400, block_mean_count=3, confidence_ratio=0.9)
DRAWS = np.random.default_rng(12)
PNL = DRAWS.normal(loc=0.2, size=(40, 8))
SHAPE = "sharpe skewness kurtosis"
TRIALS: Any = np.append(DRAWS.normal(scale=0.15, size=30), [math.nan, math.nan])


def figures(
    *, trips: Any = PNL[:, 0], trials: Any = TRIALS, candidates=PNL, blocks_count=8, confidence_ratio=0.95
) -> OverfittingFigures:
    return overfitting_figures(
        OverfittingInputs(
            trip_pnl=np.array(trips, dtype=np.float64),
            trial_sharpes=np.array(trials, dtype=np.float64),
            candidates_pnl=candidates,
        ),
        blocks_count=blocks_count,
        confidence_ratio=confidence_ratio,
        bootstrap=BOOTSTRAP,
    )


def absent(found: OverfittingFigures) -> set[str]:
    return {field.name for field in fields(found) if getattr(found, field.name) is None}


def test_every_figure_is_that_of_its_formula():
    found, choice = figures(), backtest_overfitting(PNL, blocks_count=8)
    assert isinstance(choice, BacktestOverfitting)
    assert found.reasons == ()
    assert absent(found) == set()
    assert (found.trials_count, found.trials_without_sharpe_count, found.observations_count) == (32, 2, 40)
    variance = float(np.nanvar(TRIALS, ddof=1))
    assert found.trials_sharpe_variance == pytest.approx(variance)
    assert found.sharpe == pytest.approx(PNL[:, 0].mean() / PNL[:, 0].std(ddof=1))
    assert found.sharpe_expected_maximum == pytest.approx(
        expected_maximum_sharpe(trials_count=32, trials_sharpe_variance=variance)
    )
    shape: dict[str, Any] = {"sharpe": found.sharpe, "skewness": found.skewness, "kurtosis": found.kurtosis}
    assert found.deflated_sharpe_ratio == pytest.approx(
        deflated_sharpe_ratio(**shape, observations_count=40, trials_count=32, trials_sharpe_variance=variance)
    )
    length = min_track_record_length(**shape, benchmark=0.0, confidence_ratio=0.95)
    assert length is not None
    assert found.min_track_record_count == math.ceil(length)
    assert found.backtest_overfitting_ratio == choice.overfitting_ratio
    assert found.loss_out_of_sample_ratio == choice.loss_ratio
    assert found.degradation_slope == choice.degradation_slope
    assert (found.candidates_count, found.combinations_count) == (8, 70)
    assert (found.net_interval_low_usdt, found.net_interval_high_usdt) == net_interval(PNL[:, 0], BOOTSTRAP)


def test_trials_without_a_ratio_count_as_tries_but_not_in_the_spread():
    without = figures(trials=TRIALS[:-2])
    assert figures().trials_sharpe_variance == without.trials_sharpe_variance
    assert figures().sharpe_expected_maximum > without.sharpe_expected_maximum  # type: ignore[operator]


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    trials=st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=12, unique=True),
    copies=st.lists(st.integers(0, 11), min_size=1, max_size=30),
)
def test_a_copy_of_a_trial_never_makes_the_result_look_better(trials, copies):
    one = figures(trials=trials, candidates=PNL[:4])
    other = figures(trials=trials + [trials[copy % len(trials)] for copy in copies], candidates=PNL[:4])
    assert other.trials_count == len(trials) + len(copies)
    assert one.deflated_sharpe_ratio is not None
    assert other.deflated_sharpe_ratio is not None
    assert other.deflated_sharpe_ratio <= one.deflated_sharpe_ratio


@pytest.mark.parametrize(
    ("given_values", "missing"),
    [
        (
            {"trips": []},
            f"{SHAPE} deflated_sharpe_ratio min_track_record_count net_interval_low_usdt net_interval_high_usdt",
        ),
        ({"trips": [1.0, 2.0]}, "skewness kurtosis deflated_sharpe_ratio min_track_record_count"),
        ({"trips": [1.0, 2.0, -1.0]}, "kurtosis deflated_sharpe_ratio min_track_record_count"),
        ({"trips": [0.1] * 50}, "sharpe skewness kurtosis deflated_sharpe_ratio min_track_record_count"),
        ({"trips": [-1.0, 2.0, -3.0, 1.0, 0.5]}, "min_track_record_count"),
        ({"trials": []}, "trials_sharpe_variance sharpe_expected_maximum deflated_sharpe_ratio"),
        ({"trials": [0.2, math.nan, 0.2]}, "trials_sharpe_variance sharpe_expected_maximum deflated_sharpe_ratio"),
        ({"trials": [0.2]}, "trials_sharpe_variance"),
        ({"candidates": PNL[:15]}, "backtest_overfitting_ratio loss_out_of_sample_ratio degradation_slope"),
        (
            {"candidates": np.repeat(PNL[:, :1], 5, axis=1)},
            "backtest_overfitting_ratio loss_out_of_sample_ratio degradation_slope",
        ),
        ({"candidates": np.zeros((0, 0))}, "backtest_overfitting_ratio loss_out_of_sample_ratio degradation_slope"),
    ],
)
def test_what_cannot_be_computed_is_absent_with_its_reason(given_values, missing):
    found = figures(**given_values)
    assert absent(found) == set(missing.split())
    assert {field for field, _ in found.reasons} == absent(found)
    assert all(reason for _, reason in found.reasons)


def test_two_valued_results_whose_error_cannot_be_told_say_so():
    """Three wins and nine losses, moved up until skewness x Sharpe ratio is 2: there the formula's error is zero."""
    values = np.array([1.0] * 3 + [0.0] * 9)
    centred = values - values.mean()
    skewness = (centred**3).mean() / (centred**2).mean() ** 1.5
    found = figures(trips=values + 2 / skewness * values.std(ddof=1) - values.mean())
    assert absent(found) == {"deflated_sharpe_ratio", "min_track_record_count"}
    assert {reason for _, reason in found.reasons} == {
        "only two results occur, so the error of the Sharpe ratio cannot be told"
    }


def test_one_trial_is_not_deflated():
    found = figures(trials=[0.2])
    assert found.sharpe_expected_maximum == 0
    assert found.deflated_sharpe_ratio is not None


@pytest.mark.parametrize(
    ("given_values", "row", "field"),
    [
        ({"trips": [1.0, math.nan]}, 1, "values"),
        ({"trials": [0.1, 0.2, math.inf]}, 2, "trial_sharpes"),
        ({"candidates": np.where(np.arange(40)[:, None] == 9, math.inf, PNL)}, 9, "pnl"),
    ],
)
def test_input_that_is_not_finite_is_refused_with_its_row(given_values, row, field):
    with pytest.raises(BadInput, match=f"row {row}, field {field}"):
        figures(**given_values)


def test_impossible_settings_are_refused_even_without_round_trips():
    with pytest.raises(BadInput, match="confidence_ratio"):
        figures(trips=[], confidence_ratio=0.2)
    with pytest.raises(BadConfig, match="blocks_count"):
        figures(blocks_count=5)


def test_the_numbers_on_the_explanation_page_are_those_of_the_formulas(project_root):
    page = " ".join((project_root / "docs/explanation/overfitting.md").read_text().split())
    luck = expected_maximum_sharpe(trials_count=20_000, trials_sharpe_variance=0.15**2)
    assert "spread of 0.15, the best of 20,000 worthless ones is expected to show about 0.6," in page
    assert round(luck, 1) == 0.6
    told = []
    for sharpe in (0.6, 0.25, 0.1, 0.27):
        length = min_track_record_length(sharpe=sharpe, benchmark=0, skewness=0, kurtosis=3, confidence_ratio=0.95)
        assert length is not None
        told.append(math.ceil(length))
    assert f"{told[0]} trades at a Sharpe ratio of 0.6 per trade, {told[1]} at 0.25, {told[2]} at 0.1." in page
    assert "With 40 trades, anything under about 0.27 is not told from nothing." in page
    assert told[3] == 40
