"""Every order and fill of a virtual account, found by id, by market and by time without looking at the others.

What may be placed and what fills is decided elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import VenueFill, VenueOrderStatus
from copytrade_core.virtual_exchange.venue_ask import EngineOrder


class VenueShelf:
    """Orders in order of arrival, fills in order of time. The latest order of a client id is the one it finds."""

    def __init__(self) -> None:
        self.orders: dict[str, EngineOrder] = {}
        self.working: dict[Market, dict[str, None]] = {}
        self.fills: list[VenueFill] = []
        self._latest: dict[str, str] = {}
        self._ids: dict[Market, list[str]] = {}
        self._created: dict[Market, list[int]] = {}
        self._fills: dict[Market, list[VenueFill]] = {}
        self._filled_at: dict[Market, list[int]] = {}

    def add(self, order: EngineOrder) -> None:
        """A new order."""
        self._ids.setdefault(order.market, []).append(order.venue_order_id)
        self._created.setdefault(order.market, []).append(order.created_at_ms)
        if order.client_order_id is not None:
            self._latest[order.client_order_id] = order.venue_order_id
        self.put(order)

    def put(self, order: EngineOrder) -> None:
        """An order as it stands now."""
        self.orders[order.venue_order_id] = order
        working = self.working.get(order.market)
        if not order.status.is_final:
            if working is None:
                working = self.working[order.market] = {}
            working[order.venue_order_id] = None
        elif working is not None:
            _ = working.pop(order.venue_order_id, None)
            if not working:
                del self.working[order.market]

    def fill(self, fill: VenueFill) -> None:
        """A new fill."""
        self.fills.append(fill)
        self._fills.setdefault(fill.market, []).append(fill)
        self._filled_at.setdefault(fill.market, []).append(fill.time_ms)

    def by_client_id(self, client_order_id: str) -> EngineOrder | None:
        """The latest order that carried an id."""
        venue_order_id = self._latest.get(client_order_id)
        return None if venue_order_id is None else self.orders[venue_order_id]

    def working_orders(self, market: Market | None) -> Iterator[EngineOrder]:
        """Orders that are not final, by market in order of arrival."""
        groups: Iterable[dict[str, None]]
        groups = self.working.values() if market is None else (self.working.get(market, {}),)
        return (self.orders[venue_order_id] for group in groups for venue_order_id in group)

    def orders_since(self, market: Market, since_ms: int) -> Iterator[EngineOrder]:
        """Orders of one market created at or after an instant."""
        first = bisect_left(self._created.get(market, []), since_ms)
        return (self.orders[venue_order_id] for venue_order_id in self._ids.get(market, [])[first:])

    def fills_since(self, market: Market, since_ms: int) -> list[VenueFill]:
        """Fills of one market at or after an instant."""
        return self._fills.get(market, [])[bisect_left(self._filled_at.get(market, []), since_ms) :]


def as_it_stood(order: EngineOrder, fills: Iterable[VenueFill], at_ms: int) -> tuple[VenueOrderStatus, Steps] | None:
    """Status and filled steps of an order at an earlier instant; None before it existed."""
    if order.created_at_ms > at_ms:
        return None
    if order.updated_at_ms <= at_ms:
        return order.status, order.filled
    filled = sum(f.quantity for f in fills if f.venue_order_id == order.venue_order_id and f.time_ms <= at_ms)
    return (VenueOrderStatus.PARTIALLY_FILLED if filled else VenueOrderStatus.OPEN), Steps(filled)
