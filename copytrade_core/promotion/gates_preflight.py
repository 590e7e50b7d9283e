"""Gates about orders: preflight_clean and restart_clean.

How a preflight is made belongs to `edges/preflight`. What was about another policy, venue or code counts for nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.criteria import Judge, statement
from copytrade_core.promotion.facts import PreflightFacts, RehearsalFacts
from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult, GateVerdict, result_of

PASS, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.INCONCLUSIVE
NO_PREFLIGHT = "no preflight was run"
NOT_OF_THIS = "no preflight was about exactly this"
BROKEN = "Mend what broke: the command shows it again, step by step"
NAMED_MAX = 3
"""How many names a reason lists; the stored result has all."""


def preflight_clean(facts: RehearsalFacts, contract: Contract, *, now: datetime) -> GateResult:
    """Every named scenario and enough simulated seeds kept every invariant, for exactly this policy, venue and code."""
    judge = Judge(gate=Gate.PREFLIGHT_CLEAN, contract=contract, origin=PriceOrigin.RECORDED)
    again, found = preflight_command(facts), facts.preflight_of_this
    unmet = () if found is None else found.scenarios_unmet
    return result_of(
        Gate.PREFLIGHT_CLEAN,
        [
            *_about_this(judge, facts, now),
            _by_itself(facts),
            _all_scenarios(facts),
            _counted(judge, "scenarios_unmet_count_max", None if found is None else unmet, again),
            judge.enough(
                "seeds_count_min",
                None if found is None else float(found.seeds_count),
                absent=NOT_OF_THIS,
                fix="Run more seeds",
                command=f"{again} --seeds {contract.threshold(Gate.PREFLIGHT_CLEAN, 'seeds_count_min').value}",
            ),
            _counted(judge, "failures_count_max", None if found is None else found.failures, again),
            _covered(judge, found, again),
        ],
    )


def restart_clean(facts: RehearsalFacts, contract: Contract, *, now: datetime) -> GateResult:
    """The session died at enough points and each time went on as if it had not, without an order too many."""
    judge = Judge(gate=Gate.RESTART_CLEAN, contract=contract, origin=PriceOrigin.RECORDED)
    again, found = preflight_command(facts), facts.preflight_of_this
    more = f"{again} --seeds {contract.threshold(Gate.PREFLIGHT_CLEAN, 'seeds_count_min').value}"
    numbers = {
        "crash_points_count_min": None if found is None else float(found.crash_points_count),
        "restarts_compared_count_min": None if found is None else float(found.restarts_compared_count),
    }
    broken = {
        "duplicate_orders_count_max": None if found is None else float(found.duplicates_count),
        "restarts_differing_count_max": None if found is None else float(found.restarts_differing_count),
    }
    return result_of(
        Gate.RESTART_CLEAN,
        [
            *_about_this(judge, facts, now),
            *(
                judge.enough(name, number, absent=NOT_OF_THIS, fix="Run more seeds", command=more)
                for name, number in numbers.items()
            ),
            *(
                judge.at_most(name, number, absent=NOT_OF_THIS, fix=BROKEN, command=again)
                for name, number in broken.items()
            ),
        ],
    )


def preflight_command(facts: RehearsalFacts) -> str:
    """What makes the evidence of this module."""
    return f"copytrade preflight --lead {facts.lead_id} --venue {facts.venue}"


def _about_this(judge: Judge, facts: RehearsalFacts, now: datetime) -> list[Criterion]:
    found, again = facts.preflight, preflight_command(facts)
    at_venue = found is not None and (found.venue, found.venue_digest) == (facts.venue, facts.venue_digest)
    certify = f"copytrade certify --venue {facts.venue}"
    asked = [
        (
            "of_this_policy",
            found is not None and found.policy_digest == facts.policy_digest,
            "the preflight was of another policy",
        ),
        (
            "by_this_code",
            found is not None and found.code_version == facts.code_version,
            "the preflight was of other code than this version",
        ),
        (
            "at_this_venue",
            at_venue,
            f"{facts.venue} is not certified"
            if facts.venue_digest is None
            else "the preflight was of another venue, or of what was certified of it before",
        ),
    ]
    uncertified = facts.venue_digest is None
    return [
        *(
            statement(
                name=name,
                verdict=PASS if holds else INCONCLUSIVE,
                reason=NO_PREFLIGHT if found is None else reason,
                fix="Certify the venue, then run the preflight" if uncertified else "Run the preflight again",
                command=certify if uncertified else again,
            )
            for name, holds, reason in asked
        ),
        _young(judge, found, now, again),
    ]


def _young(judge: Judge, found: PreflightFacts | None, now: datetime, again: str) -> Criterion:
    """Old evidence says nothing, so it is inconclusive and no failure."""
    age_s = None if found is None or found.made_at is None else (now - found.made_at).total_seconds()
    absent = NO_PREFLIGHT if found is None else "nobody knows when the preflight was run"
    compared = judge.at_most("preflight_age_s_max", age_s, absent=absent, fix="Run the preflight again", command=again)
    if compared.verdict is PASS:
        return compared
    return replace(compared, verdict=INCONCLUSIVE)


def _by_itself(facts: RehearsalFacts) -> Criterion:
    injected = () if facts.preflight is None else facts.preflight.injected
    return statement(
        name="nothing_injected",
        verdict=PASS if facts.preflight is not None and not injected else INCONCLUSIVE,
        reason=f"faults were injected by hand: {_named(injected)}" if injected else NO_PREFLIGHT,
        fix="Run it without --inject",
        command=preflight_command(facts),
    )


def _all_scenarios(facts: RehearsalFacts) -> Criterion:
    found = facts.preflight
    complete = found is not None and found.scenarios_count > 0 and not found.scenarios_missing
    missing = "every one" if found is None or not found.scenarios_count else _named(found.scenarios_missing)
    return statement(
        name="every_scenario_ran",
        verdict=PASS if complete else INCONCLUSIVE,
        reason=NO_PREFLIGHT if found is None else f"scenarios that did not run: {missing}",
        fix="Run the whole suite",
        command=preflight_command(facts),
    )


def _counted(judge: Judge, name: str, found: tuple[str, ...] | None, again: str) -> Criterion:
    """Named things of which there may be none; the reason says which there are."""
    number = None if found is None else float(len(found))
    compared = judge.at_most(name, number, absent=NOT_OF_THIS, fix=BROKEN if found else "Run it", command=again)
    return replace(compared, reason=f"{compared.reason}: {_named(found)}") if found and compared.reason else compared


def _covered(judge: Judge, found: PreflightFacts | None, again: str) -> Criterion:
    """An empty cell is something that was not tried: nothing failed, and nothing is known."""
    compared = _counted(judge, "cells_empty_count_max", None if found is None else found.cells_empty, again)
    if compared.verdict is PASS:
        return compared
    return replace(compared, verdict=INCONCLUSIVE, fix="Run more seeds, so that every required cell is struck")


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED_MAX
    return "; ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
