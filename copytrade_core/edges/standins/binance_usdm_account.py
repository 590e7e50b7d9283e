"""Binance USD-M's account endpoints over the engine: balance, positions, mode, leverage, rights of the key."""

from __future__ import annotations

from copytrade_core.edges.standins.binance_usdm_errors import ORDERS_EXIST, POSITION_EXISTS, SAME_MODE, InvalidRequest
from copytrade_core.edges.standins.binance_usdm_parameters import invalid, market_asked
from copytrade_core.edges.standins.binance_usdm_rows import Row, account_row, bracket_row, position_row, rights_row
from copytrade_core.edges.standins.plain_numbers import count_of
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

NOTIONAL_VALUE_MAX = "1000000"
DONE: Row = {"code": 200, "msg": "success"}
Answer = Success | VenueError | VenueRefusal
_ACCOUNT_POSITION = (
    "symbol",
    "positionSide",
    "positionAmt",
    "isolatedMargin",
    "notional",
    "isolatedWallet",
    "initialMargin",
    "maintMargin",
    "updateTime",
)


def account(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`v3/account`: money, and the positions in short."""
    balance = engine.balance()
    shown = [
        {name: row[name] for name in _ACCOUNT_POSITION} | {"unrealizedProfit": row["unRealizedProfit"]}
        for row in _positions(request, engine, None)
    ]
    return Success(payload=account_row(balance, balance.equity - engine.cash, shown, engine.now_ms))


def position_risk(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`v3/positionRisk`: open positions only, of one market or of all; flat is an empty list (documented)."""
    if not request.parameters.get("symbol"):
        return Success(payload=_positions(request, engine, None))
    market = market_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    return Success(payload=_positions(request, engine, market.instrument.market))


def position_mode(_request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET positionSide/dual`."""
    return Success(payload={"dualSidePosition": engine.position_mode is PositionMode.HEDGE})


def set_position_mode(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST positionSide/dual`: refused for the mode that is set, and while there are positions or orders."""
    wanted = request.parameters.get("dualSidePosition", "").lower()
    if wanted not in ("true", "false"):
        return invalid(InvalidRequest.MISSING, "dualSidePosition")
    mode = PositionMode.HEDGE if wanted == "true" else PositionMode.ONE_WAY
    if mode is engine.position_mode:
        return SAME_MODE
    if engine.set_position_mode(mode) is None:
        return Success(payload=DONE)
    return ORDERS_EXIST if engine.open_orders() else POSITION_EXISTS


def set_leverage(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST leverage`: of a market, both sides at once."""
    market = market_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    wanted = count_of(request.parameters.get("leverage", ""))
    if wanted is None:
        return invalid(InvalidRequest.MISSING, "leverage")
    for side in Side:
        refusal = engine.set_leverage(market.instrument.market, side, wanted)
        if refusal is not None:
            return refusal
    return Success(payload={"leverage": wanted, "maxNotionalValue": NOTIONAL_VALUE_MAX, "symbol": market.symbol})


def symbol_config(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`symbolConfig`: leverage and margin type by market; margin is always cross."""
    markets = _markets(request, engine)
    if isinstance(markets, VenueError):
        return markets
    rows: list[Row] = [
        {
            "symbol": market.symbol,
            "marginType": "CROSSED",
            "isAutoAddMargin": False,
            "leverage": engine.leverage(market.instrument.market, Side.LONG),
            "maxNotionalValue": NOTIONAL_VALUE_MAX,
        }
        for market in markets
    ]
    return Success(payload=rows)


def leverage_bracket(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`leverageBracket`: what ccxt reads before it reads positions."""
    markets = _markets(request, engine)
    if isinstance(markets, VenueError):
        return markets
    return Success(payload=[bracket_row(market, engine.rules) for market in markets])


def rights(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`account/apiRestrictions` of the spot host."""
    return Success(payload=rights_row(request.key))


def _markets(request: VenueRequest, engine: VenueEngine) -> list[VenueMarket] | VenueError:
    if not request.parameters.get("symbol"):
        return list(engine.markets.values())
    market = market_asked(request, engine)
    return market if isinstance(market, VenueError) else [market]


def _positions(request: VenueRequest, engine: VenueEngine, market: Market | None) -> list[Row]:
    return [
        position_row(
            held,
            engine.markets[held.market],
            mark=engine.mark(held.market),
            leverage=engine.leverage(held.market, held.side),
            mode=engine.position_mode,
            now_ms=engine.now_ms,
        )
        for held in engine.positions(market, as_of_ms=request.as_of_ms)
    ]
