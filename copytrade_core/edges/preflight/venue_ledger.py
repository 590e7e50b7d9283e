"""The venue's own record of a drill, the only witness that is believed. How it is read is in `world`."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOrder:
    """One order that the venue took. `is_live` says that it still works; `ended_at_ms` is None until it does not."""

    client_order_id: str | None
    venue_order_id: str
    market: Market
    buys: bool
    reduces: bool
    quantity: Steps
    filled: Steps
    is_live: bool
    created_at_ms: int
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFill:
    """One trade."""

    venue_order_id: str
    market: Market
    buys: bool
    price: Ticks
    quantity: Steps
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPosition:
    """One open position, `quantity` positive."""

    market: Market
    side: Side
    quantity: Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueLedger:
    """Everything that happened at the venue, oldest first.

    `cash` is the account's quote money without unrealised results; `assumed_rules` those it decided something by that
    nobody has seen at the real venue.
    """

    orders: tuple[LedgerOrder, ...]
    fills: tuple[LedgerFill, ...]
    positions: tuple[LedgerPosition, ...]
    cash: Money | None
    assumed_rules: tuple[str, ...]
    unknown_requests: tuple[str, ...]
