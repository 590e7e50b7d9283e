"""Seeds in process: each is planned, drilled and judged here, thousands a minute, and a failing one is made small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from copytrade_core.edges.preflight.comparison import differences, is_comparable
from copytrade_core.edges.preflight.driver import BrokerWrap, Drill
from copytrade_core.edges.preflight.judge import Invariant, Violation, judge
from copytrade_core.edges.preflight.observers import StepSeen
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.schedule import Schedule, planned
from copytrade_core.edges.preflight.shrink import shrink
from copytrade_core.edges.preflight.world import InProcessWorld, World
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.venue import PositionMode
from copytrade_core.virtual_exchange.faults import VenueFault
from copytrade_core.virtual_exchange.venue_rules import VenueRules

MakeWorld = Callable[[Schedule], World]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One drill and what it broke; `record` is None when an exception ended it."""

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
    """One drill and its violations; with a calm twin a restart is compared as well."""
    try:
        record = drilled(schedule, arena)
    except Exception as error:  # noqa: BLE001 - whatever ends a session is a finding, and the next drill goes on
        return ended_by(error, schedule)
    return judged_record(schedule, record, calm)


def ended_by(error: Exception, schedule: Schedule) -> Judged:
    """A drill that an exception ended."""
    what = f"{type(error).__name__}: {error}"
    violation = Violation(invariant=Invariant.SESSION_SURVIVES, what=what)
    return Judged(schedule=schedule, record=None, violations=(violation,), compared=False)


def judged_record(schedule: Schedule, record: DrillRecord, calm: DrillRecord | None) -> Judged:
    """What a drill that is over broke."""
    violations = judge(record)
    compared = calm is not None and is_comparable(record)
    if compared and calm is not None:
        violations = (*violations, *differences(record, calm))
    return Judged(schedule=schedule, record=record, violations=violations, compared=compared)


def run_seed(seed: int, arena: Arena) -> tuple[Judged, ...]:
    """Every drill of one seed: the calm story, the one with faults, and crashes alone where the story is spaced."""
    rehearsals: list[tuple[Schedule, DrillRecord]] = []
    tried: list[Schedule] = []

    def rehearse(schedule: Schedule) -> Sequence[StepSeen]:
        tried.append(schedule)
        rehearsals[:] = [*rehearsals[-1:], (schedule, drilled(schedule, arena, traced=True))]
        return rehearsals[-1][1].trace

    try:
        drills = planned(
            seed,
            arena.policies,
            venue=arena.rules.venue,
            hedge=arena.rules.position_mode is PositionMode.HEDGE,
            rehearse=rehearse,
        )
    except Exception as error:  # noqa: BLE001 - as in `judged`
        return (ended_by(error, tried[-1]),)
    calm = next(record for schedule, record in rehearsals if schedule is drills.calm)
    done = [judged_record(drills.calm, calm, None), judged(drills.faulted, arena)]
    if drills.crashed is not None:
        done.append(judged(drills.crashed, arena, calm))
    return tuple(done)


def smallest(failing: Judged, arena: Arena) -> Schedule:
    """The smallest schedule that breaks the same invariant."""
    rests_on_twin = failing.compared
    broken = {violation.invariant for violation in failing.violations}

    def fails(schedule: Schedule) -> bool:
        calm = drilled(replace(schedule, crashes=(), downtime_ms=0), arena) if rests_on_twin else None
        return bool(broken & {violation.invariant for violation in judged(schedule, arena, calm).violations})

    return shrink(failing.schedule, fails)
