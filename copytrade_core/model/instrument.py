"""What a market is: its name, its grid and its minimums, with the day they were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NewType

from copytrade_core.model.errors import BadInput, OutOfBounds, Where
from copytrade_core.model.units import MONEY_SCALE, NOTIONAL_MAX, STEPS_MAX, TICKS_MAX, Money, Steps, Ticks

Market = NewType("Market", str)
"""Unified linear market name `BASE/QUOTE:SETTLE`, for example `BTC/USDT:USDT`."""

LINEAR_QUOTES = ("USDT", "USDC", "BUSD", "FDUSD")
"""Quote currencies of Binance USD-M symbols, longest match first where one ends in another."""


def market_of_symbol(symbol: str) -> Market | None:
    """The unified market of a Binance USD-M symbol, or None when it names no linear perpetual.

    `BTCUSDT` -> `BTC/USDT:USDT`. Dated futures (`BTCUSDT_260626`) and unknown quotes have none.
    """
    if not symbol.isascii() or not symbol.isalnum() or symbol != symbol.upper():
        return None
    for quote in LINEAR_QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return Market(f"{symbol[: -len(quote)]}/{quote}:{quote}")
    return None


def symbol_of_market(market: str) -> str:
    """The Binance symbol of a unified market.

    Raises:
        BadInput: not of the form `BASE/QUOTE:QUOTE`.
    """
    base, slash, rest = market.partition("/")
    quote, colon, settle = rest.partition(":")
    if not (base and slash and quote and colon and settle == quote):
        raise BadInput(
            f"{market!r} is not a linear market",
            where=Where(field="market"),
            next_step="Write it as BASE/QUOTE:SETTLE, for example BTC/USDT:USDT",
        )
    return base + quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Trading rules of one linear market.

    `min_notional` is money (1e-8 quote); `min_quantity` is steps. `source` says where the rules come from and `as_of`
    when they were true; rules that are only assumed say so in `source`.

    Raises:
        OutOfBounds: the grid is so fine that one tick x one step is under 1e-8 of the quote currency.
    """

    market: Market
    tick_size: Decimal
    step_size: Decimal
    min_quantity: Steps
    min_notional: Money
    as_of: datetime
    source: str
    money_per_tick_step: int = field(init=False, repr=False, compare=False)
    """Money of one tick x one step: the exchange rate between the grid and the ledger."""

    def __post_init__(self) -> None:
        if self.tick_size <= 0 or self.step_size <= 0:
            raise BadInput(f"{self.market}: tick and step sizes must be positive", where=Where(field="tick_size"))
        unit = self.tick_size * self.step_size * MONEY_SCALE
        if unit < 1 or unit != unit.to_integral_value():
            raise OutOfBounds(f"{self.market}: one tick x one step is not a whole number of 1e-8 quote units")
        object.__setattr__(self, "money_per_tick_step", int(unit))

    def notional(self, price: int, quantity: int) -> Money:
        """Exact money of `quantity` steps at `price` ticks.

        Raises:
            OutOfBounds: beyond the largest position for which all later products stay in int64.
        """
        if not (0 <= price <= TICKS_MAX and 0 <= quantity <= STEPS_MAX):
            raise OutOfBounds(f"{self.market}: price {price} ticks or quantity {quantity} steps is out of range")
        value = price * quantity * self.money_per_tick_step
        if value > NOTIONAL_MAX:
            raise OutOfBounds(f"{self.market}: notional {value / MONEY_SCALE:.2f} exceeds 1,000,000")
        return Money(value)

    def quantity_for(self, notional: int, price: int) -> Steps:
        """The most steps whose notional at `price` does not exceed `notional` (rounded down, may be 0)."""
        return Steps(notional // (price * self.money_per_tick_step))

    def price(self, ticks: int) -> Decimal:
        """Ticks as a decimal price."""
        return ticks * self.tick_size

    def quantity(self, steps: int) -> Decimal:
        """Steps as a decimal base quantity."""
        return steps * self.step_size

    def is_below_minimum(self, price: Ticks, quantity: Steps) -> bool:
        """Whether the venue would refuse an order of this size."""
        return quantity < max(1, self.min_quantity) or self.notional(price, quantity) < self.min_notional
