"""From an approved intent to an order: quantity on the venue's grid, and an id that is a function of identity.

Whether the order may exist is risk's answer, not asked again here; sending it is the broker's.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import ByFraction, ByNotional, ByQuantity, Intent, LimitStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.units import Steps, Ticks, under_headroom
from copytrade_core.model.verdict import Approved, RefusalReason, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIdentity:
    """What makes an order the same order after a restart. `attempt` grows only after not-placed was proved."""

    account: str
    episode_id: str
    kind: str
    leg: str
    attempt: int


def client_order_id(identity: OrderIdentity) -> str:
    """26 characters of `[a-z2-7]`, valid on every venue of the project; never depends on time or process."""
    text = "|".join((identity.account, identity.episode_id, identity.kind, identity.leg, str(identity.attempt)))
    return "c" + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:25]


def build(
    approved: Approved, instrument: Instrument, *, quantity_held: Steps, account: str, attempt: int, now_ms: int
) -> Order | Refused:
    """The order for an approved intent, or a refusal when its quantity is under the venue's minimum.

    A close is never refused for being small: what is held must be able to leave.
    """
    intent = approved.intent
    price = _reference(intent)
    quantity = _quantity(intent, instrument, price, quantity_held)
    too_small = quantity <= 0 or (intent.kind.is_entry and instrument.is_below_minimum(price, quantity))
    if too_small:
        numbers = (("quantity_steps", quantity),)
        return Refused(intent=intent, reason=RefusalReason.BELOW_MINIMUM, numbers=numbers, detail="", also=())
    identity = OrderIdentity(
        account=account, episode_id=intent.episode_id, kind=intent.kind, leg=intent.leg, attempt=attempt
    )
    return Order(
        client_order_id=client_order_id(identity),
        kind=intent.kind,
        episode_id=intent.episode_id,
        market=intent.market,
        side=intent.side,
        leg=intent.leg,
        replaces=intent.replaces,
        buys=intent.side.entry_buys if intent.kind.is_entry else intent.side.exit_buys,
        reduce_only=not intent.kind.is_entry,
        style=intent.style,
        quantity=quantity,
        worst_notional=approved.worst_notional,
        live_from_ms=now_ms,
        expires_at_ms=intent.expires_at_ms,
        reason=intent.reason,
    )


def _reference(intent: Intent) -> Ticks:
    match intent.style:
        case LimitStyle(price=price):
            return price
        case StopStyle(trigger=trigger):
            return trigger
        case _:
            return intent.reference_price


def _quantity(intent: Intent, instrument: Instrument, price: Ticks, quantity_held: Steps) -> Steps:
    match intent.sizing:
        case ByQuantity(quantity=quantity):
            return quantity
        case ByNotional(notional=notional):
            return instrument.quantity_for(under_headroom(notional, intent.headroom_ppm), price)
        case ByFraction(numerator=numerator, denominator=denominator):
            return Steps(quantity_held * numerator // denominator)
        case None:
            return Steps(0)
