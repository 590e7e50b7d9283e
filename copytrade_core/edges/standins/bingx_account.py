"""BingX's account endpoints over the engine: balance, positions, position mode, leverage, permissions of the key.

Orders are elsewhere.
"""

from __future__ import annotations

from copytrade_core.edges.standins.bingx_account_rows import balance_row, position_row
from copytrade_core.edges.standins.bingx_errors import NO_PERMISSION, InvalidRequest
from copytrade_core.edges.standins.bingx_numbers import money_text
from copytrade_core.edges.standins.bingx_parameters import POSITION_SIDES, invalid, whole_number
from copytrade_core.edges.standins.bingx_rows import Row
from copytrade_core.edges.standins.bingx_trade import Answer, market_named
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

SPOT, READ, PERPETUAL, WITHDRAW = 1, 2, 3, 5
"""Numbers of the permissions (documented)."""


def balance(_request: VenueRequest, engine: VenueEngine) -> Answer:
    """`v3 user/balance`: one row per asset, here USDT."""
    unrealised = sum(
        engine.markets[each.market].instrument.money_per_tick_step
        * (engine.mark(each.market) - each.entry_price)
        * each.quantity
        * each.side.sign
        for each in engine.positions()
    )
    return Success(payload=[balance_row(engine.balance(), unrealised)])


def positions(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`user/positions`: open positions of one market or of all; flat is an empty list."""
    symbol = request.parameters.get("symbol", "")
    asked: Market | None = None
    if symbol:
        market = market_named(engine, symbol)
        if not isinstance(market, VenueMarket):
            return market
        asked = Market(market.instrument.market)
    rows = [
        position_row(
            each,
            engine.markets[each.market],
            mark=engine.mark(each.market),
            leverage=engine.leverage(each.market, each.side),
            mode=engine.position_mode,
            now_ms=engine.now_ms,
        )
        for each in engine.positions(asked, as_of_ms=request.as_of_ms)
    ]
    return Success(payload=rows)


def position_mode(_request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET positionSide/dual`: the mode, as text."""
    return Success(payload=_mode_row(engine))


def set_position_mode(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST positionSide/dual`: changes the mode while there is neither position nor order (documented)."""
    if not request.key.can_trade:
        return NO_PERMISSION
    wanted = {"true": PositionMode.HEDGE, "false": PositionMode.ONE_WAY}.get(
        request.parameters.get("dualSidePosition", "")
    )
    if wanted is None:
        return invalid(InvalidRequest.MISSING, name="dualSidePosition")
    refusal = engine.set_position_mode(wanted)
    return Success(payload=_mode_row(engine)) if refusal is None else refusal


def leverage(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET trade/leverage`: the leverage of both sides of a market."""
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    unified = Market(market.instrument.market)
    return Success(
        payload={
            "longLeverage": engine.leverage(unified, Side.LONG),
            "shortLeverage": engine.leverage(unified, Side.SHORT),
            "maxLongLeverage": engine.rules.leverage_max,
            "maxShortLeverage": engine.rules.leverage_max,
            **_available(engine, unified, Side.LONG),
        }
    )


def set_leverage(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST trade/leverage`: LONG or SHORT in hedge mode, BOTH in one-way mode (documented)."""
    if not request.key.can_trade:
        return NO_PERMISSION
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    wanted = whole_number(request.parameters, "leverage")
    if isinstance(wanted, VenueError):
        return wanted
    side = request.parameters.get("side", "")
    if wanted is None or not side:
        return invalid(InvalidRequest.MISSING, name="side" if wanted is not None else "leverage")
    is_hedged = engine.position_mode is PositionMode.HEDGE
    if side not in POSITION_SIDES or (POSITION_SIDES[side] is None) is is_hedged:
        return invalid(InvalidRequest.SIDE_IN_HEDGE_MODE if is_hedged else InvalidRequest.SIDE_IN_ONE_WAY_MODE)
    unified = Market(market.instrument.market)
    which = POSITION_SIDES[side] or Side.LONG
    refusal = engine.set_leverage(unified, which, wanted)
    if refusal is not None:
        return refusal
    return Success(payload={"leverage": wanted, "symbol": market.symbol, **_available(engine, unified, which)})


def permissions(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`account/apiPermissions`: what the key may do, by number."""
    rights = [READ] + [PERPETUAL] * request.key.can_trade + [WITHDRAW] * request.key.can_withdraw
    return Success(
        payload={
            "apiKey": request.key.api_key,
            "permissions": rights,
            "ipAddresses": ["127.0.0.1"] if request.key.ip_restricted else [],
            "note": "stand-in",
        }
    )


def _mode_row(engine: VenueEngine) -> Row:
    return {"dualSidePosition": "true" if engine.position_mode is PositionMode.HEDGE else "false"}


def _available(engine: VenueEngine, market: Market, side: Side) -> Row:
    """What free margin buys at the leverage: one number for both sides (assumed)."""
    value = engine.balance().free * engine.leverage(market, side)
    instrument = engine.markets[market].instrument
    volume = f"{instrument.quantity(instrument.quantity_for(value, engine.mark(market))):f}"
    text = money_text(value)
    return {
        "availableLongVol": volume,
        "availableShortVol": volume,
        "availableLongVal": text,
        "availableShortVal": text,
        "maxPositionLongVal": text,
        "maxPositionShortVal": text,
    }
