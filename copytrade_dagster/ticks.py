"""How a sensor goes through the leads: in turn, for a bounded time, and whatever is wrong with one of them.

What is asked of a lead is the sensor's own.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from copytrade_core.model.errors import CopytradeError
from copytrade_dagster.partitions import LEADS

TICK_S_MAX = 20.0
"""Dagster ends a tick after 60 s and drops everything it asked for; one lead takes a second at most."""


def leads_of(instance: dg.DagsterInstance) -> list[str]:
    """Every tracked lead."""
    assert LEADS.name is not None, "dynamic partitions are named"
    return sorted(instance.get_dynamic_partitions(LEADS.name))


def in_turn(leads: Sequence[str], after: str | None) -> list[str]:
    """All of them, beginning behind the one at which the last tick ended."""
    first = bisect_right(leads, after) if after else 0
    return [*leads[first:], *leads[:first]]


def ask_each(
    context: dg.SensorEvaluationContext,
    ask: Callable[[str], Sequence[dg.RunRequest] | str],
    *,
    nothing: str,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """What a tick asks for, or why it asks for nothing.

    Args:
        context: of the tick; its cursor is the lead at which the tick ended, so that the next one goes on behind it.
        ask: the requests of one lead, or in words why there are none.
        nothing: what a tick says when no lead had anything to say.
        clock: seconds.
    """
    requests, reasons, began = list[dg.RunRequest](), dict[str, list[str]](), clock()
    for lead_id in in_turn(leads_of(context.instance), context.cursor):
        try:
            asked = ask(lead_id)
        except CopytradeError as error:
            asked = str(error)
        except Exception as error:
            # Whatever it is: one lead must not keep the others from being watched.
            context.log.exception("%s: it cannot be judged", lead_id)
            asked = f"{type(error).__name__}; see the log of this tick"
        if isinstance(asked, str):
            reasons.setdefault(asked, []).append(lead_id)
        else:
            requests += asked
        context.update_cursor(lead_id)
        if clock() - began > TICK_S_MAX:
            reasons["time is up, the next tick goes on behind it"] = [lead_id]
            break
    said = "; ".join(f"{', '.join(leads)}: {why}" for why, leads in reasons.items())
    # A tick either asks or says why not: what it says beside requests goes to its log.
    yield from requests
    if not requests:
        yield dg.SkipReason(said or nothing)
    elif said:
        context.log.info("not asked for: %s", said)
