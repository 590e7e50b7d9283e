"""What a person has set against new risk, and until when a session may take any. How it is set is not known here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Controls in force at one moment.

    `stop_new_orders` blocks opens and adds; `kill` blocks them and ends the session after our open orders are
    cancelled; from `deadline_ms` on nothing opens. `approval_valid` is None where no approval is needed. None of them
    ever holds back a reduction or a close.
    """

    kill: bool
    stop_new_orders: bool
    hot_stop: bool
    deadline_ms: int | None
    approval_valid: bool | None


CLEAR = Controls(kill=False, stop_new_orders=False, hot_stop=False, deadline_ms=None, approval_valid=None)
"""Nothing is set: replay, and studies without a person."""
