"""What a person must hear of. How it is delivered, and when again, is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    """Why a person is called."""

    UNRESOLVED_ORDER = "unresolved_order"
    """The resolve procedure ended without the truth: STOP_NEW_ORDERS is set, and nothing was sent again."""
    UNKNOWN_AGE = "unknown_age"
    """An order has been unknown for more than 60 s."""
    FOREIGN_ORDER = "foreign_order"
    FOREIGN_POSITION = "foreign_position"
    LEDGER_MISMATCH = "ledger_mismatch"
    UNEXPLAINED_POSITION = "unexplained_position"
    """The venue is flat and no fill says why: the holding left the book without a result."""
    CLOSE_NOT_PLACED = "close_not_placed"
    """A close was refused by the venue; the strategy still wants it."""
    POSITION_MODE = "position_mode"
    AUTHENTICATION = "authentication"
    CLOCK_SKEW = "clock_skew"
    VENUE_UNAVAILABLE = "venue_unavailable"
    SLIPPAGE = "slippage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One reason to call a person; `subject` is an order, an episode, a market or the venue."""

    kind: AlertKind
    subject: str
    at_ms: int
    what: str
