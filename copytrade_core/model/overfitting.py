"""How much of a result may be luck: the figures of one judged policy after a search.

How each is computed belongs to `evidence/overfitting.py`, what is too much to the gates. Floats: statistics, not money.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OverfittingFigures:
    """None means: cannot be computed, and `reasons` says why, once for every field that is None.

    Sharpe ratios, skewness and kurtosis are per round trip, not annualised; a normal sample has kurtosis 3.
    """

    trials_count: int
    """Every distinct trial of the registry on this data, whether or not it traded or came to an end."""
    trials_without_sharpe_count: int
    """Trials among them that have no Sharpe ratio; they count as tries and have no part in the variance."""
    trials_sharpe_variance: float | None
    """Sample variance of the distinct Sharpe ratios among the trials."""
    observations_count: int
    """Round trips of the judged policy."""
    sharpe: float | None
    skewness: float | None
    kurtosis: float | None
    sharpe_expected_maximum: float | None
    """What the best of that many trials without skill is expected to show."""
    deflated_sharpe_ratio: float | None
    """Probability that the true Sharpe ratio is above `sharpe_expected_maximum`."""
    min_track_record_count: int | None
    """Round trips after which a Sharpe ratio like this would be above zero at `confidence_ratio`, had it been the only
    try."""
    confidence_ratio: float
    backtest_overfitting_ratio: float | None
    """Share of splits in which the candidate best in one half was in the worse half of all in the other (PBO)."""
    loss_out_of_sample_ratio: float | None
    """Share of splits in which it lost money there."""
    degradation_slope: float | None
    """Slope of its Sharpe ratio there on that in its own half; 1 would be no degradation."""
    candidates_count: int
    """Candidates handed to the splits, copies included."""
    combinations_count: int
    """Splits; 0 when none could be made."""
    net_interval_low_usdt: float | None
    net_interval_high_usdt: float | None
    """Stationary bootstrap interval of the judged policy's net profit."""
    reasons: tuple[tuple[str, str], ...]
    """(field, why it is None)."""
