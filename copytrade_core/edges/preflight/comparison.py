"""A drill with crashes against the same drill without any: what a restart must not change."""

from __future__ import annotations

from copytrade_core.edges.preflight.judge import Invariant, Violation
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.model.order_row import OrderState


def is_comparable(record: DrillRecord) -> bool:
    """Whether a crash may leave no difference at all.

    The story must be spaced and the schedule hold crashes alone, without downtime: then every order settles before the
    next thing happens. What a crash kept from leaving is given back to the strategy, which does not chase an entry and
    asks for an exit anew; such a drill ends elsewhere on purpose and is judged by the invariants alone.
    """
    schedule = record.schedule
    if not schedule.story.spaced or schedule.faults or schedule.downtime_ms or not record.restarts_count:
        return False
    given_back = (OrderState.NOT_PLACED, OrderState.REJECTED)
    return not any(row.state in given_back for row in record.rows.values())


def differences(crashed: DrillRecord, calm: DrillRecord) -> tuple[Violation, ...]:
    """What differs at the venue and in the book: orders by id with what they filled, positions, cash and holdings."""
    found: list[str] = []
    ours, theirs = _orders(crashed), _orders(calm)
    found += [
        f"order {key}: {ours.get(key)}, uninterrupted {theirs.get(key)}"
        for key in sorted({*ours, *theirs})
        if ours.get(key) != theirs.get(key)
    ]
    if crashed.ledger.positions != calm.ledger.positions:
        found.append(f"positions {crashed.ledger.positions}, uninterrupted {calm.ledger.positions}")
    if crashed.ledger.cash != calm.ledger.cash:
        found.append(f"cash at the venue {crashed.ledger.cash}, uninterrupted {calm.ledger.cash}")
    if crashed.book.cash != calm.book.cash:
        found.append(f"cash in the book {crashed.book.cash}, uninterrupted {calm.book.cash}")
    if _holdings(crashed) != _holdings(calm):
        found.append(f"holdings {_holdings(crashed)}, uninterrupted {_holdings(calm)}")
    return tuple(Violation(invariant=Invariant.RESTART_CHANGES_NOTHING, what=what) for what in found)


def _orders(record: DrillRecord) -> dict[str, tuple[int, int, bool]]:
    return {
        order.client_order_id: (int(order.quantity), int(order.filled), order.is_live)
        for order in record.ledger.orders
        if order.client_order_id is not None
    }


def _holdings(record: DrillRecord) -> dict[str, tuple[int, int]]:
    return {
        episode_id: (int(holding.quantity), int(holding.cost))
        for episode_id, holding in sorted(record.book.holdings.items())
    }
