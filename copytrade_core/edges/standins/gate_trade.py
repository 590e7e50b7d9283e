"""Gate's trading endpoints over the engine: place, look up, cancel, lists of orders and of our trades.

Keys and signatures are checked before, words for refusals are found after.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.edges.standins.gate_errors import CLIENT_ID_NOT_FOUND, ORDER_NOT_FOUND, InvalidRequest
from copytrade_core.edges.standins.gate_parameters import (
    Window,
    contract_asked,
    invalid,
    place_ask,
    speaks_text,
    window_asked,
)
from copytrade_core.edges.standins.gate_rows import Row, order_row, trade_row
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.instrument import Market
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, PlaceAsk, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

UNFILLED_KEPT_MS = 600_000
"""Documented: an order that ended without any fill can be read for ten minutes more, then it is not found."""
CLIENT_ID_PREFIX = "t-"
Answer = Success | VenueError | VenueRefusal


def create_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST futures/usdt/orders`: 201 with the order as it stands after it traded (fixture). `test` is no parameter."""
    market = contract_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    ask = place_ask(request, engine, market)
    if not isinstance(ask, PlaceAsk):
        return ask
    placed = request.place(ask)
    if isinstance(placed, VenueRefusal):
        return placed
    return Success(payload=_shown(placed.order, request, engine), status=201)


def query_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/orders/{order_id}`: by Gate's number or by our text."""
    found = _order_named(request, engine)
    return Success(payload=_shown(found, request, engine)) if isinstance(found, EngineOrder) else found


def cancel_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`DELETE futures/usdt/orders/{order_id}`: answers with the order as it ended."""
    found = _order_named(request, engine)
    if not isinstance(found, EngineOrder):
        return found
    done = engine.cancel(found.market, venue_order_id=found.venue_order_id)
    return done if isinstance(done, VenueRefusal) else Success(payload=_shown(done, request, engine))


def orders(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/orders`: working or finished ones, newest first (assumed)."""
    status = request.parameters.get("status", "")
    if status not in ("open", "finished"):
        return invalid(InvalidRequest.UNREADABLE if status else InvalidRequest.MISSING, "status")
    window, markets = window_asked(request), _markets(request, engine)
    if isinstance(window, VenueError):
        return window
    if isinstance(markets, VenueError):
        return markets
    if status == "open":
        found = [order for market in markets for order in engine.open_orders(market, as_of_ms=request.as_of_ms)]
    else:
        found = _finished(request, engine, markets, replace(window, since_ms=0, until_ms=engine.now_ms))
    return Success(payload=_page(found, window, request, engine))


def orders_timerange(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/orders_timerange`: finished orders only (assumed), newest first."""
    window, markets = window_asked(request), _markets(request, engine)
    if isinstance(window, VenueError):
        return window
    if isinstance(markets, VenueError):
        return markets
    return Success(payload=_page(_finished(request, engine, markets, window), window, request, engine))


def my_trades_timerange(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/my_trades_timerange`: our trades, newest first (assumed)."""
    window, markets = window_asked(request), _markets(request, engine)
    if isinstance(window, VenueError):
        return window
    if isinstance(markets, VenueError):
        return markets
    fills = [
        fill for market in markets for fill in engine.fills(market, since_ms=window.since_ms, as_of_ms=request.as_of_ms)
    ]
    chosen = sorted((f for f in fills if f.time_ms <= window.until_ms), key=lambda f: int(f.trade_id), reverse=True)
    placed = {order.venue_order_id: order for order in engine.all_orders()}
    rows = [
        trade_row(fill, placed[fill.venue_order_id], engine.markets[fill.market], as_text=speaks_text(request))
        for fill in chosen[window.offset : window.offset + window.limit]
    ]
    return Success(payload=rows)


def _order_named(request: VenueRequest, engine: VenueEngine) -> EngineOrder | VenueError:
    """The order behind a number or a text.

    Documented: a text finds an order with fills for ever, one that ended without for 60 s, and then ORDER_NOT_FOUND is
    answered; a text that was never used has a label of its own (observed).
    """
    named = request.parameters["order_id"]
    by_text = named.startswith(CLIENT_ID_PREFIX)
    for market in engine.markets:
        found = engine.order(
            market,
            client_order_id=named if by_text else None,
            venue_order_id=None if by_text else named,
            as_of_ms=request.as_of_ms,
        )
        if found is not None and _is_kept(found, engine):
            return found
    is_new = by_text and all(order.client_order_id != named for order in engine.all_orders())
    error = CLIENT_ID_NOT_FOUND if is_new else ORDER_NOT_FOUND
    return replace(error, message=error.message.format(order_id=named))


def _is_kept(order: EngineOrder, engine: VenueEngine) -> bool:
    return not order.status.is_final or order.filled > 0 or engine.now_ms - order.updated_at_ms <= UNFILLED_KEPT_MS


def _markets(request: VenueRequest, engine: VenueEngine) -> list[Market] | VenueError:
    if not request.parameters.get("contract"):
        return list(engine.markets)
    market = contract_asked(request, engine)
    return market if isinstance(market, VenueError) else [market.instrument.market]


def _finished(request: VenueRequest, engine: VenueEngine, markets: list[Market], window: Window) -> list[EngineOrder]:
    created = [
        order
        for market in markets
        for order in engine.orders(market, since_ms=window.since_ms, as_of_ms=request.as_of_ms)
    ]
    return [o for o in created if o.status.is_final and o.created_at_ms <= window.until_ms and _is_kept(o, engine)]


def _page(found: list[EngineOrder], window: Window, request: VenueRequest, engine: VenueEngine) -> list[Row]:
    newest = sorted(found, key=lambda order: int(order.venue_order_id), reverse=True)
    return [_shown(order, request, engine) for order in newest[window.offset : window.offset + window.limit]]


def _shown(order: EngineOrder, request: VenueRequest, engine: VenueEngine) -> Row:
    return order_row(order, engine.markets[order.market], engine.rules, as_text=speaks_text(request))
