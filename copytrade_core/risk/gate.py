"""The only door from an intent to an order: every check a wish must pass, first failing reason wins.

Reductions and closes use no cap; they are refused only when there is nothing to reduce.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.caps import Caps
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import ByFraction, ByNotional, ByQuantity, Intent, LimitStyle
from copytrade_core.model.units import RATE_SCALE, Money, Steps, ceil_div
from copytrade_core.model.verdict import Approved, RefusalReason, Refused, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What an intent is judged against, in money.

    `equity` at the marks known now, `notional_used` held and reserved by resting entries, `day_result` what was won
    since 00:00 UTC, marked (negative is a loss).
    """

    now_ms: int
    equity: Money
    day_result: Money
    notional_used: Money
    quantity_held: Steps
    instrument: Instrument


def check(intent: Intent, exposure: Exposure, caps: Caps) -> Verdict:
    """Approve or refuse one intent.

    Capital is unlevered: notional held + reserved + this order's worst case may not exceed equity, whatever the caps.
    """
    if intent.sizing is None:
        return Refused(intent=intent, reason=RefusalReason.MISSING_QUANTITY, numbers=())
    if intent.expires_at_ms is not None and exposure.now_ms >= intent.expires_at_ms:
        return Refused(
            intent=intent,
            reason=RefusalReason.EXPIRED,
            numbers=(("now_ms", exposure.now_ms), ("expires_at_ms", intent.expires_at_ms)),
        )
    if not intent.kind.is_entry:
        if exposure.quantity_held <= 0:
            return Refused(intent=intent, reason=RefusalReason.NO_POSITION, numbers=())
        return Approved(intent=intent, worst_notional=Money(0))
    worst = worst_notional(intent, exposure.instrument)
    if caps.daily_loss_max is not None and exposure.day_result <= -caps.daily_loss_max:
        return Refused(
            intent=intent,
            reason=RefusalReason.DAILY_LOSS,
            numbers=(("day_result", exposure.day_result), ("daily_loss_max", caps.daily_loss_max)),
        )
    if caps.notional_gross_max is not None and exposure.notional_used + worst > caps.notional_gross_max:
        return Refused(
            intent=intent,
            reason=RefusalReason.NOTIONAL_GROSS,
            numbers=(
                ("notional_used", exposure.notional_used),
                ("asked", worst),
                ("notional_gross_max", caps.notional_gross_max),
            ),
        )
    if exposure.notional_used + worst > exposure.equity:
        return Refused(
            intent=intent,
            reason=RefusalReason.NOTIONAL_GT_EQUITY,
            numbers=(("notional_used", exposure.notional_used), ("asked", worst), ("equity", exposure.equity)),
        )
    return Approved(intent=intent, worst_notional=worst)


def worst_notional(intent: Intent, instrument: Instrument) -> Money:
    """The most an entry may come to hold: its notional as asked, or its quantity at the price plus headroom."""
    match intent.sizing:
        case ByNotional(notional=notional):
            return notional
        case ByQuantity(quantity=quantity):
            price = intent.style.price if isinstance(intent.style, LimitStyle) else intent.reference_price
            plain = instrument.notional(price, quantity)
            return Money(ceil_div(plain * (RATE_SCALE + intent.headroom_ppm), RATE_SCALE))
        case ByFraction() | None:
            return Money(0)
