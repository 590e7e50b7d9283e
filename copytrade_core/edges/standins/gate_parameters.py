"""What a Gate request asks for: its parameters read into a `PlaceAsk`, a contract, a range of seconds.

Sizes are contracts, positive to buy and negative to sell. A value that cannot be read is the venue's error, never an
exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from copytrade_core.edges.standins.gate_errors import GATE_ERRORS, INVALID, InvalidRequest
from copytrade_core.edges.standins.plain_numbers import count_of, decimal_of, multiples_of
from copytrade_core.edges.standins.venue_dialect import VenueError, VenueRequest
from copytrade_core.model.intent import LimitStyle, MarketStyle, OrderStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import STEPS_MAX, TICKS_MAX, Steps, Ticks
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import VenueRule

ROWS_USUAL, ROWS_MAX = 100, 1000
SIZE_HEADER = "x-gate-size-decimal"
"""Documented: with the value 1 every field that counts contracts is text instead of an integer."""
_TIF_USUAL = "gtc"
_CLOSES: Mapping[str, Side] = {"close_long": Side.LONG, "close_short": Side.SHORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which rows of a list are asked for: times in ms, `until_ms` inclusive."""

    since_ms: int
    until_ms: int
    offset: int
    limit: int


def invalid(kind: InvalidRequest, name: str = "") -> VenueError:
    """The venue's error for a parameter, with its name filled in."""
    error = INVALID[kind]
    return replace(error, message=error.message.format(name=name))


def speaks_text(request: VenueRequest) -> bool:
    """Whether sizes are answered as text."""
    return request.headers.get(SIZE_HEADER) == "1"


def is_yes(text: str | None) -> bool:
    """A flag of the query or of the JSON body."""
    return (text or "").lower() == "true"


def contract_asked(request: VenueRequest, engine: VenueEngine) -> VenueMarket | VenueError:
    """The market that the parameter `contract` names."""
    name = request.parameters.get("contract", "")
    if not name:
        return invalid(InvalidRequest.MISSING, "contract")
    found = next((market for market in engine.markets.values() if market.symbol == name), None)
    return GATE_ERRORS[VenueRule.UNKNOWN_MARKET] if found is None else found


def window_asked(request: VenueRequest) -> Window | VenueError:
    """The rows asked for by `from`, `to` (seconds), `offset` and `limit`."""
    usual = {"from": 0, "to": request.now_ms // 1000, "offset": 0, "limit": ROWS_USUAL}
    read: dict[str, int] = {}
    for name, absent in usual.items():
        count = count_of(request.parameters.get(name) or str(absent))
        if count is None or (name == "limit" and not 1 <= count <= ROWS_MAX):
            return invalid(InvalidRequest.UNREADABLE, name)
        read[name] = count
    return Window(
        since_ms=read["from"] * 1000, until_ms=read["to"] * 1000 + 999, offset=read["offset"], limit=read["limit"]
    )


def place_ask(request: VenueRequest, engine: VenueEngine, market: VenueMarket) -> PlaceAsk | VenueError:
    """The order that a request asks for.

    In dual mode the side of the position follows from direction and `reduce_only`: a plain sale opens a short
    (observed), a reducing one takes from the long (documented).
    """
    given = request.parameters
    size = decimal_of(given.get("size", ""))
    if size is None:
        return invalid(InvalidRequest.UNREADABLE, "size")
    if size == 0:
        return _closing_ask(given, engine, market)
    contracts = multiples_of(abs(size), Decimal(1))
    if contracts is None or contracts * market.contract_steps > STEPS_MAX:
        return invalid(InvalidRequest.UNREADABLE, "size")
    style = _style(given, market)
    if isinstance(style, VenueError):
        return style
    buys, reduces = size > 0, is_yes(given.get("reduce_only"))
    is_dual = engine.position_mode is PositionMode.HEDGE
    return PlaceAsk(
        client_order_id=given.get("text") or None,
        market=market.instrument.market,
        buys=buys,
        position_side=(Side.LONG if buys != reduces else Side.SHORT) if is_dual else None,
        reduce_only=reduces,
        style=style,
        quantity=Steps(contracts * market.contract_steps),
    )


def _closing_ask(given: Mapping[str, str], engine: VenueEngine, market: VenueMarket) -> PlaceAsk | VenueError:
    """Size 0: `close` takes all of the single position, `auto_size` all of one side (both documented)."""
    is_dual = engine.position_mode is PositionMode.HEDGE
    side = _CLOSES.get(given.get("auto_size", ""))
    if (side is None) is is_dual or (not is_dual and not is_yes(given.get("close"))):
        return invalid(InvalidRequest.ZERO_SIZE)
    held = [p for p in engine.positions(market.instrument.market) if side in (None, p.side)]
    if not held:
        return GATE_ERRORS[VenueRule.NO_POSITION]
    style = _style(given, market)
    if isinstance(style, VenueError):
        return style
    return PlaceAsk(
        client_order_id=given.get("text") or None,
        market=market.instrument.market,
        buys=held[0].side.exit_buys,
        position_side=side,
        reduce_only=True,
        style=style,
        quantity=held[0].quantity,
    )


def _style(given: Mapping[str, str], market: VenueMarket) -> OrderStyle | VenueError:
    price, tif = decimal_of(given.get("price") or "0"), given.get("tif") or _TIF_USUAL
    if price is None or price < 0:
        return invalid(InvalidRequest.UNREADABLE, "price")
    if price == 0:
        return MarketStyle() if tif == "ioc" else invalid(InvalidRequest.MARKET_NEEDS_IOC)
    if tif not in ("gtc", "poc"):
        return invalid(InvalidRequest.UNREADABLE, "tif")
    ticks = multiples_of(price, market.instrument.tick_size)
    if ticks is None or ticks > TICKS_MAX:
        return GATE_ERRORS[VenueRule.OFF_GRID]
    return LimitStyle(price=Ticks(ticks), post_only=tif == "poc")
