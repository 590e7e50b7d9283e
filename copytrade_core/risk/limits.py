"""Every rule that an open or an add must keep, in the order in which a refusal is named.

Each rule is one function: what fails and the numbers that were compared, or None. No reduction or close comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from copytrade_core.model.caps import Caps
from copytrade_core.model.intent import Intent, MarketStyle
from copytrade_core.model.units import RATE_SCALE, Money, ceil_div
from copytrade_core.model.verdict import Failing, RefusalReason
from copytrade_core.risk.correlated import correlated_notional
from copytrade_core.risk.exposure import Commitment, Exposure


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An open or an add as the rules see it; `asked` is the most that it may come to hold."""

    intent: Intent
    asked: Money
    exposure: Exposure
    caps: Caps


def failing(entry: Entry) -> tuple[Failing, ...]:
    """Every rule that an entry fails, in the order of `RefusalReason`; empty when it may be sent."""
    return tuple(found for rule in _RULES if (found := rule(entry)) is not None)


def _fails(reason: RefusalReason, *numbers: tuple[str, int], detail: str = "") -> Failing:
    return Failing(reason=reason, numbers=numbers, detail=detail)


def _expired(entry: Entry) -> Failing | None:
    expires_at_ms, now_ms = entry.intent.expires_at_ms, entry.exposure.now_ms
    if expires_at_ms is None or now_ms < expires_at_ms:
        return None
    return _fails(RefusalReason.EXPIRED, ("now_ms", now_ms), ("expires_at_ms", expires_at_ms))


def _kill(entry: Entry) -> Failing | None:
    return _fails(RefusalReason.KILL) if entry.exposure.controls.kill else None


def _stop_new_orders(entry: Entry) -> Failing | None:
    return _fails(RefusalReason.STOP_NEW_ORDERS) if entry.exposure.controls.stop_new_orders else None


def _deadline_reached(entry: Entry) -> Failing | None:
    deadline_ms, now_ms = entry.exposure.controls.deadline_ms, entry.exposure.now_ms
    if deadline_ms is None or now_ms < deadline_ms:
        return None
    return _fails(RefusalReason.DEADLINE_REACHED, ("now_ms", now_ms), ("deadline_ms", deadline_ms))


def _daily_loss(entry: Entry) -> Failing | None:
    cap, result = entry.caps.daily_loss_max, entry.exposure.day_result
    if cap is None:
        return None
    if result is None:
        return _fails(RefusalReason.DAILY_LOSS, ("daily_loss_max", cap), detail="a mark is unknown")
    if result > -cap:
        return None
    return _fails(RefusalReason.DAILY_LOSS, ("day_result", result), ("daily_loss_max", cap))


def _orders_per_hour(entry: Entry) -> Failing | None:
    cap, count = entry.caps.orders_per_hour_max, entry.exposure.entries_last_hour
    if cap is None or count < cap:
        return None
    return _fails(RefusalReason.ORDERS_PER_HOUR, ("entries_last_hour", count), ("orders_per_hour_max", cap))


def _notional_gross(entry: Entry) -> Failing | None:
    cap, used = entry.caps.notional_gross_max, entry.exposure.notional_used
    if cap is None or used + entry.asked <= cap:
        return None
    return _fails(
        RefusalReason.NOTIONAL_GROSS, ("notional_used", used), ("asked", entry.asked), ("notional_gross_max", cap)
    )


def _notional_one_side(entry: Entry) -> Failing | None:
    cap, used = entry.caps.notional_one_side_max, entry.exposure.notional_on(entry.intent.side)
    if cap is None or used + entry.asked <= cap:
        return None
    return _fails(
        RefusalReason.NOTIONAL_ONE_SIDE,
        ("notional_one_side", used),
        ("asked", entry.asked),
        ("notional_one_side_max", cap),
    )


def _notional_correlated(entry: Entry) -> Failing | None:
    cap = entry.caps.notional_correlated_max
    if cap is None:
        return None
    own = Commitment(market=entry.intent.market, side=entry.intent.side, notional=entry.asked)
    after = correlated_notional((*entry.exposure.commitments, own), entry.exposure.correlation_ppm)
    if after <= cap:
        return None
    return _fails(
        RefusalReason.NOTIONAL_CORRELATED,
        ("notional_correlated", after),
        ("asked", entry.asked),
        ("notional_correlated_max", cap),
    )


def _notional_lead(entry: Entry) -> Failing | None:
    """One lead of several may have a cap of its own, below the caps over all of them."""
    cap, used = entry.exposure.notional_of_lead_max, entry.exposure.notional_of_lead
    if cap is None or used + entry.asked <= cap:
        return None
    return _fails(
        RefusalReason.NOTIONAL_LEAD, ("notional_lead", used), ("asked", entry.asked), ("notional_lead_max", cap)
    )


def _source_stale(entry: Entry) -> Failing | None:
    return _stale(RefusalReason.SOURCE_STALE, "source_age", entry.exposure.source_age_ms, entry.caps.source_age_s_max)


def _mark_stale(entry: Entry) -> Failing | None:
    return _stale(RefusalReason.MARK_STALE, "mark_age", entry.exposure.mark_age_ms, entry.caps.mark_age_s_max)


def _stale(reason: RefusalReason, name: str, age_ms: int | None, age_s_max: int | None) -> Failing | None:
    if age_s_max is None or (age_ms is not None and age_ms <= age_s_max * 1000):
        return None
    if age_ms is None:
        return _fails(reason, (f"{name}_s_max", age_s_max), detail="never seen")
    return _fails(reason, (f"{name}_ms", age_ms), (f"{name}_s_max", age_s_max))


def _entry_drift(entry: Entry) -> Failing | None:
    """A resting entry states its own price; a market one trusts that the price its decision saw still stands."""
    cap, mark = entry.caps.entry_drift_ppm_max, entry.exposure.mark
    if cap is None or not isinstance(entry.intent.style, MarketStyle):
        return None
    if mark is None:
        return _fails(RefusalReason.ENTRY_DRIFT, ("entry_drift_ppm_max", cap), detail="the mark is unknown")
    saw = entry.intent.reference_price
    drift = ceil_div(abs(mark - saw) * RATE_SCALE, saw)
    if drift <= cap:
        return None
    return _fails(
        RefusalReason.ENTRY_DRIFT,
        ("mark", mark),
        ("reference_price", saw),
        ("drift_ppm", drift),
        ("entry_drift_ppm_max", cap),
    )


def _unknown_order_pending(entry: Entry) -> Failing | None:
    count = entry.exposure.unresolved_count
    return _fails(RefusalReason.UNKNOWN_ORDER_PENDING, ("unresolved_count", count)) if count else None


def _approval_invalid(entry: Entry) -> Failing | None:
    return _fails(RefusalReason.APPROVAL_INVALID) if entry.exposure.controls.approval_valid is False else None


def _account_fault(entry: Entry) -> Failing | None:
    fault = entry.exposure.account_fault
    return None if fault is None else _fails(RefusalReason.ACCOUNT_FAULT, detail=fault)


def _opposite_position(entry: Entry) -> Failing | None:
    """In one-way mode an order against what is held, or may soon be, would reduce that instead of opening."""
    if not entry.exposure.is_one_way:
        return None
    intent = entry.intent
    against = sum(
        each.notional
        for each in entry.exposure.commitments
        if each.market == intent.market and each.side is not intent.side
    )
    return _fails(RefusalReason.OPPOSITE_POSITION, ("notional_opposite", against)) if against else None


def _notional_gt_equity(entry: Entry) -> Failing | None:
    """Capital is unlevered: held + reserved + this order's worst case may not exceed equity, whatever the caps."""
    used, equity = entry.exposure.notional_used, entry.exposure.equity
    if used + entry.asked <= equity:
        return None
    return _fails(RefusalReason.NOTIONAL_GT_EQUITY, ("notional_used", used), ("asked", entry.asked), ("equity", equity))


_RULES: tuple[Callable[[Entry], Failing | None], ...] = (
    _expired,
    _kill,
    _stop_new_orders,
    _deadline_reached,
    _daily_loss,
    _orders_per_hour,
    _notional_gross,
    _notional_one_side,
    _notional_correlated,
    _notional_lead,
    _source_stale,
    _mark_stale,
    _entry_drift,
    _unknown_order_pending,
    _approval_invalid,
    _account_fault,
    _opposite_position,
    _notional_gt_equity,
)
