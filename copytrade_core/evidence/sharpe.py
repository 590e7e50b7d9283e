"""How far a Sharpe ratio can be believed: its own error, and the luck of having tried many.

Ratios are per observation (here: per round trip), never annualised, and the risk-free rate is 0. The Sharpe ratio per
year of marked equity belongs to `measures.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from copytrade_core.model.bar import Float64s
from copytrade_core.model.errors import BadInput, Where

NO_SPREAD_RATIO = 1e-12
"""A standard deviation below this share of the largest value is rounding, not spread."""
NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The shape of a sample, without units; unchanged when all values are multiplied by a positive number.

    `sharpe` is mean over sample standard deviation (n - 1). `skewness` is m3 / m2^1.5 and `kurtosis` m4 / m2^2 with
    population moments (n), as in both papers: a normal sample has about 0 and 3 (not excess kurtosis). None where the
    value would be the same whatever the sample: without spread, and under 2, 3 and 4 observations.
    """

    observations_count: int
    sharpe: float | None
    skewness: float | None
    kurtosis: float | None


def moments(values: Float64s) -> Moments:
    """The moments of one number per observation, shape `(n,)`.

    Raises:
        BadInput: a value that is infinite or not a number; names its row.
    """
    require_finite(values, "values")
    count = len(values)
    largest = float(np.abs(values).max(initial=0.0))
    # Divided by the largest first: no square overflows, and no figure depends on the unit.
    scaled = values / largest if largest > 0 else values
    deviation = float(scaled.std(ddof=1)) if count >= 2 else 0.0
    if deviation <= NO_SPREAD_RATIO:
        return Moments(observations_count=count, sharpe=None, skewness=None, kurtosis=None)
    centred = scaled - scaled.mean()
    second = float(np.mean(centred**2))
    return Moments(
        observations_count=count,
        sharpe=float(scaled.mean()) / deviation,
        skewness=float(np.mean(centred**3)) / second**1.5 if count >= 3 else None,
        kurtosis=float(np.mean(centred**4)) / second**2 if count >= 4 else None,
    )


def probabilistic_sharpe_ratio(
    *, sharpe: float, benchmark: float, observations_count: int, skewness: float, kurtosis: float
) -> float | None:
    """Probability, 0-1, that the true Sharpe ratio is above `benchmark`, given the one that was seen.

    Bailey & López de Prado (2012), The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2), equation 11:
    `Phi((sharpe - benchmark) sqrt(n - 1) / sqrt(1 - skewness sharpe + (kurtosis - 1) / 4 sharpe^2))`. The error is that
    of a large sample of independent observations; under a few dozen it is a rough guide.

    Args:
        sharpe: seen, per observation.
        benchmark: to be exceeded, per observation.
        observations_count: n.
        skewness: 0 for a normal sample.
        kurtosis: 3 for a normal sample.

    Returns:
        None under two observations, or when the sample's own shape leaves no error (a two-valued sample can).

    Raises:
        BadInput: a figure that is not finite, or a kurtosis that no sample with this skewness has.
    """
    spread = _error_square(sharpe, skewness, kurtosis)
    _require_number("benchmark", benchmark)
    if observations_count < 2 or spread is None:
        return None
    return NORMAL.cdf((sharpe - benchmark) * math.sqrt(observations_count - 1) / math.sqrt(spread))


def expected_maximum_sharpe(*, trials_count: int, trials_sharpe_variance: float) -> float:
    """The Sharpe ratio that the best of N trials without any skill is expected to show.

    Bailey & López de Prado (2014), The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5), appendix A.1:
    `sqrt(V) ((1 - g) Phi^-1(1 - 1/N) + g Phi^-1(1 - 1/(N e)))` with g the Euler-Mascheroni constant. The formula has
    no value for one trial; nothing was chosen there, so it is 0.

    Args:
        trials_count: N >= 1 independent trials. Trials that trade alike are fewer than they look, so the plain count
            gives the higher, stricter answer.
        trials_sharpe_variance: V, variance of the trials' Sharpe ratios, in the square of their unit.

    Returns:
        In the unit of the trials' Sharpe ratios (per observation if they are).

    Raises:
        BadInput: no trial, or a variance that is negative or not finite.
    """
    _require_number("trials_sharpe_variance", trials_sharpe_variance)
    if trials_count < 1:
        raise BadInput("the best of no trial has no Sharpe ratio", where=Where(field="trials_count"))
    if trials_sharpe_variance < 0:
        raise BadInput("a variance is not negative", where=Where(field="trials_sharpe_variance"))
    if trials_count == 1:
        return 0.0
    # Phi^-1(1 - x) = -Phi^-1(x), which keeps its digits when x is tiny.
    of_one = -NORMAL.inv_cdf(1.0 / trials_count)
    of_e = -NORMAL.inv_cdf(1.0 / (trials_count * math.e))
    return math.sqrt(trials_sharpe_variance) * ((1.0 - np.euler_gamma) * of_one + np.euler_gamma * of_e)


def deflated_sharpe_ratio(
    *,
    sharpe: float,
    observations_count: int,
    skewness: float,
    kurtosis: float,
    trials_count: int,
    trials_sharpe_variance: float,
) -> float | None:
    """Probability, 0-1, that the true Sharpe ratio is above what luck alone gives the best of that many trials.

    Bailey & López de Prado (2014): the probabilistic Sharpe ratio against `expected_maximum_sharpe`. All ratios and the
    variance are per observation. None and errors as in `probabilistic_sharpe_ratio` and `expected_maximum_sharpe`.
    """
    return probabilistic_sharpe_ratio(
        sharpe=sharpe,
        benchmark=expected_maximum_sharpe(trials_count=trials_count, trials_sharpe_variance=trials_sharpe_variance),
        observations_count=observations_count,
        skewness=skewness,
        kurtosis=kurtosis,
    )


def min_track_record_length(
    *, sharpe: float, benchmark: float, skewness: float, kurtosis: float, confidence_ratio: float
) -> float | None:
    """Observations after which a Sharpe ratio like the one seen would be above `benchmark` with that confidence.

    Bailey & López de Prado (2012), equation 13:
    `1 + (1 - skewness sharpe + (kurtosis - 1) / 4 sharpe^2) (Phi^-1(confidence) / (sharpe - benchmark))^2`.
    In observations, not rounded; it answers `probabilistic_sharpe_ratio` = `confidence_ratio` for the count.

    Args:
        sharpe: seen, per observation.
        benchmark: to be exceeded, per observation.
        skewness: 0 for a normal sample.
        kurtosis: 3 for a normal sample.
        confidence_ratio: in [0.5, 1).

    Returns:
        None when the Sharpe ratio is not above the benchmark (no length is enough), or where the error is undefined.

    Raises:
        BadInput: a figure that is not finite, an impossible kurtosis, or a confidence outside [0.5, 1).
    """
    spread = _error_square(sharpe, skewness, kurtosis)
    _require_number("benchmark", benchmark)
    require_confidence(confidence_ratio)
    if spread is None or sharpe <= benchmark:
        return None
    return 1.0 + spread * (NORMAL.inv_cdf(confidence_ratio) / (sharpe - benchmark)) ** 2


def require_confidence(confidence_ratio: float) -> None:
    """Refuse a confidence outside [0.5, 1): under one half, less data would prove more.

    Raises:
        BadInput: with the field.
    """
    if not 0.5 <= confidence_ratio < 1:
        raise BadInput("the confidence must be in [0.5, 1)", where=Where(field="confidence_ratio"))


def require_finite(values: Float64s, field: str) -> None:
    """Refuse a value that is infinite or not a number.

    Raises:
        BadInput: with the first such row (the first axis) and the field.
    """
    wrong = ~np.isfinite(values)
    if wrong.any():
        rows = wrong.reshape(len(values), -1).any(axis=1)
        raise BadInput(f"{field}: not a finite number", where=Where(row=int(np.argmax(rows)), field=field))


def _error_square(sharpe: float, skewness: float, kurtosis: float) -> float | None:
    """Square of a Sharpe ratio's standard error times (n - 1); None when it is zero within rounding.

    It is never negative for moments of a real sample, since kurtosis >= skewness^2 + 1 (Pearson).
    """
    _require_number("sharpe", sharpe)
    _require_number("skewness", skewness)
    _require_number("kurtosis", kurtosis)
    if kurtosis < (skewness**2 + 1.0) * (1.0 - 1e-9):
        raise BadInput("no sample with this skewness has such a small kurtosis", where=Where(field="kurtosis"))
    square = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    return square if square > NO_SPREAD_RATIO * (1.0 + abs(skewness * sharpe)) else None


def _require_number(field: str, value: float) -> None:
    if not math.isfinite(value):
        raise BadInput(f"{field} is not a finite number", where=Where(field=field))
