"""Seeds in process: each is planned, drilled and judged here, thousands a minute, and a failing one is made small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from copytrade_core.edges.preflight.comparison import differences, is_comparable
from copytrade_core.edges.preflight.driver import BrokerWrap, Drill
from copytrade_core.edges.preflight.judge import Violation, judge
from copytrade_core.edges.preflight.observers import StepSeen
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.schedule import Planned, Schedule, planned
from copytrade_core.edges.preflight.shrink import shrink
from copytrade_core.edges.preflight.world import InProcessWorld, World
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.venue import PositionMode
from copytrade_core.virtual_exchange.faults import VenueFault
from copytrade_core.virtual_exchange.venue_rules import VenueRules

MakeWorld = Callable[[Schedule], World]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One drill and what it broke."""

    schedule: Schedule
    record: DrillRecord | None
    violations: tuple[Violation, ...]
    compared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """Where drills run: the venue's rules, how a world is made, and what a test put before the broker."""

    rules: VenueRules
    make_world: MakeWorld
    policies: tuple[PolicySpec, ...]
    wrap: BrokerWrap | None
    injected: tuple[VenueFault, ...]


def in_process(
    rules: VenueRules,
    policies: tuple[PolicySpec, ...],
    *,
    wrap: BrokerWrap | None = None,
    injected: tuple[VenueFault, ...] = (),
) -> Arena:
    """Drills against the engine in this process."""
    return Arena(
        rules=rules,
        make_world=lambda schedule: InProcessWorld(schedule, rules),
        policies=policies,
        wrap=wrap,
        injected=injected,
    )


def drilled(schedule: Schedule, arena: Arena, *, traced: bool = False) -> DrillRecord:
    """One drill, unjudged."""
    armed = replace(schedule, faults=(*schedule.faults, *arena.injected)) if arena.injected else schedule
    return Drill(armed, arena.make_world(armed), wrap=arena.wrap, traced=traced).run()


def judged(schedule: Schedule, arena: Arena, calm: DrillRecord | None = None) -> Judged:
    """One drill and its violations; with a calm twin a restart is compared as well.

    An exception that leaves the session is not a verdict: it is raised, because nothing may ever stop a session so.
    """
    record = drilled(schedule, arena)
    violations = judge(record)
    compared = calm is not None and is_comparable(record)
    if compared and calm is not None:
        violations = (*violations, *differences(record, calm))
    return Judged(schedule=schedule, record=record, violations=violations, compared=compared)


def plan(seed: int, arena: Arena) -> Planned:
    """The drills of a seed."""

    def rehearsed(schedule: Schedule) -> Sequence[StepSeen]:
        return drilled(schedule, arena, traced=True).trace

    return planned(
        seed,
        arena.policies,
        venue=arena.rules.venue,
        hedge=arena.rules.position_mode is PositionMode.HEDGE,
        rehearse=rehearsed,
    )


def run_seed(seed: int, arena: Arena) -> tuple[Judged, ...]:
    """Every drill of one seed: the calm story, the one with faults, and a crash alone where the story allows it."""
    drills = plan(seed, arena)
    calm = judged(drills.calm, arena)
    done = [calm, judged(drills.faulted, arena)]
    if drills.crashed is not None:
        done.append(judged(drills.crashed, arena, calm.record))
    return tuple(done)


def smallest(failing: Judged, arena: Arena) -> Schedule:
    """The smallest schedule that breaks the same invariant."""
    broken = {violation.invariant for violation in failing.violations}

    def fails(schedule: Schedule) -> bool:
        calm = drilled(replace(schedule, crashes=(), downtime_ms=0), arena) if failing.compared else None
        return bool(broken & {violation.invariant for violation in judged(schedule, arena, calm).violations})

    return shrink(failing.schedule, fails)
