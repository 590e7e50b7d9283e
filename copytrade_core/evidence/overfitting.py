"""The overfitting figures of one judged policy: its Sharpe ratio against all trials, and the choice that led to it.

The formulas belong to `sharpe.py`, `backtest_overfitting.py` and `bootstrap.py`; the limits to the gates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from copytrade_core.evidence.backtest_overfitting import NoAnswer, backtest_overfitting
from copytrade_core.evidence.bootstrap import net_interval
from copytrade_core.evidence.sharpe import (
    Moments,
    expected_maximum_sharpe,
    min_track_record_length,
    moments,
    probabilistic_sharpe_ratio,
    require_confidence,
)
from copytrade_core.model.bar import Float64s
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.overfitting import OverfittingFigures

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OverfittingInputs:
    """What the figures are made of.

    `trip_pnl` is the net profit per round trip of the judged policy in order of exit, USDT, shape `(n_trips,)`, on the
    signals that the trials were chosen on. `trial_sharpes` holds one Sharpe ratio per round trip for every distinct
    trial of the registry on this data, NaN for a trial without one, shape `(n_trials,)`; a trial left behind on a
    shorter span keeps its noisier ratio, which widens the spread and is the stricter side. `candidates_pnl` is the net
    profit per signal and candidate, signals in time order, 0 where not traded, shape `(n_signals, n_candidates)`.
    """

    trip_pnl: Float64s
    trial_sharpes: Float64s
    candidates_pnl: Float64s


def overfitting_figures(
    inputs: OverfittingInputs, *, blocks_count: int, confidence_ratio: float, bootstrap: BootstrapSettings
) -> OverfittingFigures:
    """Deflated Sharpe ratio, PBO, minimum track record and net interval of one judged policy.

    The trial count is the plain number of distinct trials: trials that trade alike are not told apart from independent
    ones, nor are trials that failed left out. The variance is taken over *distinct* Sharpe ratios. So a copy of a trial
    raises the count and cannot narrow the spread: it never makes the result look better. Trials that are alike but not
    equal (a sampler closing in on its best) still narrow the spread; that much the figure is too kind.

    Args:
        inputs: profits and trials.
        blocks_count: of the cross-validation, even.
        confidence_ratio: of the minimum track record, in [0.5, 1).
        bootstrap: of the net interval.

    Raises:
        BadInput: a profit that is not finite, an infinite Sharpe ratio (names the row), or a confidence out of range.
        BadConfig: an impossible `blocks_count`.
    """
    _refuse_infinite(inputs.trial_sharpes)
    require_confidence(confidence_ratio)
    reasons: dict[str, str] = {}
    shape = moments(inputs.trip_pnl)
    fields: Fields = {
        **_moments(shape, reasons),
        **_deflated(shape, inputs.trial_sharpes, reasons),
        **_track_record(shape, confidence_ratio, reasons),
        **_choice(inputs.candidates_pnl, blocks_count, reasons),
        **_interval(inputs.trip_pnl, bootstrap, reasons),
    }
    ordered = tuple((field, reasons[field]) for field in fields if field in reasons)
    return OverfittingFigures(**fields, confidence_ratio=confidence_ratio, reasons=ordered)


def _refuse_infinite(trial_sharpes: Float64s) -> None:
    wrong = np.isinf(trial_sharpes)
    if wrong.any():
        where = Where(row=int(np.argmax(wrong)), field="trial_sharpes")
        raise BadInput("a trial's Sharpe ratio is infinite", where=where)


def _moments(shape: Moments, reasons: dict[str, str]) -> Fields:
    trips = f"{shape.observations_count} round trips"
    for field, least in (("sharpe", 2), ("skewness", 3), ("kurtosis", 4)):
        if getattr(shape, field) is None:
            too_few = shape.observations_count < least
            reasons[field] = f"{trips}; needs at least {least}" if too_few else f"{trips} with the same result each"
    return {
        "observations_count": shape.observations_count,
        "sharpe": shape.sharpe,
        "skewness": shape.skewness,
        "kurtosis": shape.kurtosis,
    }


def _deflated(shape: Moments, trial_sharpes: Float64s, reasons: dict[str, str]) -> Fields:
    known = trial_sharpes[~np.isnan(trial_sharpes)]
    distinct = np.unique(known)
    count = len(trial_sharpes)
    variance = float(distinct.var(ddof=1)) if len(distinct) >= 2 else None
    if variance is None:
        reasons["trials_sharpe_variance"] = f"{len(distinct)} trials with different Sharpe ratios; needs at least 2"
    maximum = _maximum(count, variance, reasons)
    return {
        "trials_count": count,
        "trials_without_sharpe_count": count - len(known),
        "trials_sharpe_variance": variance,
        "sharpe_expected_maximum": maximum,
        "deflated_sharpe_ratio": _deflated_ratio(shape, maximum, reasons),
    }


def _maximum(trials_count: int, variance: float | None, reasons: dict[str, str]) -> float | None:
    if trials_count == 0:
        reasons["sharpe_expected_maximum"] = "no trial on this data is in the registry"
        return None
    if trials_count == 1:
        return 0.0
    if variance is None:
        reasons["sharpe_expected_maximum"] = "the trials' Sharpe ratios have no variance"
        return None
    return expected_maximum_sharpe(trials_count=trials_count, trials_sharpe_variance=variance)


def _deflated_ratio(shape: Moments, maximum: float | None, reasons: dict[str, str]) -> float | None:
    if maximum is None:
        reasons["deflated_sharpe_ratio"] = reasons["sharpe_expected_maximum"]
        return None
    if shape.sharpe is None or shape.skewness is None or shape.kurtosis is None:
        reasons["deflated_sharpe_ratio"] = reasons["kurtosis"]
        return None
    ratio = probabilistic_sharpe_ratio(
        sharpe=shape.sharpe,
        benchmark=maximum,
        observations_count=shape.observations_count,
        skewness=shape.skewness,
        kurtosis=shape.kurtosis,
    )
    if ratio is None:
        reasons["deflated_sharpe_ratio"] = "only two results occur, so the error of the Sharpe ratio cannot be told"
    return ratio


def _track_record(shape: Moments, confidence_ratio: float, reasons: dict[str, str]) -> Fields:
    field = "min_track_record_count"
    if shape.sharpe is None or shape.skewness is None or shape.kurtosis is None:
        reasons[field] = reasons["kurtosis"]
        return {field: None}
    length = min_track_record_length(
        sharpe=shape.sharpe,
        benchmark=0.0,
        skewness=shape.skewness,
        kurtosis=shape.kurtosis,
        confidence_ratio=confidence_ratio,
    )
    if length is None:
        lost = shape.sharpe <= 0
        reasons[field] = (
            "the Sharpe ratio is not above zero, so no length is enough"
            if lost
            else "only two results occur, so the error of the Sharpe ratio cannot be told"
        )
    return {field: None if length is None else math.ceil(length)}


def _choice(candidates_pnl: Float64s, blocks_count: int, reasons: dict[str, str]) -> Fields:
    found = backtest_overfitting(candidates_pnl, blocks_count=blocks_count)
    fields: Fields = {
        "backtest_overfitting_ratio": None,
        "loss_out_of_sample_ratio": None,
        "degradation_slope": None,
        "candidates_count": candidates_pnl.shape[1],
        "combinations_count": 0,
    }
    if isinstance(found, NoAnswer):
        reasons |= dict.fromkeys(
            ("backtest_overfitting_ratio", "loss_out_of_sample_ratio", "degradation_slope"), found.reason
        )
        return fields
    if found.degradation_slope is None:
        reasons["degradation_slope"] = "the best in sample has the same Sharpe ratio in every split"
    return fields | {
        "backtest_overfitting_ratio": found.overfitting_ratio,
        "loss_out_of_sample_ratio": found.loss_ratio,
        "degradation_slope": found.degradation_slope,
        "combinations_count": found.combinations_count,
    }


def _interval(trip_pnl: Float64s, bootstrap: BootstrapSettings, reasons: dict[str, str]) -> Fields:
    interval = net_interval(trip_pnl, bootstrap)
    if interval is None:
        why = f"{len(trip_pnl)} round trips; needs at least 2"
        reasons |= {"net_interval_low_usdt": why, "net_interval_high_usdt": why}
    low, high = interval or (None, None)
    return {"net_interval_low_usdt": low, "net_interval_high_usdt": high}
