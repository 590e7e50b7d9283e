"""How one venue's calls are made through ccxt: the part that differs by venue, and nothing else.

What an outcome means, and what to do after a failure, is the broker's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from copytrade_core.edges.venues.market_table import MarketTable
from copytrade_core.edges.venues.parse import (
    Row,
)
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)

if TYPE_CHECKING:
    from copytrade_core.edges.venues.stock_client import GuardedClient

PAGE = 1000
"""Rows asked for at once; an answer that is full may be cut, so nothing is concluded from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """The arguments of `create_order`: amounts and prices as text, so that no float is made of them."""

    symbol: str
    type: str
    side: str
    amount: str
    price: str | None
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSetting:
    """What an adapter is made with. `now_ms` is our clock."""

    client: GuardedClient
    position_mode: PositionMode
    now_ms: Callable[[], int]


class VenueAdapter(ABC):
    """The calls of one venue. Each may raise whatever ccxt, the network or `parse` raises."""

    def __init__(self, setting: AdapterSetting) -> None:
        self.client = setting.client
        self.hedged = setting.position_mode is PositionMode.HEDGE
        self.now_ms = setting.now_ms

    @abstractmethod
    def load_markets(self) -> MarketTable:
        """Read the venue's markets into the client, and ours from them."""

    @abstractmethod
    def order_request(self, order: Order, table: MarketTable) -> OrderRequest:
        """What an order is to this venue."""

    def place(self, order: Order, table: MarketTable) -> Row:
        """Ask for an order, once; the answer as ccxt reads it."""
        return self.client.place(self.order_request(order, table))

    @abstractmethod
    def cancel(self, market: VenueMarket, client_order_id: str) -> None:
        """Take an order back by our id."""

    @abstractmethod
    def order(self, market: VenueMarket, client_order_id: str, table: MarketTable) -> VenueOrder:
        """One order by our id."""

    @abstractmethod
    def open_orders(self, table: MarketTable) -> tuple[VenueOrder, ...]:
        """All working orders."""

    @abstractmethod
    def orders(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueOrder, ...]:
        """Orders of one market since a time."""

    @abstractmethod
    def fills(self, market: VenueMarket, since_ms: int, table: MarketTable) -> tuple[VenueFill, ...]:
        """Trades of one market since a time."""

    @abstractmethod
    def positions(self, market: Market | None, table: MarketTable) -> tuple[VenuePosition, ...]:
        """Open positions, of one market or of all."""

    @abstractmethod
    def balance(self) -> VenueBalance:
        """Quote money."""

    @abstractmethod
    def probe(self) -> VenueProbe:
        """Rights of the key, position mode, clock."""

    @abstractmethod
    def set_leverage(self, market: VenueMarket, side: Side, leverage: int) -> bool:
        """Set and read the venue's confirmation."""

    def leverage(self, market: VenueMarket, side: Side) -> int | None:
        """The leverage that is set; None where this venue is not asked for it."""
        del market, side
        return None

    def echoes(self, answered: str | None, client_order_id: str) -> bool:
        """Whether the id in an answer is ours; an answer without one says nothing against it."""
        return answered is None or answered == client_order_id

    def skew_of(self, venue_ms: int, before_ms: int, after_ms: int) -> int:
        """The venue's clock minus ours in the middle of the request."""
        return venue_ms - (before_ms + after_ms) // 2

    def unified(self, row: Row, market: VenueMarket | None) -> Row:
        """One order as ccxt reads it."""
        known = None if market is None else (self.client.stock.markets or {}).get(market.instrument.market)
        return self.client.stock.parse_order(dict(row), known)
