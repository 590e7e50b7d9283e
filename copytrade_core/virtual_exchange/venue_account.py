"""The money and the positions of one virtual account: exact integer accounting of fills, hedge and one-way.

Whether a fill may happen, and at what price, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import PositionMode, VenueMarket, VenuePosition


class Leg(StrEnum):
    """Where a position is kept: one per side in hedge mode, one net one in one-way mode."""

    LONG = "long"
    SHORT = "short"
    NET = "net"


class Held(NamedTuple):
    """A leg: steps, positive long and negative short, and the money they were entered for (never negative)."""

    quantity: int
    cost: int


FLAT = Held(0, 0)


class LegChange(NamedTuple):
    """One line of the history of legs: what a leg came to hold at an instant."""

    time_ms: int
    market: Market
    leg: Leg
    held: Held


def leg_of(mode: PositionMode, *, position_side: Side | None, buys: bool, closes: bool) -> Leg:
    """The leg that an order changes. An order placed in the other mode finds its leg by what it does."""
    if mode is PositionMode.ONE_WAY:
        return Leg.NET
    if position_side is not None:
        return Leg(position_side.value)
    return Leg.LONG if buys != closes else Leg.SHORT


class VenueAccount:
    """Cash and legs. Cash = initial + realised results - fees - funding, and nothing else ever changes it."""

    def __init__(self, *, markets: Mapping[Market, VenueMarket], cash: Money) -> None:
        self._unit = {market: rules.instrument.money_per_tick_step for market, rules in markets.items()}
        self.cash = cash
        self.legs: dict[tuple[Market, Leg], Held] = {}
        self.history: list[LegChange] = []

    def held(self, market: Market, leg: Leg) -> Held:
        """What a leg holds."""
        return self.legs.get((market, leg), FLAT)

    def notional(self, market: Market, price: int, quantity: int) -> int:
        """Money of a quantity at a price."""
        return price * abs(quantity) * self._unit[market]

    def book(self, market: Market, leg: Leg, *, buys: bool, price: int, quantity: int, fee: int, time_ms: int) -> None:
        """Book one fill: reduce what points the other way, add the rest. The share of cost taken out rounds down."""
        change = quantity if buys else -quantity
        held, cost = self.held(market, leg)
        closed = min(abs(held), quantity) if held * change < 0 else 0
        if closed:
            taken = cost * closed // abs(held)
            gained = self.notional(market, price, closed) - taken
            self.cash = Money(self.cash + (gained if held > 0 else -gained))
            cost -= taken
        cost += self.notional(market, price, quantity - closed)
        self.cash = Money(self.cash - fee)
        after = held + change
        assert leg is Leg.NET or after * (1 if leg is Leg.LONG else -1) >= 0, "a hedge leg never turns round"
        self._keep(market, leg, Held(after, cost), time_ms)

    def pay(self, amount: int) -> None:
        """Take money out of cash: funding."""
        self.cash = Money(self.cash - amount)

    def unrealised(self, mark: Callable[[Market], int]) -> int:
        """Result of every open position at its mark."""
        total = 0
        for (market, _), (quantity, cost) in self.legs.items():
            value = self.notional(market, mark(market), quantity)
            total += value - cost if quantity > 0 else cost - value
        return total

    def positions(self, market: Market | None, as_of_ms: int | None) -> tuple[VenuePosition, ...]:
        """Open positions now, or as they were at an instant."""
        legs = self.legs if as_of_ms is None else self._legs_at(as_of_ms)
        return tuple(self._position(key[0], held) for key, held in legs.items() if market is None or key[0] == market)

    def change_mode(self, mode: PositionMode, time_ms: int) -> bool:
        """Rename the legs for another mode; False, and nothing done, where one market holds both sides."""
        markets = [market for market, _ in self.legs]
        if len(markets) != len(set(markets)):
            return False
        for (market, leg), held in tuple(self.legs.items()):
            side = Leg.LONG if held.quantity > 0 else Leg.SHORT
            self._keep(market, leg, FLAT, time_ms)
            self._keep(market, Leg.NET if mode is PositionMode.ONE_WAY else side, held, time_ms)
        return True

    def _keep(self, market: Market, leg: Leg, held: Held, time_ms: int) -> None:
        if held.quantity:
            self.legs[market, leg] = held
        else:
            assert held.cost == 0, "a flat leg has no cost"
            _ = self.legs.pop((market, leg), None)
        self.history.append(LegChange(time_ms, market, leg, held))

    def _legs_at(self, as_of_ms: int) -> dict[tuple[Market, Leg], Held]:
        known: dict[tuple[Market, Leg], Held] = {}
        for line in self._until(as_of_ms):
            known[line.market, line.leg] = line.held
        return {key: held for key, held in known.items() if held.quantity}

    def _until(self, as_of_ms: int) -> Iterator[LegChange]:
        return (line for line in self.history if line.time_ms <= as_of_ms)

    def _position(self, market: Market, held: Held) -> VenuePosition:
        quantity = abs(held.quantity)
        unit = quantity * self._unit[market]
        return VenuePosition(
            market=market,
            side=Side.LONG if held.quantity > 0 else Side.SHORT,
            quantity=Steps(quantity),
            entry_price=Ticks(max(1, (2 * held.cost + unit) // (2 * unit))),
        )
