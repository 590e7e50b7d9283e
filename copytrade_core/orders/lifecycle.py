"""The life of an order: which state may follow which, and what a venue's report makes of a row. Sends and asks nothing.

planned → journalled → submitted → open | partially_filled → filled | rejected | cancelled
journalled → unknown → submitted | rejected | not_placed; planned → not_placed | cancelled (it never left)
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import VenueOrder, VenueOrderStatus

_WORKING = (
    OrderState.OPEN,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.CANCELLED,
    OrderState.REJECTED,
    OrderState.UNKNOWN,
)
NEXT: dict[OrderState, tuple[OrderState, ...]] = {
    OrderState.PLANNED: (OrderState.JOURNALLED, OrderState.NOT_PLACED, OrderState.CANCELLED),
    OrderState.JOURNALLED: (
        OrderState.SUBMITTED,
        OrderState.REJECTED,
        OrderState.UNKNOWN,
        OrderState.NOT_PLACED,
    ),
    OrderState.UNKNOWN: (OrderState.SUBMITTED, OrderState.REJECTED, OrderState.NOT_PLACED, OrderState.PLANNED),
    OrderState.SUBMITTED: _WORKING,
    OrderState.OPEN: _WORKING,
    OrderState.PARTIALLY_FILLED: _WORKING,
    OrderState.FILLED: (),
    OrderState.REJECTED: (),
    OrderState.CANCELLED: (),
    OrderState.NOT_PLACED: (),
}
"""Every state that may follow a state. `unknown → planned` sends the same id again after its absence was proved."""


def planned(order: Order, *, intent_digest: str, now_ms: int) -> OrderRow:
    """The row of an order that the flow has just handed over."""
    return OrderRow(
        order=order,
        intent_digest=intent_digest,
        state=OrderState.PLANNED,
        planned_at_ms=now_ms,
        sent_at_ms=None,
        deadline_ms=None,
        venue_order_id=None,
        filled=Steps(0),
        lookups_count=0,
        lookup_after_ms=now_ms,
        cancel_wanted=False,
        why="",
    )


def moved(row: OrderRow, state: OrderState, why: str) -> OrderRow:
    """The row in another state.

    Raises:
        AssertionError: the life of an order has no such step.
    """
    assert state is row.state or state in NEXT[row.state], f"{row.state} never becomes {state}"
    return replace(row, state=state, why=why)


def journalled(row: OrderRow, *, now_ms: int, deadline_ms: int) -> OrderRow:
    """The row at the moment before its bytes leave; `deadline_ms` is when the venue can take them no more."""
    leaving = moved(row, OrderState.JOURNALLED, "sending")
    return replace(leaving, sent_at_ms=now_ms, deadline_ms=deadline_ms, lookups_count=0, lookup_after_ms=now_ms)


def seen(row: OrderRow, report: VenueOrder) -> OrderRow:
    """The row after a query showed the order; the fills that are posted decide how far it has come.

    A final report counts only when every fill it speaks of is posted: until then the order still works.
    """
    known = replace(row, venue_order_id=report.venue_order_id)
    if known.state.is_unresolved:
        known = moved(known, OrderState.SUBMITTED, "found")
    if report.filled > row.filled:
        return moved(known, OrderState.PARTIALLY_FILLED, "fills awaited")
    match report.status:
        case VenueOrderStatus.OPEN | VenueOrderStatus.PARTIALLY_FILLED:
            return moved(known, OrderState.PARTIALLY_FILLED if row.filled else OrderState.OPEN, "")
        case VenueOrderStatus.FILLED:
            return moved(known, OrderState.FILLED, "")
        case VenueOrderStatus.CANCELLED | VenueOrderStatus.EXPIRED:
            return moved(known, OrderState.CANCELLED, report.status)
        case VenueOrderStatus.REJECTED:
            return moved(known, OrderState.REJECTED, "rejected later")
