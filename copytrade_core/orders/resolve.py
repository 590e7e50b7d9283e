"""The resolve procedure: what the look-ups for an order of unknown fate prove, as a pure decision.

Presence counts at any time; absence only after the venue can take the bytes no more, only when every place where the
order could show itself was read well and was empty, and only after six rounds. Nothing here ages into a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.outcome import Absent, Unavailable
from copytrade_core.model.venue import VenueOrder

LOOKUP_GAPS_S = (0, 1, 2, 4, 8, 15)
"""Seconds before each round, the first at the deadline plus the margin (spec 05)."""
DEADLINE_MARGIN_MS = 1_000
"""Clocks differ: this much later than the venue's deadline by our clock is late enough by the venue's."""
HALT_AFTER_MS = 60_000
"""From here on an order that is still unknown stops new orders and calls a person; asking goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Where else an order could show itself, each None when the read gave nothing to rely on.

    `listed` is the order in the list of open orders or of all orders since sending; `fills_foreign` that trades since
    sending belong to no order we know; `position_moved` that book and known orders do not explain the position.
    """

    listed: VenueOrder | Absent | None
    fills_foreign: bool | None
    position_moved: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The venue has it."""

    order: VenueOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """Nothing is proved; ask again at `at_ms`. `rounds` well-formed rounds have found nothing so far."""

    at_ms: int
    rounds: int


@dataclass(frozen=True, slots=True)
class ProvedAbsent:
    """It never arrived and cannot arrive any more."""


def absence_counts_from_ms(row: OrderRow) -> int:
    """From when on a look-up that finds nothing means anything."""
    assert row.deadline_ms is not None, "an order that was never sent is not looked up"
    return row.deadline_ms + DEADLINE_MARGIN_MS


def needs_traces(row: OrderRow, by_id: VenueOrder | Absent | Unavailable, now_ms: int) -> bool:
    """Whether this round would decide, so that every other place must be read as well."""
    late = now_ms >= absence_counts_from_ms(row)
    return late and isinstance(by_id, Absent) and row.lookups_count + 1 >= len(LOOKUP_GAPS_S)


def judge(
    row: OrderRow, by_id: VenueOrder | Absent | Unavailable, traces: Traces | None, *, now_ms: int
) -> Found | LookAgain | ProvedAbsent:
    """What one round of look-ups proves.

    Args:
        row: the order, `lookups_count` rounds of which found nothing before.
        by_id: the answer to the query by our id.
        traces: the other places, when `needs_traces` asked for them.
        now_ms: our clock when the round began.
    """
    if isinstance(by_id, VenueOrder):
        return Found(order=by_id)
    if traces is not None and isinstance(traces.listed, VenueOrder):
        return Found(order=traces.listed)
    begins_ms = absence_counts_from_ms(row)
    if now_ms < begins_ms:
        return LookAgain(at_ms=begins_ms, rounds=0)
    if isinstance(by_id, Unavailable):
        return LookAgain(at_ms=_after(now_ms, row.lookups_count), rounds=row.lookups_count)
    rounds = row.lookups_count + 1
    if rounds < len(LOOKUP_GAPS_S):
        return LookAgain(at_ms=_after(now_ms, rounds), rounds=rounds)
    if traces is not None and _all_absent(traces):
        return ProvedAbsent()
    return LookAgain(at_ms=_after(now_ms, rounds), rounds=row.lookups_count)


def _all_absent(traces: Traces) -> bool:
    return isinstance(traces.listed, Absent) and traces.fills_foreign is False and traces.position_moved is False


def _after(now_ms: int, rounds: int) -> int:
    gap_s = LOOKUP_GAPS_S[min(rounds, len(LOOKUP_GAPS_S) - 1)]
    return now_ms + max(gap_s, 1) * 1000


def halts(row: OrderRow, *, doubted_since_ms: int, now_ms: int) -> bool:
    """Whether the order has been asked about in vain for so long that new orders must stop."""
    return row.state.is_unresolved and now_ms - doubted_since_ms >= HALT_AFTER_MS
