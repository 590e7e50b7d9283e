"""Our book: cash and what we hold. How fills change it is in `ledger`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What one episode of ours holds.

    `cost` is the entry notional of the quantity still held; `entered` the entry notional of everything ever bought into
    the episode; `realised` gross result of what was closed; fees, slippage and funding are money lost so far (funding
    negative when received).
    """

    episode_id: str
    market: Market
    side: Side
    quantity: Steps
    quantity_max: Steps
    cost: Money
    entered: Money
    realised: Money
    fees: Money
    slippage: Money
    funding: Money
    opened_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenOff:
    """A holding that left the book because the venue does not have it and no fill of ours says why.

    Its result is not known, so none was booked; what it had realised before stays in cash.
    """

    holding: Holding
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Cash after all realised results, fees and funding, and the open holdings by episode."""

    initial_equity: Money
    cash: Money
    holdings: Mapping[str, Holding]
