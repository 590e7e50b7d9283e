"""Which trials the engines' comparison and the overfitting statistics look at.

Comparing and computing are done elsewhere; both samples follow from the plan's seed and the trials alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from copytrade_core.model.trial import Trial, TrialStatus
from copytrade_core.search.finalists import finalists_of, ranked
from copytrade_core.search.phases import derived_seed
from copytrade_core.search.plan import SearchPlan

_EQUIVALENCE_STREAM = 10_002
_OVERFITTING_STREAM = 10_003


def equivalence_sample(plan: SearchPlan, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Trials that both engines replay: the top, every finalist, and a seeded draw from all that were evaluated."""
    sizes = plan.settings.samples
    fixed = [*ranked(trials)[: sizes.equivalence_top_count], *finalists_of(plan, trials)]
    return _with_draw(plan, fixed, trials, sizes.equivalence_random_count, _EQUIVALENCE_STREAM)


def overfitting_sample(plan: SearchPlan, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """Candidates for the probability of backtest overfitting: every finalist and a seeded draw from all evaluated.

    A draw from all, not the best: cross-validation asks what choosing among what was tried is worth.
    """
    finalists = finalists_of(plan, trials)
    count = max(0, plan.settings.samples.overfitting_candidates_count - len(finalists))
    return _with_draw(plan, finalists, trials, count, _OVERFITTING_STREAM)


def _with_draw(
    plan: SearchPlan, fixed: Sequence[Trial], trials: Sequence[Trial], count: int, stream: int
) -> tuple[Trial, ...]:
    """The fixed ones and `count` others, each policy once, drawn without replacement, in order of their numbers."""
    chosen = {trial.trial_id: trial for trial in fixed}
    others = {
        trial.trial_id: trial
        for trial in trials
        if trial.status is not TrialStatus.ABORTED and trial.trial_id not in chosen
    }
    pool = list(others.values())
    draws = np.random.default_rng(derived_seed(plan.seed, stream))
    picks: list[int] = draws.permutation(len(pool))[:count].tolist()
    chosen.update((pool[pick].trial_id, pool[pick]) for pick in picks)
    return tuple(sorted(chosen.values(), key=lambda trial: trial.number))
