"""What a search is asked to do, and the identities that follow from it.

Doing it belongs to `run.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.trial import Trial
from copytrade_core.model.units import Money
from copytrade_core.search.settings import SearchSettings
from copytrade_core.search.space import Point, Space, point_of
from copytrade_core.search.space_policy import longest_ttl_s, sides_claimed, to_policy

SEED_MAX = 2**32 - 1


class SamplerChoice(StrEnum):
    """Who proposes: the phases of the settings, one sampler alone, or a person."""

    PHASES = "phases"
    QMC = "qmc"
    CMA_ES = "cma_es"
    TPE = "tpe"
    RANDOM = "random"
    GRID = "grid"
    MANUAL = "manual"
    """One policy: the base strategy itself, or one named point of the space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """A search before it begins.

    `train_sides` holds our side of every train signal in signal order, so its length is the train span. `trials_count`
    are the sampled trials asked for; neighbours of the finalists come on top. `manual` names a point for `MANUAL`
    (empty = the base strategy itself).
    """

    search_id: str
    space: Space
    base: PolicySpec
    settings: SearchSettings
    sampler: SamplerChoice
    seed: int
    trials_count: int
    manual: tuple[tuple[str, str], ...]
    train_sides: tuple[Side, ...]
    initial_equity: Money
    data_digest: str
    assumptions_digest: str
    code_version: str


def search_id_of(
    *,
    lead_id: str,
    data_digest: str,
    assumptions_digest: str,
    base: PolicySpec,
    space: Space,
    settings: SearchSettings,
    sampler: SamplerChoice,
    seed: int,
    trials_count: int,
    manual: tuple[tuple[str, str], ...],
) -> str:
    """The identity of a search: the same question has the same id, so it can be resumed and is never run twice."""
    return digest_of(
        {
            "lead_id": lead_id,
            "data": data_digest,
            "assumptions": assumptions_digest,
            "base": base,
            "space": space.digest,
            "settings": settings.digest,
            "sampler": sampler,
            "seed": seed,
            "trials_count": trials_count,
            "manual": manual,
        }
    )


def trial_id_of(*, data_digest: str, assumptions_digest: str, policy_digest: str) -> str:
    """The identity of a trial: one policy on one data set under one set of assumptions, whoever tries it."""
    return digest_of({"data": data_digest, "assumptions": assumptions_digest, "policy": policy_digest})


def check_plan(plan: SearchPlan) -> None:
    """Refuse a search that cannot mean anything.

    Raises:
        BadInput: no train signal, one-sided signals for a policy that claims the other side too, numbers out of range;
            says what to do next.
    """
    if not plan.train_sides:
        raise BadInput(
            "the train part has no signal that this strategy could trade",
            where=Where(field="train"),
            next_step="Import more closed positions of this lead, or another lead, then search again",
        )
    if plan.trials_count < 1 or not 0 <= plan.seed <= SEED_MAX:
        raise BadInput(
            f"trials must be at least 1 and the seed 0..{SEED_MAX}; got {plan.trials_count} and {plan.seed}",
            where=Where(field="trials" if plan.trials_count < 1 else "seed"),
        )
    if plan.manual and plan.sampler is not SamplerChoice.MANUAL:
        raise BadInput("only the manual sampler takes parameters by hand", where=Where(field="sampler"))
    seen = frozenset(plan.train_sides)
    for claimed in sorted(sides_claimed(plan.space, plan.base)):
        missing = [side for side in Side if claimed.allows(side) and side not in seen]
        if missing:
            raise BadInput(
                f"a candidate claims side = {claimed}, but no train signal is {missing[0]}: nothing could support it",
                where=Where(field="entry.side"),
                next_step=f"Search with side = {_only(next(iter(seen)))}, or import data that has both sides",
            )


def check_embargo(plan: SearchPlan, longest_holding_s: float) -> None:
    """Refuse a split whose embargo is shorter than the longest trade that a candidate can have.

    Args:
        plan: the search.
        longest_holding_s: what the split was made with (`SplitManifest.longest_holding_ms` / 1000).

    Raises:
        BadInput: a candidate's trade could reach from one part into the next.
    """
    ttl_s = longest_ttl_s(plan.space, plan.base)
    if ttl_s is not None and ttl_s > longest_holding_s:
        raise BadInput(
            f"candidates of {plan.space.name} may hold for {ttl_s / 3600:g} hours, the split keeps its parts only "
            f"{longest_holding_s / 3600:g} hours apart",
            where=Where(field="exit.ttl_hours"),
            next_step="Use a space with a shorter time-to-live, or a main strategy with a longer one and split again",
        )


def policy_of(plan: SearchPlan, trial: Trial) -> PolicySpec:
    """The policy of a trial of this plan, rebuilt from its parameters.

    Raises:
        BadInput: it is not the policy that was tried: the space, the strategy or the code has changed.
    """
    point = point_in(plan, trial)
    policy = plan.base if point is None else to_policy(plan.space, point, plan.base)
    if digest_of(policy) != trial.policy_digest:
        raise BadInput(
            f"trial {trial.number} was another policy than its parameters now give",
            where=Where(field="policy_digest"),
            next_step="The space, the strategy or the code has changed since: search again",
        )
    return policy


def point_in(plan: SearchPlan, trial: Trial) -> Point | None:
    """Where a trial stands; None for the base strategy itself."""
    return point_of(plan.space, trial.parameters) if trial.parameters else None


def _only(side: Side) -> SideFilter:
    return SideFilter.LONG_ONLY if side is Side.LONG else SideFilter.SHORT_ONLY
