"""What stands between a drilled session and its journal, broker and clock: it counts, remembers and, on order, dies.

Every journal commit and every broker call is one numbered step, so a crash point is a number and a side. Nothing here
changes what passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from typing_extensions import override

from copytrade_core.flow import Record
from copytrade_core.model.alert import Alert
from copytrade_core.model.broker import Broker
from copytrade_core.model.controls import Controls
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.outcome import Absent, CancelOutcome, SubmitOutcome, Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.venue import VenueBalance, VenueFill, VenueMarket, VenueOrder, VenuePosition, VenueProbe
from copytrade_core.session.ports import ControlPanel, Journal, Journalled, JournalStep
from copytrade_core.virtual_exchange.venue_ask import VenueCall

COMMIT = "commit"
"""What a step is called that commits to the journal."""
Answer = TypeVar("Answer")


class Killed(BaseException):
    """The process dies here: no `except` of the session may survive it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashPoint:
    """Die right before or right after the `nth` step of a drill, counted from 1 through all restarts.

    `what` counts only steps of that name (a commit or a call); None counts them all.
    """

    what: str | None
    nth: int
    after: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeen:
    """One step as it went by. `nth` is the venue's count of its first request; `state` the session's at that moment."""

    step: int
    what: str
    nth: int
    state: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One submit as it left: the order, when, what the controls said then, and whether its row was in the journal.

    `beside` is an order of the same position that nobody knew the fate of at that moment; None when there was none.
    """

    step: int
    at_ms: int
    order: Order
    controls: Controls
    journalled: bool
    beside: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashMet:
    """One crash that really happened."""

    what: str
    after: bool
    state: str


class Steps:
    """The one counter of a drill, and what went by.

    Args:
        crashes: where to die.
        state: the session's state in one word; asked only when a crash is met or when `traced`.
        now_ms: the drill's clock.
        requests: how many requests of a kind the venue has had.
        traced: whether every step is kept with its state.
    """

    def __init__(
        self,
        crashes: tuple[CrashPoint, ...],
        *,
        state: Callable[[], str],
        now_ms: Callable[[], int],
        requests: Callable[[VenueCall], int],
        traced: bool,
    ) -> None:
        self._crashes = {(point.what, point.nth, point.after) for point in crashes}
        self._state = state
        self._now_ms = now_ms
        self._requests = requests
        self._traced = traced
        self._counts: dict[str, int] = {}
        self.count = 0
        self.trace: list[StepSeen] = []
        self.crashes: list[CrashMet] = []

    def begin(self, what: str) -> None:
        """A step is about to happen.

        Raises:
            Killed: the process was to die before it.
        """
        self.count += 1
        self._counts[what] = self._counts.get(what, 0) + 1
        if self._traced:
            nth = self._counts[what] if what == COMMIT else self._requests(VenueCall(what)) + 1
            seen = StepSeen(step=self.count, what=what, nth=nth, state=self._state(), at_ms=self._now_ms())
            self.trace.append(seen)
        self._die(what, after=False)

    def end(self, what: str) -> None:
        """The step has happened.

        Raises:
            Killed: the process was to die after it.
        """
        self._die(what, after=True)

    def _die(self, what: str, *, after: bool) -> None:
        if not self._crashes:
            return
        points = {(None, self.count, after), (what, self._counts[what], after)}
        if points & self._crashes:
            self.crashes.append(CrashMet(what=what, after=after, state=self._state()))
            raise Killed


class ObservedJournal(Journal):
    """A journal whose commits are counted and whose rows, records and alerts are kept through restarts."""

    def __init__(self, journal: Journal, steps: Steps) -> None:
        self._journal = journal
        self._steps = steps
        self.rows: dict[str, OrderRow] = {}
        self.records: list[Record] = []
        self.alerts: list[Alert] = []
        self.histories: dict[str, list[OrderState]] = {}
        self.commits_count = 0

    @override
    def load(self) -> Journalled:
        """The inner journal's state."""
        return self._journal.load()

    @override
    def commit(self, step: JournalStep) -> None:
        """Commit, and remember what was committed."""
        self._steps.begin(COMMIT)
        self._journal.commit(step)
        for row in step.rows:
            self.rows[row.order.client_order_id] = row
            history = self.histories.setdefault(row.order.client_order_id, [])
            if not history or history[-1] is not row.state:
                history.append(row.state)
        self.commits_count += 1
        self.records.extend(step.records)
        self.alerts.extend(step.alerts)
        self._steps.end(COMMIT)


class ObservedBroker(Broker):
    """A broker whose calls are counted, whose submits are kept, and whose faults are noted with the session's state."""

    def __init__(
        self,
        broker: Broker,
        steps: Steps,
        *,
        journal: ObservedJournal,
        panel: ControlPanel,
        now_ms: Callable[[], int],
        after_call: Callable[[VenueCall], None],
    ) -> None:
        self._broker = broker
        self._steps = steps
        self._journal = journal
        self._panel = panel
        self._now_ms = now_ms
        self._after_call = after_call
        self.submit_deadline_ms = broker.submit_deadline_ms
        self.same_id_after_not_placed = broker.same_id_after_not_placed
        self.absence_is_final = broker.absence_is_final
        self.sent: list[Sent] = []
        self.cancelled: list[str] = []
        self.failed_reads_count = 0

    def _observed(self, call: VenueCall, ask: Callable[[], Answer]) -> Answer:
        self._steps.begin(call)
        answer = ask()
        self.failed_reads_count += isinstance(answer, Unavailable)
        self._after_call(call)
        self._steps.end(call)
        return answer

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.MARKETS, self._broker.markets)

    @override
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.POSITIONS, self._broker.positions)

    @override
    def position(self, market: Market) -> tuple[VenuePosition, ...] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.POSITION, lambda: self._broker.position(market))

    @override
    def open_orders(self) -> tuple[VenueOrder, ...] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.OPEN_ORDERS, self._broker.open_orders)

    @override
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.ORDERS, lambda: self._broker.orders(market, since_ms=since_ms))

    @override
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.ORDER, lambda: self._broker.order(market, client_order_id))

    @override
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...] | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.FILLS, lambda: self._broker.fills(market, since_ms=since_ms))

    @override
    def balance(self) -> VenueBalance | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.BALANCE, self._broker.balance)

    @override
    def probe(self) -> VenueProbe | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.PROBE, self._broker.probe)

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        """Passed on, and kept as it left."""

        def ask() -> SubmitOutcome:
            row = self._journal.rows.get(order.client_order_id)
            self.sent.append(
                Sent(
                    step=self._steps.count,
                    at_ms=self._now_ms(),
                    order=order,
                    controls=self._panel.read(),
                    journalled=row is not None and row.state is OrderState.JOURNALLED,
                    beside=self._unknown_beside(order),
                )
            )
            return self._broker.submit(order)

        return self._observed(VenueCall.SUBMIT, ask)

    def _unknown_beside(self, order: Order) -> str | None:
        place = (order.market, order.side)
        return next(
            (
                key
                for key, row in self._journal.rows.items()
                if row.state.is_unresolved
                and (row.order.market, row.order.side) == place
                and key != order.client_order_id
            ),
            None,
        )

    @override
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        """Passed on, and kept."""
        self.cancelled.append(client_order_id)
        return self._observed(VenueCall.CANCEL, lambda: self._broker.cancel(market, client_order_id))

    @override
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        """Passed on."""
        return self._observed(VenueCall.SET_LEVERAGE, lambda: self._broker.set_leverage(market, side, leverage))
