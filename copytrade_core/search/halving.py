"""Judging a batch: hard limits and successive halving over growing spans of the train signals.

Which candidates are in a batch belongs to `run.py`; what a span's figures are to the engine behind `Evaluate`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.model.trial import Trial, TrialMetrics, TrialStatus
from copytrade_core.model.units import Money
from copytrade_core.search.metrics import metrics_of, not_finite
from copytrade_core.search.settings import Halving, Limits, SearchSettings

REFUSED_SCORE = -4.0
"""What a sampler is told of a point outside the constraints: worse than anything evaluated."""


class Evaluate(Protocol):
    """The port to an engine."""

    def __call__(self, policies: Sequence[PolicySpec], signals_count: int) -> SweepTable:
        """Figures over the first `signals_count` train signals, one row per policy in the order given."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How far a candidate came: the fields of a `Trial` that evaluation decides."""

    status: TrialStatus
    reasons: tuple[str, ...]
    signals_count: int
    fill_hash: str
    metrics: TrialMetrics | None


def spans_of(halving: Halving, signals_count: int) -> tuple[int, ...]:
    """Train spans in signals, growing; the last is the whole train part. Too short ones are left out."""
    counts = [int(share * signals_count) for share in halving.spans[:-1]]
    kept = sorted({count for count in counts if halving.span_signals_count_min <= count < signals_count})
    return (*kept, signals_count)


def judged(
    policies: Sequence[PolicySpec],
    evaluate: Evaluate,
    *,
    spans: Sequence[int],
    settings: SearchSettings,
    initial_equity: Money,
) -> list[Outcome]:
    """Evaluate a batch over the spans; at each but the last, only the better part of those within the limits goes on.

    Ties are broken by the order given, so the result depends on nothing else.
    """
    outcomes: dict[int, Outcome] = {}
    alive = list(range(len(policies)))
    for span in spans:
        if not alive:
            break
        table = evaluate([policies[index] for index in alive], span)
        if len(table) != len(alive):
            raise BadInput(
                f"the engine answered {len(table)} rows for {len(alive)} policies", where=Where(field="sweep")
            )
        whole = span == spans[-1]
        for row, index in enumerate(alive):
            outcomes[index] = _outcome(table, row, span, settings, initial_equity, whole=whole)
        within = [index for index in alive if outcomes[index].status is TrialStatus.COMPLETE]
        alive = [] if whole else _better(within, outcomes, settings.halving.keep)
        if not whole:
            _leave_behind(set(within) - set(alive), outcomes)
    return [outcomes[index] for index in range(len(policies))]


def score(trial: Trial, spans: Sequence[int]) -> float | None:
    """What a sampler is told: tiers by how far a trial came, inside a tier by objective; None = it has no number.

    Samplers only rank, so a candidate that was left behind early is worse than any that came farther, whatever it
    earned on its short span. The objective is squeezed into (-1, 1) and tiers lie two apart.
    """
    match trial.status:
        case TrialStatus.ABORTED:
            return None
        case TrialStatus.PRUNED:
            tier = 0
        case TrialStatus.HALVED | TrialStatus.COMPLETE:
            tier = 2 * (1 + sum(span < trial.signals_count for span in spans))
            tier += 2 if trial.status is TrialStatus.COMPLETE else 0
    objective = trial.metrics.objective if trial.metrics else None
    return tier + (-1.0 if objective is None else objective / (1.0 + abs(objective)))


def unreadable(table: SweepTable, row: int) -> str | None:
    """Why a row holds no figures, in words, or None."""
    status = SweepStatus(int(table.status[row]))
    if status is SweepStatus.OUT_OF_BOUNDS:
        return "an order would be larger than integer money can carry"
    if status is not SweepStatus.OK:
        return f"the engine answered {status.name.lower()}"
    broken = not_finite(table, row)
    return None if broken is None else f"{broken} is not a finite number"


def _outcome(
    table: SweepTable, row: int, span: int, settings: SearchSettings, initial_equity: Money, *, whole: bool
) -> Outcome:
    reason = unreadable(table, row)
    if reason is not None:
        return Outcome(status=TrialStatus.ABORTED, reasons=(reason,), signals_count=span, fill_hash="", metrics=None)
    metrics = metrics_of(table, row, objective=settings.objective, initial_equity=initial_equity)
    reasons = _beyond(settings.limits, table, row, initial_equity)
    if whole:
        reasons += _too_little(settings, table, row, metrics)
    return Outcome(
        status=TrialStatus.PRUNED if reasons else TrialStatus.COMPLETE,
        reasons=reasons,
        signals_count=span,
        fill_hash=f"{int(table.fill_hash[row]) & (2**64 - 1):016x}",
        metrics=metrics,
    )


def _too_little(settings: SearchSettings, table: SweepTable, row: int, metrics: TrialMetrics) -> tuple[str, ...]:
    """What the whole train part must have shown and did not, in words; asked only there."""
    limits, count = settings.limits, metrics.trades_count
    if count < limits.trades_count_min:
        return (f"trades_count {count} is under {limits.trades_count_min}",)
    losers_ratio, losers_min = (count - int(table.wins_count[row])) / count, float(limits.losers_ratio_min)
    if losers_ratio < losers_min:
        return (f"losers_ratio {losers_ratio:.6g} is under {losers_min:.6g}: its risk was never seen",)
    return () if metrics.objective is not None else (f"{settings.objective} cannot be computed",)


def _beyond(limits: Limits, table: SweepTable, row: int, initial_equity: Money) -> tuple[str, ...]:
    """The limits a row breaks, in words; asked on short spans too, since what was lost there stays lost."""
    at_most = (
        ("drawdown_realised_ratio", float(table.drawdown_realised_ratio[row]), limits.drawdown_realised_ratio_max),
        ("drawdown_marked_ratio", float(table.drawdown_marked_ratio[row]), limits.drawdown_marked_ratio_max),
        ("drawdown_intrabar_ratio", float(table.drawdown_intrabar_ratio[row]), limits.drawdown_intrabar_ratio_max),
        ("gross_to_equity_ratio", int(table.peak_gross[row]) / initial_equity, limits.gross_to_equity_ratio_max),
        ("entries_blocked_count", int(table.blocked_count[row]), limits.entries_blocked_count_max),
        ("minimum_order_skips_count", int(table.rungs_skipped[row]), limits.minimum_order_skips_count_max),
    )
    # Both sides as floats: the float nearest to 0.1 is above one tenth.
    found = [f"{name} {value:.6g} is over {float(limit):.6g}" for name, value, limit in at_most if value > float(limit)]
    lowest = int(table.equity_worst[row]) / initial_equity
    if lowest < float(limits.equity_worst_ratio_min):
        found.append(f"equity_worst_ratio {lowest:.6g} is under {float(limits.equity_worst_ratio_min):.6g}")
    return tuple(found)


def _better(within: list[int], outcomes: dict[int, Outcome], keep: Fraction) -> list[int]:
    def rank(index: int) -> tuple[float, int]:
        metrics = outcomes[index].metrics
        objective = None if metrics is None else metrics.objective
        return (math.inf if objective is None else -objective, index)

    return sorted(sorted(within, key=rank)[: math.ceil(keep * len(within))])


def _leave_behind(left: set[int], outcomes: dict[int, Outcome]) -> None:
    for index in left:
        known = outcomes[index]
        outcomes[index] = Outcome(
            status=TrialStatus.HALVED,
            reasons=(f"not in the better part after {known.signals_count} signals",),
            signals_count=known.signals_count,
            fill_hash=known.fill_hash,
            metrics=known.metrics,
        )
