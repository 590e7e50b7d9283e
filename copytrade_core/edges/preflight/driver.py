"""Drives one session through one schedule on a virtual clock, through every crash, until it comes to rest.

The same loop drives the in-process world and the HTTP world; what is right or wrong is not asked here.
"""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.edges.preflight.coverage import Cell
from copytrade_core.edges.preflight.drill_feed import DrillClock, MemoryPanel
from copytrade_core.edges.preflight.drill_markets import CASH, START_MS
from copytrade_core.edges.preflight.drill_settings import MARK_AGE_S_MAX, SOURCE_AGE_S_MAX
from copytrade_core.edges.preflight.drilled_session import DrilledSession
from copytrade_core.edges.preflight.observers import Killed
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.story import Control, ControlChange, Feed, ForeignAct, Point, Story, Told
from copytrade_core.edges.preflight.world import Place, World
from copytrade_core.model.broker import Broker
from copytrade_core.model.order_row import OrderState
from copytrade_core.virtual_exchange.faults import VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall

BEAT_MS = 20_000
"""How often a session looks around when nothing else calls it."""
REST_MS_MAX = 1_500_000
"""How long a session may take to come to rest after the last thing has happened."""
KILL_TRIES = 4
"""Beats that a killed session has for taking back what works."""

Moment = Point | Told | ControlChange | ForeignAct
BrokerWrap = Callable[[Broker], Broker]


class Drill:
    """One run of one schedule in one world.

    Args:
        schedule: what happens and what goes wrong.
        world: the venue.
        wrap: what a test puts between session and broker; None in earnest.
        traced: whether every step is kept with the session's state (for planning).
    """

    def __init__(self, schedule: Schedule, world: World, *, wrap: BrokerWrap | None, traced: bool) -> None:
        self._schedule = schedule
        self._story = schedule.story
        self._world = world
        self._clock = DrillClock(world.now_ms)
        self._panel = MemoryPanel()
        broker = world.broker(self._clock.now_ms)
        self._session = DrilledSession(
            schedule,
            broker if wrap is None else wrap(broker),
            mode=world.mode,
            clock=self._clock,
            panel=self._panel,
            after_call=self._after_call,
            requests=world.calls_count,
            traced=traced,
        )
        self._starts_at_ms: int | None = START_MS
        self._cells: set[Cell] = set()
        self._faults_met_count = 0
        self._submits_count = 0
        self._foreign: dict[Place, int] = {}
        self._accidents: dict[str, str] = {}
        self._killed = False

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> DrillRecord:
        """From the first moment to rest."""
        dues = moments_of(self._story)
        index = 0
        self._moment(())
        ends_at_ms = self._story.ends_at_ms
        while not self._killed:
            due_ms = dues[index][0] if index < len(dues) else None
            now_ms = self._clock.now_ms()
            if due_ms is None and now_ms >= ends_at_ms and (self._at_rest() or now_ms - ends_at_ms > REST_MS_MAX):
                break
            at_ms = self._next_ms(due_ms)
            first = index
            while index < len(dues) and dues[index][0] <= at_ms:
                index += 1
            self._move(at_ms)
            self._moment(tuple(moment for _, moment in dues[first:index]))
        return self._record()

    def _move(self, to_ms: int) -> None:
        self._clock.move(to_ms)
        self._world.advance(to_ms)

    def _next_ms(self, due_ms: int | None) -> int:
        """The next moment at which anything can change."""
        now_ms = self._clock.now_ms()
        times = [] if due_ms is None else [due_ms]
        if self._starts_at_ms is not None:
            times.append(self._starts_at_ms)
        elif self._session.runner is not None:
            wake_ms = self._session.runner.next_wake_ms
            if wake_ms is not None:
                times.append(wake_ms)
            if due_ms is None or self._session.is_busy():
                times.append(now_ms + BEAT_MS)
        return max(now_ms + 1, min(times, default=now_ms + BEAT_MS))

    def _moment(self, moments: tuple[Moment, ...]) -> None:
        """What happens at one instant: the world first, then what the session hears, then its passes."""
        for moment in moments:
            match moment:
                case Point(market=market, price=price):
                    self._session.prices[market] = price
                case ControlChange(control=control):
                    self._set(control)
                case ForeignAct():
                    for place, steps in self._world.act(moment).items():
                        self._foreign[place] = self._foreign.get(place, 0) + steps
                case Told():
                    pass
        try:
            self._wake()
            self._session.hear()
            self._session.work()
        except Killed:
            self._session.drop()
            self._starts_at_ms = self._clock.now_ms() + self._schedule.downtime_ms
        self._look()
        if self._panel.kill:
            self._kill()
        elif self._panel.hot_stop and self._session.runner is not None:
            self._session.drop()

    def _wake(self) -> None:
        """Start the session when it is time."""
        due = self._starts_at_ms is not None and self._clock.now_ms() >= self._starts_at_ms
        if due and self._session.runner is None and not self._panel.kill:
            self._starts_at_ms = None
            self._session.start()

    def _at_rest(self) -> bool:
        if self._session.runner is None:
            return self._starts_at_ms is None
        return self._session.is_at_rest(follows_source=self._story.policy.exit.follows_source_close)

    # -- controls ---------------------------------------------------------------------------------------------------

    def _set(self, control: Control) -> None:
        match control:
            case Control.STOP:
                self._panel.stop = True
            case Control.KILL:
                self._panel.kill = True
            case Control.HOT_STOP:
                self._panel.hot_stop = True
            case Control.RESUME:
                self._panel.hot_stop = False
                if self._session.runner is None and self._starts_at_ms is None:
                    self._starts_at_ms = self._clock.now_ms()

    def _kill(self) -> None:
        """Cancel what works, look until that is sure or patience is over, and end."""
        self._killed = True
        for _ in range(KILL_TRIES):
            try:
                if self._session.runner is None:
                    self._session.start()
                assert self._session.runner is not None, "just started"
                self._session.runner.kill()
                self._session.runner.pump()
                if self._session.runner.settled:
                    return
            except Killed:
                self._session.drop()
            self._move(self._clock.now_ms() + BEAT_MS)

    # -- looking ----------------------------------------------------------------------------------------------------

    def _after_call(self, call: VenueCall) -> None:
        """After every call: note faults that struck, and pull the controls that wait for a submit."""
        met = self._world.faults_met()
        for kind, at_call in met[self._faults_met_count :]:
            self._cells.add(Cell(fault=kind, call=at_call, state=self._session.state()))
        self._faults_met_count = len(met)
        if call is VenueCall.SUBMIT:
            self._submits_count += 1
            for change in self._story.controls:
                if change.after_submit == self._submits_count:
                    self._set(change.control)

    def _look(self) -> None:
        """Whether a holding has just left the book by accident; strangers' acts make the question unanswerable."""
        filled = None if self._foreign_steps() else self._world.filled_by_order()
        if filled is not None:
            self._accidents |= self._session.left_by_accident(dict(filled))

    def _foreign_steps(self) -> dict[Place, int]:
        """What others did to each position, by their own acts and by faults that have struck."""
        steps = dict(self._foreign)
        met = {kind for kind, _ in self._world.faults_met()}
        for fault in self._schedule.faults:
            if fault.kind is VenueFaultKind.EXTERNAL_POSITION and fault.kind in met:
                assert fault.market is not None, "its form asks for it"
                assert fault.side is not None, "its form asks for it"
                place = (fault.market, fault.side)
                steps[place] = steps.get(place, 0) + int(fault.quantity or 0)
        return steps

    def _stale_entries(self) -> tuple[str, ...]:
        """Entries that were planned on inputs older than their caps."""
        limits = ((Feed.MARK, MARK_AGE_S_MAX), (Feed.SOURCE, SOURCE_AGE_S_MAX))
        return tuple(
            f"{row.order.leg} of {row.order.episode_id} was planned on a {feed} of {age_ms} ms"
            for row in self._session.journal.rows.values()
            for feed, age_s_max in limits
            if row.order.kind.is_entry
            and (age_ms := self._session.feed.age_ms(feed, row.planned_at_ms)) > age_s_max * 1_000
        )

    def _record(self) -> DrillRecord:
        session, journal = self._session, self._session.journal
        rows = dict(journal.rows)
        return DrillRecord(
            schedule=self._schedule,
            ledger=self._world.ledger(),
            rows=rows,
            histories={key: tuple(states) for key, states in journal.histories.items()},
            sent=tuple(session.broker.sent),
            cancelled=tuple(session.broker.cancelled),
            records=tuple(journal.records),
            alerts=tuple(journal.alerts),
            book=session.end(),
            controls=self._panel.read(),
            foreign_steps=self._foreign_steps(),
            closed_told=dict(session.closed_told),
            accidents=tuple(self._accidents.values()),
            stale_entries=self._stale_entries(),
            gross_cap=session.settings.caps.notional_gross_max or CASH,
            submit_deadline_ms=session.broker.submit_deadline_ms,
            same_id_again=session.broker.same_id_after_not_placed,
            restarts_count=session.restarts_count,
            crashes=tuple(session.steps.crashes),
            cells=frozenset(self._cells),
            trace=tuple(session.steps.trace),
            settled=all(
                row.state.is_final or (row.state is OrderState.OPEN and not row.cancel_wanted) for row in rows.values()
            ),
            halted=self._killed or self._panel.hot_stop,
            ended_at_ms=self._clock.now_ms(),
        )


def moments_of(story: Story) -> list[tuple[int, Moment]]:
    """Everything that happens at a time, in order; what a silent feed cannot tell waits until it speaks again."""
    moments: list[tuple[int, Moment]] = [(each.at_ms, each) for each in (*story.points, *story.foreign)]
    moments += [(each.at_ms, each) for each in story.controls if each.at_ms is not None]
    for told in story.told:
        ends = [
            each.to_ms
            for each in story.silences
            if each.feed is Feed.SOURCE and each.from_ms <= told.at_ms < each.to_ms
        ]
        moments.append((max(ends, default=told.at_ms), told))
    return sorted(moments, key=lambda moment: moment[0])
