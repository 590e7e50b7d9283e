"""Everything one virtual account consists of, and the sums over it: mark, equity, margin. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks, ceil_div
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.feeds import PriceFeed
from copytrade_core.virtual_exchange.venue_account import Leg, VenueAccount, leg_of
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, FundingPayment, PlaceAsk, VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueModel, VenueRule, VenueRules
from copytrade_core.virtual_exchange.venue_shelf import VenueShelf

ID_START = 10**18
"""Venue ids have 19 digits, as BingX's do: a client that reads them as floating point loses them."""


class VenueBooks:
    """State of one account. `taken` is by market the bar last traded in and the steps taken from its volume.

    `hidden` is by venue order id until when, and from which reads, an order is missing; `delayed` the asks that
    take effect later, as (instant, number, ask).
    """

    def __init__(
        self, *, rules: VenueRules, markets: Mapping[Market, VenueMarket], feed: PriceFeed, cash: Money, now_ms: int
    ) -> None:
        self.rules = rules
        self.markets = markets
        self.feed = feed
        self.now_ms = now_ms
        self.mode: PositionMode = rules.position_mode
        self.account = VenueAccount(markets=markets, cash=cash)
        self.shelf = VenueShelf()
        self.leverages: dict[tuple[Market, Side], int] = {}
        self.taken: dict[Market, tuple[int, int]] = {}
        self.hidden: dict[str, tuple[int, frozenset[VenueCall]]] = {}
        self.delayed: list[tuple[int, int, PlaceAsk]] = []
        self.funding: list[FundingPayment] = []
        self.used: dict[str, Basis] = {}
        self.orders_count = 0

    def use(self, rule: VenueRule | VenueModel) -> None:
        """Note that a rule decided something."""
        if rule not in self.used:
            self.used[rule.value] = self.rules.basis[rule]

    def refuse(self, rule: VenueRule, message: str, **facts: object) -> VenueRefusal:
        """A refusal by a rule, which counts as used."""
        self.use(rule)
        return VenueRefusal(rule=rule, message=message, facts=tuple((name, str(fact)) for name, fact in facts.items()))

    def next_order_id(self) -> str:
        """A venue id that was never given before."""
        self.orders_count += 1
        return str(ID_START + self.orders_count)

    def mark(self, market: Market) -> Ticks:
        """The price of a market now."""
        if market not in self.markets:
            raise BadInput(f"{market} is not listed", where=Where(field="market"))
        return self.feed.price(market, self.now_ms)

    def leverage(self, market: Market, side: Side) -> int:
        """Leverage of a market and side."""
        return self.leverages.get((market, side), self.rules.leverage)

    def leg(self, order: EngineOrder) -> Leg:
        """The leg that an order changes."""
        return leg_of(self.mode, position_side=order.position_side, buys=order.buys, closes=order.closes)

    def closable(self, market: Market, leg: Leg, *, buys: bool) -> int:
        """Steps that an order in this direction can close."""
        held = self.account.held(market, leg).quantity
        return max(0, -held if buys else held)

    def equity(self) -> int:
        """Cash and the result of every open position at its mark."""
        account = self.account
        return account.cash + account.unrealised(self.mark) if account.legs else account.cash

    def free(self) -> int:
        """Equity that backs no position and no opening order; cross margin, may be negative."""
        backed = 0
        for (market, leg), held in self.account.legs.items():
            side = Side.LONG if held.quantity > 0 else Side.SHORT
            notional = self.account.notional(market, self.mark(market), held.quantity)
            backed += ceil_div(notional, self.leverage(market, side if leg is Leg.NET else Side(leg.value)))
        for order in self.shelf.working_orders(None):
            if not order.closes:
                rest = Steps(order.quantity - order.filled)
                backed += self.margin(order.market, self.worst_price(order.market, order.style), rest, buys=order.buys)
        return self.equity() - backed

    def margin(self, market: Market, price: int, quantity: int, *, buys: bool) -> int:
        """Margin that a quantity needs at a price, rounded up."""
        side = Side.LONG if buys else Side.SHORT
        return ceil_div(self.account.notional(market, price, quantity), self.leverage(market, side))

    def worst_price(self, market: Market, style: MarketStyle | LimitStyle | StopStyle) -> int:
        """The price that an order is judged at: its own, or the mark."""
        match style:
            case LimitStyle(price=price):
                return price
            case StopStyle(trigger=trigger):
                return trigger
            case MarketStyle():
                return self.mark(market)
