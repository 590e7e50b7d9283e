"""BingX's trading endpoints over the engine: place, test, cancel, look up, lists of orders and fills.

Keys and signatures are checked before, words for refusals are found after.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from copytrade_core.edges.standins.bingx_errors import NO_PERMISSION, NOTHING_TO_CANCEL, InvalidRequest
from copytrade_core.edges.standins.bingx_parameters import invalid, order_name, place_ask, whole_number
from copytrade_core.edges.standins.bingx_rows import (
    Row,
    fill_history_row,
    fill_row,
    lean_create_row,
    leverage_side,
    order_row,
    rich_create_row,
)
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import NOTIONAL_MAX, money_to_decimal
from copytrade_core.model.venue import VenueFill, VenueMarket
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, PlaceAsk, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import VenueRule

ORDERS_MAX = 1000
WEEK_MS = 7 * 86_400_000
Answer = Success | VenueError | VenueRefusal


class CreateAnswer(StrEnum):
    """What a new order is answered with."""

    LEAN = "lean"
    """Inside `data.order`, without status, filled or average."""
    RICH = "rich"
    """Inside `data`, with a status and numbers that were true before the order traded."""


def market_named(engine: VenueEngine, symbol: str) -> VenueMarket | VenueRefusal | VenueError:
    """The market that a request names."""
    if not symbol:
        return invalid(InvalidRequest.MISSING, name="symbol")
    found = next((market for market in engine.markets.values() if market.symbol == symbol), None)
    if found is None:
        return VenueRefusal(rule=VenueRule.UNKNOWN_MARKET, message="no such market", facts=(("symbol", symbol),))
    return found


def create_order(answer: CreateAnswer) -> Callable[[VenueRequest, VenueEngine], Answer]:
    """The handler of a new order, answering in one of the two ways."""

    def handle(request: VenueRequest, engine: VenueEngine) -> Answer:
        return _created(request, engine, answer)

    return handle


def _created(request: VenueRequest, engine: VenueEngine, answer: CreateAnswer) -> Answer:
    if not request.key.can_trade:
        return NO_PERMISSION
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    ask = place_ask(request.parameters, market)
    if isinstance(ask, VenueError):
        return ask
    placed = request.place(ask)
    if isinstance(placed, VenueRefusal):
        return told(placed, market, ask, engine)
    if answer is CreateAnswer.RICH:
        return Success(payload=rich_create_row(placed.order, market.symbol, market.instrument))
    return Success(payload={"order": lean_create_row(placed.order, market.symbol)})


def told(refusal: VenueRefusal, market: VenueMarket, ask: PlaceAsk, engine: VenueEngine) -> VenueRefusal:
    """A refusal with what its sentence shows besides the engine's own numbers."""
    instrument = market.instrument
    match refusal.rule:
        case VenueRule.BELOW_MIN_QUANTITY:
            least = f"{instrument.quantity(instrument.min_quantity).normalize():f}"
            shown = f"{least} {instrument.market.partition('/')[0]}"
        case VenueRule.BELOW_MIN_NOTIONAL:
            shown = f"{money_to_decimal(instrument.min_notional).normalize():f}"
        case VenueRule.ABOVE_MAX_NOTIONAL:
            shown = f"{money_to_decimal(NOTIONAL_MAX).normalize():f}"
        case VenueRule.DUPLICATE_CLIENT_ID:
            earlier = engine.order(ask.market, client_order_id=ask.client_order_id)
            shown = "" if earlier is None else str(engine.now_ms - earlier.created_at_ms)
        case _:
            shown = ""
    return replace(refusal, facts=(*refusal.facts, ("shown", shown)))


def try_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`trade/order/test`: every check of a new order, and nothing is placed."""
    if not request.key.can_trade:
        return NO_PERMISSION
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    ask = place_ask(request.parameters, market)
    if isinstance(ask, VenueError):
        return ask
    copy = VenueEngine.load(engine.dump(), rules=engine.rules, markets=engine.markets, feed=engine.feed)
    refused = copy.place(ask)
    if isinstance(refused, VenueRefusal):
        return told(refused, market, ask, engine)
    given = request.parameters
    shown: Row = {name: given.get(name, "") for name in ("symbol", "side", "positionSide", "type")}
    shown |= {"orderId": 0, "clientOrderID": ask.client_order_id or "", "workingType": "MARK_PRICE"}
    return Success(payload={"order": shown})


def cancel_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`DELETE trade/order`: takes a resting order back."""
    if not request.key.can_trade:
        return NO_PERMISSION
    found = _order_of(request, engine)
    if not isinstance(found, EngineOrder):
        is_unknown = isinstance(found, VenueRefusal) and found.rule is VenueRule.UNKNOWN_ORDER
        return NOTHING_TO_CANCEL if is_unknown else found
    done = engine.cancel(found.market, venue_order_id=found.venue_order_id)
    return done if isinstance(done, VenueRefusal) else Success(payload={"order": _shown(done, engine)})


def query_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/order`: one order, final ones included."""
    found = _order_of(request, engine)
    return Success(payload={"order": _shown(found, engine)}) if isinstance(found, EngineOrder) else found


def query_open_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/openOrder`: one order that still works."""
    found = _order_of(request, engine)
    if isinstance(found, EngineOrder) and found.status.is_final:
        return _unknown_order()
    return Success(payload={"order": _shown(found, engine)}) if isinstance(found, EngineOrder) else found


def open_orders(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/openOrders`: everything that works, of one market or of all."""
    symbol = request.parameters.get("symbol", "")
    if not symbol:
        return Success(
            payload={"orders": [_shown(order, engine) for order in engine.open_orders(as_of_ms=request.as_of_ms)]}
        )
    market = market_named(engine, symbol)
    if not isinstance(market, VenueMarket):
        return market
    found = engine.open_orders(Market(market.instrument.market), as_of_ms=request.as_of_ms)
    return Success(payload={"orders": [_shown(order, engine) for order in found]})


def order_history(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/allOrders` and `fullOrder`: orders of a time range, newest first, at most 1000.

    Without a range the last seven days; with one, orders created in it (documented).
    """
    rows = functools.partial(_orders_between, request)
    return _listed(request, engine, names=("startTime", "endTime"), rows=rows)


def all_fill_orders(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/allFillOrders`: trades of a time range that must be given (documented)."""
    return _fills(request, engine, fill_row_of=_plain_fill)


def fill_history(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/fillHistory`: the same trades, with trade id and role."""
    return _fills(request, engine, fill_row_of=_fill_with_id)


def _fills(
    request: VenueRequest, engine: VenueEngine, *, fill_row_of: Callable[[VenueFill, EngineOrder, VenueEngine], Row]
) -> Answer:
    for name in ("startTs", "endTs"):
        if not request.parameters.get(name):
            return invalid(InvalidRequest.MISSING, name=name)

    def rows(engine: VenueEngine, market: VenueMarket, first_ms: int, last_ms: int) -> tuple[str, list[Row]]:
        unified = Market(market.instrument.market)
        shown: list[Row] = []
        for fill in engine.fills(unified, since_ms=first_ms, as_of_ms=request.as_of_ms):
            order = engine.order(unified, venue_order_id=fill.venue_order_id)
            if fill.time_ms <= last_ms and order is not None:
                shown.append(fill_row_of(fill, order, engine))
        return "fill_orders", shown

    return _listed(request, engine, names=("startTs", "endTs"), rows=rows)


def _listed(
    request: VenueRequest,
    engine: VenueEngine,
    *,
    names: tuple[str, str],
    rows: Callable[[VenueEngine, VenueMarket, int, int], tuple[str, list[Row]]],
) -> Answer:
    given = [whole_number(request.parameters, name) for name in (*names, "limit", "orderId")]
    wrong = next((value for value in given if isinstance(value, VenueError)), None)
    if wrong is not None:
        return wrong
    first_ms, last_ms, limit, order_id = (value for value in given if not isinstance(value, VenueError))
    first_ms = request.now_ms - WEEK_MS if first_ms is None else first_ms
    last_ms = request.now_ms if last_ms is None else last_ms
    if first_ms > last_ms:
        return invalid(InvalidRequest.UNREADABLE, name=names[0], value=str(first_ms))
    markets = _markets_asked(request, engine)
    if not isinstance(markets, list):
        return markets
    key, shown = "orders", list[Row]()
    for market in markets:
        key, found = rows(engine, market, first_ms, last_ms)
        shown += found
    if order_id is not None:
        shown = [row for row in shown if str(row["orderId"]) == str(order_id)]
    return Success(payload={key: shown[: min(limit or ORDERS_MAX, ORDERS_MAX)]})


def _markets_asked(request: VenueRequest, engine: VenueEngine) -> list[VenueMarket] | VenueError | VenueRefusal:
    symbol = request.parameters.get("symbol", "")
    if not symbol:
        return list(engine.markets.values())
    market = market_named(engine, symbol)
    return [market] if isinstance(market, VenueMarket) else market


def _orders_between(
    request: VenueRequest, engine: VenueEngine, market: VenueMarket, first_ms: int, last_ms: int
) -> tuple[str, list[Row]]:
    found = engine.orders(Market(market.instrument.market), since_ms=first_ms, as_of_ms=request.as_of_ms)
    return "orders", [_shown(order, engine) for order in found if order.created_at_ms <= last_ms][::-1]


def _plain_fill(fill: VenueFill, order: EngineOrder, engine: VenueEngine) -> Row:
    market = engine.markets[fill.market]
    return fill_row(fill, order, market.symbol, market.instrument, mode=engine.position_mode)


def _fill_with_id(fill: VenueFill, order: EngineOrder, engine: VenueEngine) -> Row:
    market = engine.markets[fill.market]
    return fill_history_row(fill, order, market.symbol, market.instrument)


def _order_of(request: VenueRequest, engine: VenueEngine) -> EngineOrder | VenueError | VenueRefusal:
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    named = order_name(request.parameters)
    if isinstance(named, VenueError):
        return named
    unified = Market(market.instrument.market)
    if named.venue_order_id is not None:
        named = replace(named, client_order_id=None)
    found = engine.order(
        unified,
        client_order_id=named.client_order_id,
        venue_order_id=named.venue_order_id,
        as_of_ms=request.as_of_ms,
    )
    return _unknown_order() if found is None else found


def _unknown_order() -> VenueRefusal:
    return VenueRefusal(rule=VenueRule.UNKNOWN_ORDER, message="no such order", facts=())


def _shown(order: EngineOrder, engine: VenueEngine) -> Row:
    market = engine.markets[order.market]
    return order_row(
        order,
        market.symbol,
        market.instrument,
        leverage=engine.leverage(order.market, leverage_side(order)),
        mode=engine.position_mode,
    )
