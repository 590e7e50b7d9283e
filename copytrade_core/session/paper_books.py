"""What a paper account has: orders, trades, positions and money. What fills, and when, is not decided here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import LimitStyle
from copytrade_core.model.order import Order
from copytrade_core.model.units import Money, Steps
from copytrade_core.model.venue import FillTerms, VenueFill, VenueOrder, VenueOrderStatus
from copytrade_core.session.paper_account import PaperAccount


class PaperBooks:
    """Everything of one account that a query may ask for.

    Args:
        instruments: trading rules by market.
        cash: quote money at the beginning.
    """

    def __init__(self, *, instruments: Mapping[str, Instrument], cash: Money) -> None:
        self.account = PaperAccount(instruments=instruments, cash=cash)
        self._orders: dict[str, VenueOrder] = {}
        self._working: dict[str, Order] = {}
        self._fills: list[VenueFill] = []
        self._charges: dict[str, Money] = {}

    # -- changes ----------------------------------------------------------------------------------------------------

    def placed(self, order: Order, at_ms: int) -> str:
        """An order works from now on; gives the account's own id of it."""
        venue_order_id = f"paper{len(self._orders) + 1}"
        self._working[order.client_order_id] = order
        self._orders[order.client_order_id] = VenueOrder(
            client_order_id=order.client_order_id,
            venue_order_id=venue_order_id,
            market=order.market,
            buys=order.buys,
            status=VenueOrderStatus.OPEN,
            quantity=order.quantity,
            filled=Steps(0),
            created_at_ms=at_ms,
        )
        return venue_order_id

    def ended(self, client_order_id: str, status: VenueOrderStatus) -> Order:
        """A working order ends; all of it has filled, or nothing."""
        order = self._working.pop(client_order_id)
        filled = order.quantity if status is VenueOrderStatus.FILLED else Steps(0)
        self._orders[client_order_id] = replace(self._orders[client_order_id], status=status, filled=filled)
        return order

    def filled(self, fill: Fill) -> bool:
        """Book a fill; False when it reduces what is not held, so that its order expires without one."""
        if not fill.kind.is_entry and fill.quantity > self.account.held(fill.market, fill.side):
            _ = self.ended(fill.client_order_id, VenueOrderStatus.EXPIRED)
            return False
        self.account.apply(fill)
        order = self.ended(fill.client_order_id, VenueOrderStatus.FILLED)
        self._fills.append(
            VenueFill(
                trade_id=str(len(self._fills) + 1),
                venue_order_id=self._orders[fill.client_order_id].venue_order_id,
                market=fill.market,
                buys=fill.buys,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
                is_maker=isinstance(order.style, LimitStyle),
                time_ms=fill.time_ms,
                terms=FillTerms(
                    raw_price=fill.raw_price, slippage=fill.slippage, model=fill.model, bar_open_ms=fill.bar_open_ms
                ),
            )
        )
        return True

    def charged(self, charge_id: str, cost: Money) -> None:
        """Funding was paid, or received."""
        self._charges[charge_id] = cost
        self.account.charge(cost)

    # -- queries ----------------------------------------------------------------------------------------------------

    @property
    def charges(self) -> Mapping[str, Money]:
        """What was paid under each id."""
        return self._charges

    @property
    def trades(self) -> tuple[VenueFill, ...]:
        """Every trade of the account, oldest first."""
        return tuple(self._fills)

    def order(self, client_order_id: str) -> VenueOrder | None:
        """One order, final ones included."""
        return self._orders.get(client_order_id)

    def working(self, client_order_id: str) -> Order | None:
        """One working order."""
        return self._working.get(client_order_id)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Everything that works."""
        return tuple(self._orders[order_id] for order_id in self._working)

    def orders(self, market: Market, since_ms: int) -> tuple[VenueOrder, ...]:
        """Orders of a market created since a time."""
        found = (order for order in self._orders.values() if order.market == market)
        return tuple(order for order in found if order.created_at_ms >= since_ms)

    def fills(self, market: Market, since_ms: int) -> tuple[VenueFill, ...]:
        """Trades of a market since a time, oldest first."""
        found: list[VenueFill] = []
        for fill in reversed(self._fills):
            if fill.time_ms < since_ms:
                break
            if fill.market == market:
                found.append(fill)
        return tuple(reversed(found))
