"""Who goes to validation, and which of them may be called a champion, by rules that are written down.

Validation figures are computed by the caller; overfitting statistics and the holdout come after this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin, TrialStatus
from copytrade_core.search.plan import SearchPlan, point_in
from copytrade_core.search.plateau import Plateau, plateau_of
from copytrade_core.search.settings import ValidationLimits
from copytrade_core.search.space import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finalist with what validation and its neighbours say; `reasons` speak against it, none = it passed."""

    trial: Trial
    validation: TrialMetrics | None
    plateau: Plateau
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The best finalist by train objective against which nothing speaks; `judged` are all of them, best first."""

    winner: Judged
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoChampion:
    """No finalist passed, and why."""

    reasons: tuple[str, ...]
    judged: tuple[Judged, ...]


def ranked(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Sampled trials that came through the whole train part within every limit, best first, ties by number.

    Neighbours are not among them: they were tried because of where they stand, not drawn.
    """
    complete = [
        (trial.metrics.objective, trial)
        for trial in trials
        if trial.status is TrialStatus.COMPLETE
        and trial.origin is not TrialOrigin.NEIGHBOUR
        and trial.metrics is not None
        and trial.metrics.objective is not None
    ]
    return tuple(trial for _, trial in sorted(complete, key=lambda item: (-item[0], item[1].number)))


def finalists_of(plan: SearchPlan, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The best sampled trials, each at least `distance_steps_min` grid steps from those before it in some parameter."""
    wanted = plan.settings.finalists
    chosen: list[tuple[Trial, Point | None]] = []
    for trial in ranked(trials):
        point = point_in(plan, trial)
        if all(_distance(point, other) >= wanted.distance_steps_min for _, other in chosen):
            chosen.append((trial, point))
        if len(chosen) == wanted.count:
            break
    return tuple(trial for trial, _ in chosen)


def judge(
    plan: SearchPlan, trials: Sequence[Trial], validation: Mapping[str, TrialMetrics | None]
) -> Champion | NoChampion:
    """Judge the finalists on validation and on their neighbours.

    Validation only strikes finalists off. Among those that are left the train objective decides: ranking them by
    validation would spend it.

    Args:
        plan: the search.
        trials: every trial of it.
        validation: figures on the validation part by `trial_id`, of every finalist; None = could not be evaluated.
    """
    finalists = finalists_of(plan, trials)
    judged = tuple(_judged(plan, trial, trials, validation[trial.trial_id]) for trial in finalists)
    winner = next((finalist for finalist in judged if not finalist.reasons), None)
    if winner is not None:
        return Champion(winner=winner, judged=judged)
    if not judged:
        return NoChampion(reasons=("no trial came through the whole train part within the limits",), judged=())
    reasons = tuple(f"trial {one.trial.number}: {'; '.join(one.reasons)}" for one in judged)
    return NoChampion(reasons=reasons, judged=judged)


def _judged(plan: SearchPlan, trial: Trial, trials: Sequence[Trial], validation: TrialMetrics | None) -> Judged:
    plateau = plateau_of(plan, trial, trials)
    reasons: list[str] = []
    if trial.metrics is None or trial.metrics.net_pnl_usdt <= 0:
        reasons.append("it loses on the train part")
    reasons += _against(plan.settings.validation, validation)
    reasons += (f"plateau: {reason}" for reason in plateau.reasons)
    return Judged(trial=trial, validation=validation, plateau=plateau, reasons=tuple(reasons))


def _against(limits: ValidationLimits, found: TrialMetrics | None) -> list[str]:
    if found is None:
        return ["validation: it could not be evaluated"]
    reasons: list[str] = []
    if found.trades_count < limits.trades_count_min:
        reasons.append(f"validation: {found.trades_count} round trips, {limits.trades_count_min} are needed")
    net_above, factor_min = float(limits.net_usdt_above), float(limits.profit_factor_min)
    if not found.net_pnl_usdt > net_above:
        reasons.append(f"validation: net {found.net_pnl_usdt:.2f} USDT is not above {net_above:g}")
    if found.profit_factor is not None and found.profit_factor < factor_min:
        reasons.append(f"validation: profit factor {found.profit_factor:.2f} is under {factor_min:g}")
    fall, fall_max = found.drawdown_marked_ratio, float(limits.drawdown_marked_ratio_max)
    if not fall <= fall_max:
        reasons.append(f"validation: drawdown {fall:.1%} is over {fall_max:.1%}")
    return reasons


def _distance(one: Point | None, other: Point | None) -> int:
    """Grid steps in the parameter where they are farthest apart."""
    if one is None or other is None:
        return 0
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0)
