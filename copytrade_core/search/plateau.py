"""Whether a candidate stands on a plateau: what its neighbours on the grid did.

Neighbours are tried in `run.py`; here they are chosen and read.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.model.digest import digest_of
from copytrade_core.model.trial import Trial, TrialStatus
from copytrade_core.search.phases import derived_seed
from copytrade_core.search.plan import SearchPlan, point_in
from copytrade_core.search.space import Point, settled
from copytrade_core.search.space_policy import Unfit, candidate

_STREAM = 10_001
"""Keeps the draw of neighbours apart from the samplers' seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plateau:
    """Figures of a candidate's neighbours.

    `neighbours_count` different policies around it were tried on the whole train part; points outside the constraints
    and points with the candidate's own policy are none. Ratios are of the neighbour's objective over the candidate's;
    a neighbour outside the hard limits counts as 0 and as not profitable. None = nothing to compare.
    """

    trial_id: str
    neighbours_count: int
    profitable_ratio: float | None
    median_ratio: float | None
    worst_ratio: float | None
    reasons: tuple[str, ...]

    @property
    def is_flat(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def neighbours_of(plan: SearchPlan, centre: Point) -> tuple[Point, ...]:
    """Points around a centre: every axis moved alone by up to `steps`, then seeded draws that move several at once.

    All `settled`, without the centre and without repeats; points that break a constraint are still among them.
    """
    wanted, lengths = plan.settings.plateau, plan.space.lengths
    found: dict[Point, None] = {}
    for axis, length in enumerate(lengths):
        for step in range(1, wanted.steps + 1):
            for index in (centre[axis] - step, centre[axis] + step):
                if 0 <= index < length:
                    found[(*centre[:axis], index, *centre[axis + 1 :])] = None
    draws = np.random.default_rng([derived_seed(plan.seed, _STREAM), *centre])
    moves = draws.integers(-wanted.steps, wanted.steps + 1, size=(wanted.combos_count, len(lengths)))
    moved = np.clip(np.array(centre) + moves, 0, np.array(lengths) - 1)
    found.update((tuple(row), None) for row in moved.tolist())
    around = {settled(plan.space, point): None for point in found}
    _ = around.pop(centre, None)
    return tuple(around)


def tried_around(plan: SearchPlan, trial: Trial, trials: Sequence[Trial]) -> tuple[tuple[Point, Trial], ...]:
    """The neighbours of a trial that were tried: where each stands, and what was tried there, each policy once.

    A neighbouring point's policy may have been tried at another point; then `Trial.parameters` are of that one.

    Args:
        plan: the search.
        trial: the candidate.
        trials: every trial of the search; of one policy the longest span counts.
    """
    centre = point_in(plan, trial)
    if centre is None:
        return ()
    longest: dict[str, Trial] = {}
    for tried in trials:
        known = longest.get(tried.policy_digest)
        if known is None or tried.signals_count >= known.signals_count:
            longest[tried.policy_digest] = tried
    points: dict[str, Point] = {}
    for point in neighbours_of(plan, centre):
        policy = candidate(plan.space, point, plan.base)
        if not isinstance(policy, Unfit):
            _ = points.setdefault(digest_of(policy), point)
    _ = points.pop(trial.policy_digest, None)
    return tuple((point, longest[digest]) for digest, point in points.items() if digest in longest)


def plateau_of(plan: SearchPlan, trial: Trial, trials: Sequence[Trial]) -> Plateau:
    """The plateau around a trial, read from all trials of the search.

    Args:
        plan: the search.
        trial: the candidate.
        trials: every trial of the search; of one policy the longest span counts.
    """
    around = [neighbour for _, neighbour in tried_around(plan, trial, trials)]
    best = trial.metrics.objective if trial.metrics else None
    if best is None or best <= 0 or not around:
        reason = "it has no positive objective" if around else "none of its neighbours was tried"
        return Plateau(
            trial_id=trial.trial_id,
            neighbours_count=len(around),
            profitable_ratio=None,
            median_ratio=None,
            worst_ratio=None,
            reasons=(reason,),
        )
    ratios = [_objective(neighbour) / best for neighbour in around]
    profitable = sum(_is_profitable(neighbour) for neighbour in around) / len(around)
    median = statistics.median(ratios)
    return Plateau(
        trial_id=trial.trial_id,
        neighbours_count=len(around),
        profitable_ratio=profitable,
        median_ratio=median,
        worst_ratio=min(ratios),
        reasons=_against(plan, len(around), profitable, median),
    )


def _against(plan: SearchPlan, count: int, profitable: float, median: float) -> tuple[str, ...]:
    limits = plan.settings.plateau
    reasons: list[str] = []
    if count < limits.neighbours_count_min:
        reasons.append(f"only {count} different neighbours, {limits.neighbours_count_min} are needed")
    # Floats against floats: the float nearest to 0.7 is under seven tenths.
    profitable_min, median_min = float(limits.profitable_ratio_min), float(limits.median_ratio_min)
    if profitable < profitable_min:
        reasons.append(f"{profitable:.0%} of its neighbours gain, {profitable_min:.0%} are needed")
    if median < median_min:
        reasons.append(f"its neighbours' median is {median:.2f} of its objective, {median_min:.2f} is needed")
    return tuple(reasons)


def _objective(trial: Trial) -> float:
    if trial.status is not TrialStatus.COMPLETE or trial.metrics is None or trial.metrics.objective is None:
        return 0.0
    return trial.metrics.objective


def _is_profitable(trial: Trial) -> bool:
    return trial.status is TrialStatus.COMPLETE and trial.metrics is not None and trial.metrics.net_pnl_usdt > 0
