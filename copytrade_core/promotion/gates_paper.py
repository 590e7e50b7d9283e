"""Gates about canaries: paper_canary_clean, backtest_paper_parity, shadow_clean and monitor_clean.

How sessions run belongs to `session`. Only what polled while things happened, of exactly this policy and code, read
where the settings point today and young enough, counts: the rest is named and inconclusive, whatever it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.read_at import ReadAt
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.criteria import Judge
from copytrade_core.promotion.facts_canary import CanaryFacts, ParityFacts, SessionFacts, ShadowFacts
from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult, GateVerdict, result_of

PASS, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.INCONCLUSIVE
NAMED_MAX = 3
RUN = "Run sessions, or let them run on"
LOOK = "Look at what it names, mend it, and let new sessions show that it is over"
Evidence = TypeVar("Evidence", SessionFacts, ParityFacts, ShadowFacts)


def paper_command(facts: CanaryFacts) -> str:
    """What makes the evidence of paper sessions."""
    return f"copytrade canary paper --lead {facts.lead_id} --live"


def shadow_command(facts: CanaryFacts) -> str:
    """What makes the evidence of shadow sessions."""
    return f"copytrade canary shadow --lead {facts.lead_id} --live"


def paper_canary_clean(facts: CanaryFacts, contract: Contract, *, now: datetime) -> GateResult:
    """Enough observed days of paper trading, with entries and exits, and not one session that broke anything."""
    gate = Gate.PAPER_CANARY_CLEAN
    judge, again = Judge(gate=gate, contract=contract, origin=PriceOrigin.RECORDED), paper_command(facts)
    kept = _counting(judge, "canary_age_s_max", facts, facts.sessions, now)
    hours = sum((one.ended_at - one.started_at).total_seconds() for one in kept) / 3600
    polls, failed = sum(one.polls_count for one in kept), sum(one.failed_polls_count for one in kept)
    enough = {
        "sessions_count_min": len(kept),
        "observed_hours_min": hours,
        "entries_count_min": sum(one.entries_count for one in kept),
        "exits_count_min": sum(one.exits_count for one in kept),
    }
    named = {
        "checks_broken_count_max": tuple(f"{one.key}: {what}" for one in kept for what in one.broken),
        "sessions_unfinished_count_max": tuple(
            f"{one.key}: {one.ended}" for one in kept if one.ended in {None, "error"}
        ),
        "unknown_orders_count_max": tuple(f"{one.key}: {what}" for one in kept for what in one.unknown),
        "alerts_count_max": tuple(f"{one.key}: {what}" for one in kept for what in one.alerts),
    }
    slowest = max((one.close_delay_s for one in kept), default=None)
    absent = _why_none(facts, facts.sessions, kept, "paper session")
    return result_of(
        gate,
        [
            *(
                judge.enough(name, float(value) if kept else None, absent=absent, fix=RUN, command=again)
                for name, value in enough.items()
            ),
            judge.at_most(
                "polls_failed_ratio_max", failed / polls if polls else None, absent=absent, fix=LOOK, command=again
            ),
            *(_none_of(judge, name, found if kept else None, absent, again) for name, found in named.items()),
            judge.at_most("close_delay_s_max", slowest, absent=absent, fix=LOOK, command=again),
            _nothing_critical(judge, facts),
        ],
    )


def _nothing_critical(judge: Judge, facts: CanaryFacts) -> Criterion:
    return _none_of(
        judge,
        "incidents_critical_count_max",
        None if facts.incidents is None else facts.incidents.critical,
        "the monitor has not looked at this lead",
        monitor_command(facts),
    )


def backtest_paper_parity(facts: CanaryFacts, contract: Contract, *, now: datetime) -> GateResult:
    """What paper did is what replay does on the same inputs, and every difference has a cause."""
    gate = Gate.BACKTEST_PAPER_PARITY
    judge, again = Judge(gate=gate, contract=contract, origin=PriceOrigin.RECORDED), paper_command(facts)
    kept = [one for one in _counting(judge, "parity_age_s_max", facts, facts.parities, now) if one.compared_count]
    count = sum(one.compared_count for one in kept)
    absent = _why_none(facts, facts.parities, kept, "comparison with intents")
    residuals = [one.residual_bps_max for one in kept if one.residual_bps_max is not None]
    means = [(one.difference_bps_mean, one.compared_count) for one in kept if one.difference_bps_mean is not None]
    mean = sum(value * weight for value, weight in means) / sum(weight for _, weight in means) if means else None
    missed = tuple(f"{one.key}: {what}" for one in kept for what in one.missed)
    return result_of(
        gate,
        [
            judge.enough(
                "intents_compared_count_min",
                float(count) if kept else None,
                absent=absent,
                fix=RUN,
                command=again,
            ),
            judge.at_most(
                "residual_bps_max",
                max((abs(value) for value in residuals), default=None),
                absent=absent,
                fix="Find what the waterfall does not name",
                command=again,
            ),
            judge.at_most("difference_bps_mean_max", mean, absent=absent, fix="Calibrate the costs", command=again),
            _none_of(judge, "intents_missed_count_max", missed if kept else None, absent, again),
        ],
    )


def shadow_clean(facts: CanaryFacts, contract: Contract, *, now: datetime) -> GateResult:
    """Every order that would have been sent was one that the venue of today takes, to the last field."""
    gate = Gate.SHADOW_CLEAN
    judge, again = Judge(gate=gate, contract=contract, origin=PriceOrigin.RECORDED), shadow_command(facts)
    kept = [one for one in _counting(judge, "shadow_age_s_max", facts, facts.shadows, now) if one.venue == facts.venue]
    absent = _why_none(facts, facts.shadows, kept, f"shadow session at {facts.venue}")
    invalid = tuple(f"{one.key}: {what}" for one in kept for what in one.invalid)
    probes = tuple(f"{one.key}: {what}" for one in kept for what in one.probe_faults)
    orders = float(sum(one.orders_count for one in kept)) if kept else None
    return result_of(
        gate,
        [
            judge.enough("orders_count_min", orders, absent=absent, fix=RUN, command=again),
            _none_of(judge, "orders_invalid_count_max", invalid if kept else None, absent, again),
            _none_of(judge, "probe_faults_count_max", probes if kept else None, absent, again),
        ],
    )


def monitor_clean(facts: CanaryFacts, contract: Contract, *, now: datetime) -> GateResult:
    """The monitor has looked lately, nothing is open, and nothing critical happened."""
    gate, found = Gate.MONITOR_CLEAN, facts.incidents
    judge, again = Judge(gate=gate, contract=contract, origin=PriceOrigin.RECORDED), monitor_command(facts)
    absent = "the monitor has not looked at this lead"
    age_s = None if found is None or found.looked_at is None else (now - found.looked_at).total_seconds()
    named = {
        "critical_count_max": None if found is None else found.critical,
        "active_count_max": None if found is None else found.active,
        "unheard_count_max": None if found is None else found.unheard,
    }
    return result_of(
        gate,
        [
            _expired(
                judge.at_most("monitor_age_s_max", age_s, absent=absent, fix="Let the monitor look", command=again)
            ),
            judge.enough(
                "passes_count_min",
                None if found is None else float(found.passes_count),
                absent=absent,
                fix="Let it run on",
                command=again,
            ),
            *(_none_of(judge, name, names, absent, again) for name, names in named.items()),
        ],
    )


def monitor_command(facts: CanaryFacts) -> str:
    """What lets the monitor look."""
    module = "copytrade_dagster.definitions"
    return f"dagster asset materialize -m {module} --select monitor_incidents --partition {facts.lead_id}"


def _counting(judge: Judge, limit: str, facts: CanaryFacts, found: Sequence[Evidence], now: datetime) -> list[Evidence]:
    """What counts: observed, of this policy, by this code, read where the settings point, and young enough."""
    age_s_max = float(judge.contract.threshold(judge.gate, limit).value)
    return [
        one
        for one in found
        if one.is_observed
        and (one.policy_digest, one.code_version) == (facts.policy_digest, facts.code_version)
        and one.read_at == _today(facts, one)
        and (now - _made_at(one)).total_seconds() <= age_s_max
    ]


def _made_at(one: SessionFacts | ParityFacts | ShadowFacts) -> datetime:
    return one.ended_at if isinstance(one, SessionFacts) else one.made_at


def _today(facts: CanaryFacts, one: SessionFacts | ParityFacts | ShadowFacts) -> ReadAt:
    """Where it must have been read to count: only a shadow session reads the venue."""
    return facts.read_at if isinstance(one, ShadowFacts) else replace(facts.read_at, venue=None)


def _why_none(facts: CanaryFacts, found: Sequence[Evidence], kept: Sequence[Evidence], what: str) -> str:
    if kept or not found:
        return f"there was no {what}"
    counts = "observed, of this policy and code, read where the settings point, and not expired"
    elsewhere = {
        "at no address that it tells" if one.read_at is None else one.read_at.against(_today(facts, one))
        for one in found
        if one.is_observed and one.read_at != _today(facts, one)
    }
    named = f" (read: {'; '.join(sorted(elsewhere)[:NAMED_MAX])})" if elsewhere else ""
    return f"none of {len(found)} is a {what} that counts: {counts}{named}"


def _none_of(judge: Judge, name: str, found: tuple[str, ...] | None, absent: str, again: str) -> Criterion:
    number = None if found is None else float(len(found))
    compared = judge.at_most(name, number, absent=absent, fix=LOOK if found else "Run one", command=again)
    if not found or not compared.reason:
        return compared
    more = len(found) - NAMED_MAX
    named = "; ".join(found[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
    return replace(compared, reason=f"{compared.reason}: {named}")


def _expired(compared: Criterion) -> Criterion:
    """Old evidence says nothing, so it is inconclusive and no failure."""
    return compared if compared.verdict is PASS else replace(compared, verdict=INCONCLUSIVE)
