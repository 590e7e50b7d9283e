"""The only door from an intent to an order. Which rules an entry must keep is in `limits`.

Reductions and closes use no cap and know no control; they are refused only when there is nothing to reduce.
"""

from __future__ import annotations

from copytrade_core.model.caps import Caps
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import ByFraction, ByNotional, ByQuantity, Intent, LimitStyle
from copytrade_core.model.units import RATE_SCALE, Money, ceil_div
from copytrade_core.model.verdict import Approved, RefusalReason, Refused, Verdict
from copytrade_core.risk.exposure import Exposure
from copytrade_core.risk.limits import Entry, failing


def check(intent: Intent, exposure: Exposure, caps: Caps) -> Verdict:
    """Approve or refuse one intent; the first failing rule names a refusal and the others are recorded with it."""
    if intent.sizing is None:
        return _refused(intent, RefusalReason.MISSING_QUANTITY)
    if not intent.kind.is_entry:
        if exposure.quantity_held <= 0:
            return _refused(intent, RefusalReason.NO_POSITION)
        return Approved(intent=intent, worst_notional=Money(0))
    worst = worst_notional(intent, exposure.instrument)
    found = failing(Entry(intent=intent, asked=worst, exposure=exposure, caps=caps))
    if not found:
        return Approved(intent=intent, worst_notional=worst)
    first, *also = found
    return Refused(intent=intent, reason=first.reason, numbers=first.numbers, detail=first.detail, also=tuple(also))


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


def _refused(intent: Intent, reason: RefusalReason) -> Refused:
    return Refused(intent=intent, reason=reason, numbers=(), detail="", also=())
