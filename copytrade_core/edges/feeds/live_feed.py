"""The live feed: polled pages and prices as they arrive -> source events, quotes, ages.

The first-seen ledger of each lead is rebuilt from the archive at every start, so a restart knows what was seen. Asking
is `live_polling`'s; what a poll means is decided in `sources`, what a price is in `live_quotes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Protocol

from typing_extensions import override

from copytrade_core.edges.feeds.lead_polls import LeadPolls
from copytrade_core.edges.feeds.live_polling import Arrived, PolledPages, PollingBroke, SeenPrices
from copytrade_core.edges.feeds.live_quotes import LiveQuotes
from copytrade_core.edges.feeds.live_watch import LiveWatch
from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.stages.episodes import SAME_CYCLE_S
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.instrument import Market
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.model.source_event import SourceClosed, SourceEvent, SourceMissing
from copytrade_core.session.feed import Feed, FeedReading, FeedStep, SourceTold
from copytrade_core.session.status import PollNow
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.poll_pages import read_poll
from copytrade_core.sources.poll_runs import PollRuns
from copytrade_core.sources.position_values import closed_positions
from copytrade_core.sources.source_poll import PositionsFailed

LOOK_MS = 50
"""How often it is looked whether something has arrived."""


class Asking(Protocol):
    """Who asks for what a feed wants; `LivePolling`."""

    @property
    def arrived(self) -> SimpleQueue[Arrived]:
        """Where answers come in."""
        ...

    def want_history(self, lead_id: LeadId, *, at_once: bool) -> None:
        """Ask a lead's history with its next poll."""
        ...

    def want_prices(self) -> None:
        """Ask for prices now."""
        ...

    def want_funding(self, since_ms: Mapping[Market, int]) -> None:
        """Ask for what funding was paid in these markets since then."""
        ...


class LiveFeed(Feed):
    """What a session hears of its leads and markets as it happens.

    Args:
        runs: by lead the first-seen ledger as the archive makes it; its events so far are old.
        asking: who asks, and where answers come in.
        quotes: what prices mean.
        watch: marks and ages.
        held_since_ms: markets in which the session has held something, and since when.
        begun_ms: when the session first began: what was known before is old to it.
        now_ms: our clock.
    """

    def __init__(
        self,
        *,
        runs: Mapping[LeadId, PollRuns],
        asking: Asking,
        quotes: LiveQuotes,
        watch: LiveWatch,
        held_since_ms: Mapping[Market, int],
        begun_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._runs = runs
        self._asking = asking
        self._quotes = quotes
        self._watch = watch
        self._begun_ms = begun_ms
        self._now_ms = now_ms
        self._taken = {lead: len(each.events) for lead, each in runs.items()}
        self._details: dict[LeadId, SourcePage] = {}
        self._waiting: list[SourceEvent] = []
        self._states: dict[str, EpisodeState] = {}
        self._working: frozenset[Market] = frozenset(held_since_ms)
        informed = {lead: each.ledger.last_informed_at for lead, each in runs.items()}
        self._polls = LeadPolls({lead: None if at is None else epoch_ms(at) for lead, at in informed.items()})
        self._fault: str | None = None
        self._is_priced = False
        for event in _in_order(runs):
            self._follow(event)
        quotes.hold(held_since_ms, now_ms())
        asking.want_funding(quotes.unfunded_since_ms)

    @property
    @override
    def watch(self) -> LiveWatch:
        """Marks, ages and correlations."""
        return self._watch

    @property
    @override
    def poll(self) -> PollNow:
        """The newest poll of each lead."""
        return self._polls.now

    @property
    @override
    def fault(self) -> str | None:
        """That an answer could not be archived: what cannot be kept must not be traded on."""
        return self._fault

    @override
    def source_state(self, episode_id: str) -> EpisodeState:
        """The lead's side of an episode."""
        return self._states.get(episode_id, EpisodeState.OPEN)

    @override
    def resume(self, cursor: str | None) -> None:
        """Tell what the archive knows and the session had not heard when it ended; a fresh one hears only news."""
        known = _in_order(self._runs)
        if cursor is None:
            self._waiting = [event for event in known if epoch_ms(event.known_at) > self._begun_ms]
        else:
            self._waiting = [event for event in known if _cursor(event) > cursor]

    @override
    def due_ms(self, working: frozenset[Market]) -> int | None:
        """Now when something has arrived, else at the next look; a live feed never ends."""
        now_ms = self._now_ms()
        has_news = bool(self._waiting) and self._is_priced
        return now_ms if has_news or not self._asking.arrived.empty() else now_ms + LOOK_MS

    @override
    def read(self, now_ms: int, working: frozenset[Market]) -> FeedReading:
        """Everything that has arrived: prices first, for a quote may be older than the events that came with it.

        News waits for the first reading of prices, good or bad: without one no entry could be judged.

        Raises:
            CopytradeError: nobody asks any more, by a fault of ours.
        """
        self._look_after(now_ms, working)
        prices: list[FeedStep] = []
        while True:
            try:
                arrived = self._asking.arrived.get_nowait()
            except Empty:
                break
            match arrived:
                case PolledPages():
                    self._polled(arrived)
                case SeenPrices():
                    self._is_priced = True
                    self._polls.priced(arrived)
                    prices.extend(self._quotes.steps(arrived, now_ms, working))
                case PollingBroke(what=what):
                    raise CopytradeError(f"the polling of the live feed broke: {what}")
        waiting: list[SourceEvent] = []
        if self._is_priced:
            waiting, self._waiting = sorted(self._waiting, key=_place), []
        steps: list[FeedStep] = []
        for event in waiting:
            self._follow(event)
            steps.append(FeedStep(item=SourceTold(event=event), cursor=_cursor(event)))
        if waiting:
            self._asking.want_prices()
        return FeedReading(at_ms=now_ms, steps=(*prices, *steps))

    def _look_after(self, now_ms: int, working: frozenset[Market]) -> None:
        """Prices at once for a market that an order has just come to; funding of all that something was held in."""
        if working - self._working:
            self._asking.want_prices()
        if working != self._working:
            self._quotes.hold(dict.fromkeys(working, now_ms), now_ms)
            self._working = working
        self._asking.want_funding(self._quotes.unfunded_since_ms)

    # -- pages ------------------------------------------------------------------------------------------------------

    def _polled(self, polled: PolledPages) -> None:
        runs = self._runs[polled.lead_id]
        if polled.is_unkept:
            self._fault = f"an answer of lead {polled.lead_id} cannot be archived: {polled.fault}"
        if polled.detail is not None:
            self._details[polled.lead_id] = polled.detail
        if polled.history is not None:
            runs.learn(closed_positions(normalise_history([polled.history]).positions))
        if polled.opened is None:
            self._polls.failed(polled)
            return
        poll = read_poll(polled.opened, detail=self._detail(polled.opened), history=())
        runs.take(poll.positions, polled.opened.received_at)
        runs.finish()
        reading = runs.ledger.last_reading
        is_informed = runs.ledger.last_informed_at == polled.opened.received_at
        said = "" if reading is None else reading.value
        if isinstance(poll.positions, PositionsFailed):
            said = poll.positions.error
        if is_informed:
            self._watch.informed(polled.lead_id, epoch_ms(polled.opened.received_at))
        self._polls.answered(polled, said, is_informed=is_informed)
        fresh = runs.events[self._taken[polled.lead_id] :]
        self._waiting.extend(fresh)
        self._taken[polled.lead_id] = len(runs.events)
        if runs.lacks_someone:
            # Only a new gap hurries: what stays missing would else be asked without a pause.
            is_new = any(isinstance(each, SourceMissing) and each.missing_polls_count == 1 for each in fresh)
            self._asking.want_history(polled.lead_id, at_once=is_new)

    def _detail(self, opened: SourcePage) -> SourcePage | None:
        detail = self._details.get(opened.lead_id)
        if detail is None or not 0 <= (opened.received_at - detail.received_at).total_seconds() <= SAME_CYCLE_S:
            return None
        return detail

    def _follow(self, event: SourceEvent) -> None:
        match event:
            case SourceClosed():
                state = EpisodeState.CLOSED
                self._polls.proven(event.match)
            case SourceMissing():
                state = EpisodeState.MISSING
            case _:
                state = EpisodeState.OPEN
        self._states[event.episode.episode_id] = state


def _in_order(runs: Mapping[LeadId, PollRuns]) -> list[SourceEvent]:
    return sorted((event for each in runs.values() for event in each.events), key=_place)


def _place(event: SourceEvent) -> tuple[int, str, str]:
    return epoch_ms(event.known_at), event.episode.episode_id, type(event).__name__


def _cursor(event: SourceEvent) -> str:
    """Sorts as events are told: 14 digits of the time, then episode and kind."""
    known_ms, episode_id, kind = _place(event)
    return f"{known_ms:014d};{episode_id};{kind}"
