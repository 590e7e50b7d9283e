"""One case through the exact and the fast engine. What cases there are is in `random_cases.py`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from copytrade_core.model.digest import digest_of
from copytrade_core.model.round_trip import ReplayResult
from copytrade_core.model.sweep import SweepStatus
from copytrade_core.replay.difference import compare, compare_row, compare_status, describe
from copytrade_core.replay.equivalence import outcome_of
from copytrade_core.replay.sweep import pnl_by_episode, prepare, run_one, sweep
from tests.replay.random_cases import Case, case, sibling_policies
from tests.trading_floor import usdt

SIBLINGS_EVERY = 4
"""Every so many seeds the candidate is also swept among others, on two threads."""
RICH = usdt(3_000_000)
"""With so much equity always: some of the others stop half-way, and must leave nothing behind."""


def difference_in(given: Case, *, alone: bool = False) -> str | None:
    """The first difference between the engines on a case, in words; `alone` leaves out the sweep among others."""
    outcome = outcome_of(given.episodes, given.policy, given.spec, given.data)
    prepared = prepare(given.episodes, given.spec, given.data)
    fast = run_one(prepared, given.policy)
    if isinstance(outcome, SweepStatus):
        found = compare_status(given.policy.name, digest_of(given.policy), outcome, fast.summary, 0)
        return None if found is None else describe(found)
    found = compare(outcome, fast, prepared.episode_ids)
    if found is not None:
        return describe(found)
    among = given.spec.initial_equity >= RICH or given.seed % SIBLINGS_EVERY == 0
    return _difference_in_sweep(given, outcome) if among and not alone else None


def _difference_in_sweep(given: Case, outcome: ReplayResult) -> str | None:
    """The candidate twice among others: nothing of one candidate may reach another."""
    first, second = sibling_policies(given, 2)
    policies = [first, given.policy, second, given.policy]
    prepared = prepare(given.episodes, given.spec, given.data)
    table = sweep(prepared, policies, threads=2)
    for index in (1, 3):
        found = compare_row(outcome, table, index)
        if found is not None:
            return describe(found)
    pnls = pnl_by_episode(prepared, policies, threads=1)
    won = {trip.episode_id: int(trip.pnl) for trip in outcome.round_trips}
    expected = [won.get(episode_id, 0) for episode_id in prepared.episode_ids]
    wrong = [index for index in (1, 3) if not np.array_equal(pnls[index], expected)]
    return f"pnl by episode is {pnls[wrong[0]].tolist()}, the reference has {expected}" if wrong else None


def differing(seeds: Iterable[int]) -> dict[int, str]:
    """The seeds on which the engines differ, each with its first difference."""
    return {seed: found for seed in seeds if (found := difference_in(case(seed))) is not None}
