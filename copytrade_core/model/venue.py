"""What a venue says about an account: orders, fills, positions, balance, permissions. Which words it uses is not here.

Prices and quantities are on the grid of the market's instrument; a venue that counts contracts is translated before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks


class Venue(StrEnum):
    """A venue that orders can be spoken to."""

    BINGX = "bingx"
    GATE = "gate"
    BINANCE = "binance"


class PositionMode(StrEnum):
    """How a venue keeps positions: one per market and side, or one net position per market."""

    HEDGE = "hedge"
    ONE_WAY = "one_way"


class VenueOrderStatus(StrEnum):
    """Where an order stands at the venue; the last four are final."""

    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether it can change no more."""
        return self not in (VenueOrderStatus.OPEN, VenueOrderStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """One order as a query showed it. `client_order_id` is None for an order that nobody named."""

    client_order_id: str | None
    venue_order_id: str
    market: Market
    buys: bool
    status: VenueOrderStatus
    quantity: Steps
    filled: Steps
    created_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillTerms:
    """How a simulated fill came to its price: what a real venue never tells.

    `raw_price` is the price before slippage, `slippage` the money lost to it, `model` the rule that made it and
    `bar_open_ms` the bar that it was judged by.
    """

    raw_price: Ticks
    slippage: Money
    model: FillModel
    bar_open_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFill:
    """One trade of ours at the venue; `fee` is money paid (negative: a rebate).

    `trade_id` is the venue's and may be unique only within its market (Binance). `terms` is None at every real venue.
    """

    trade_id: str
    venue_order_id: str
    market: Market
    buys: bool
    price: Ticks
    quantity: Steps
    fee: Money
    is_maker: bool
    time_ms: int
    terms: FillTerms | None = None

    @property
    def fill_id(self) -> str:
        """What the trade is called in the journal, unique for the account."""
        return f"{self.market}|{self.trade_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenuePosition:
    """One open position, `quantity` positive."""

    market: Market
    side: Side
    quantity: Steps
    entry_price: Ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBalance:
    """Quote money of the account: its equity and what is free for new margin."""

    equity: Money
    free: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueProbe:
    """What the key may do and how the account is set; `ip_restricted` is None where the venue does not tell.

    `clock_skew_ms` is the venue's clock minus ours, measured around one request.
    """

    can_trade: bool
    can_withdraw: bool
    ip_restricted: bool | None
    position_mode: PositionMode
    clock_skew_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueMarket:
    """One market as the venue lists it: our instrument, its own name, and the base quantity of one contract in steps.

    `symbol` is what the venue calls it; `contract_steps` is 1 step where the venue counts in base units.
    """

    instrument: Instrument
    symbol: str
    contract_steps: Steps
    is_open: bool
