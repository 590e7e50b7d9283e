"""A feed from the archive on a virtual clock: source events at the times they were known, and stored bars.

The order within a bar is replay's: events known at its opening, fills at the open and inside, events known while it
lasts, then its end: a paper session equals a replay of the same events and bars. Reading files is in `edges`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np
from typing_extensions import override

from copytrade_core.model.bar import Bar, Int64s
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.source_event import SourceClosed, SourceEvent, SourceMissing
from copytrade_core.model.units import FundingRate
from copytrade_core.session.archived_watch import ArchivedWatch
from copytrade_core.session.feed import (
    BarEnded,
    BarsOpened,
    Feed,
    FeedReading,
    FeedStep,
    FundingDue,
    SourceTold,
)
from copytrade_core.session.ports import Journalled
from copytrade_core.session.status import PollNow
from copytrade_core.strategies.signal import epoch_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the feed stands: its time, how many events were told, and the bar that has opened and not ended.

    `bar_ms` is None between bars; `markets` are the bar's; `is_open_told` whether its opening was told.
    """

    now_ms: int
    told: int
    bar_ms: int | None
    is_open_told: bool
    markets: tuple[str, ...]

    @property
    def cursor(self) -> str:
        """The place as text."""
        bar = "-" if self.bar_ms is None else f"{self.bar_ms}{'+' if self.is_open_told else ''}"
        return ";".join((str(self.now_ms), str(self.told), bar, ",".join(self.markets)))


def place_of(cursor: str) -> Place:
    """The place back from its text.

    Raises:
        BadInput: not such a text.
    """
    try:
        now_ms, told, bar, markets = cursor.split(";")
        return Place(
            now_ms=int(now_ms),
            told=int(told),
            bar_ms=None if bar == "-" else int(bar.removesuffix("+")),
            is_open_told=bar.endswith("+"),
            markets=tuple(market for market in markets.split(",") if market),
        )
    except ValueError as error:
        raise BadInput(f"{cursor!r} is no place of an archived feed", where=Where(field="cursor")) from error


def resumed_ms(stored: Journalled, *, started_ms: int) -> int:
    """The virtual time to go on at: where the feed was, and not before anything that was sent."""
    place_ms = started_ms if stored.cursor is None else place_of(stored.cursor).now_ms
    return max([place_ms, *(row.sent_at_ms or row.planned_at_ms for row in stored.rows)])


class ArchivedFeed(Feed):
    """Events and bars of a past span.

    Args:
        events: by the time they were known; as one list for all leads.
        data: stored bars and funding.
        interval_ms: of the bars.
        start_ms: where the virtual time begins.
        watch: what is known of markets and sources.
    """

    def __init__(
        self,
        events: Sequence[SourceEvent],
        data: MarketData,
        *,
        interval_ms: int,
        start_ms: int,
        watch: ArchivedWatch,
    ) -> None:
        self._events = events
        self._known_ms = [epoch_ms(event.known_at) for event in events]
        self._data = data
        self._interval_ms = interval_ms
        self._watch = watch
        self._states: dict[str, EpisodeState] = {}
        self._place = Place(now_ms=start_ms, told=0, bar_ms=None, is_open_told=False, markets=())

    @property
    @override
    def watch(self) -> ArchivedWatch:
        """Marks, ages and correlations."""
        return self._watch

    @property
    @override
    def poll(self) -> PollNow:
        """The newest event that was told."""
        told = self._place.told
        return PollNow(ok=told > 0, at_ms=self._known_ms[told - 1] if told else None, reading="archived")

    @override
    def source_state(self, episode_id: str) -> EpisodeState:
        """The lead's side of an episode."""
        return self._states.get(episode_id, EpisodeState.OPEN)

    @override
    def resume(self, cursor: str | None) -> None:
        """Go on after the last place that was committed."""
        if cursor is None:
            return
        self._place = place_of(cursor)
        self._watch.now_ms = self._place.now_ms
        if self._place.told > len(self._events):
            raise BadInput(
                f"{self._place.told} events were told, the archive has {len(self._events)}", where=Where(field="cursor")
            )
        for event in self._events[: self._place.told]:
            self._follow(event)

    @override
    def due_ms(self, working: frozenset[Market]) -> int | None:
        """The next event, opening or end of a bar; None when nothing waits and no event is left."""
        place = self._place
        event_ms = self._known_ms[place.told] if place.told < len(self._events) else None
        if place.bar_ms is not None:
            if not place.is_open_told:
                return place.bar_ms
            end_ms = place.bar_ms + self._interval_ms
            return end_ms if event_ms is None else min(event_ms, end_ms)
        if not working:
            return event_ms
        open_ms = -(-place.now_ms // self._interval_ms) * self._interval_ms
        if event_ms is not None and event_ms <= open_ms:
            return event_ms
        return open_ms if self._has_bars(open_ms, working) or event_ms is not None else None

    @override
    def read(self, now_ms: int, working: frozenset[Market]) -> FeedReading:
        """The one thing that is next, at its own time."""
        due_ms = self.due_ms(working)
        if due_ms is None or due_ms > now_ms:
            return FeedReading(at_ms=now_ms, steps=())
        self._watch.now_ms = due_ms
        return FeedReading(at_ms=due_ms, steps=self._next(due_ms, working))

    def _next(self, due_ms: int, working: frozenset[Market]) -> tuple[FeedStep, ...]:
        place = self._place
        if place.bar_ms is not None and not place.is_open_told:
            return self._opened(place.bar_ms, place.markets)
        is_event = place.told < len(self._events) and self._known_ms[place.told] <= due_ms
        if place.bar_ms is not None and due_ms == place.bar_ms + self._interval_ms:
            return self._ended(place.bar_ms, due_ms)
        if is_event:
            event = self._events[place.told]
            self._follow(event)
            self._place = replace(place, now_ms=due_ms, told=place.told + 1)
            return (FeedStep(item=SourceTold(event=event), cursor=self._place.cursor),)
        return self._opened(due_ms, tuple(sorted(working)))

    def _opened(self, open_ms: int, markets: tuple[str, ...]) -> tuple[FeedStep, ...]:
        """The opening is given again after a restart: whether it has been matched is known to the account."""
        at = replace(self._place, now_ms=open_ms, bar_ms=open_ms, is_open_told=False, markets=markets)
        self._place = replace(at, is_open_told=True)
        bars = tuple(bar for market in markets if (bar := self._bar(market, open_ms)) is not None)
        if not bars:
            return ()
        funding = tuple(due for bar in bars for due in self._funding(bar))
        opened = BarsOpened(bars=bars, closing=self._closing(open_ms + self._interval_ms), funding=funding)
        return (FeedStep(item=opened, cursor=at.cursor),)

    def _ended(self, open_ms: int, end_ms: int) -> tuple[FeedStep, ...]:
        """One step for each market: those told before a crash are not told again."""
        steps: list[FeedStep] = []
        for number, market in enumerate(self._place.markets, start=1):
            rest = self._place.markets[number:]
            after = replace(self._place, now_ms=end_ms, markets=rest)
            if not rest:
                after = replace(after, bar_ms=None, is_open_told=False)
            if (bar := self._bar(market, open_ms)) is not None:
                steps.append(FeedStep(item=BarEnded(bar=bar), cursor=after.cursor))
        self._place = replace(self._place, now_ms=end_ms, bar_ms=None, is_open_told=False, markets=())
        return tuple(steps)

    def _closing(self, end_ms: int) -> frozenset[str]:
        """Episodes whose close is known by the bar's end. A close is judged then too, so nothing is looked ahead."""
        waiting = zip(self._known_ms[self._place.told :], self._events[self._place.told :], strict=True)
        due = takewhile(lambda each: each[0] <= end_ms, waiting)
        return frozenset(event.episode.episode_id for _, event in due if isinstance(event, SourceClosed))

    def _funding(self, bar: Bar) -> list[FundingDue]:
        series = self._data.funding.get(bar.market)
        if series is None:
            return []
        first = int(np.searchsorted(series.time_ms, bar.open_time_ms, side="left"))
        last = int(np.searchsorted(series.time_ms, bar.end_ms, side="left"))
        return [
            FundingDue(
                market=bar.market,
                rate=FundingRate(int(series.rate[at])),
                price=bar.open,
                time_ms=int(series.time_ms[at]),
            )
            for at in range(first, last)
        ]

    def _bar(self, market: str, open_ms: int) -> Bar | None:
        series = self._data.bars.get(market)
        if series is None:
            return None
        index = series.index_at_or_after(open_ms)
        return series.bar(index) if index < len(series) and int(series.open_time_ms[index]) == open_ms else None

    def _has_bars(self, open_ms: int, working: frozenset[Market]) -> bool:
        """Whether some market that needs prices has bars from then on."""
        return any(market in self._data.bars and self._data.bars[market].end_ms > open_ms for market in working)

    def _follow(self, event: SourceEvent) -> None:
        match event:
            case SourceClosed():
                self._states[event.episode.episode_id] = EpisodeState.CLOSED
            case SourceMissing():
                self._states[event.episode.episode_id] = EpisodeState.MISSING
            case _:
                self._states[event.episode.episode_id] = EpisodeState.OPEN


def informed_times(times_ms: Sequence[int]) -> Int64s:
    """Times of polls as the watch wants them."""
    return np.array(sorted(times_ms), dtype=np.int64)
