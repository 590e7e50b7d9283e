"""A story and everything that goes wrong in it: faults on the way to the venue, crashes, and time away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from copytrade_core.edges.preflight.coverage import KINDS_OF_CALL, REQUIRED, Cell
from copytrade_core.edges.preflight.drawn_faults import drawn_fault
from copytrade_core.edges.preflight.drawn_story import draw_story
from copytrade_core.edges.preflight.observers import COMMIT, CrashPoint, StepSeen
from copytrade_core.edges.preflight.session_state import SessionState
from copytrade_core.edges.preflight.story import Story
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.faults import VenueFault
from copytrade_core.virtual_exchange.venue_ask import VenueCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One drill, whole: run it twice and the same happens twice. `seed` is None for a named scenario."""

    name: str
    seed: int | None
    story: Story
    faults: tuple[VenueFault, ...]
    crashes: tuple[CrashPoint, ...]
    downtime_ms: int


Rehearse = Callable[[Schedule], Sequence[StepSeen]]
"""Runs a schedule and returns every step with the session's state."""
STORIES_MAX = 25
"""How many stories are looked through for one that reaches a cell."""
DOWNTIMES_MS = (0, 0, 3_000, 45_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The drills of one seed: one with faults, which strikes `cell`, and crashes alone where the story is spaced."""

    faulted: Schedule
    crashed: Schedule | None
    calm: Schedule
    cell: Cell


def plain(story: Story, *, name: str, seed: int | None) -> Schedule:
    """The story without anything wrong."""
    return Schedule(name=name, seed=seed, story=story, faults=(), crashes=(), downtime_ms=0)


def planned(seed: int, policies: tuple[PolicySpec, ...], *, venue: Venue, hedge: bool, rehearse: Rehearse) -> Planned:
    """The drills of a seed: a story that reaches the seed's required cell, its fault, and more at random.

    Up to the planted fault the drill goes as rehearsed, so the fault strikes where the rehearsal was in that state.
    When no story reaches the cell, the last one is drilled without it.
    """
    cell = REQUIRED[seed % len(REQUIRED)]
    for attempt in range(STORIES_MAX):
        rng = np.random.default_rng((2, seed, attempt))
        story = draw_story(seed + attempt * 1_000_003, policies, hedge=hedge)
        calm = plain(story, name=f"seed {seed}", seed=seed)
        trace = calm_trace = rehearse(calm)
        interrupted = calm
        if cell.state is SessionState.RECOVERING:
            interrupted = replace(calm, crashes=_crashes(rng, trace, after=0), downtime_ms=_downtime(rng))
            trace = rehearse(interrupted)
        places = _places(trace, cell)
        if not places and attempt < STORIES_MAX - 1:
            continue
        if not places:
            return Planned(faulted=interrupted, crashed=None, calm=calm, cell=cell)
        place = places[int(rng.integers(len(places)))]
        if interrupted is calm and rng.random() < 0.5:
            interrupted = replace(calm, crashes=_crashes(rng, trace, after=place.step), downtime_ms=_downtime(rng))
        struck = drawn_fault(rng, cell.fault, cell.call, place.nth, venue=venue)
        faults = (struck, *_faults(rng, trace, after=place, venue=venue))
        crashed = replace(calm, crashes=_crashes(rng, calm_trace, after=0)) if story.spaced else None
        return Planned(faulted=replace(interrupted, faults=faults), crashed=crashed, calm=calm, cell=cell)
    raise AssertionError("the last story is always taken")


def _places(trace: Sequence[StepSeen], cell: Cell) -> list[StepSeen]:
    return [step for step in trace if step.what == cell.call and step.state == cell.state]


def _crashes(rng: np.random.Generator, trace: Sequence[StepSeen], *, after: int) -> tuple[CrashPoint, ...]:
    """One crash mostly, two sometimes, later than a step; half of them around a submit, where they hurt most."""
    later = [step.step for step in trace if step.step > after]
    around = [
        step.step + shift
        for step in trace
        for shift in (-1, 0, 1)
        if step.what == VenueCall.SUBMIT and step.step + shift > after
    ]
    points: list[CrashPoint] = []
    for _ in range(1 + int(rng.random() < 0.2)):
        chosen = around if around and rng.random() < 0.5 else later
        if chosen:
            nth = chosen[int(rng.integers(len(chosen)))]
            points.append(CrashPoint(what=None, nth=nth, after=bool(rng.random() < 0.5)))
    return tuple(dict.fromkeys(points))


def _downtime(rng: np.random.Generator) -> int:
    return DOWNTIMES_MS[int(rng.integers(len(DOWNTIMES_MS)))]


def _faults(
    rng: np.random.Generator, trace: Sequence[StepSeen], *, after: StepSeen, venue: Venue
) -> tuple[VenueFault, ...]:
    """Up to three more, later than the planted one so that it still strikes where it was rehearsed."""
    places = [step for step in trace if step.step > after.step and step.what != COMMIT]
    faults: list[VenueFault] = []
    for _ in range(int(rng.integers(0, 4)) if places else 0):
        place = places[int(rng.integers(len(places)))]
        kinds = KINDS_OF_CALL.get(VenueCall(place.what), ())
        if kinds:
            faults.append(
                drawn_fault(rng, kinds[int(rng.integers(len(kinds)))], VenueCall(place.what), place.nth, venue=venue)
            )
    return tuple(faults)
