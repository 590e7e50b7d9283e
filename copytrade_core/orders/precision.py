"""Whether an order fits a venue's grid, minimums and id rule, and what bringing it there changes.

It is asked before the journal, because a venue's client checks none of this and may shorten what it sends. Which venue
has which rule is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from copytrade_core.model.errors import OutOfBounds
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.units import STEPS_MAX, TICKS_MAX, Steps, Ticks
from copytrade_core.model.venue import VenueMarket

BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLimits:
    """What a venue's order form can hold.

    `id_alphabet` are the characters of a client order id, `id_length_max` how many; an id may not begin with
    `id_prefix_taken` (empty: any). `has_stops` says whether a stop can be found again by our id.
    """

    id_length_max: int
    id_alphabet: str
    id_prefix_taken: str
    has_stops: bool


class OrderFaultKind(StrEnum):
    """Why an order cannot be asked of a venue."""

    WRONG_MARKET = "wrong_market"
    MARKET_CLOSED = "market_closed"
    BAD_ID = "bad_id"
    NOT_FINITE = "not_finite"
    OFF_GRID = "off_grid"
    OUT_OF_RANGE = "out_of_range"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    NO_REFERENCE_PRICE = "no_reference_price"
    STYLE_UNSUPPORTED = "style_unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFault:
    """An order that must not be sent: which field, and the numbers of it."""

    kind: OrderFaultKind
    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantised:
    """A quantity and price on a venue's grid; the changes are in basis points of what was asked, rounded up."""

    quantity: Steps
    price: Ticks | None
    quantity_change_bps: int
    price_change_bps: int


def check_order(order: Order, market: VenueMarket, limits: OrderLimits, *, mark: Ticks | None) -> OrderFault | None:
    """Why the order must not be sent to the venue; None when nothing speaks against it.

    Args:
        order: quantity and prices on the grid of `market`.
        market: the venue's rules of the order's market.
        limits: the venue's order form.
        mark: reference of the minimum notional of a market order, in ticks.

    A reducing order is never refused for being small or for a market closed to new risk: the venue decides.
    """
    return (
        _market_fault(order, market)
        or _id_fault(order.client_order_id, limits)
        or _range_fault(order, market, limits)
        or (None if order.reduce_only else _minimum_fault(order, market, mark))
    )


def quantise(quantity: Decimal, price: Decimal | None, market: VenueMarket, *, buys: bool) -> Quantised | OrderFault:
    """A decimal quantity and price brought to the venue's grid.

    Args:
        quantity: base units; rounded down to whole contracts, never up.
        price: quote per base unit, None for a market order; a buy rounds up, a sale down.
        market: the venue's rules.
        buys: what the order does.
    """
    for field, value in (("quantity", quantity), ("price", price)):
        if value is not None and (not value.is_finite() or value <= 0):
            return OrderFault(kind=OrderFaultKind.NOT_FINITE, field=field, detail=f"{value} is not a positive number")
    instrument = market.instrument
    contract = instrument.step_size * market.contract_steps
    steps = int((quantity / contract).to_integral_value(rounding=ROUND_FLOOR)) * market.contract_steps
    if not 0 < steps <= STEPS_MAX:
        return OrderFault(
            kind=OrderFaultKind.OUT_OF_RANGE, field="quantity", detail=f"{quantity} is {steps} steps of {contract}"
        )
    ticks: int | None = None
    if price is not None:
        rounding = ROUND_CEILING if buys else ROUND_FLOOR
        ticks = int((price / instrument.tick_size).to_integral_value(rounding=rounding))
        if not 0 < ticks <= TICKS_MAX:
            return OrderFault(
                kind=OrderFaultKind.OUT_OF_RANGE,
                field="price",
                detail=f"{price} is {ticks} ticks of {instrument.tick_size}",
            )
    return Quantised(
        quantity=Steps(steps),
        price=None if ticks is None else Ticks(ticks),
        quantity_change_bps=_change_bps(quantity, steps * instrument.step_size),
        price_change_bps=0 if price is None or ticks is None else _change_bps(price, ticks * instrument.tick_size),
    )


def to_venue_grid(order: Order, instrument: Instrument, market: VenueMarket) -> tuple[Order, Quantised] | OrderFault:
    """The same order counted in the venue's steps and ticks.

    Args:
        order: quantity and price on the grid of `instrument`.
        instrument: the rules that the order was built with.
        market: the venue's rules.
    """
    price = _style_price(order)
    decimal_price = None if price is None else instrument.price(price)
    done = quantise(instrument.quantity(order.quantity), decimal_price, market, buys=order.buys)
    if isinstance(done, OrderFault):
        return done
    style = order.style
    match style:
        case LimitStyle() if done.price is not None:
            style = replace(style, price=done.price)
        case StopStyle() if done.price is not None:
            style = replace(style, trigger=done.price)
        case _:
            pass
    return replace(order, quantity=done.quantity, style=style), done


def _market_fault(order: Order, market: VenueMarket) -> OrderFault | None:
    known = market.instrument.market
    if order.market != known:
        return OrderFault(kind=OrderFaultKind.WRONG_MARKET, field="market", detail=f"{order.market} is not {known}")
    if not market.is_open and not order.reduce_only:
        return OrderFault(kind=OrderFaultKind.MARKET_CLOSED, field="market", detail=f"{known} takes no new orders")
    return None


def _id_fault(client_order_id: str, limits: OrderLimits) -> OrderFault | None:
    length = len(client_order_id)
    if not 0 < length <= limits.id_length_max:
        detail = f"{length} characters, the venue takes 1 to {limits.id_length_max}"
    elif not set(client_order_id) <= set(limits.id_alphabet):
        detail = f"{client_order_id!r} has a character that the venue does not keep"
    elif limits.id_prefix_taken and client_order_id.startswith(limits.id_prefix_taken):
        detail = f"{client_order_id!r} begins with {limits.id_prefix_taken!r}, which the venue's own prefix does"
    else:
        return None
    return OrderFault(kind=OrderFaultKind.BAD_ID, field="client_order_id", detail=detail)


def _range_fault(order: Order, market: VenueMarket, limits: OrderLimits) -> OrderFault | None:
    if not 0 < order.quantity <= STEPS_MAX:
        return OrderFault(kind=OrderFaultKind.OUT_OF_RANGE, field="quantity", detail=f"{order.quantity} steps")
    if order.quantity % market.contract_steps:
        detail = f"{order.quantity} steps are no whole contracts of {market.contract_steps} steps"
        return OrderFault(kind=OrderFaultKind.OFF_GRID, field="quantity", detail=detail)
    price = _style_price(order)
    if price is not None and not 0 < price <= TICKS_MAX:
        return OrderFault(kind=OrderFaultKind.OUT_OF_RANGE, field="price", detail=f"{price} ticks")
    if isinstance(order.style, StopStyle) and not limits.has_stops:
        detail = "a stop of this venue cannot be found again by our id"
        return OrderFault(kind=OrderFaultKind.STYLE_UNSUPPORTED, field="style", detail=detail)
    return None


def _minimum_fault(order: Order, market: VenueMarket, mark: Ticks | None) -> OrderFault | None:
    instrument = market.instrument
    if order.quantity < instrument.min_quantity:
        detail = f"{order.quantity} steps are under the minimum of {instrument.min_quantity}"
        return OrderFault(kind=OrderFaultKind.BELOW_MIN_QUANTITY, field="quantity", detail=detail)
    price = _style_price(order) or mark
    if price is None:
        detail = "a market order's notional needs a mark"
        return OrderFault(kind=OrderFaultKind.NO_REFERENCE_PRICE, field="price", detail=detail)
    try:
        notional = instrument.notional(price, order.quantity)
    except OutOfBounds as error:
        return OrderFault(kind=OrderFaultKind.OUT_OF_RANGE, field="notional", detail=error.what)
    if notional < instrument.min_notional:
        detail = f"{notional} is under the minimum of {instrument.min_notional} (1e-8 quote)"
        return OrderFault(kind=OrderFaultKind.BELOW_MIN_NOTIONAL, field="notional", detail=detail)
    return None


def _style_price(order: Order) -> Ticks | None:
    match order.style:
        case LimitStyle(price=price):
            return price
        case StopStyle(trigger=trigger):
            return trigger
        case MarketStyle():
            return None


def _change_bps(asked: Decimal, got: Decimal) -> int:
    return int((abs(got - asked) / asked * BPS).to_integral_value(rounding=ROUND_CEILING))
