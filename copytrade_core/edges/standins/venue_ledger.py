"""What a venue's stand-in tells about a run for judging it: every order, fill and position, what was asked and met.

It reads the engine's truth, hidden orders included; no dialect and no judgement is here.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode, Venue, VenueFill, VenueOrderStatus, VenuePosition
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, FundingPayment, VenueCall
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import Basis


class OrderLine(msgspec.Struct, frozen=True, kw_only=True):
    """One order at the venue. Prices are ticks, quantities steps, money 1e-8; `kind` is market, limit or stop."""

    client_order_id: str | None
    venue_order_id: str
    market: Market
    buys: bool
    position_side: Side | None
    reduce_only: bool
    closes: bool
    kind: str
    price: int | None
    status: VenueOrderStatus
    quantity: int
    filled: int
    quote: int
    fees: int
    created_at_ms: int
    updated_at_ms: int
    why: str


class FaultLine(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that really happened: its kind, the call it hit, and how often."""

    kind: str
    call: str
    count: int


class VenueLedger(msgspec.Struct, frozen=True, kw_only=True):
    """One run as the venue saw it.

    `unknown_requests` are requests that the venue does not have (a redirect that was followed among them) and
    `internal_errors` what the stand-in itself could not do: a run with either is void. `dialect_used` says for every
    endpoint and every error that was answered what its words stand on. `calls` counts requests by method and path,
    `calls_by_kind` by what faults know them as.
    """

    venue: Venue
    as_of_ms: int
    position_mode: PositionMode
    cash: int
    equity: int
    orders: tuple[OrderLine, ...]
    fills: tuple[VenueFill, ...]
    positions: tuple[VenuePosition, ...]
    funding: tuple[FundingPayment, ...]
    rules_used: Mapping[str, Basis]
    dialect_used: Mapping[str, Basis]
    faults_met: tuple[FaultLine, ...]
    unknown_requests: tuple[str, ...]
    internal_errors: tuple[str, ...]
    calls: Mapping[str, int]
    calls_by_kind: Mapping[VenueCall, int]


def ledger_of(
    engine: VenueEngine,
    *,
    dialect_used: Mapping[str, Basis],
    faults_met: tuple[FaultLine, ...],
    unknown_requests: tuple[str, ...],
    internal_errors: tuple[str, ...],
    calls: Mapping[str, int],
    calls_by_kind: Mapping[VenueCall, int],
) -> VenueLedger:
    """The run so far."""
    return VenueLedger(
        venue=engine.rules.venue,
        as_of_ms=engine.now_ms,
        position_mode=engine.position_mode,
        cash=engine.cash,
        equity=engine.balance().equity,
        orders=tuple(_line(order) for order in engine.all_orders()),
        fills=engine.all_fills(),
        positions=engine.all_positions(),
        funding=engine.funding_payments(),
        rules_used=engine.rules_used(),
        dialect_used=dialect_used,
        faults_met=faults_met,
        unknown_requests=unknown_requests,
        internal_errors=internal_errors,
        calls=calls,
        calls_by_kind=calls_by_kind,
    )


def _line(order: EngineOrder) -> OrderLine:
    match order.style:
        case MarketStyle():
            kind, price = "market", None
        case LimitStyle(price=limit):
            kind, price = "limit", int(limit)
        case StopStyle(trigger=trigger):
            kind, price = "stop", int(trigger)
    return OrderLine(
        client_order_id=order.client_order_id,
        venue_order_id=order.venue_order_id,
        market=order.market,
        buys=order.buys,
        position_side=order.position_side,
        reduce_only=order.reduce_only,
        closes=order.closes,
        kind=kind,
        price=price,
        status=order.status,
        quantity=order.quantity,
        filled=order.filled,
        quote=order.quote,
        fees=order.fees,
        created_at_ms=order.created_at_ms,
        updated_at_ms=order.updated_at_ms,
        why=order.why,
    )
