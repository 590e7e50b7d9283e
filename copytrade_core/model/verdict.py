"""Risk's answer to an intent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.intent import Intent
from copytrade_core.model.units import Money


class RefusalReason(StrEnum):
    """Why risk said no, in the order in which the rules are asked; the first that fails names the refusal."""

    MISSING_QUANTITY = "missing_quantity"
    NO_POSITION = "no_position"
    EXPIRED = "expired"
    KILL = "kill"
    STOP_NEW_ORDERS = "stop_new_orders"
    DEADLINE_REACHED = "deadline_reached"
    DAILY_LOSS = "daily_loss"
    ORDERS_PER_HOUR = "orders_per_hour"
    NOTIONAL_GROSS = "notional_gross"
    NOTIONAL_ONE_SIDE = "notional_one_side"
    NOTIONAL_CORRELATED = "notional_correlated"
    NOTIONAL_LEAD = "notional_lead"
    SOURCE_STALE = "source_stale"
    MARK_STALE = "mark_stale"
    ENTRY_DRIFT = "entry_drift"
    UNKNOWN_ORDER_PENDING = "unknown_order_pending"
    APPROVAL_INVALID = "approval_invalid"
    ACCOUNT_FAULT = "account_fault"
    OPPOSITE_POSITION = "opposite_position"
    NOTIONAL_GT_EQUITY = "notional_gt_equity"
    BELOW_MINIMUM = "below_minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The intent may become an order that uses at most `worst_notional` of the caps (0 for reductions)."""

    intent: Intent
    worst_notional: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """One rule that an intent fails; `numbers` are what was compared, `detail` what is no number (may be empty)."""

    reason: RefusalReason
    numbers: tuple[tuple[str, int], ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The intent may not: the first rule that it fails with what was compared, and in `also` every other one."""

    intent: Intent
    reason: RefusalReason
    numbers: tuple[tuple[str, int], ...]
    detail: str
    also: tuple[Failing, ...]


Verdict = Approved | Refused
