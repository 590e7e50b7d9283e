"""One order as the journal keeps it, and the states it passes through. Moving between them is decided in `orders`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.order import Order
from copytrade_core.model.units import Steps


class OrderState(StrEnum):
    """Where an order stands for us.

    `planned` never left; `journalled` is about to leave or has left (only a query can tell); `submitted` was answered
    with an id; `unknown` has no trustworthy answer; `not_placed` is proved absent. The last four are final.
    """

    PLANNED = "planned"
    JOURNALLED = "journalled"
    SUBMITTED = "submitted"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    UNKNOWN = "unknown"
    FILLED = "filled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    NOT_PLACED = "not_placed"

    @property
    def is_final(self) -> bool:
        """Whether it can change no more."""
        return self in (OrderState.FILLED, OrderState.REJECTED, OrderState.CANCELLED, OrderState.NOT_PLACED)

    @property
    def is_unresolved(self) -> bool:
        """Whether the venue may or may not have it."""
        return self in (OrderState.JOURNALLED, OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One row of the journal. Times are epoch ms of our clock.

    `sent_at_ms` is when it was journalled for sending (None while planned); `deadline_ms` when the venue can accept
    those bytes no more; `lookups_count` how often the resolve procedure has asked for it and `lookup_after_ms` when it
    may ask again; `filled` the steps that posted fills have proved; `cancel_wanted` that the flow has taken it back;
    `resend` that its absence was proved and the same id may be sent again. `why` is the reason of the last change.
    """

    order: Order
    intent_digest: str
    state: OrderState
    planned_at_ms: int
    sent_at_ms: int | None
    deadline_ms: int | None
    venue_order_id: str | None
    filled: Steps
    lookups_count: int
    lookup_after_ms: int
    cancel_wanted: bool
    why: str
