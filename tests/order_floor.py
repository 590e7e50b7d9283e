"""What tests of orders stand on: an order, its row in every state, and what a venue may say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from copytrade_core.model.intent import IntentKind, LimitStyle, MarketStyle, OrderStyle
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import VenueFill, VenueOrder, VenueOrderStatus, VenuePosition
from copytrade_core.orders.lifecycle import journalled, planned
from tests.trading_floor import BTC, START_MS, instrument

WINDOW_MS = 5_000


def an_order(
    name: str = "cabc",
    *,
    kind: IntentKind = IntentKind.OPEN,
    side: Side = Side.LONG,
    quantity: int = 100,
    limit: int | None = None,
    leg: str = "base",
    episode_id: str = "episode",
) -> Order:
    style: OrderStyle = MarketStyle() if limit is None else LimitStyle(price=Ticks(limit), post_only=False)
    notional = instrument().notional(limit or 100_000, quantity)
    return Order(
        client_order_id=name,
        kind=kind,
        episode_id=episode_id,
        market=BTC,
        side=side,
        leg=leg,
        replaces=leg,
        buys=side.entry_buys if kind.is_entry else side.exit_buys,
        reduce_only=not kind.is_entry,
        style=style,
        quantity=Steps(quantity),
        worst_notional=notional if kind.is_entry else Money(0),
        live_from_ms=START_MS,
        expires_at_ms=None,
        reason="a test",
    )


def planned_row(order: Order | None = None) -> OrderRow:
    return planned(order or an_order(), intent_digest="digest", now_ms=START_MS)


def sent_row(order: Order | None = None) -> OrderRow:
    return journalled(planned_row(order), now_ms=START_MS, deadline_ms=START_MS + WINDOW_MS)


def venue_order(row: OrderRow, status: VenueOrderStatus = VenueOrderStatus.OPEN, filled: int = 0) -> VenueOrder:
    return VenueOrder(
        client_order_id=row.order.client_order_id,
        venue_order_id="v1",
        market=row.order.market,
        buys=row.order.buys,
        status=status,
        quantity=row.order.quantity,
        filled=Steps(filled),
        created_at_ms=START_MS,
    )


def trade(trade_id: str = "t1", *, venue_order_id: str = "v1", quantity: int = 100, **changes: Any) -> VenueFill:
    one = VenueFill(
        trade_id=trade_id,
        venue_order_id=venue_order_id,
        market=BTC,
        buys=True,
        price=Ticks(100_000),
        quantity=Steps(quantity),
        fee=Money(5),
        is_maker=False,
        time_ms=START_MS,
    )
    return replace(one, **changes)


def position(quantity: int, side: Side = Side.LONG) -> VenuePosition:
    return VenuePosition(market=BTC, side=side, quantity=Steps(quantity), entry_price=Ticks(100_000))
