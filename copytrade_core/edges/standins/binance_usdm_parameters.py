"""What a Binance USD-M request asks for: its parameters read into a `PlaceAsk`, a market, an order's name, a window.

A value that cannot be read is the venue's error, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from copytrade_core.edges.standins.binance_usdm_errors import BINANCE_ERRORS, INVALID, InvalidRequest
from copytrade_core.edges.standins.plain_numbers import count_of, decimal_of, multiples_of
from copytrade_core.edges.standins.venue_dialect import VenueError, VenueRequest
from copytrade_core.model.intent import LimitStyle, MarketStyle, OrderStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import STEPS_MAX, TICKS_MAX, Steps, Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import VenueRule

ROWS_USUAL, ROWS_MAX = 500, 1000
WEEK_MS = 7 * 86_400_000
POSITION_SIDES: Mapping[str, Side | None] = {"BOTH": None, "LONG": Side.LONG, "SHORT": Side.SHORT}
_ID_DIGITS_MAX = 20
_SIDES = {"BUY": True, "SELL": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderName:
    """Which order is meant; the venue's id wins where both are given."""

    venue_order_id: str | None
    client_order_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which rows of a list are asked for, oldest first: at most `limit` of `[since_ms, until_ms]`.

    `latest` takes the newest of them: no start was given.
    """

    since_ms: int
    until_ms: int
    limit: int
    latest: bool


def invalid(kind: InvalidRequest, name: str = "", value: str = "") -> VenueError:
    """The venue's error for a parameter, with its name and the legal range filled in."""
    error = INVALID[kind]
    return replace(error, message=error.message.format(name=name, value=value))


def market_asked(request: VenueRequest, engine: VenueEngine) -> VenueMarket | VenueError:
    """The market that the parameter `symbol` names."""
    symbol = request.parameters.get("symbol", "")
    if not symbol:
        return invalid(InvalidRequest.MISSING, "symbol")
    found = next((market for market in engine.markets.values() if market.symbol == symbol), None)
    return BINANCE_ERRORS[VenueRule.UNKNOWN_MARKET] if found is None else found


def order_name(parameters: Mapping[str, str]) -> OrderName | VenueError:
    """Which order a look-up or a cancel means."""
    number, ours = parameters.get("orderId", ""), parameters.get("origClientOrderId", "")
    if number and not (number.isascii() and number.isdigit() and len(number) <= _ID_DIGITS_MAX):
        return invalid(InvalidRequest.UNREADABLE, "orderId", "^[0-9]{1,20}$")
    if not number and not ours:
        return invalid(InvalidRequest.MISSING, "orderId")
    return OrderName(venue_order_id=number or None, client_order_id=ours or None)


def window_asked(request: VenueRequest, *, now_ms: int) -> Window | VenueError:
    """The rows asked for by `startTime`, `endTime` and `limit`; documented: at most seven days between the two."""
    given = request.parameters
    read = {name: count_of(given.get(name) or "0") for name in ("startTime", "endTime", "limit")}
    for name, count in read.items():
        if count is None:
            return invalid(InvalidRequest.UNREADABLE, name, "^[0-9]{1,20}$")
    start_ms, end_ms, limit = (read[name] or 0 for name in ("startTime", "endTime", "limit"))
    until_ms = end_ms or (min(now_ms, start_ms + WEEK_MS) if start_ms else now_ms)
    since_ms = start_ms or max(0, until_ms - WEEK_MS)
    if limit > ROWS_MAX:
        return invalid(InvalidRequest.BAD_LIMIT, "limit")
    if since_ms > until_ms:
        return invalid(InvalidRequest.START_AFTER_END)
    if until_ms - since_ms > WEEK_MS:
        return invalid(InvalidRequest.LONG_WINDOW, value=str(WEEK_MS // 3_600_000))
    return Window(since_ms=since_ms, until_ms=until_ms, limit=limit or ROWS_USUAL, latest=not start_ms)


def place_ask(request: VenueRequest, market: VenueMarket) -> PlaceAsk | VenueError:
    """The order that a request asks for, on the market's grid."""
    given = request.parameters
    buys = _SIDES.get(given.get("side", ""))
    if buys is None:
        return invalid(InvalidRequest.BAD_SIDE)
    position_side = given.get("positionSide") or "BOTH"
    if position_side not in POSITION_SIDES:
        return invalid(InvalidRequest.BAD_POSITION_SIDE)
    reduce_only = given.get("reduceOnly", "").lower()
    if reduce_only not in ("", "true", "false"):
        return invalid(InvalidRequest.UNREADABLE, "reduceOnly", "true|false")
    style, quantity = _style(given, market), _grid(given, "quantity", market.instrument.step_size, STEPS_MAX)
    if isinstance(style, VenueError):
        return style
    if isinstance(quantity, VenueError):
        return quantity
    return PlaceAsk(
        client_order_id=given.get("newClientOrderId") or None,
        market=market.instrument.market,
        buys=buys,
        position_side=POSITION_SIDES[position_side],
        reduce_only=None if not reduce_only else reduce_only == "true",
        style=style,
        quantity=Steps(quantity),
    )


def _style(given: Mapping[str, str], market: VenueMarket) -> OrderStyle | VenueError:
    kind, in_force = given.get("type", ""), given.get("timeInForce", "")
    if kind == "MARKET":
        return MarketStyle()
    if kind != "LIMIT":
        return invalid(InvalidRequest.BAD_TYPE) if kind else invalid(InvalidRequest.MISSING, "type")
    if in_force not in ("GTC", "GTX"):
        return invalid(InvalidRequest.BAD_TIME_IN_FORCE) if in_force else invalid(InvalidRequest.MISSING, "timeInForce")
    price = _grid(given, "price", market.instrument.tick_size, TICKS_MAX)
    if isinstance(price, VenueError):
        return price
    return LimitStyle(price=Ticks(price), post_only=in_force == "GTX")


def _grid(given: Mapping[str, str], name: str, unit: Decimal, most: int) -> int | VenueError:
    text = given.get(name, "")
    value = decimal_of(text)
    if value is None:
        return invalid(InvalidRequest.MISSING, name)
    count = multiples_of(value, unit)
    if count is None:
        return BINANCE_ERRORS[VenueRule.OFF_GRID]
    if not 0 < count <= most:
        return invalid(InvalidRequest.ZERO_QUANTITY) if name == "quantity" else BINANCE_ERRORS[VenueRule.BAD_PRICE]
    return count
