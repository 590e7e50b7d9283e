"""Binance USD-M's trading endpoints over the engine: place, test, look up, cancel, lists of orders and of our trades.

Keys and signatures are checked before, words for refusals are found after.
"""

from __future__ import annotations

from copytrade_core.edges.standins.binance_usdm_errors import BINANCE_ERRORS, NO_SUCH_ORDER
from copytrade_core.edges.standins.binance_usdm_parameters import market_asked, order_name, place_ask, window_asked
from copytrade_core.edges.standins.binance_usdm_rows import acknowledged_row, order_row, sent_row, trade_row
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import VenueRule

UNFILLED_KEPT_MS = 3 * 86_400_000
"""Documented: an order that ended without a fill is found for three days after it was made."""
Answer = Success | VenueError | VenueRefusal


def create_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST order`: `RESULT` shows a market order as it filled, `ACK` (usual) nothing about fills (documented)."""
    market = market_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    ask = place_ask(request, market)
    if isinstance(ask, VenueError):
        return ask
    placed = request.place(ask)
    if isinstance(placed, VenueRefusal):
        return placed
    row = sent_row if request.parameters.get("newOrderRespType") == "RESULT" else acknowledged_row
    return Success(payload=row(placed.order, market))


def try_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST order/test`: every check of a new order on a copy of the account; nothing is placed."""
    market = market_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    ask = place_ask(request, market)
    if isinstance(ask, VenueError):
        return ask
    copy = VenueEngine.load(engine.dump(), rules=engine.rules, markets=engine.markets, feed=engine.feed)
    tried = copy.place(ask)
    return tried if isinstance(tried, VenueRefusal) else Success(payload=acknowledged_row(tried.order, market))


def query_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET order`: one order by either id, final ones included."""
    found = _order_named(request, engine)
    if not isinstance(found, EngineOrder):
        return NO_SUCH_ORDER if found is None else found
    return Success(payload=order_row(found, engine.markets[found.market]))


def query_open_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET openOrder`: one order that still works."""
    found = _order_named(request, engine)
    if not isinstance(found, EngineOrder):
        return NO_SUCH_ORDER if found is None else found
    return NO_SUCH_ORDER if found.status.is_final else Success(payload=order_row(found, engine.markets[found.market]))


def cancel_order(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`DELETE order`: an order that is final or was never there is an unknown order to a cancel (documented)."""
    found = _order_named(request, engine)
    if not isinstance(found, EngineOrder):
        return BINANCE_ERRORS[VenueRule.UNKNOWN_ORDER] if found is None else found
    done = engine.cancel(found.market, venue_order_id=found.venue_order_id)
    return done if isinstance(done, VenueRefusal) else Success(payload=sent_row(done, engine.markets[done.market]))


def open_orders(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`openOrders`: everything that works, of one market or of all."""
    if not request.parameters.get("symbol"):
        found = engine.open_orders(as_of_ms=request.as_of_ms)
    else:
        market = market_asked(request, engine)
        if isinstance(market, VenueError):
            return market
        found = engine.open_orders(market.instrument.market, as_of_ms=request.as_of_ms)
    return Success(payload=[order_row(order, engine.markets[order.market]) for order in found])


def all_orders(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`allOrders`: orders of one market by when they were made, oldest first; seven days at most (documented)."""
    market, window = market_asked(request, engine), window_asked(request, now_ms=engine.now_ms)
    if isinstance(market, VenueError):
        return market
    if isinstance(window, VenueError):
        return window
    made = engine.orders(market.instrument.market, since_ms=window.since_ms, as_of_ms=request.as_of_ms)
    found = [order for order in made if order.created_at_ms <= window.until_ms and _is_kept(order, engine)]
    chosen = found[-window.limit :] if window.latest else found[: window.limit]
    return Success(payload=[order_row(order, market) for order in chosen])


def user_trades(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`userTrades`: our trades of one market, oldest first; seven days at most (documented)."""
    market, window = market_asked(request, engine), window_asked(request, now_ms=engine.now_ms)
    if isinstance(market, VenueError):
        return market
    if isinstance(window, VenueError):
        return window
    wanted = request.parameters.get("orderId", "")
    fills = engine.fills(market.instrument.market, since_ms=window.since_ms, as_of_ms=request.as_of_ms)
    found = [f for f in fills if f.time_ms <= window.until_ms and wanted in ("", f.venue_order_id)]
    chosen = found[-window.limit :] if window.latest else found[: window.limit]
    placed = {order.venue_order_id: order for order in engine.all_orders()}
    return Success(payload=[trade_row(fill, placed[fill.venue_order_id], market) for fill in chosen])


def _order_named(request: VenueRequest, engine: VenueEngine) -> EngineOrder | VenueError | None:
    market, name = market_asked(request, engine), order_name(request.parameters)
    if isinstance(market, VenueError):
        return market
    if isinstance(name, VenueError):
        return name
    found = engine.order(
        market.instrument.market,
        client_order_id=name.client_order_id,
        venue_order_id=name.venue_order_id,
        as_of_ms=request.as_of_ms,
    )
    return found if found is not None and _is_kept(found, engine) else None


def _is_kept(order: EngineOrder, engine: VenueEngine) -> bool:
    return not order.status.is_final or order.filled > 0 or engine.now_ms - order.created_at_ms <= UNFILLED_KEPT_MS
