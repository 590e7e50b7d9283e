"""What a BingX request asks for: its parameters read into a `PlaceAsk`, a market, an order's name, a time range.

What is done with them is not decided here. A value that cannot be read is the venue's error, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from copytrade_core.edges.standins.bingx_errors import INVALID, InvalidRequest
from copytrade_core.edges.standins.venue_dialect import VenueError
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, OrderStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import STEPS_MAX, TICKS_MAX, Steps, Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk

CLIENT_ID_NAMES = ("clientOrderId", "clientOrderID")
"""Both spellings are in use: the documents write the first, ccxt sends the second."""
POSITION_SIDES: Mapping[str, Side | None] = {"LONG": Side.LONG, "SHORT": Side.SHORT, "BOTH": None}
_DIGITS_MAX = 19
"""An int64 has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderName:
    """Which order is meant: the venue's id, ours, or both."""

    venue_order_id: str | None
    client_order_id: str | None


def invalid(kind: InvalidRequest, *, name: str = "", value: str = "") -> VenueError:
    """The venue's error for a parameter, with its name and value filled in."""
    error = INVALID[kind]
    return replace(error, message=error.message.format(name=name, value=value))


def client_order_id(parameters: Mapping[str, str]) -> str | None:
    """Our id as it was sent, None when absent or empty; the engine's rules spell it (BingX keeps lower case)."""
    return next((parameters[name] for name in CLIENT_ID_NAMES if parameters.get(name)), None)


def number_of(text: str) -> int | None:
    """Plain digits as a number; None for anything else, digits of other scripts and endless ones included."""
    is_plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if is_plain else None


def order_name(parameters: Mapping[str, str]) -> OrderName | VenueError:
    """Which order a look-up or a cancel means. The text `None` as id is unreadable, not absent."""
    given = parameters.get("orderId", "")
    if given and number_of(given) is None:
        return invalid(InvalidRequest.UNREADABLE, name="orderId", value=given)
    named = OrderName(venue_order_id=given or None, client_order_id=client_order_id(parameters))
    if named.venue_order_id is None and named.client_order_id is None:
        return invalid(InvalidRequest.NO_ORDER_NAMED)
    return named


def whole_number(parameters: Mapping[str, str], name: str) -> int | VenueError | None:
    """A parameter that counts something (milliseconds, rows); None when it is absent."""
    given = parameters.get(name, "")
    if not given:
        return None
    number = number_of(given)
    return invalid(InvalidRequest.UNREADABLE, name=name, value=given) if number is None else number


def place_ask(parameters: Mapping[str, str], market: VenueMarket) -> PlaceAsk | VenueError:
    """The order that a request asks for, on the market's grid.

    Digits beyond the precision are cut off, as BingX does (documented), so that nothing is off the grid afterwards.
    """
    for name in ("type", "side"):
        if not parameters.get(name):
            return invalid(InvalidRequest.MISSING, name=name)
    side, position_side = parameters["side"], parameters.get("positionSide") or "LONG"
    if side not in ("BUY", "SELL"):
        return invalid(InvalidRequest.UNREADABLE, name="side", value=side)
    if position_side not in POSITION_SIDES:
        return invalid(InvalidRequest.UNREADABLE, name="positionSide", value=position_side)
    style = _style(parameters, market.instrument)
    quantity = _amount(parameters, "quantity", market.instrument.step_size, STEPS_MAX)
    reduce_only = _flag(parameters, "reduceOnly")
    for read in (style, quantity, reduce_only):
        if isinstance(read, VenueError):
            return read
    assert not isinstance(style, VenueError)
    assert not isinstance(quantity, VenueError)
    assert not isinstance(reduce_only, VenueError)
    return PlaceAsk(
        client_order_id=client_order_id(parameters),
        market=Market(market.instrument.market),
        buys=side == "BUY",
        position_side=POSITION_SIDES[position_side],
        reduce_only=reduce_only,
        style=style,
        quantity=Steps(quantity),
    )


def _style(parameters: Mapping[str, str], instrument: Instrument) -> OrderStyle | VenueError:
    kind, in_force = parameters["type"], parameters.get("timeInForce", "")
    if kind == "MARKET":
        return MarketStyle()
    name = {"LIMIT": "price", "STOP_MARKET": "stopPrice"}.get(kind)
    if name is None or in_force not in ("", "GTC", "PostOnly"):
        return invalid(InvalidRequest.UNSUPPORTED_TYPE, value=f"{kind} {in_force}".strip())
    price = _amount(parameters, name, instrument.tick_size, TICKS_MAX)
    if isinstance(price, VenueError):
        return price
    if price == 0:
        return invalid(InvalidRequest.UNREADABLE, name=name, value=parameters[name])
    if kind == "STOP_MARKET":
        return StopStyle(trigger=Ticks(price))
    return LimitStyle(price=Ticks(price), post_only=in_force == "PostOnly")


def _amount(parameters: Mapping[str, str], name: str, unit: Decimal, most: int) -> int | VenueError:
    given = parameters.get(name, "")
    if not given:
        return invalid(InvalidRequest.MISSING, name=name)
    try:
        value = Decimal(given)
    except InvalidOperation:
        return invalid(InvalidRequest.UNREADABLE, name=name, value=given)
    if not value.is_finite() or value < 0 or value > most * unit:
        return invalid(InvalidRequest.UNREADABLE, name=name, value=given)
    return int(value / unit)


def _flag(parameters: Mapping[str, str], name: str) -> bool | VenueError | None:
    match parameters.get(name, "").lower():
        case "":
            return None
        case "true":
            return True
        case "false":
            return False
        case other:
            return invalid(InvalidRequest.UNREADABLE, name=name, value=other)
