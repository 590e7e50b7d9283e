"""What happens to a strategy: source events, prices, answers to its orders, and time. Strategies read nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.bar import Bar
from copytrade_core.model.book import Holding
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceMissing, SourceOpened
from copytrade_core.model.units import Money, Ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class BarClosed:
    """A bar of a market has ended."""

    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSeen:
    """A mark price in ticks, seen at a time; `age_ms` is how old it was then."""

    market: Market
    price: Ticks
    time_ms: int
    age_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilled:
    """An order filled, wholly or in part."""

    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The venue said no and proved it."""

    episode_id: str
    kind: IntentKind
    leg: str
    reason: str
    time_ms: int


AFTER_BLOCKED_ADD = "after_blocked_add"
"""Reason of an add that was not tried because an earlier one of its episode was blocked in the same pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotPlaced:
    """An intent did not become a live order: our risk refused it, or the venue proved that it never arrived."""

    episode_id: str
    kind: IntentKind
    leg: str
    reason: str
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSynced:
    """What the venue holds for an episode was read back; None = flat."""

    episode_id: str
    holding: Holding | None
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingPaid:
    """What an episode's holding paid at a funding time; `cost` is money, negative when it received."""

    episode_id: str
    market: Market
    cost: Money
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """Time passed for one episode's market."""

    episode_id: str
    time_ms: int


Event = (
    SourceOpened
    | SourceChanged
    | SourceMissing
    | SourceClosed
    | BarClosed
    | MarkSeen
    | OrderFilled
    | OrderRejected
    | OrderNotPlaced
    | PositionSynced
    | FundingPaid
    | Timer
)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a strategy may look at while it decides about one market.

    `mark` is the last price known at `now_ms` (ticks), None when there is none; `holding` is the ledger's, never the
    strategy's own belief. `pending_exits` names the exit orders of the episode that are handed over and have not ended,
    by what they replace (`stop`, `take_profit`, `source_close`, ...).
    """

    now_ms: int
    instrument: Instrument
    mark: Ticks | None
    holding: Holding | None
    pending_exits: tuple[str, ...]
    equity: Money
    initial_equity: Money
    lead_margin_balance: Money | None
