"""Orders and venues as the tests of the broker need them."""

from __future__ import annotations

from types import ModuleType

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind, MarketStyle, OrderStyle
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps
from copytrade_core.model.venue import Venue
from tests.edges.venues import binance_script, bingx_script, gate_script
from tests.edges.venues.scripted_venue import NOW_MS

BTC = Market("BTC/USDT:USDT")
ID = "c" + "a" * 25
SCRIPTS: dict[Venue, ModuleType] = {
    Venue.BINGX: bingx_script,
    Venue.GATE: gate_script,
    Venue.BINANCE: binance_script,
}
ORDER_PATH = {Venue.BINGX: bingx_script.ORDER, Venue.GATE: gate_script.ORDERS, Venue.BINANCE: binance_script.ORDER}
POSITION_PATH = {
    Venue.BINGX: bingx_script.POSITIONS,
    Venue.GATE: gate_script.POSITIONS,
    Venue.BINANCE: binance_script.POSITIONS,
}


def an_order(
    style: OrderStyle | None = None,
    *,
    side: Side = Side.LONG,
    reduces: bool = False,
    quantity: int = 100,
    client_order_id: str = ID,
    market: str = BTC,
) -> Order:
    """A market order to open 0.01 BTC (100 steps at BingX and Gate, of 1000 at Binance 10)."""
    return Order(
        client_order_id=client_order_id,
        kind=IntentKind.CLOSE if reduces else IntentKind.OPEN,
        episode_id="e1",
        market=Market(market),
        side=side,
        leg="",
        replaces="",
        buys=side.exit_buys if reduces else side.entry_buys,
        reduce_only=reduces,
        style=style or MarketStyle(),
        quantity=Steps(quantity),
        worst_notional=Money(0),
        live_from_ms=NOW_MS,
        expires_at_ms=None,
        reason="test",
    )
