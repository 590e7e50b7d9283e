"""What a feed brings to a session, and the feed as a port: source events, bars, quotes, funding, each with its place.

Where it all comes from (an archive on a virtual clock, or the network) is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from copytrade_core.model.bar import Bar
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.instrument import Market
from copytrade_core.model.source_event import SourceEvent
from copytrade_core.model.units import FundingRate, Money, Ticks
from copytrade_core.session.status import PollNow
from copytrade_core.session.watch import MarketWatch


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingDue:
    """Everything held in a market pays `rate` on its notional at `price`, once for each `time_ms`."""

    market: Market
    rate: FundingRate
    price: Ticks
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTold:
    """The lead was seen to do something."""

    event: SourceEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsOpened:
    """Bars of one interval, whole, as they open: for matching only, no strategy sees them before they have ended.

    `closing` are episodes whose source closes before the bars end; `funding` what falls due within them.
    """

    bars: tuple[Bar, ...]
    closing: frozenset[str]
    funding: tuple[FundingDue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarEnded:
    """One bar is over: strategies may see it."""

    bar: Bar


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteSeen:
    """Best quote and mark of a market, `age_ms` old when they were read."""

    market: Market
    bid: Ticks
    ask: Ticks
    mark: Ticks
    time_ms: int
    age_ms: int


FeedItem = SourceTold | BarsOpened | BarEnded | QuoteSeen | FundingDue


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStep:
    """One item and the place of the feed that it leads to; `cursor` None: nothing to come back to."""

    item: FeedItem
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReading:
    """What a feed had at a moment, in the order in which it must be told."""

    at_ms: int
    steps: tuple[FeedStep, ...]


class Feed(Protocol):
    """Where a session hears of its leads and its markets."""

    @property
    def watch(self) -> MarketWatch:
        """Marks, ages and correlations as this feed knows them."""
        ...

    @property
    def poll(self) -> PollNow:
        """The newest poll of the source."""
        ...

    @property
    def fault(self) -> str | None:
        """Why nothing may open on what it tells; None while nothing speaks against it."""
        return None

    def source_state(self, episode_id: str) -> EpisodeState:
        """The lead's side of an episode."""
        ...

    def resume(self, cursor: str | None) -> None:
        """Go on after the last place that was committed; None: from the beginning.

        Raises:
            BadInput: no such place of this feed.
        """
        ...

    def due_ms(self, working: frozenset[Market]) -> int | None:
        """When it has something next; None when it never will. `working` are markets that need prices."""
        ...

    def read(self, now_ms: int, working: frozenset[Market]) -> FeedReading:
        """What it has now; perhaps nothing."""
        ...


class PriceTaker(Protocol):
    """What turns prices into fills: the paper broker. A real venue needs no such thing."""

    def has_begun(self, open_ms: int) -> bool:
        """Whether something of the bars that open then has happened already."""
        ...

    def begin_bars(self, bars: tuple[Bar, ...], *, closing: frozenset[str]) -> bool:
        """Bars open; whether something fills in them."""
        ...

    def begin_quote(self, market: Market, *, bid: Ticks, ask: Ticks, time_ms: int) -> None:
        """A best quote was seen."""
        ...

    def charge(self, charge_id: str, cost: Money) -> Money:
        """Pay funding, once for each id; gives what was paid under it, now or before."""
        ...

    def step(self) -> bool:
        """Let the next fill happen; False when there is none."""
        ...
