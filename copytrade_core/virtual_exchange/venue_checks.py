"""Whether a virtual venue takes an order: every refusal, first one wins. Booking and filling are not done here.

The order of the checks is that of a gateway: form, id, grid, mode and side, minimums, price, margin (assumed).
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import NOTIONAL_MAX, RATE_SCALE, STEPS_MAX, TICKS_MAX, fee
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.venue_account import Leg, leg_of
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk, VenueRefusal
from copytrade_core.virtual_exchange.venue_books import VenueBooks
from copytrade_core.virtual_exchange.venue_rules import IdUniqueness, VenueModel, VenueRule

PRICE_ROOM_PPM = 100_000
"""A position may become a tenth dearer before its money leaves the range in which every product is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The venue takes the order: its id as the venue spells it, whether it only closes, and the leg it changes."""

    client_order_id: str | None
    closes: bool
    leg: Leg


def check(books: VenueBooks, ask: PlaceAsk) -> Taken | VenueRefusal:
    """Judge an order by every rule of the venue."""
    market = books.markets.get(ask.market)
    if market is None:
        return books.refuse(VenueRule.UNKNOWN_MARKET, f"{ask.market} is not listed")
    if not market.is_open:
        return books.refuse(VenueRule.MARKET_CLOSED, f"{ask.market} does not trade")
    spelled = None if ask.client_order_id is None else books.rules.spelled(ask.client_order_id)
    if spelled != ask.client_order_id:
        books.use(VenueModel.ID_CASE)
    refusal = (_id_refusal(books, spelled) if spelled is not None else None) or _grid_refusal(books, ask, market)
    if refusal is None:
        refusal = _side_refusal(books, ask)
    if refusal is not None:
        return refusal
    hedged = books.mode is PositionMode.HEDGE
    closes = ask.buys is (ask.position_side is Side.SHORT) if hedged else ask.reduce_only is True
    leg = leg_of(books.mode, position_side=ask.position_side, buys=ask.buys, closes=closes)
    refusal = _closing_refusal(books, ask, leg) if closes else None
    if refusal is None:
        refusal = _price_refusal(books, ask) or _notional_refusal(books, ask, market, closes=closes)
    if refusal is None and not closes:
        refusal = _margin_refusal(books, ask, leg)
    return refusal or Taken(client_order_id=spelled, closes=closes, leg=leg)


def _id_refusal(books: VenueBooks, spelled: str) -> VenueRefusal | None:
    if not books.rules.takes_id(spelled):
        return books.refuse(VenueRule.BAD_CLIENT_ID, "the client order id has a form that is not taken", id=spelled)
    earlier = books.shelf.by_client_id(spelled)
    if earlier is None:
        return None
    books.use(VenueModel.ID_UNIQUENESS)
    match books.rules.id_uniqueness:
        case IdUniqueness.FOREVER:
            taken = True
        case IdUniqueness.OPEN_ONLY:
            taken = not earlier.status.is_final
        case IdUniqueness.OVERRIDE:
            taken = False
    if not taken:
        return None
    return books.refuse(VenueRule.DUPLICATE_CLIENT_ID, "the client order id is used", order=earlier.venue_order_id)


def _grid_refusal(books: VenueBooks, ask: PlaceAsk, market: VenueMarket) -> VenueRefusal | None:
    quantity, least = ask.quantity, market.instrument.min_quantity
    if not 0 < quantity <= STEPS_MAX or quantity % market.contract_steps:
        return books.refuse(VenueRule.OFF_GRID, "the quantity is off the grid", quantity=quantity)
    if quantity < least:
        return books.refuse(VenueRule.BELOW_MIN_QUANTITY, "too small a quantity", quantity=quantity, minimum=least)
    price = books.worst_price(ask.market, ask.style)
    if not 0 < price <= TICKS_MAX:
        return books.refuse(VenueRule.BAD_PRICE, "the price is out of range", price=price)
    return None


def _side_refusal(books: VenueBooks, ask: PlaceAsk) -> VenueRefusal | None:
    if (ask.position_side is None) is (books.mode is PositionMode.HEDGE):
        return books.refuse(
            VenueRule.POSITION_SIDE_MISMATCH, "the position side does not match the mode", mode=books.mode.value
        )
    if books.mode is PositionMode.HEDGE and ask.reduce_only and not books.rules.reduce_only_in_hedge_mode:
        return books.refuse(VenueRule.REDUCE_ONLY_IN_HEDGE_MODE, "reduce-only is not taken in hedge mode")
    if books.mode is PositionMode.HEDGE and ask.reduce_only and ask.buys is (ask.position_side is Side.LONG):
        return books.refuse(VenueRule.REDUCE_ONLY_CONFLICT, "the order would add to the position")
    return None


def _closing_refusal(books: VenueBooks, ask: PlaceAsk, leg: Leg) -> VenueRefusal | None:
    """A reducing order needs something to reduce. A resting stop claims nothing and is judged by what is held."""
    held = books.closable(ask.market, leg, buys=ask.buys)
    if held == 0:
        if books.account.held(ask.market, leg).quantity == 0:
            return books.refuse(VenueRule.NO_POSITION, "no position to close")
        return books.refuse(VenueRule.REDUCE_ONLY_CONFLICT, "the order would add to the position")
    free = held
    if books.rules.resting_closes_freeze and not isinstance(ask.style, StopStyle):
        free -= sum(
            order.quantity - order.filled
            for order in books.shelf.working_orders(ask.market)
            if order.closes and isinstance(order.style, LimitStyle) and books.leg(order) is leg
        )
        if free < held:
            books.use(VenueModel.RESTING_CLOSES_FREEZE)
    if ask.quantity <= free:
        return None
    books.use(VenueModel.CLOSE_BEYOND_HELD)
    if books.rules.close_beyond_held_trims and free > 0:
        return None
    return books.refuse(VenueRule.REDUCE_ONLY_CONFLICT, "more than can be closed", held=held, free=max(0, free))


def _price_refusal(books: VenueBooks, ask: PlaceAsk) -> VenueRefusal | None:
    match ask.style:
        case LimitStyle(price=price, post_only=True):
            mark = books.mark(ask.market)
            if price >= mark if ask.buys else price <= mark:
                return books.refuse(VenueRule.WOULD_CROSS, "post-only would trade at once", price=price, mark=mark)
        case StopStyle(trigger=trigger):
            mark = books.mark(ask.market)
            if trigger <= mark if ask.buys else trigger >= mark:
                return books.refuse(VenueRule.WOULD_TRIGGER, "would trigger at once", trigger=trigger, mark=mark)
        case LimitStyle() | MarketStyle():
            pass
    return None


def _notional_refusal(books: VenueBooks, ask: PlaceAsk, market: VenueMarket, *, closes: bool) -> VenueRefusal | None:
    price = books.worst_price(ask.market, ask.style)
    notional = books.account.notional(ask.market, price, ask.quantity)
    least = market.instrument.min_notional
    if notional < least:
        if not (closes and books.rules.small_reductions):
            return books.refuse(VenueRule.BELOW_MIN_NOTIONAL, "too small a notional", notional=notional, minimum=least)
        books.use(VenueModel.SMALL_REDUCTIONS)
    held = sum(
        books.account.notional(ask.market, price, held.quantity)
        for (name, _), held in books.account.legs.items()
        if name == ask.market
    )
    if not closes and (held + notional) * (RATE_SCALE + PRICE_ROOM_PPM) > NOTIONAL_MAX * RATE_SCALE:
        return books.refuse(VenueRule.ABOVE_MAX_NOTIONAL, "too large a position", notional=held + notional)
    return None


def _margin_refusal(books: VenueBooks, ask: PlaceAsk, leg: Leg) -> VenueRefusal | None:
    price = books.worst_price(ask.market, ask.style)
    reduces = books.closable(ask.market, leg, buys=ask.buys) if leg is Leg.NET else 0
    added = max(0, ask.quantity - reduces)
    if added == 0:
        return None
    needed = books.margin(ask.market, price, added, buys=ask.buys)
    needed += fee(books.account.notional(ask.market, price, ask.quantity), books.rules.taker_fee)
    free = books.free()
    books.use(VenueModel.CROSS_MARGIN)
    if needed > free:
        return books.refuse(VenueRule.INSUFFICIENT_MARGIN, "the margin is not enough", needed=needed, free=free)
    return None
