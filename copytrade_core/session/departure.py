"""Whether an order may leave now: what it waits for, and what a person or the account holds against it.

Sending it, and giving it back, is the runner's.
"""

from __future__ import annotations

from collections.abc import Iterable

from copytrade_core.model.controls import Controls
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.verdict import RefusalReason

KILLED = "kill"
STOPPED = "stop_new_orders"
PAST_DEADLINE = "deadline_reached"


def is_still_to_leave(row: OrderRow, *, absence_is_final: bool) -> bool:
    """Planned; or journalled by a process that died then, at an account that would have it if it had left."""
    return row.state is OrderState.PLANNED or (row.state is OrderState.JOURNALLED and absence_is_final)


def must_wait(row: OrderRow, live: Iterable[OrderRow]) -> bool:
    """Whether the truth about another order of the same position must be known first.

    Args:
        row: the order that would leave.
        live: every row that is not final, in the order of planning.
    """
    order = row.order
    for other in live:
        if other.order.client_order_id == order.client_order_id:
            return False
        same = (other.order.market, other.order.side) == (order.market, order.side)
        if same and (other.state.is_unresolved or (other.cancel_wanted and other.order.reduce_only)):
            return True
    return False


def why_held_back(order: Order, controls: Controls, *, now_ms: int, account_fault: str | None) -> str | None:
    """What forbids this very submit, read at the last moment; exits pass, but nothing passes a kill."""
    if controls.kill:
        return KILLED
    if not order.kind.is_entry:
        return None
    if controls.stop_new_orders:
        return STOPPED
    if controls.deadline_ms is not None and now_ms >= controls.deadline_ms:
        return PAST_DEADLINE
    if controls.approval_valid is False:
        return RefusalReason.APPROVAL_INVALID
    return None if account_fault is None else RefusalReason.ACCOUNT_FAULT
