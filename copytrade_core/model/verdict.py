"""Risk's answer to an intent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.intent import Intent
from copytrade_core.model.units import Money


class RefusalReason(StrEnum):
    """Why risk said no."""

    MISSING_QUANTITY = "missing_quantity"
    EXPIRED = "expired"
    NO_POSITION = "no_position"
    DAILY_LOSS = "daily_loss"
    NOTIONAL_GROSS = "notional_gross"
    NOTIONAL_GT_EQUITY = "notional_gt_equity"
    BELOW_MINIMUM = "below_minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The intent may become an order that uses at most `worst_notional` of the caps (0 for reductions)."""

    intent: Intent
    worst_notional: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The intent may not; `numbers` are what was compared."""

    intent: Intent
    reason: RefusalReason
    numbers: tuple[tuple[str, int], ...]


Verdict = Approved | Refused
