"""The check of the fast engine: the same candidates through both, and a verdict that a search must obey.

What is compared is in `replay/difference.py`; which candidates are worth checking is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplayResult, ReplaySpec
from copytrade_core.model.sweep import SweepStatus, SweepTable
from copytrade_core.replay.difference import Difference, compare, compare_row, compare_status, describe
from copytrade_core.replay.reference import replay
from copytrade_core.replay.sweep import ENGINE, FastRun, Prepared, run_one, sweep


class EngineVerdict(StrEnum):
    """What a check of the fast engine concludes."""

    EQUAL = "EQUAL"
    REJECTED_FOR_SEARCH = "REJECTED_FOR_SEARCH"
    """One difference: none of the engine's results may be used for promotion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceRecord:
    """One check of the fast engine, to be kept as evidence.

    `hash_of_hashes` is the digest of the reference's fill hashes (minus the status of a candidate that cannot be
    finished) in the order of `policy_digests`; `differences` holds the first difference of every candidate that has
    one, in words.
    """

    engine: str
    verdict: EngineVerdict
    compared_count: int
    episodes_count: int
    fills_count: int
    hash_of_hashes: str
    differences: tuple[str, ...]
    policy_digests: tuple[str, ...]


def check_engine(
    prepared: Prepared,
    episodes: Sequence[Episode],
    policies: Sequence[PolicySpec],
    spec: ReplaySpec,
    data: MarketData,
    *,
    threads: int = 1,
) -> EquivalenceRecord:
    """Replay candidates with both engines and compare everything.

    The fast engine is asked twice: for every candidate alone in full detail, and for all of them in one call.

    Args:
        prepared: `replay.sweep.prepare(episodes, spec, data)`.
        episodes: what it was prepared from.
        policies: the candidates.
        spec: what it was prepared with.
        data: what it was prepared with.
        threads: threads of the one call.

    Raises:
        BadInput: no candidate, or what is refused before anything is computed.
    """
    if not policies:
        raise BadInput("no candidate to compare: that would prove nothing", where=Where(field="policies"))
    table = sweep(prepared, policies, threads=threads)
    outcomes = [outcome_of(episodes, policy, spec, data) for policy in policies]
    found = [
        _difference(outcome, policy, run_one(prepared, policy), prepared.episode_ids, table, index)
        for index, (outcome, policy) in enumerate(zip(outcomes, policies, strict=True))
    ]
    finished = [outcome for outcome in outcomes if isinstance(outcome, ReplayResult)]
    return EquivalenceRecord(
        engine=ENGINE,
        verdict=EngineVerdict.EQUAL if found == [None] * len(found) else EngineVerdict.REJECTED_FOR_SEARCH,
        compared_count=len(policies),
        episodes_count=len(episodes),
        fills_count=sum(len(trip.fills) for result in finished for trip in result.round_trips),
        hash_of_hashes=digest_of([o.fill_hash if isinstance(o, ReplayResult) else -int(o) for o in outcomes]),
        differences=tuple(describe(difference) for difference in found if difference is not None),
        policy_digests=tuple(digest_of(policy) for policy in policies),
    )


def outcome_of(
    episodes: Sequence[Episode], policy: PolicySpec, spec: ReplaySpec, data: MarketData
) -> ReplayResult | SweepStatus:
    """The reference's result, or why it cannot finish the candidate.

    Raises:
        BadInput: what is refused before anything is computed.
    """
    try:
        return replay(episodes, policy, spec, data)
    except OutOfBounds:
        return SweepStatus.OUT_OF_BOUNDS


def _difference(
    outcome: ReplayResult | SweepStatus,
    policy: PolicySpec,
    fast: FastRun,
    episode_ids: Sequence[str],
    table: SweepTable,
    index: int,
) -> Difference | None:
    if isinstance(outcome, ReplayResult):
        return compare(outcome, fast, episode_ids) or compare_row(outcome, table, index)
    digest = digest_of(policy)
    alone = compare_status(policy.name, digest, outcome, fast.summary, 0)
    return alone or compare_status(policy.name, digest, outcome, table, index)
