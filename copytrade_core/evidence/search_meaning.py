"""The figures about luck in plain words: what each one means, what is asked of it, and why it may be missing.

They are computed in `overfitting.py` and judged by a gate; `docs/explanation/overfitting.md` says it at length.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.evidence.search_inputs import LuckLimits
from copytrade_core.model.overfitting import OverfittingFigures


class Kind(StrEnum):
    """How a figure is written."""

    PROBABILITY = "probability"
    NUMBER = "number"
    COUNT = "count"
    USDT = "usdt"


@dataclass(frozen=True, slots=True, kw_only=True)
class LuckRow:
    """One figure; `value` None = cannot be computed, `reason` says why. `limit` is what the gate asks (None = nothing).

    `is_met` compares the two; None where one of them is missing.
    """

    name: str
    kind: Kind
    value: float | None
    limit: str | None
    is_met: bool | None
    meaning: str
    reason: str | None


def luck_rows(figures: OverfittingFigures | None, limits: LuckLimits) -> tuple[LuckRow, ...]:
    """The figures of the judged policy, those that decide first; none without a judged policy."""
    if figures is None:
        return ()
    missing = dict(figures.reasons)
    decisive = (_deflated(figures, limits, missing), _choice(figures, limits, missing))
    return (*decisive, *(_plain(figures, missing, *row) for row in PLAIN))


PLAIN: tuple[tuple[str, str, Kind, str], ...] = (
    (
        "sharpe",
        "Sharpe ratio, per round trip",
        Kind.NUMBER,
        "Mean profit per round trip over its spread, on the train part; not annualised.",
    ),
    (
        "sharpe_expected_maximum",
        "Sharpe ratio that luck alone gives the best (SR0)",
        Kind.NUMBER,
        "What the best of all the trials would show if none of them had any skill.",
    ),
    ("trials_count", "Trials counted", Kind.COUNT, "Every distinct trial on this data, of all searches and by hand."),
    (
        "min_track_record_count",
        "Minimum track record, round trips",
        Kind.COUNT,
        "How many like these it takes to believe in a profit above zero, had this policy been the only try.",
    ),
    (
        "trials_without_sharpe_count",
        "Trials among them without a Sharpe ratio",
        Kind.COUNT,
        "They never traded or could not be evaluated; they count as tries all the same.",
    ),
    (
        "loss_out_of_sample_ratio",
        "Loses in the other half",
        Kind.PROBABILITY,
        "Share of splits in which the best of one half lost money in the other.",
    ),
    (
        "degradation_slope",
        "Slope, other half on own half",
        Kind.NUMBER,
        "How its Sharpe ratio there moves with that in its own half: 1 keeps all, 0 nothing, negative turns it round.",
    ),
    ("combinations_count", "Splits made", Kind.COUNT, "Ways to divide the train signals into two halves of blocks."),
    ("candidates_count", "Candidates in the splits", Kind.COUNT, "A draw from all that was tried, finalists included."),
    ("observations_count", "Round trips of the judged policy", Kind.COUNT, "On the train part."),
    (
        "net_interval_low_usdt",
        "Interval of net, low",
        Kind.USDT,
        "Redealing the round trips in short runs gives a net below this in the unlucky cases.",
    ),
    ("net_interval_high_usdt", "Interval of net, high", Kind.USDT, "And above this in the lucky ones."),
    ("skewness", "Skewness", Kind.NUMBER, "Under 0: losses are rarer and larger than gains. A normal sample has 0."),
    ("kurtosis", "Kurtosis", Kind.NUMBER, "Weight of rare large results. A normal sample has 3."),
)


def _deflated(figures: OverfittingFigures, limits: LuckLimits, missing: dict[str, str]) -> LuckRow:
    value, least = figures.deflated_sharpe_ratio, limits.deflated_sharpe_ratio_min
    return LuckRow(
        name="Deflated Sharpe ratio",
        kind=Kind.PROBABILITY,
        value=value,
        limit=f"at least {least * 100:g}%",
        is_met=None if value is None else value >= least,
        meaning="Probability that it is better than the luckiest of all trials would be without skill.",
        reason=missing.get("deflated_sharpe_ratio"),
    )


def _choice(figures: OverfittingFigures, limits: LuckLimits, missing: dict[str, str]) -> LuckRow:
    value, most = figures.backtest_overfitting_ratio, limits.backtest_overfitting_ratio_max
    return LuckRow(
        name="Probability of backtest overfitting (PBO)",
        kind=Kind.PROBABILITY,
        value=value,
        limit=f"at most {most * 100:g}%",
        is_met=None if value is None else value <= most,
        meaning="How often the best on half of the signals is in the worse half of all on the rest. 50% is guessing.",
        reason=missing.get("backtest_overfitting_ratio"),
    )


def _plain(
    figures: OverfittingFigures, missing: dict[str, str], field: str, name: str, kind: Kind, meaning: str
) -> LuckRow:
    value: float | None = getattr(figures, field)
    return LuckRow(
        name=name, kind=kind, value=value, limit=None, is_met=None, meaning=meaning, reason=missing.get(field)
    )
