"""A virtual account as bytes and back: a venue outlives its process. Rules, markets and prices are not in it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, OrderStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ppm, Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue, VenueFill, VenueOrderStatus
from copytrade_core.virtual_exchange.venue_account import FLAT, LegChange
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, FundingPayment, PlaceAsk, VenueCall
from copytrade_core.virtual_exchange.venue_books import VenueBooks
from copytrade_core.virtual_exchange.venue_rules import Basis

SCHEMA = 1


class _Style(msgspec.Struct, array_like=True):
    kind: str
    price: Ticks
    post_only: bool


class _Order(msgspec.Struct):
    client_order_id: str | None
    venue_order_id: str
    market: Market
    buys: bool
    position_side: Side | None
    reduce_only: bool
    closes: bool
    style: _Style
    status: VenueOrderStatus
    quantity: Steps
    filled: Steps
    quote: Money
    fees: Money
    created_at_ms: int
    updated_at_ms: int
    triggered: bool
    slippage: Ppm | None
    cut_at: Steps | None
    rest_at_ms: int | None
    why: str


class _Ask(msgspec.Struct):
    client_order_id: str | None
    market: Market
    buys: bool
    position_side: Side | None
    reduce_only: bool | None
    style: _Style
    quantity: Steps


class _State(msgspec.Struct):
    schema: int
    venue: Venue
    now_ms: int
    mode: PositionMode
    cash: Money
    history: list[LegChange]
    orders: list[_Order]
    fills: list[VenueFill]
    leverages: list[tuple[Market, Side, int]]
    taken: dict[Market, tuple[int, int]]
    hidden: dict[str, tuple[int, list[VenueCall]]]
    delayed: list[tuple[int, int, _Ask]]
    delays_count: int
    funding: list[FundingPayment]
    used: dict[str, Basis]
    orders_count: int


def stored(books: VenueBooks, delays_count: int) -> bytes:
    """The account as bytes: the same account, the same bytes."""
    state = _State(
        schema=SCHEMA,
        venue=books.rules.venue,
        now_ms=books.now_ms,
        mode=books.mode,
        cash=books.account.cash,
        history=books.account.history,
        orders=[_Order(**_plain(order)) for order in books.shelf.orders.values()],
        fills=books.shelf.fills,
        leverages=sorted((market, side, leverage) for (market, side), leverage in books.leverages.items()),
        taken=books.taken,
        hidden={key: (until_ms, sorted(calls)) for key, (until_ms, calls) in books.hidden.items()},
        delayed=sorted((at_ms, number, _Ask(**_plain(ask))) for at_ms, number, ask in books.delayed),
        delays_count=delays_count,
        funding=books.funding,
        used=dict(sorted(books.used.items())),
        orders_count=books.orders_count,
    )
    return msgspec.json.encode(state)


def restore(books: VenueBooks, data: bytes) -> int:
    """Fill empty books with a stored account; returns its count of delayed orders.

    Raises:
        BadInput: bytes that are no account, of another schema or of another venue.
    """
    try:
        state = msgspec.json.decode(data, type=_State)
    except msgspec.MsgspecError as error:
        raise BadInput(f"The virtual account cannot be read: {error}", where=Where(field="state")) from error
    if state.schema != SCHEMA or state.venue is not books.rules.venue:
        raise BadInput(
            f"The virtual account is one of {state.venue.value}, schema {state.schema}", where=Where(field="venue")
        )
    books.now_ms, books.mode, books.orders_count = state.now_ms, state.mode, state.orders_count
    books.account.cash = state.cash
    books.account.history = state.history
    for line in state.history:
        _ = books.account.legs.pop((line.market, line.leg), None) if line.held == FLAT else None
        if line.held != FLAT:
            books.account.legs[line.market, line.leg] = line.held
    for row in state.orders:
        books.shelf.add(EngineOrder(**_whole(row)))
    for fill in state.fills:
        books.shelf.fill(fill)
    books.leverages = {(market, side): leverage for market, side, leverage in state.leverages}
    books.taken = state.taken
    books.hidden = {key: (until_ms, frozenset(calls)) for key, (until_ms, calls) in state.hidden.items()}
    books.delayed = [(at_ms, number, PlaceAsk(**_whole(ask))) for at_ms, number, ask in state.delayed]
    books.funding = state.funding
    books.used = state.used
    return state.delays_count


def _plain(value: EngineOrder | PlaceAsk) -> dict[str, Any]:
    plain: dict[str, Any] = {item.name: getattr(value, item.name) for item in fields(value)}
    plain["style"] = _styled(value.style)
    return plain


def _whole(row: _Order | _Ask) -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.structs.asdict(row)
    whole["style"] = _style(row.style)
    return whole


def _styled(style: OrderStyle) -> _Style:
    match style:
        case MarketStyle():
            return _Style("market", Ticks(0), post_only=False)
        case LimitStyle(price=price, post_only=post_only):
            return _Style("limit", price, post_only=post_only)
        case StopStyle(trigger=trigger):
            return _Style("stop", trigger, post_only=False)


def _style(style: _Style) -> OrderStyle:
    match style.kind:
        case "market":
            return MarketStyle()
        case "limit":
            return LimitStyle(price=style.price, post_only=style.post_only)
        case "stop":
            return StopStyle(trigger=style.price)
        case _:
            raise BadInput(f"an order style is unknown: {style.kind}", where=Where(field="style"))
