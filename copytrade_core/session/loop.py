"""The session loop: what a feed brings is told to the runner, orders find their ends, and a person may stop it.

It runs on ports and an injected clock, so that a night on a real clock and a year of archived pages are the same code.
It decides nothing about trades.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.controls import Controls
from copytrade_core.model.errors import BadConfig, BadInput, CopytradeError, StoreFault, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.session_end import Ended
from copytrade_core.session.ears import Ears
from copytrade_core.session.feed import (
    Feed,
    PriceTaker,
)
from copytrade_core.session.ports import ControlPanel, RestartSink, StatusSink, WaitingClock
from copytrade_core.session.runner import Runner
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.snapshot import HOT_RESTART_SCHEMA_VERSION, HotRestart
from copytrade_core.session.standing import standing
from copytrade_core.session.status import SessionFacts, SessionStatus

PASSES_MAX = 200
"""A pass that still changes something after so many others is a fault of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How patient a session is.

    `reconcile_every_ms`: how often ledger and account are compared. `exits_for_ms`: how long after its deadline a
    session that still holds something goes on with exits only. `kill_for_ms`: how long a kill waits for its cancels.

    Raises:
        BadConfig: a time that is not positive (`exits_for_ms` may be 0).
    """

    reconcile_every_ms: int
    exits_for_ms: int
    kill_for_ms: int

    def __post_init__(self) -> None:
        for name, least in (("reconcile_every_ms", 1), ("exits_for_ms", 0), ("kill_for_ms", 1)):
            if getattr(self, name) < least:
                raise BadConfig(f"{name} must be at least {least}", where=Where(field=name))


class Session:
    """One bounded session.

    Args:
        facts: who it is and until when.
        settings: how patient it is.
        trading: what the runner was made with.
        runner: the broker's side; not started yet.
        feed: what it hears.
        taker: what turns prices into fills; None where a venue does.
        panel: the controls, looked at before every reading and at most 0.5 s apart.
        clock: our time.
        shown: where its status goes.
        restart: where a hot stop leaves its snapshot.
    """

    def __init__(
        self,
        *,
        facts: SessionFacts,
        settings: LoopSettings,
        trading: RunnerSettings,
        runner: Runner,
        feed: Feed,
        taker: PriceTaker | None,
        panel: ControlPanel,
        clock: WaitingClock,
        shown: StatusSink,
        restart: RestartSink,
    ) -> None:
        self._facts = facts
        self._settings = settings
        self._trading = trading
        self._runner = runner
        self._feed = feed
        self._ears = Ears(runner=runner, taker=taker, instruments=trading.instruments)
        self._panel = panel
        self._clock = clock
        self._shown = shown
        self._restart = restart
        self._reconcile_at_ms = 0
        self._show_at_ms = 0
        self._now_ms = 0
        self._fault: str | None = None

    def run(self) -> SessionStatus:
        """Run until the feed, the deadline or a person ends it.

        Returns:
            The last status, which was shown too.

        Raises:
            CopytradeError: whatever stops a session; the last status says so.
        """
        try:
            ended = self._run()
        except CopytradeError as error:
            self._fault = str(error)
            self._show(self._status(self._now_ms, ended=Ended.ERROR))
            raise
        last = self.status(ended=ended)
        self._show(last)
        return last

    def status(self, *, ended: Ended | None = None) -> SessionStatus:
        """How it stands now."""
        return self._status(max(self._now_ms, self._clock.now_ms()), ended=ended)

    def _status(self, at_ms: int, *, ended: Ended | None) -> SessionStatus:
        """At the last time that was good: a clock that went back cannot be asked how a session ended."""
        return standing(
            facts=self._facts,
            trading=self._trading,
            runner=self._runner,
            feed=self._feed,
            controls=self._panel.read(),
            at_ms=at_ms,
            ended=ended,
            error=self._fault,
        )

    def _show(self, status: SessionStatus) -> None:
        """A session that cannot show how it stands opens nothing more; its exits go on."""
        try:
            self._shown.show(status)
        except StoreFault as error:
            self._fault = f"the status cannot be written: {error.what}"
            self._panel.stop_new_orders(self._fault)

    def _heed_feed(self) -> None:
        """What may not be traded on opens nothing more, until a person has looked."""
        if (fault := self._feed.fault) is not None and fault != self._fault:
            self._fault = fault
            self._panel.stop_new_orders(fault)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def _run(self) -> Ended:
        self._begin()
        while (ended := self._asked_to_end(self._panel.read())) is None:
            now_ms = self._tick()
            due_ms = self._feed.due_ms(self._working())
            if due_ms is None and self._runner.settled:
                return Ended.FEED_ENDED
            wake_ms = self._wake_ms(due_ms)
            if wake_ms > now_ms:
                _ = self._clock.wait_until_ms(wake_ms, self._is_disturbed)
                now_ms = self._tick()
            if due_ms is not None and due_ms <= now_ms and self._asked_to_end_now() is None:
                reading = self._feed.read(now_ms, self._working())
                self._heed_feed()
                for step in reading.steps:
                    self._ears.hear(step)
            self._ears.settle()
            self._look_after(now_ms)
        return ended

    def _begin(self) -> None:
        newest = max((row.sent_at_ms or row.planned_at_ms for row in self._runner.rows.values()), default=0)
        if self._clock.now_ms() < newest:
            raise BadInput(
                f"the clock stands at {self._clock.now_ms()}, before an order of this session at {newest}",
                where=Where(field="clock"),
                next_step="Correct the machine's clock; the session goes on once it is past that moment",
            )
        self._feed.resume(self._runner.cursor)
        _ = self._tick()
        _ = self._runner.start()
        self._ears.settle()
        self._ears.finish_fills()

    def _tick(self) -> int:
        """The time now, which never runs backwards within a session.

        Raises:
            BadInput: it did.
        """
        now_ms = self._clock.now_ms()
        if now_ms < self._now_ms:
            raise BadInput(f"the clock went back from {self._now_ms} to {now_ms}", where=Where(field="clock"))
        self._now_ms = now_ms
        return now_ms

    def _wake_ms(self, due_ms: int | None) -> int:
        moments = [due_ms, self._runner.next_wake_ms, self._end_ms()]
        if not self._runner.settled or self._runner.state.book.holdings:
            moments.append(self._reconcile_at_ms)
        return min((moment for moment in moments if moment is not None), default=self._now_ms)

    def _asked_to_end_now(self) -> Ended | None:
        controls = self._panel.read()
        return Ended.KILL if controls.kill else Ended.HOT_STOP if controls.hot_stop else None

    def _is_disturbed(self) -> bool:
        return self._asked_to_end_now() is not None

    def _end_ms(self) -> int | None:
        deadline_ms = self._facts.deadline_ms
        if deadline_ms is None or self._now_ms < deadline_ms:
            return deadline_ms
        return deadline_ms + self._settings.exits_for_ms

    def _asked_to_end(self, controls: Controls) -> Ended | None:
        now_ms, deadline_ms = self._tick(), self._facts.deadline_ms
        if controls.kill:
            return self._killed()
        if controls.hot_stop:
            return self._hot_stopped()
        if deadline_ms is None or now_ms < deadline_ms:
            return None
        is_idle = not self._runner.state.book.holdings and self._runner.settled and not self._runner.state.resting
        return Ended.DEADLINE if is_idle or now_ms >= deadline_ms + self._settings.exits_for_ms else None

    def _killed(self) -> Ended:
        """Cancel until nothing of ours works, or patience is over; positions stay."""
        until_ms = self._now_ms + self._settings.kill_for_ms
        self._runner.kill()
        while not self._is_quiet() and self._clock.now_ms() < until_ms:
            _ = self._clock.wait_until_ms(self._clock.now_ms() + 500, lambda: False)
            self._runner.kill()
        return Ended.KILL

    def _is_quiet(self) -> bool:
        return all(row.state.is_final for row in self._runner.rows.values())

    def _hot_stopped(self) -> Ended:
        identity = self._facts.identity
        self._restart.leave(
            HotRestart(
                schema_version=HOT_RESTART_SCHEMA_VERSION,
                policy_digest=identity.policy_digest,
                strategy=identity.strategy,
                venue=identity.venue,
                account=identity.account,
                lead=identity.lead,
                taken_at_ms=self._now_ms,
                state=self._runner.state,
            )
        )
        return Ended.HOT_STOP

    # -- between ----------------------------------------------------------------------------------------------------

    def _look_after(self, now_ms: int) -> None:
        if now_ms >= self._reconcile_at_ms:
            _ = self._runner.reconcile()
            self._reconcile_at_ms = now_ms + self._settings.reconcile_every_ms
        if now_ms >= self._show_at_ms:
            self._show(self.status())
            self._show_at_ms = now_ms + self._facts.interval_ms

    def _working(self) -> frozenset[Market]:
        """Markets in which something is held or waits."""
        state = self._runner.state
        held = {holding.market for holding in state.book.holdings.values()}
        return frozenset(held | {order.market for order in (*state.resting.values(), *state.taken_back.values())})
