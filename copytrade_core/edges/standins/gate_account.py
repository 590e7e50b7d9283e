"""Gate's account endpoints over the engine: balance, positions, mode, leverage, what the key may do. No orders."""

from __future__ import annotations

from decimal import Decimal

from copytrade_core.edges.standins.gate_errors import InvalidRequest
from copytrade_core.edges.standins.gate_parameters import contract_asked, invalid, is_yes, speaks_text
from copytrade_core.edges.standins.gate_rows import Leg, Row, account_row, detail_row, key_row, position_row
from copytrade_core.edges.standins.plain_numbers import decimal_of, multiples_of
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.side import Side
from copytrade_core.model.units import ceil_div
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import Basis

NO_CHANGE = VenueError(status=400, code="NO_CHANGE", message="No change is made", basis=Basis.ASSUMED)
Answer = Success | VenueError | VenueRefusal


def account(_request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/accounts`: money and the position mode."""
    return Success(payload=_account(engine))


def positions(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/positions`: two rows a contract in dual mode.

    Contracts that were traded before stay in the list with size 0 unless `holding` asks for what is held (assumed).
    """
    held = {each.market for each in engine.positions(as_of_ms=request.as_of_ms)}
    holding = is_yes(request.parameters.get("holding"))
    rows: list[Row] = []
    for name, market in engine.markets.items():
        if name in held or (not holding and engine.fills(name, since_ms=0)):
            rows.extend(_legs(request, engine, market))
    return Success(payload=[row for row in rows if not holding or row["size"] not in (0, "0")])


def position(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/positions/{contract}`: one row, in dual mode a list of two (assumed)."""
    market = contract_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    return Success(payload=_one_or_two(_legs(request, engine, market)))


def set_dual_mode(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST futures/usdt/dual_mode`: answers with the account."""
    wanted = request.parameters.get("dual_mode", "").lower()
    if wanted not in ("true", "false"):
        return invalid(InvalidRequest.MISSING, "dual_mode")
    mode = PositionMode.HEDGE if is_yes(wanted) else PositionMode.ONE_WAY
    if mode is engine.position_mode:
        return NO_CHANGE
    refusal = engine.set_position_mode(mode)
    return Success(payload=_account(engine)) if refusal is None else refusal


def set_leverage(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST futures/usdt/positions/{contract}/leverage`: both sides at once; in dual mode a list of two (observed).

    `leverage` 0 means cross margin with `cross_leverage_limit` (documented). The account is always cross: an isolated
    leverage is taken as the number and echoed.
    """
    market = contract_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    isolated = _leverage(request.parameters.get("leverage", ""))
    cross = _leverage(request.parameters.get("cross_leverage_limit") or "0")
    if isolated is None or cross is None:
        return invalid(InvalidRequest.UNREADABLE, "leverage")
    for side in Side:
        refusal = engine.set_leverage(market.instrument.market, side, isolated or cross)
        if refusal is not None:
            return refusal
    shown: Row = {"leverage": str(isolated), "cross_leverage_limit": "0" if isolated else str(cross)}
    return Success(payload=_one_or_two([row | shown for row in _legs(request, engine, market)]))


def set_dual_leverage(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`POST futures/usdt/dual_comp/positions/{contract}/leverage`: always a list (documented), dual mode or not."""
    done = set_leverage(request, engine)
    if not isinstance(done, Success):
        return done
    return Success(payload=done.payload if isinstance(done.payload, list) else [done.payload])


def account_detail(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`GET account/detail`: the user and the key's addresses."""
    return Success(payload=detail_row(request.key))


def main_keys(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`GET account/main_keys`: what the key may do."""
    return Success(payload=key_row(request.key))


def _leverage(text: str) -> int | None:
    value = decimal_of(text)
    return None if value is None or value < 0 else multiples_of(value, Decimal(1))


def _one_or_two(rows: list[Row]) -> object:
    return rows[0] if len(rows) == 1 else rows


def _legs(request: VenueRequest, engine: VenueEngine, market: VenueMarket) -> list[Row]:
    name, as_text = market.instrument.market, speaks_text(request)
    held = engine.positions(name, as_of_ms=request.as_of_ms)
    sides: tuple[Side | None, ...] = tuple(Side) if engine.position_mode is PositionMode.HEDGE else (None,)
    working = engine.open_orders(name)
    rows: list[Row] = []
    for side in sides:
        found = next((each for each in held if side in (None, each.side)), None)
        leg = Leg(
            side=side,
            held=found,
            mark=engine.mark(name),
            leverage=engine.leverage(name, side or (found.side if found else Side.LONG)),
            orders_count=sum(order.position_side is side for order in working),
        )
        rows.append(position_row(leg, market, engine.rules, now_ms=engine.now_ms, as_text=as_text))
    return rows


def _account(engine: VenueEngine) -> Row:
    balance = engine.balance()
    backed = sum(
        ceil_div(
            market.instrument.notional(engine.mark(order.market), order.quantity - order.filled),
            engine.leverage(order.market, Side.LONG if order.buys else Side.SHORT),
        )
        for order in engine.open_orders()
        if not order.closes and (market := engine.markets[order.market])
    )
    return account_row(balance, balance.equity - engine.cash, backed, engine.position_mode, engine.now_ms)
