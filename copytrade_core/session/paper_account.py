"""Money and positions of a paper account: how fills and funding change them. Orders and prices are not known here."""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.ledger.pnl import linear_pnl
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.session_record import AccountPosition
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import VenuePosition

_Key = tuple[Market, Side]


class PaperAccount:
    """One account in hedge mode: at most one position per market and side.

    Args:
        instruments: trading rules by market.
        cash: quote money at the beginning.
    """

    def __init__(self, *, instruments: Mapping[str, Instrument], cash: Money) -> None:
        self._instruments = instruments
        self._held: dict[_Key, tuple[Steps, Money]] = {}
        self.cash = cash

    def held(self, market: Market, side: Side) -> Steps:
        """Steps held on one side of a market."""
        return self._held.get((market, side), (Steps(0), Money(0)))[0]

    def positions(self, market: Market | None = None) -> tuple[VenuePosition, ...]:
        """Everything held, of one market or of all."""
        return tuple(
            VenuePosition(
                market=key[0], side=key[1], quantity=quantity, entry_price=self._entry(key[0], quantity, cost)
            )
            for key, (quantity, cost) in self._held.items()
            if market in (None, key[0])
        )

    def at_cost(self) -> tuple[AccountPosition, ...]:
        """Everything held, with its exact cost, which a price per step rounds."""
        return tuple(
            AccountPosition(market=market, side=side, quantity=quantity, cost=cost)
            for (market, side), (quantity, cost) in self._held.items()
        )

    def apply(self, fill: Fill) -> None:
        """Book one fill; the caller has made sure that a reduction is held."""
        key = (fill.market, fill.side)
        quantity, cost = self._held.get(key, (Steps(0), Money(0)))
        notional = self._instruments[fill.market].notional(fill.price, fill.quantity)
        if fill.kind.is_entry:
            self._held[key] = (Steps(quantity + fill.quantity), Money(cost + notional))
            self.cash = Money(self.cash - fill.fee)
            return
        cost_out = Money(cost * fill.quantity // quantity)
        gained = linear_pnl(fill.side, entry_notional=cost_out, exit_notional=notional)
        self.cash = Money(self.cash + gained - fill.fee)
        left = Steps(quantity - fill.quantity)
        if left:
            self._held[key] = (left, Money(cost - cost_out))
        else:
            del self._held[key]

    def charge(self, cost: Money) -> None:
        """Pay funding, or receive it."""
        self.cash = Money(self.cash - cost)

    def _entry(self, market: Market, quantity: Steps, cost: Money) -> Ticks:
        return Ticks(max(1, cost // (quantity * self._instruments[market].money_per_tick_step)))
