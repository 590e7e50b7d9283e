"""What can be asked about a virtual account: by a client, without what a fault hides, and by a judge, with all of it.

Nothing here changes the account; a look-up that a rule decides only notes the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.model.venue import PositionMode, VenueBalance, VenueFill, VenueMarket, VenuePosition
from copytrade_core.virtual_exchange.feeds import PriceFeed
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, FundingPayment, VenueCall
from copytrade_core.virtual_exchange.venue_books import VenueBooks
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueModel, VenueRules
from copytrade_core.virtual_exchange.venue_shelf import as_it_stood


class VenueReads:
    """Reads of one account.

    They take `as_of_ms`: the account as it was then, for a read that lags (None: now). Orders that a fault hides are
    missing from a client's reads; they are matched all the same.
    """

    def __init__(self, books: VenueBooks) -> None:
        self._books = books

    @property
    def now_ms(self) -> int:
        """The venue's clock."""
        return self._books.now_ms

    def mark(self, market: Market) -> Ticks:
        """The price now."""
        return self._books.mark(market)

    def order(
        self,
        market: Market,
        *,
        client_order_id: str | None = None,
        venue_order_id: str | None = None,
        as_of_ms: int | None = None,
    ) -> EngineOrder | None:
        """One order by either id; the latest that carried the client id."""
        found = self._find(market, client_order_id, venue_order_id)
        return None if found is None else self._shown(found, VenueCall.ORDER, as_of_ms)

    def open_orders(self, market: Market | None = None, *, as_of_ms: int | None = None) -> tuple[EngineOrder, ...]:
        """Working orders of one market, or of all."""
        books = self._books
        if as_of_ms is None and not books.hidden:
            return tuple(books.shelf.working_orders(market))
        seen = [self._shown(order, VenueCall.OPEN_ORDERS, as_of_ms) for order in books.shelf.orders.values()]
        return tuple(o for o in seen if o is not None and not o.status.is_final and market in (None, o.market))

    def orders(self, market: Market, *, since_ms: int, as_of_ms: int | None = None) -> tuple[EngineOrder, ...]:
        """Orders of one market created since an instant, in order of arrival."""
        found = self._books.shelf.orders_since(market, since_ms)
        if as_of_ms is None and not self._books.hidden:
            return tuple(found)
        seen = [self._shown(order, VenueCall.ORDERS, as_of_ms) for order in found]
        return tuple(order for order in seen if order is not None)

    def fills(self, market: Market, *, since_ms: int, as_of_ms: int | None = None) -> tuple[VenueFill, ...]:
        """Fills of one market since an instant, oldest first."""
        found = self._books.shelf.fills_since(market, since_ms)
        if as_of_ms is None and not self._books.hidden:
            return tuple(found)
        last_ms = self.now_ms if as_of_ms is None else as_of_ms
        return tuple(
            fill
            for fill in found
            if fill.time_ms <= last_ms and not self._is_hidden(fill.venue_order_id, VenueCall.FILLS)
        )

    def positions(self, market: Market | None = None, *, as_of_ms: int | None = None) -> tuple[VenuePosition, ...]:
        """Open positions: at most one per market and side. One that a hidden order changed is shown as before it."""
        books = self._books
        for venue_order_id in tuple(books.hidden):
            if any(self._is_hidden(venue_order_id, call) for call in (VenueCall.POSITION, VenueCall.POSITIONS)):
                before_ms = books.shelf.orders[venue_order_id].created_at_ms - 1
                as_of_ms = before_ms if as_of_ms is None else min(as_of_ms, before_ms)
        return books.account.positions(market, as_of_ms)

    def balance(self) -> VenueBalance:
        """Equity at the marks, and what is free for new margin (never below zero)."""
        return VenueBalance(equity=Money(self._books.equity()), free=Money(max(0, self._books.free())))

    @property
    def rules(self) -> VenueRules:
        """What the venue keeps to."""
        return self._books.rules

    @property
    def markets(self) -> Mapping[Market, VenueMarket]:
        """What the venue lists."""
        return self._books.markets

    @property
    def feed(self) -> PriceFeed:
        """Its prices."""
        return self._books.feed

    @property
    def position_mode(self) -> PositionMode:
        """How positions are kept now."""
        return self._books.mode

    def leverage(self, market: Market, side: Side) -> int:
        """Leverage of a market and side."""
        return self._books.leverage(market, side)

    def all_orders(self) -> tuple[EngineOrder, ...]:
        """Every order that was ever taken, hidden or not, in order of arrival: what a run is judged by."""
        return tuple(self._books.shelf.orders.values())

    def all_fills(self) -> tuple[VenueFill, ...]:
        """Every fill in order of trade id."""
        return tuple(self._books.shelf.fills)

    def all_positions(self) -> tuple[VenuePosition, ...]:
        """Every open position, whatever is hidden."""
        return self._books.account.positions(None, None)

    def funding_payments(self) -> tuple[FundingPayment, ...]:
        """Every funding payment in order of time."""
        return tuple(self._books.funding)

    @property
    def cash(self) -> Money:
        """Quote money after realised results, fees and funding."""
        return self._books.account.cash

    def rules_used(self) -> Mapping[str, Basis]:
        """Every rule that decided something so far, with what it stands on."""
        return dict(self._books.used)

    def _find(self, market: Market, client_order_id: str | None, venue_order_id: str | None) -> EngineOrder | None:
        books = self._books
        if venue_order_id is not None:
            found = books.shelf.orders.get(venue_order_id)
        elif client_order_id is not None:
            found = books.shelf.by_client_id(books.rules.spelled(client_order_id))
            window_ms = books.rules.id_lookup_after_final_ms
            if found is not None and window_ms is not None and found.status.is_final and found.filled == 0:
                books.use(VenueModel.ID_LOOKUP_WINDOW)
                found = found if books.now_ms - found.updated_at_ms <= window_ms else None
        else:
            raise BadInput("an order is asked for by one of its ids", where=Where(field="client_order_id"))
        return found if found is not None and found.market == market else None

    def _shown(self, order: EngineOrder, call: VenueCall, as_of_ms: int | None) -> EngineOrder | None:
        if self._is_hidden(order.venue_order_id, call):
            return None
        if as_of_ms is None:
            return order
        stood = as_it_stood(order, self._books.shelf.fills_since(order.market, order.created_at_ms), as_of_ms)
        return None if stood is None else replace(order, status=stood[0], filled=stood[1])

    def _is_hidden(self, venue_order_id: str, call: VenueCall) -> bool:
        hidden = self._books.hidden.get(venue_order_id)
        return hidden is not None and self.now_ms < hidden[0] and call in hidden[1]
