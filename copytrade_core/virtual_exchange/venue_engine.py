"""One account at a virtual venue, on a virtual clock: what every face of the virtual exchange speaks for.

Deterministic: same asks at the same instants, same books. How a venue words its answers, and how a network loses them,
is not known here.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Self

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import MarketStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import RATE_SCALE, FundingRate, Money, Steps, funding_cost
from copytrade_core.model.venue import (
    PositionMode,
    VenueMarket,
    VenueOrderStatus,
)
from copytrade_core.virtual_exchange.feeds import PriceFeed
from copytrade_core.virtual_exchange.venue_account import leg_of
from copytrade_core.virtual_exchange.venue_ask import (
    PLAIN,
    EngineOrder,
    FundingPayment,
    PlaceAsk,
    Placed,
    PlaceTerms,
    VenueRefusal,
)
from copytrade_core.virtual_exchange.venue_books import VenueBooks
from copytrade_core.virtual_exchange.venue_checks import Taken, check
from copytrade_core.virtual_exchange.venue_matching import arrive, end, fill_by_hand, resume, walk
from copytrade_core.virtual_exchange.venue_reads import VenueReads
from copytrade_core.virtual_exchange.venue_rules import VenueModel, VenueRule, VenueRules
from copytrade_core.virtual_exchange.venue_state import restore, stored

FUNDING_INTERVAL_MS = 8 * 3600 * 1000
"""Funding is exchanged at 00, 08 and 16 UTC."""
BY_HAND = "cancelled"


class VenueEngine(VenueReads):
    """One account at one venue.

    Args:
        rules: what the venue keeps to.
        markets: what it lists.
        feed: its prices.
        cash: quote money the account starts with.
        now_ms: epoch ms the clock starts at.
    """

    def __init__(
        self, *, rules: VenueRules, markets: Mapping[Market, VenueMarket], feed: PriceFeed, cash: Money, now_ms: int
    ) -> None:
        super().__init__(VenueBooks(rules=rules, markets=markets, feed=feed, cash=cash, now_ms=now_ms))
        self._delays_count = 0

    def advance(self, to_ms: int) -> None:
        """Move the clock: what rests is matched, what is delayed arrives, funding is exchanged.

        Raises:
            BadInput: an instant before now, or after the last price of a market that matters.
        """
        books = self._books
        if to_ms < books.now_ms:
            raise BadInput("the clock does not go back", where=Where(field="to_ms"))
        while books.now_ms < to_ms:
            at_ms = min(to_ms, self._next_event_ms())
            if books.shelf.working:
                walk(books, at_ms)
            is_later = at_ms > books.now_ms
            books.now_ms = at_ms
            self._happen(at_ms)
            if books.hidden:
                books.hidden = {key: until for key, until in books.hidden.items() if until[0] > at_ms}
            if is_later and at_ms % FUNDING_INTERVAL_MS == 0 and books.account.legs:
                self._pay_funding(at_ms)

    def place(self, ask: PlaceAsk, terms: PlaceTerms = PLAIN) -> Placed | VenueRefusal:
        """Take an order or refuse it. A market order has traded when this returns, as far as the bar's volume goes."""
        books = self._books
        taken = check(books, ask)
        if isinstance(taken, VenueRefusal):
            return taken
        order = self._new_order(ask, taken, terms)
        books.shelf.add(order)
        if terms.hidden_ms > 0:
            books.hidden[order.venue_order_id] = (books.now_ms + terms.hidden_ms, terms.hidden_from)
        return Placed(order=arrive(books, order))

    def place_later(self, ask: PlaceAsk, *, delay_ms: int) -> None:
        """An order that reaches the matching after a delay; after the receive window it never does."""
        self._books.use(VenueModel.RECEIVE_WINDOW)
        if delay_ms <= self._books.rules.receive_window_ms:
            self._delays_count += 1
            heapq.heappush(self._books.delayed, (self.now_ms + delay_ms, self._delays_count, ask))

    def cancel(
        self, market: Market, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> EngineOrder | VenueRefusal:
        """Take a working order off the book; returns how it stands then."""
        order = self._find(market, client_order_id, venue_order_id)
        if order is None:
            return self._books.refuse(VenueRule.UNKNOWN_ORDER, "there is no such order")
        if order.status.is_final:
            return self._books.refuse(VenueRule.ORDER_NOT_OPEN, "the order is final", status=order.status.value)
        return end(self._books, order, BY_HAND, self.now_ms)

    def set_position_mode(self, mode: PositionMode) -> VenueRefusal | None:
        """Change the mode; refused while a position or a working order exists."""
        books = self._books
        if mode is books.mode:
            return None
        if books.account.legs or books.shelf.working:
            return books.refuse(VenueRule.MODE_CHANGE_WITH_EXPOSURE, "there are positions or open orders")
        books.mode = mode
        return None

    def set_leverage(self, market: Market, side: Side, leverage: int) -> VenueRefusal | None:
        """Change the leverage of a market and side; in one-way mode of both sides."""
        books = self._books
        if market not in books.markets:
            return books.refuse(VenueRule.UNKNOWN_MARKET, f"{market} is not listed")
        if not 1 <= leverage <= books.rules.leverage_max:
            return books.refuse(
                VenueRule.BAD_LEVERAGE, "out of range", leverage=leverage, most=books.rules.leverage_max
            )
        for each in (side,) if books.mode is PositionMode.HEDGE else Side:
            books.leverages[market, each] = leverage
        return None

    def inject_order(self, ask: PlaceAsk) -> Placed | VenueRefusal:
        """Somebody else places an order on this account, under the same rules."""
        return self.place(ask)

    def inject_position(self, market: Market, side: Side, quantity: Steps) -> EngineOrder:
        """Somebody else opens a position by hand: a filled market order without a client id, refused by nothing."""
        books = self._books
        buys = side is Side.LONG
        hedged = books.mode is PositionMode.HEDGE
        ask = PlaceAsk(
            client_order_id=None,
            market=market,
            buys=buys,
            position_side=side if hedged else None,
            reduce_only=None,
            style=MarketStyle(),
            quantity=quantity,
        )
        leg = leg_of(books.mode, position_side=ask.position_side, buys=buys, closes=False)
        order = self._new_order(ask, Taken(client_order_id=None, closes=False, leg=leg), PLAIN)
        books.shelf.add(order)
        return fill_by_hand(books, order)

    def flip_mode(self) -> bool:
        """Somebody else changes the mode, positions and all; False, nothing done, where a market holds both sides."""
        books = self._books
        other = PositionMode.ONE_WAY if books.mode is PositionMode.HEDGE else PositionMode.HEDGE
        if not books.account.change_mode(other, books.now_ms):
            return False
        books.mode = other
        return True

    def dump(self) -> bytes:
        """The whole account as bytes; rules, markets and feed are not part of it."""
        return stored(self._books, self._delays_count)

    @classmethod
    def load(cls, data: bytes, *, rules: VenueRules, markets: Mapping[Market, VenueMarket], feed: PriceFeed) -> Self:
        """An account as it was dumped.

        Raises:
            BadInput: bytes that are no dump, or one of another venue.
        """
        engine = cls(rules=rules, markets=markets, feed=feed, cash=Money(0), now_ms=0)
        engine._delays_count = restore(engine._books, data)
        return engine

    def _new_order(self, ask: PlaceAsk, taken: Taken, terms: PlaceTerms) -> EngineOrder:
        books = self._books
        cut_at, rest_at_ms = self._cut(ask, terms)
        return EngineOrder(
            client_order_id=taken.client_order_id,
            venue_order_id=books.next_order_id(),
            market=ask.market,
            buys=ask.buys,
            position_side=ask.position_side,
            reduce_only=ask.reduce_only is True,
            closes=taken.closes,
            style=ask.style,
            status=VenueOrderStatus.OPEN,
            quantity=ask.quantity,
            filled=Steps(0),
            quote=Money(0),
            fees=Money(0),
            created_at_ms=books.now_ms,
            updated_at_ms=books.now_ms,
            triggered=False,
            slippage=terms.slippage,
            cut_at=cut_at,
            rest_at_ms=rest_at_ms,
            why="",
        )

    def _cut(self, ask: PlaceAsk, terms: PlaceTerms) -> tuple[Steps | None, int | None]:
        """Where a partial fill holds the order: whole contracts, at least one; an order of one contract is not cut."""
        if terms.cut is None:
            return None, None
        contract = self.markets[ask.market].contract_steps
        part = max(contract, ask.quantity * terms.cut.ratio // RATE_SCALE // contract * contract)
        if part >= ask.quantity:
            return None, None
        after_ms = terms.cut.rest_after_ms
        return Steps(part), None if after_ms is None else self.now_ms + after_ms

    def _next_event_ms(self) -> int:
        books = self._books
        funding_ms = (books.now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
        rests = [order.rest_at_ms for order in books.shelf.working_orders(None) if order.rest_at_ms is not None]
        return min([funding_ms, *rests, *(due[0] for due in books.delayed[:1])])

    def _happen(self, at_ms: int) -> None:
        books = self._books
        for order in [o for o in books.shelf.working_orders(None) if o.rest_at_ms == at_ms]:
            resume(books, order)
        while books.delayed and books.delayed[0][0] == at_ms:
            _ = self.place(heapq.heappop(books.delayed)[2])

    def _pay_funding(self, at_ms: int) -> None:
        """Every open position pays or receives by its notional at the mark. A missing rate is zero, and is counted."""
        books = self._books
        books.use(VenueModel.FUNDING)
        for (market, _), held in tuple(books.account.legs.items()):
            rate = books.feed.funding_rate(market, at_ms)
            if rate is None:
                books.use(VenueModel.FUNDING_RATE_ABSENT)
                rate = FundingRate(0)
            side = Side.LONG if held.quantity > 0 else Side.SHORT
            mark = books.mark(market)
            paid = funding_cost(books.account.notional(market, mark, held.quantity), rate, sign=side.sign)
            books.account.pay(paid)
            books.funding.append(
                FundingPayment(market=market, side=side, time_ms=at_ms, rate=rate, mark=mark, paid=paid)
            )
