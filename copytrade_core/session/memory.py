"""What a session knows, and the only way to change it: commit to the journal first, then believe it.

Speaking to the venue belongs elsewhere; so does every decision about trading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from copytrade_core.flow import Desk, FlowState, Record, advance
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.digest import digest_of
from copytrade_core.model.event import Event, OrderFilled
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import Intent
from copytrade_core.model.order import Order
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.source_event import SourceEvent
from copytrade_core.model.units import Steps
from copytrade_core.model.verdict import Approved
from copytrade_core.orders.lifecycle import moved, planned
from copytrade_core.session.done_trades import newly_done, with_done, without_done
from copytrade_core.session.held_then import HeldThen, held_then, traded_of
from copytrade_core.session.outbox import Outbox
from copytrade_core.session.ports import Clock, Journal, JournalStep
from copytrade_core.session.snapshot import decode_done, decode_state, encode_done, encode_state


class SessionMemory:
    """Flow state, order rows, posted fill ids and alerts of one session, each change journalled before it counts.

    Args:
        journal: where it survives.
        clock: our time.
        outbox: the sink of the desk.
        fresh: the state of a session that has never run.
    """

    def __init__(self, *, journal: Journal, clock: Clock, outbox: Outbox, fresh: FlowState) -> None:
        self._journal = journal
        self._clock = clock
        self._outbox = outbox
        stored = journal.load()
        done = [decode_done(body) for body in stored.done.values()]
        self.state = fresh if stored.state is None else with_done(decode_state(stored.state), done)
        self._written = with_done(fresh, done)
        """A state whose trades that are over are in the journal one by one."""
        self.cursor = stored.cursor
        self._reached: str | None = None
        self._rows = {row.order.client_order_id: row for row in stored.rows}
        self._live = {key: row for key, row in self._rows.items() if not row.state.is_final}
        self._fill_ids = set(stored.fill_ids)
        self._traded = list(stored.traded)
        self._alerts: dict[tuple[AlertKind, str], Alert] = {}
        self.changes_count = 0
        """Steps that changed something: when a pass leaves it alone, nothing more will come of another."""

    @property
    def rows(self) -> Mapping[str, OrderRow]:
        """Every row of the session by client order id, in the order of planning."""
        return self._rows

    @property
    def live(self) -> tuple[OrderRow, ...]:
        """The rows that are not final, in the order of planning."""
        return tuple(self._live.values())

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Every alert raised by this process, oldest first."""
        return tuple(self._alerts.values())

    def reach(self, cursor: str) -> None:
        """The feed has come to a place: the next commit of anything says so; nothing is committed for it alone."""
        self._reached = cursor

    def arrive(self) -> None:
        """Commit the place that was reached, if it is not committed yet."""
        if self._reached not in (None, self.cursor):
            self._commit(replace(self._plain(), cursor=self._reached))

    def row(self, client_order_id: str) -> OrderRow:
        """The row of one order as it is now."""
        return self._rows[client_order_id]

    def has_posted(self, fill_id: str) -> bool:
        """Whether a trade of the venue, by its `fill_id`, is in the book."""
        return fill_id in self._fill_ids

    def held_then(self, market: Market, time_ms: int) -> tuple[HeldThen, ...]:
        """What was held in a market at an instant that is past."""
        return held_then(self.state.book, self._traded, market, time_ms)

    def tell(
        self, event: Event, desk: Desk, *, rows: Iterable[OrderRow] = (), fill_id: str | None = None, cursor: str = ""
    ) -> None:
        """One flow step: the event, what the strategy wished, and the rows that changed with it, in one commit.

        Args:
            event: what happened.
            desk: who is asked along the way; its sink is this session's outbox.
            rows: rows that the same occurrence changed.
            fill_id: the id of the venue's trade behind an `OrderFilled`.
            cursor: how far the feed has been told.

        Raises:
            StoreFault: the journal could not be written; nothing was changed here either.
        """
        now_ms = self._clock.now_ms()
        try:
            step = advance(self.state, event, desk, now_ms=now_ms)
        finally:
            orders, cancels = self._outbox.take()
        changed = {row.order.client_order_id: row for row in rows}
        digests = _digests(step.records)
        for order in orders:
            digest = digests[order.client_order_id]
            changed[order.client_order_id] = planned(order, intent_digest=digest, now_ms=now_ms)
        for client_order_id in cancels:
            taken_back = changed.get(client_order_id) or self._live.get(client_order_id)
            if taken_back is not None and not taken_back.state.is_final:
                changed[client_order_id] = _taken_back(taken_back)
        is_changed = step.state != self.state
        done = newly_done(self._written, step.state) if is_changed else ()
        self._commit(
            JournalStep(
                at_ms=now_ms,
                state=encode_state(without_done(step.state)) if is_changed else None,
                done={each.trade.episode_id: encode_done(each) for each in done},
                rows=tuple(changed.values()),
                records=step.records,
                fill_ids=() if fill_id is None else (fill_id,),
                alerts=(),
                heard=event if isinstance(event, SourceEvent) else None,
                cursor=cursor or None,
                needs_sync=True,
            )
        )
        self.state = step.state
        self._written = step.state if is_changed else self._written

    def fill(self, event: OrderFilled, desk: Desk, *, row: OrderRow, fill_id: str) -> None:
        """Post one trade of an order of ours: book, row and trade id in one commit."""
        grown = replace(row, filled=Steps(row.filled + event.fill.quantity))
        self.tell(event, desk, rows=(grown,), fill_id=fill_id)

    def set_aside(self, fill_id: str, row: OrderRow, quantity: Steps) -> None:
        """Remember a trade that the book cannot take, so that it is met only once."""
        grown = replace(row, filled=Steps(row.filled + quantity))
        self._commit(replace(self._plain(rows=(grown,)), fill_ids=(fill_id,)))

    def keep(self, *rows: OrderRow) -> None:
        """Commit rows that changed without a word to the strategy."""
        self._commit(self._plain(rows=rows))

    def learned(self, row: OrderRow, *, can_ask_again: bool) -> None:
        """Commit a row that the account's answer changed; an account on the same disk will say it again."""
        self._commit(replace(self._plain(rows=(row,)), needs_sync=not can_ask_again))

    def alert(self, kind: AlertKind, subject: str, what: str) -> None:
        """Raise an alert, once for each kind and subject."""
        if (kind, subject) in self._alerts:
            return
        raised = Alert(kind=kind, subject=subject, at_ms=self._clock.now_ms(), what=what)
        self._commit(self._plain(alerts=(raised,)))

    def _plain(self, *, rows: tuple[OrderRow, ...] = (), alerts: tuple[Alert, ...] = ()) -> JournalStep:
        return JournalStep(
            at_ms=self._clock.now_ms(),
            state=None,
            done={},
            rows=rows,
            records=(),
            fill_ids=(),
            alerts=alerts,
            heard=None,
            cursor=None,
            needs_sync=True,
        )

    def _commit(self, step: JournalStep) -> None:
        changes = bool(step.rows or step.records or step.fill_ids or step.alerts or step.state is not None)
        if step.cursor is None and changes and self._reached not in (None, self.cursor):
            step = replace(step, cursor=self._reached)
        if not changes and step.heard is None and step.cursor is None:
            return
        self._journal.commit(step)
        self.changes_count += changes
        for row in step.rows:
            self._rows[row.order.client_order_id] = row
            if row.state.is_final:
                _ = self._live.pop(row.order.client_order_id, None)
            else:
                self._live[row.order.client_order_id] = row
        self._fill_ids.update(step.fill_ids)
        self._traded.extend(traded_of(step.records))
        for raised in step.alerts:
            self._alerts[raised.kind, raised.subject] = raised
        self.cursor = step.cursor or self.cursor


def _taken_back(row: OrderRow) -> OrderRow:
    """A row that the flow wants back: what never left is cancelled at once."""
    if row.state is OrderState.PLANNED:
        return moved(row, OrderState.CANCELLED, "taken back before it left")
    return replace(row, cancel_wanted=True)


def _digests(records: Iterable[Record]) -> dict[str, str]:
    """The digest of the intent behind each order: an order's record follows the approval that it was built from."""
    digests: dict[str, str] = {}
    intent: Intent | None = None
    for record in records:
        if isinstance(record, Approved):
            intent = record.intent
        elif isinstance(record, Order) and intent is not None:
            digests[record.client_order_id] = digest_of(intent)
    return digests
