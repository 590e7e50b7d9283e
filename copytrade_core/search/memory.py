"""What a search remembers: which policy stands at each point, and how each policy did.

It proposes nothing and judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from copytrade_core.model.digest import digest_of
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.trial import Trial, TrialStatus
from copytrade_core.search.halving import REFUSED_SCORE, score
from copytrade_core.search.plan import SearchPlan
from copytrade_core.search.space import Point, parameters_of, settled
from copytrade_core.search.space_policy import Unfit, candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A policy that is to be tried, and the coordinates that gave it (none for the base strategy itself)."""

    parameters: tuple[tuple[str, str], ...]
    policy: PolicySpec
    digest: str


class Memory:
    """Grows by proposals and by judged trials; two points with one policy are one trial."""

    def __init__(self, plan: SearchPlan, spans: Sequence[int]) -> None:
        self._plan = plan
        self._spans = spans
        self._digest_at: dict[Point, str | None] = {}
        """Points by policy digest; None = the point breaks a constraint."""
        self._latest: dict[str, Trial] = {}
        self._proposed: set[str] = set()

    def fresh(self, points: Sequence[Point], *, retry_halved: bool) -> list[Proposal]:
        """The different policies at these points that nobody has proposed, in order; each is given out once.

        `retry_halved`: one that was left behind on a shorter span counts as new.
        """
        found: dict[str, Proposal] = {}
        for point in points:
            if point in self._digest_at and not retry_halved:
                continue
            policy = candidate(self._plan.space, point, self._plan.base)
            if isinstance(policy, Unfit):
                self._digest_at[point] = None
                continue
            digest = self._digest_at[point] = digest_of(policy)
            if digest not in found and (digest not in self._proposed or (retry_halved and self._is_halved(digest))):
                parameters = parameters_of(self._plan.space, settled(self._plan.space, point))
                found[digest] = Proposal(parameters=parameters, policy=policy, digest=digest)
        self._proposed.update(found)
        return list(found.values())

    def keep(self, trials: Sequence[Trial]) -> None:
        """Remember how proposals did."""
        self._latest.update((trial.policy_digest, trial) for trial in trials)

    def refused_count(self, points: Sequence[Point]) -> int:
        """How many of these points break a constraint."""
        return sum(self._digest_at[point] is None for point in points)

    def score_at(self, point: Point) -> float | None:
        """What a sampler is told of a point that was proposed and judged."""
        digest = self._digest_at[point]
        return REFUSED_SCORE if digest is None else score(self._latest[digest], self._spans)

    def scores(self) -> list[tuple[Point, float]]:
        """Every point with a policy and a score, in the order in which points were proposed."""
        found = ((point, self.score_at(point)) for point, digest in self._digest_at.items() if digest is not None)
        return [(point, value) for point, value in found if value is not None]

    def _is_halved(self, digest: str) -> bool:
        tried = self._latest.get(digest)
        return tried is not None and tried.status is TrialStatus.HALVED
