"""Makes a failing schedule small: what can be left out while it still fails is left out, large pieces first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from copytrade_core.edges.preflight.schedule import Schedule

TRIES_MAX = 80
"""How many smaller schedules are tried at most."""
_OF_SCHEDULE = ("crashes", "faults")
_OF_STORY = ("foreign", "controls", "silences", "points", "told")
Part = tuple[Any, ...]


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The smallest schedule found that still fails.

    Args:
        schedule: one that fails.
        fails: whether a schedule still shows the fault (the same invariant, not just any).
    """
    tries = _Tries(fails)
    before = None
    while schedule != before and tries.left:
        before = schedule
        for name in (*_OF_SCHEDULE, *_OF_STORY):
            schedule = _without_pieces(schedule, name, tries)
        if schedule.downtime_ms and tries.fails(replace(schedule, downtime_ms=0)):
            schedule = replace(schedule, downtime_ms=0)
    return schedule


class _Tries:
    """The question, asked a bounded number of times; after that nothing fails any more."""

    def __init__(self, fails: Callable[[Schedule], bool]) -> None:
        self._fails = fails
        self.left = TRIES_MAX

    def fails(self, schedule: Schedule) -> bool:
        if not self.left:
            return False
        self.left -= 1
        return self._fails(schedule)


def _without_pieces(schedule: Schedule, name: str, tries: _Tries) -> Schedule:
    """The schedule with as little of one part as still fails: all of it is left out first, then halves, then each."""
    size = len(_part(schedule, name))
    while size:
        at = 0
        while at < len(_part(schedule, name)):
            part = _part(schedule, name)
            smaller = _with(schedule, name, part[:at] + part[at + size :])
            if tries.fails(smaller):
                schedule = smaller
            else:
                at += size
        size //= 2
    return schedule


def _part(schedule: Schedule, name: str) -> Part:
    return getattr(schedule if name in _OF_SCHEDULE else schedule.story, name)


def _with(schedule: Schedule, name: str, part: Part) -> Schedule:
    if name in _OF_SCHEDULE:
        return replace(schedule, **{name: part})
    return replace(schedule, story=replace(schedule.story, **{name: part}))
