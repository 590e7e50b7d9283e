"""The session of a drill through all its lives: started, told, pumped, dropped by a crash, and started again.

When things happen is the driver's; nothing here moves time.
"""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.edges.preflight.drill_feed import DrillClock, DrillWatch, MemoryPanel
from copytrade_core.edges.preflight.drill_markets import CASH, MARKETS, START_MS
from copytrade_core.edges.preflight.drill_settings import ACCOUNT, drill_settings
from copytrade_core.edges.preflight.observers import ObservedBroker, ObservedJournal, Steps
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.session_state import SessionState, state_of
from copytrade_core.edges.preflight.story import Feed
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.book import Book
from copytrade_core.model.broker import Broker
from copytrade_core.model.event import MarkSeen, Timer
from copytrade_core.model.instrument import Market
from copytrade_core.model.source_event import SourceClosed
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.runner import Runner
from copytrade_core.session.snapshot import decode_state
from copytrade_core.virtual_exchange.venue_ask import VenueCall

RECONCILE_EVERY_MS = 60_000
PASSES_MAX = 6
"""Passes at one moment until nothing changes any more."""
IDENTITY = SessionIdentity(lead="1", strategy="drill", policy_digest="drill", venue="virtual", account=ACCOUNT)


class DrilledSession:
    """One session over one journal and one venue; `runner` is None while its process is dead or stopped.

    Args:
        schedule: what is told, and where the process dies.
        broker: the way to the venue.
        mode: how the venue keeps positions.
        clock: virtual time.
        panel: the controls, which outlive the process.
        after_call: called after every call to the venue.
        requests: how many requests of a kind the venue has had.
        traced: whether every step is kept with the session's state.
    """

    def __init__(
        self,
        schedule: Schedule,
        broker: Broker,
        *,
        mode: PositionMode,
        clock: DrillClock,
        panel: MemoryPanel,
        after_call: Callable[[VenueCall], None],
        requests: Callable[[VenueCall], int],
        traced: bool,
    ) -> None:
        self._clock = clock
        self._panel = panel
        self._told = schedule.story.told
        self.feed = DrillWatch(schedule.story.silences)
        self.prices: dict[Market, Ticks] = {market: drill.first_price for market, drill in MARKETS.items()}
        self.steps = Steps(schedule.crashes, state=self.state, now_ms=clock.now_ms, requests=requests, traced=traced)
        self._db = SessionDb.in_memory(identity=IDENTITY, run_id="drill", now_ms=START_MS)
        self.journal = ObservedJournal(self._db, self.steps)
        self.broker = ObservedBroker(
            broker, self.steps, journal=self.journal, panel=panel, now_ms=clock.now_ms, after_call=after_call
        )
        self.settings = drill_settings(schedule.story, mode=mode)
        self.runner: Runner | None = None
        self.recovering = False
        self.restarts_count = 0
        self.closed_told: dict[str, int] = {}
        self._saw_all = False
        self._reconcile_at_ms = START_MS

    def start(self) -> None:
        """A process starts: it knows the newest prices and what the journal holds."""
        self.runner = Runner(
            settings=self.settings,
            broker=self.broker,
            journal=self.journal,
            panel=self._panel,
            clock=self._clock,
            market_watch=self.feed,
        )
        self._tell_marks(self.runner, events=False)
        _ = self.runner.start()
        self._reconcile_at_ms = self._clock.now_ms() + RECONCILE_EVERY_MS

    def drop(self) -> None:
        """The process is gone; whatever it had not committed never was."""
        self.runner = None
        self.restarts_count += 1
        self.recovering = True

    def hear(self) -> None:
        """Marks first, then every source event that is known by now and not committed yet."""
        runner = self.runner
        if runner is None:
            return
        self._tell_marks(runner, events=True)
        now_ms = self._clock.now_ms()
        if self.feed.is_silent(Feed.SOURCE, now_ms):
            return
        done = 0 if runner.cursor is None else int(runner.cursor)
        for number, told in enumerate(self._told[done:], start=done + 1):
            if told.at_ms > now_ms:
                break
            runner.tell(told.event, cursor=str(number))
            if isinstance(told.event, SourceClosed):
                self.closed_told[told.event.episode.episode_id] = now_ms

    def _tell_marks(self, runner: Runner, *, events: bool) -> None:
        """The feed's newest prices; in a silence only time passes for what is held."""
        now_ms = self._clock.now_ms()
        if self.feed.is_silent(Feed.MARK, now_ms):
            for episode_id in tuple(runner.state.book.holdings) if events else ():
                runner.tell(Timer(episode_id=episode_id, time_ms=now_ms))
            return
        for market, price in self.prices.items():
            self.feed.tell_mark(market, price)
        if events:
            for market in sorted({held.market for held in runner.state.book.holdings.values()}):
                runner.tell(MarkSeen(market=market, price=self.prices[market], time_ms=now_ms, age_ms=0))

    def work(self) -> None:
        """Pass after pass until one changes nothing; now and then the ledger is compared first."""
        runner = self.runner
        if runner is None:
            return
        now_ms, failed_count = self._clock.now_ms(), self.broker.failed_reads_count
        if now_ms >= self._reconcile_at_ms:
            _ = runner.reconcile()
            self._reconcile_at_ms = now_ms + RECONCILE_EVERY_MS
        for _ in range(PASSES_MAX):
            before = self.journal.commits_count
            runner.pump()
            if self.journal.commits_count == before:
                break
        self._saw_all = self.broker.failed_reads_count == failed_count
        if self.recovering and runner.settled:
            self.recovering = False

    # -- looking ----------------------------------------------------------------------------------------------------

    def state(self) -> SessionState:
        """What it is doing, in one word."""
        runner = self.runner
        if runner is None:
            return SessionState.RECOVERING
        live = tuple(row for row in self.journal.rows.values() if not row.state.is_final)
        return state_of(runner.state, live, recovering=self.recovering)

    def is_busy(self) -> bool:
        """Whether anything works, waits or is held."""
        return self.runner is not None and (bool(self.runner.state.book.holdings) or not self.runner.settled)

    def is_at_rest(self, *, follows_source: bool) -> bool:
        """Whether nothing more will come of waiting.

        All is settled, nothing is held that its source has closed, and the last look was answered in full: what a
        failed read did not show is seen only by the next one.
        """
        runner = self.runner
        if runner is None:
            return False
        overdue = self.closed_told.keys() & runner.state.book.holdings.keys()
        return runner.settled and self._saw_all and not (overdue and follows_source)

    def left_by_accident(self, filled: dict[str, int]) -> dict[str, str]:
        """Episodes that left the book while their own orders still hold something at the venue.

        Args:
            filled: steps that the venue has filled, by client order id.
        """
        runner = self.runner
        if runner is None:
            return {}
        held: dict[str, int] = {}
        booked: set[str] = set()
        for client_order_id, row in self.journal.rows.items():
            steps = filled.get(client_order_id, 0)
            episode_id = row.order.episode_id
            held[episode_id] = held.get(episode_id, 0) + (steps if row.order.kind.is_entry else -steps)
            if row.order.kind.is_entry and row.filled:
                booked.add(episode_id)
        return {
            episode_id: f"{episode_id} left the book while {held[episode_id]} steps of it are at the venue"
            for episode_id in booked - runner.state.book.holdings.keys()
            if held[episode_id] > 0
        }

    def end(self) -> Book:
        """The book as it is on disk; the journal is closed."""
        stored = self._db.load().state
        self._db.close()
        return opened_book(CASH) if stored is None else decode_state(stored).book
