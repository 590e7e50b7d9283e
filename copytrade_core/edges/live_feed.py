"""The live feed: polled pages and prices as they arrive -> source events, quotes, ages.

The first-seen ledger of each lead is rebuilt from the archive at every start, so a restart knows what was seen. Asking
is `live_polling`'s; what a poll means is decided in `sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue

from typing_extensions import override

from copytrade_core.edges.intervals import epoch_ms
from copytrade_core.edges.live_polling import Arrived, PolledPages, SeenPrices
from copytrade_core.edges.live_watch import LiveWatch
from copytrade_core.edges.market_answers import BestQuote
from copytrade_core.edges.stages.episodes import SAME_CYCLE_S
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.model.source_event import SourceClosed, SourceEvent, SourceMissing
from copytrade_core.model.units import FundingRate, Ticks, ticks_down, ticks_nearest, ticks_up
from copytrade_core.session.feed import Feed, FeedReading, FeedStep, FundingDue, QuoteSeen, SourceTold
from copytrade_core.session.status import PollNow
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.poll_pages import read_poll
from copytrade_core.sources.poll_runs import PollRuns
from copytrade_core.sources.position_values import closed_positions
from copytrade_core.sources.source_poll import PositionsFailed

LOOK_MS = 50
"""How often it is looked whether something has arrived."""


class LiveFeed(Feed):
    """What a session hears of its leads and markets as it happens.

    Args:
        runs: by lead the first-seen ledger as the archive makes it; its events so far are old.
        arrived: where answers come in.
        want_history: asks for a lead's history.
        want_prices: asks for prices now.
        instruments: trading rules by market; other markets are not quoted.
        watch: marks and ages.
        now_ms: our clock.
    """

    def __init__(
        self,
        *,
        runs: Mapping[LeadId, PollRuns],
        arrived: SimpleQueue[Arrived],
        want_history: Callable[[LeadId], None],
        want_prices: Callable[[], None],
        instruments: Mapping[str, Instrument],
        watch: LiveWatch,
        now_ms: Callable[[], int],
    ) -> None:
        self._runs = runs
        self._arrived = arrived
        self._want_history = want_history
        self._want_prices = want_prices
        self._instruments = instruments
        self._watch = watch
        self._now_ms = now_ms
        self._taken = {lead: len(each.events) for lead, each in runs.items()}
        self._details: dict[LeadId, SourcePage] = {}
        self._waiting: list[SourceEvent] = []
        held = [holding.episode for each in runs.values() for holding in each.ledger.holdings]
        self._states = {episode.episode_id: episode.state for episode in held}
        self._funding_ms: dict[Market, tuple[int, FundingDue]] = {}
        self._poll = PollNow(ok=False, at_ms=None, reading="not polled yet")

    @property
    @override
    def watch(self) -> LiveWatch:
        """Marks, ages and correlations."""
        return self._watch

    @property
    @override
    def poll(self) -> PollNow:
        """The newest poll."""
        return self._poll

    @override
    def source_state(self, episode_id: str) -> EpisodeState:
        """The lead's side of an episode."""
        return self._states.get(episode_id, EpisodeState.OPEN)

    @override
    def resume(self, cursor: str | None) -> None:
        """Tell what the archive knows and the session had not heard when it ended; a fresh one hears only news."""
        if cursor is None:
            return
        known = sorted((event for each in self._runs.values() for event in each.events), key=_place)
        self._waiting = [event for event in known if _cursor(event) > cursor]

    @override
    def due_ms(self, working: frozenset[Market]) -> int | None:
        """Now when something has arrived, else at the next look; a live feed never ends."""
        now_ms = self._now_ms()
        return now_ms if self._waiting or not self._arrived.empty() else now_ms + LOOK_MS

    @override
    def read(self, now_ms: int, working: frozenset[Market]) -> FeedReading:
        """Everything that has arrived: events first, for a quote may be older than what it would fill."""
        steps: list[FeedStep] = []
        prices: list[FeedStep] = []
        while True:
            try:
                arrived = self._arrived.get_nowait()
            except Empty:
                break
            if isinstance(arrived, PolledPages):
                self._polled(arrived)
            else:
                prices = self._seen(arrived, now_ms, working)
        waiting, self._waiting = sorted(self._waiting, key=_place), []
        for event in waiting:
            self._follow(event)
            steps.append(FeedStep(item=SourceTold(event=event), cursor=_cursor(event)))
        if waiting or (working and not prices):
            self._want_prices()
        return FeedReading(at_ms=now_ms, steps=(*prices, *steps))

    # -- pages ------------------------------------------------------------------------------------------------------

    def _polled(self, polled: PolledPages) -> None:
        runs = self._runs[polled.lead_id]
        if polled.detail is not None:
            self._details[polled.lead_id] = polled.detail
        if polled.history is not None:
            runs.learn(closed_positions(normalise_history([polled.history]).positions))
        at_ms = epoch_ms(polled.asked_at)
        if polled.opened is None:
            self._poll = PollNow(ok=False, at_ms=at_ms, reading=polled.fault or "failed")
            return
        poll = read_poll(polled.opened, detail=self._detail(polled.opened), history=())
        runs.take(poll.positions, polled.opened.received_at)
        runs.finish()
        reading = runs.ledger.last_reading
        is_informed = runs.ledger.last_informed_at == polled.opened.received_at
        self._poll = PollNow(ok=is_informed, at_ms=at_ms, reading="" if reading is None else reading.value)
        if isinstance(poll.positions, PositionsFailed):
            self._poll = PollNow(ok=False, at_ms=at_ms, reading=poll.positions.error)
        if is_informed:
            self._watch.informed(polled.lead_id, epoch_ms(polled.opened.received_at))
        self._waiting.extend(runs.events[self._taken[polled.lead_id] :])
        self._taken[polled.lead_id] = len(runs.events)
        if runs.lacks_someone:
            self._want_history(polled.lead_id)

    def _detail(self, opened: SourcePage) -> SourcePage | None:
        detail = self._details.get(opened.lead_id)
        if detail is None or not 0 <= (opened.received_at - detail.received_at).total_seconds() <= SAME_CYCLE_S:
            return None
        return detail

    def _follow(self, event: SourceEvent) -> None:
        match event:
            case SourceClosed():
                state = EpisodeState.CLOSED
            case SourceMissing():
                state = EpisodeState.MISSING
            case _:
                state = EpisodeState.OPEN
        self._states[event.episode.episode_id] = state

    # -- prices -----------------------------------------------------------------------------------------------------

    def _seen(self, seen: SeenPrices, now_ms: int, working: frozenset[Market]) -> list[FeedStep]:
        steps: list[FeedStep] = []
        for market, rules in self._instruments.items():
            quote, mark = seen.quotes.get(Market(market)), seen.marks.get(Market(market))
            if quote is None or mark is None:
                continue
            ticks = ticks_nearest(mark.mark_price, rules.tick_size)
            at_ms = min(now_ms, epoch_ms(mark.at))
            self._watch.marked(market, ticks, at_ms)
            if market in working:
                steps.extend(self._funding(mark.market, ticks, epoch_ms(mark.next_funding_at), int(mark.funding_rate)))
                steps.append(_quote_step(rules, quote, ticks, now_ms, now_ms - at_ms))
        return steps

    def _funding(self, market: Market, price: Ticks, next_ms: int, rate: int) -> list[FeedStep]:
        """A payment is due once the next one named is a later one; its rate is the last one seen before it."""
        before = self._funding_ms.get(market)
        due = FundingDue(market=market, rate=FundingRate(rate), price=price, time_ms=next_ms)
        self._funding_ms[market] = (next_ms, due)
        if before is None or before[0] >= next_ms:
            return []
        return [FeedStep(item=before[1], cursor=None)]


def _quote_step(rules: Instrument, quote: BestQuote, mark: Ticks, now_ms: int, age_ms: int) -> FeedStep:
    seen = QuoteSeen(
        market=rules.market,
        bid=ticks_down(quote.bid, rules.tick_size),
        ask=ticks_up(quote.ask, rules.tick_size),
        mark=mark,
        time_ms=now_ms,
        age_ms=max(0, age_ms),
    )
    return FeedStep(item=seen, cursor=None)


def _place(event: SourceEvent) -> tuple[int, str, str]:
    return epoch_ms(event.known_at), event.episode.episode_id, type(event).__name__


def _cursor(event: SourceEvent) -> str:
    """Sorts as events are told: 14 digits of the time, then episode and kind."""
    known_ms, episode_id, kind = _place(event)
    return f"{known_ms:014d};{episode_id};{kind}"
