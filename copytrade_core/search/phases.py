"""In which order samplers propose, and how many trials each may fill.

What happens to a proposal belongs to `run.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.search.plan import SamplerChoice, SearchPlan
from copytrade_core.search.settings import SamplerName
from copytrade_core.search.space import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One sampler's turn: it proposes until the search holds `upto_count` trials or gives way.

    It gives way when a batch took more than `proposals_per_trial_max` proposals per new trial, or when it has no more
    points. `continues` goes on with an earlier turn's sampler instead of a fresh one: the same sequence, further along.
    """

    sampler: SamplerName
    upto_count: int
    batch_count: int
    proposals_per_trial_max: int
    continues: bool


def stretches_of(plan: SearchPlan) -> tuple[Stretch, ...]:
    """The turns of a search in order.

    `PHASES`: every sampler of the settings with its share, at most its cap; what they do not fill goes on with the
    Sobol sequence. A single sampler gets all. The last turn always walks the grid, so the asked number is reached
    whenever the space has that many policies.
    """
    wanted, settings = plan.trials_count, plan.settings
    quotas: list[tuple[SamplerName, int, bool]] = []
    if plan.sampler is SamplerChoice.PHASES:
        filled = 0
        for phase in settings.phases:
            count = min(int(phase.share * wanted), phase.trials_count_max)
            filled += count
            if count:
                quotas.append((phase.sampler, filled, False))
        quotas.append((SamplerName.QMC, wanted, True))
    else:
        quotas.append((SamplerName(plan.sampler), wanted, False))
    if quotas[-1][0] is not SamplerName.GRID:
        quotas.append((SamplerName.GRID, wanted, False))
    return tuple(
        Stretch(
            sampler=sampler,
            upto_count=upto,
            batch_count=settings.phase(sampler).batch_count,
            proposals_per_trial_max=settings.phase(sampler).proposals_per_trial_max,
            continues=continues,
        )
        for sampler, upto, continues in quotas
    )


def elites_of(scores: Sequence[tuple[Point, float]], count: int) -> tuple[tuple[Point, float], ...]:
    """At most `count` of the scored points, best first: the best half, the rest spread evenly over all other ranks."""
    ranked = sorted(scores, key=lambda item: -item[1])
    if len(ranked) <= count:
        return tuple(ranked)
    best = ranked[: count - count // 2]
    others = ranked[len(best) :]
    picks = np.linspace(0, len(others) - 1, count // 2).astype(np.int64)
    return (*best, *(others[int(pick)] for pick in picks))


def derived_seed(seed: int, stream: int) -> int:
    """A seed of its own for each sampler and draw of a search."""
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])
