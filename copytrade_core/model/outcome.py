"""What a request to a venue came to. A caller branches on these, so they are values; nothing here is ever guessed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RejectReason(StrEnum):
    """Why a venue proved that it did not take an order."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    INVALID_ORDER = "invalid_order"
    BAD_REQUEST = "bad_request"
    OPERATION_REJECTED = "operation_rejected"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NO_POSITION = "no_position"
    REDUCE_ONLY = "reduce_only"
    POSITION_MODE = "position_mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A well-formed answer with the venue's own id. Says nothing about fills."""

    venue_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefiniteReject:
    """A venue's code on this very answer that means "not placed"."""

    reason: RejectReason
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """The client order id is known to the venue already: ask for that order, never send again."""

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Anything else: it may have been placed. `why` is the kind of failure, `code` the venue's if one was read."""

    why: str
    code: str


SubmitOutcome = Accepted | DefiniteReject | Exists | Unknown


class CancelOutcome(StrEnum):
    """What a cancel came to; only a query tells what the order did before."""

    DONE = "done"
    NOT_OPEN = "not_open"
    """The venue says that there is nothing to cancel: filled, cancelled, or never there."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A well-formed answer that says: no such thing. Not yet a proof; absence is proved by several of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A read that gave nothing to rely on: never "flat" and never "no orders"."""

    call: str
    why: str
