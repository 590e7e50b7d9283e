"""The broker of a session: sends what the flow handed over, finds out what became of it, and tells the flow.

It quantises, submits, polls, cancels, reconciles and records, and blocks what is unsafe. It never wishes a trade: every
order here was planned by the flow, and a position closes only because a strategy asked for it.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.flow import Desk, FlowState, fresh_state
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.broker import Broker
from copytrade_core.model.event import AFTER_BLOCKED_ADD, Event, FundingPaid, OrderNotPlaced, OrderRejected
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.outcome import Accepted, DefiniteReject, Exists, RejectReason, Unknown
from copytrade_core.orders.lifecycle import journalled, moved
from copytrade_core.session.departure import KILLED, is_still_to_leave, must_wait, why_held_back
from copytrade_core.session.enquiry import Enquiry
from copytrade_core.session.held_then import HeldThen
from copytrade_core.session.ledger_check import LedgerCheck
from copytrade_core.session.memory import SessionMemory
from copytrade_core.session.outbox import Outbox
from copytrade_core.session.ports import Clock, ControlPanel, Journal
from copytrade_core.session.reconcile import Reconciliation
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.session.start import ALARMING, PERHAPS_FLAT, why_not_here
from copytrade_core.session.watch import MarketWatch, SessionWatch
from copytrade_core.strategies.state import FRESH

RESTART = "restart"
STALE_PLAN = "stale_plan"


class Runner:
    """One session's way to one account.

    Args:
        settings: who trades what, with which caps and patience.
        broker: the account.
        journal: the session's memory on disk.
        panel: the controls that a person sets.
        clock: our time.
        market_watch: marks, ages of inputs, correlations.

    Raises:
        StoreFault: the journal cannot be read or written. Whatever was not committed has not happened.
    """

    def __init__(
        self,
        *,
        settings: RunnerSettings,
        broker: Broker,
        journal: Journal,
        panel: ControlPanel,
        clock: Clock,
        market_watch: MarketWatch,
    ) -> None:
        self._settings = settings
        self._broker = broker
        self._panel = panel
        self._clock = clock
        outbox = Outbox()
        fresh = fresh_state(FRESH, opened_book(settings.initial_equity))
        self._memory = SessionMemory(journal=journal, clock=clock, outbox=outbox, fresh=fresh)
        self._watch = SessionWatch(
            panel=panel, market_watch=market_watch, mode=settings.position_mode, memory=self._memory
        )
        self._desk = Desk(
            strategy=settings.strategy,
            sink=outbox,
            prices=market_watch,
            instruments=settings.instruments,
            account=settings.account,
            lead_margin_balance=settings.lead_margin_balance,
            caps=settings.caps,
            lead_caps=settings.lead_caps,
            surroundings=self._watch,
        )
        self._enquiry = Enquiry(
            memory=self._memory, broker=broker, clock=clock, desk=self._desk, panel=panel, watch=self._watch
        )
        self._ledger_check = LedgerCheck(
            memory=self._memory,
            broker=broker,
            clock=clock,
            desk=self._desk,
            panel=panel,
            watch=self._watch,
            enquiry=self._enquiry,
        )

    @property
    def state(self) -> FlowState:
        """The flow's state as committed."""
        return self._memory.state

    @property
    def rows(self) -> dict[str, OrderRow]:
        """Every order of the session, in the order of planning."""
        return dict(self._memory.rows)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What a person must hear of."""
        return self._memory.alerts

    @property
    def cursor(self) -> str | None:
        """How far the feed had been told when the last step was committed."""
        return self._memory.cursor

    @property
    def changes_count(self) -> int:
        """How many steps have changed something."""
        return self._memory.changes_count

    @property
    def settled(self) -> bool:
        """Whether nothing is on its way: no order waits to leave, is unknown, or is a market order without its end."""
        return all(row.state is OrderState.OPEN and not row.cancel_wanted for row in self._memory.live)

    @property
    def next_wake_ms(self) -> int | None:
        """When the next look-up of an unknown order is due."""
        due = [row.lookup_after_ms for row in self._memory.live if row.state.is_unresolved]
        return min(due, default=None)

    # -- what a session loop calls ----------------------------------------------------------------------------------

    def start(self) -> Reconciliation:
        """Take up where the journal ends: what was about to leave is unknown until the venue has told.

        Entries that never left are given back to the strategy; exits that never left still leave. Where absence is
        final nothing is in doubt: what the account does not have leaves now, entries as long as they are not too old.

        Raises:
            BadConfig: the key may withdraw or may not trade, or the venue's rules of a market are not ours.
        """
        self._watch.note("account", self._account_fault())
        for row in self._memory.live:
            if self._broker.absence_is_final:
                continue
            if row.state is OrderState.JOURNALLED:
                self._memory.keep(replace(moved(row, OrderState.UNKNOWN, RESTART), lookup_after_ms=self._now()))
            elif row.state is OrderState.PLANNED and row.order.kind.is_entry:
                self._give_back(row, RESTART)
        self._tell_what_a_kill_ended()
        return self.reconcile()

    def _tell_what_a_kill_ended(self) -> None:
        """A kill tells the strategy nothing; now it must learn which of its orders, stops among them, rest no more."""
        for client_order_id in tuple(self._memory.state.resting):
            row = self._memory.rows.get(client_order_id)
            if row is not None and row.state.is_final and client_order_id in self._memory.state.resting:
                self._memory.tell(self._not_placed(row, KILLED), self._desk)

    def _account_fault(self) -> str | None:
        """What is wrong with the account, in words; it blocks entries until the next start."""
        fault = why_not_here(self._broker, self._settings)
        if fault is None:
            return None
        self._memory.alert(fault.kind, "account", fault.what)
        return fault.what

    def tell(self, event: Event, *, cursor: str = "") -> None:
        """Tell the strategy what happened, and journal what it wishes."""
        self._memory.tell(event, self._desk, cursor=cursor)

    def reach(self, cursor: str) -> None:
        """The feed has come to a place; the next commit of anything carries it, so that a restart knows."""
        self._memory.reach(cursor)

    def arrive(self) -> None:
        """Commit the place that the feed has come to, because what follows must never be met from an earlier one."""
        self._memory.arrive()

    def held_then(self, market: Market, time_ms: int) -> tuple[HeldThen, ...]:
        """What was held in a market at an instant that is past, whatever is held now."""
        return self._memory.held_then(market, time_ms)

    def fund(self, event: FundingPaid) -> None:
        """Post one funding payment, once for ever."""
        funding_id = f"funding|{event.episode_id}|{event.time_ms}"
        if not self._memory.has_posted(funding_id):
            self._memory.tell(event, self._desk, fill_id=funding_id)

    def pump(self) -> None:
        """One pass: find out, take back, send. What is learned is told to the strategy at once."""
        self._enquiry.learn()
        self._enquiry.take_back()
        for row in self._memory.live:
            if self._is_still_to_leave(row) and not must_wait(row, self._memory.live):
                self._send(self._memory.row(row.order.client_order_id))

    def reconcile(self) -> Reconciliation:
        """Compare the ledger with the venue; a fault blocks entries until a later comparison is clean."""
        return self._ledger_check.reconcile()

    def kill(self) -> None:
        """Give up every order: what never left never leaves, what works is cancelled. Positions stay untouched."""
        for row in self._memory.live:
            if row.state is OrderState.PLANNED:
                self._memory.keep(moved(row, OrderState.NOT_PLACED, KILLED))
            elif not row.cancel_wanted:
                self._memory.keep(replace(row, cancel_wanted=True))
        self._enquiry.take_back()

    # -- sending ----------------------------------------------------------------------------------------------------

    def _is_still_to_leave(self, row: OrderRow) -> bool:
        return is_still_to_leave(row, absence_is_final=self._broker.absence_is_final)

    def _send(self, row: OrderRow) -> None:
        """Journal, look at the controls once more, and send, once."""
        if not self._is_still_to_leave(row):
            return
        order, now_ms = row.order, self._now()
        if order.kind.is_entry and now_ms - row.planned_at_ms > self._settings.planned_entry_age_ms_max:
            self._give_back(row, STALE_PLAN)
            return
        leaving = row
        if row.state is OrderState.PLANNED:
            leaving = journalled(row, now_ms=now_ms, deadline_ms=now_ms + self._broker.submit_deadline_ms)
            self._memory.keep(leaving)
        if (control := self._held_back(order)) is not None:
            self._give_back(leaving, control)
            return
        outcome = self._broker.submit(order)
        match outcome:
            case Accepted(venue_order_id=venue_order_id):
                accepted = moved(leaving, OrderState.SUBMITTED, "accepted")
                known = replace(accepted, venue_order_id=venue_order_id)
                self._memory.learned(known, can_ask_again=self._broker.absence_is_final)
            case DefiniteReject():
                self._rejected(leaving, outcome)
            case Exists(code=code):
                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"exists {code}"))
            case Unknown(why=why, code=code):
                self._memory.keep(moved(leaving, OrderState.UNKNOWN, f"{why} {code}".strip()))

    def _held_back(self, order: Order) -> str | None:
        controls = self._panel.read()
        fault = self._watch.account_fault()
        return why_held_back(order, controls, now_ms=self._now(), account_fault=fault)

    def _give_back(self, row: OrderRow, why: str) -> None:
        """The order never left: the strategy decides again."""
        self._memory.tell(self._not_placed(row, why), self._desk, rows=(moved(row, OrderState.NOT_PLACED, why),))

    def _not_placed(self, row: OrderRow, why: str) -> OrderNotPlaced:
        order = row.order
        return OrderNotPlaced(
            episode_id=order.episode_id, kind=order.kind, leg=order.leg, reason=why, time_ms=self._now()
        )

    def _skip_adds(self, episode_id: str) -> None:
        """After one blocked add the others of its episode that wait to leave are not tried in this pass."""
        for row in self._memory.live:
            order = row.order
            if row.state is OrderState.PLANNED and (order.kind, order.episode_id) == (IntentKind.ADD, episode_id):
                self._give_back(row, AFTER_BLOCKED_ADD)

    def _rejected(self, row: OrderRow, outcome: DefiniteReject) -> None:
        order = row.order
        event = OrderRejected(
            episode_id=order.episode_id,
            kind=order.kind,
            leg=order.leg,
            reason=f"{outcome.reason} {outcome.code}",
            time_ms=self._now(),
        )
        final = moved(row, OrderState.REJECTED, f"{outcome.reason} {outcome.code}: {outcome.message}")
        self._memory.tell(event, self._desk, rows=(final,))
        if order.kind is IntentKind.ADD:
            self._skip_adds(order.episode_id)
        if (alarming := ALARMING.get(outcome.reason)) is not None:
            self._panel.stop_new_orders(f"{outcome.reason} {outcome.code}")
            self._memory.alert(alarming, order.market, f"{outcome.reason} {outcome.code}: {outcome.message}")
        if order.kind is IntentKind.CLOSE:
            if outcome.reason in PERHAPS_FLAT:
                self._ledger_check.explain_missing(order.market, order.side)
            still_held = order.episode_id in self._memory.state.book.holdings
            if outcome.reason is not RejectReason.NO_POSITION and still_held:
                self._memory.alert(AlertKind.CLOSE_NOT_PLACED, order.episode_id, f"{outcome.code}: {outcome.message}")

    def _now(self) -> int:
        return self._clock.now_ms()
