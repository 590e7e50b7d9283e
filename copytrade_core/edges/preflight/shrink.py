"""Makes a failing schedule small: what can be left out while it still fails is left out, one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from copytrade_core.edges.preflight.schedule import Schedule

TRIES_MAX = 400
"""How many smaller schedules are tried at most."""


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The smallest schedule found that still fails.

    Args:
        schedule: one that fails.
        fails: whether a schedule still shows the fault (the same invariant, not just any).
    """
    tries = 0
    shrunk = True
    while shrunk and tries < TRIES_MAX:
        shrunk = False
        for smaller in _smaller(schedule):
            tries += 1
            if fails(smaller):
                schedule, shrunk = smaller, True
                break
            if tries >= TRIES_MAX:
                break
    return schedule


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Every schedule with one thing less, the largest steps first."""
    story = schedule.story
    episodes = sorted({told.event.episode.episode_id for told in story.told})
    for episode_id in episodes if len(episodes) > 1 else ():
        left = tuple(told for told in story.told if told.event.episode.episode_id != episode_id)
        yield replace(schedule, story=replace(story, told=left))
    for part in ("faults", "crashes"):
        values = getattr(schedule, part)
        for index in range(len(values)):
            yield replace(schedule, **{part: values[:index] + values[index + 1 :]})
    for part in ("controls", "foreign", "silences", "points", "told"):
        values = getattr(story, part)
        for index in reversed(range(len(values))):
            yield replace(schedule, story=replace(story, **{part: values[:index] + values[index + 1 :]}))
    if schedule.downtime_ms:
        yield replace(schedule, downtime_ms=0)
