"""Asking the venue what became of each order, and cancelling those that the flow wants back.

Only answers move anything here. A read that failed proves nothing, and nothing is ever sent but cancels.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.flow import Desk
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.broker import Broker
from copytrade_core.model.event import OrderFilled, OrderNotPlaced, OrderRejected
from copytrade_core.model.instrument import Market
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.outcome import Absent, Unavailable
from copytrade_core.model.venue import VenueFill, VenueOrder
from copytrade_core.orders.booking import fill_of
from copytrade_core.orders.lifecycle import moved, seen
from copytrade_core.orders.resolve import (
    Found,
    LookAgain,
    ProvedAbsent,
    Traces,
    halts,
    judge,
    needs_traces,
)
from copytrade_core.session.memory import SessionMemory
from copytrade_core.session.ports import Clock, ControlPanel
from copytrade_core.session.reconcile import Agreement, compare
from copytrade_core.session.watch import SessionWatch

CLOCKS_DIFFER_MS = 60_000
"""Lists "since" a moment start this much earlier: the venue's clock is not ours."""
LOST_AFTER_MS = 60_000
"""An accepted order that no query has shown for this long is unknown again."""


class Enquiry:
    """The asking side of a session.

    Args:
        memory: what the session knows.
        broker: the account.
        clock: our time.
        desk: passed on with everything that is told.
        panel: where STOP_NEW_ORDERS is set.
        watch: knows the position mode.
    """

    def __init__(
        self,
        *,
        memory: SessionMemory,
        broker: Broker,
        clock: Clock,
        desk: Desk,
        panel: ControlPanel,
        watch: SessionWatch,
    ) -> None:
        self._memory = memory
        self._broker = broker
        self._clock = clock
        self._desk = desk
        self._panel = panel
        self._watch = watch
        self._doubted_since: dict[str, int] = {}

    # -- orders -----------------------------------------------------------------------------------------------------

    def learn(self) -> None:
        """Ask for every order that may be at the venue; post what filled, tell what ended."""
        now_ms = self._clock.now_ms()
        unknown = [row for row in self._memory.live if row.state.is_unresolved]
        self._doubted_since = {key: self._doubted_since.get(key, now_ms) for key in map(_id_of, unknown)}
        for row in unknown:
            if now_ms >= row.lookup_after_ms:
                self._resolve(row)
        working = [row for row in self._memory.live if _works(row)]
        listed: dict[str | None, VenueOrder] = {}
        if len(working) > 1:
            answer = self._broker.open_orders()
            listed = {} if isinstance(answer, Unavailable) else {each.client_order_id: each for each in answer}
        for row in working:
            self._poll(self._memory.row(row.order.client_order_id), listed.get(row.order.client_order_id))

    def take_back(self) -> None:
        """Cancel what the flow no longer wants, and ask what it did before."""
        for row in self._memory.live:
            if row.cancel_wanted and _works(row):
                _ = self._broker.cancel(row.order.market, row.order.client_order_id)
                self._poll(self._memory.row(row.order.client_order_id), None)

    def _poll(self, row: OrderRow, report: VenueOrder | None) -> None:
        if not _works(row):
            return
        answer = report or self._broker.order(row.order.market, row.order.client_order_id)
        if isinstance(answer, Absent):
            # Some venues find a final order by our id for a minute only, and list it for much longer.
            answer = self._listed(row, since(row.sent_at_ms or row.planned_at_ms))
        if isinstance(answer, VenueOrder):
            self._see(row, answer)
        elif isinstance(answer, Absent) and row.sent_at_ms is not None:
            now_ms = self._clock.now_ms()
            if now_ms - row.sent_at_ms > LOST_AFTER_MS:
                lost = moved(row, OrderState.UNKNOWN, "accepted, then never shown")
                self._memory.keep(replace(lost, lookup_after_ms=now_ms))

    def _see(self, row: OrderRow, report: VenueOrder) -> None:
        if row.state.is_unresolved or row.venue_order_id is None:
            state = OrderState.SUBMITTED if row.state.is_unresolved else row.state
            row = replace(moved(row, state, "found"), venue_order_id=report.venue_order_id)
            self._learned(row)
        if report.filled > row.filled:
            self._post_fills(row.order.market)
            row = self._memory.row(row.order.client_order_id)
        after = seen(row, report)
        if after == row:
            return
        given_up = after.state in (OrderState.CANCELLED, OrderState.REJECTED) and not row.cancel_wanted
        if given_up:
            self._tell_ended(after)
        else:
            self._learned(after)

    def _learned(self, row: OrderRow) -> None:
        # What the session itself wants is no answer: it is synced like every wish.
        self._memory.learned(row, can_ask_again=self._broker.absence_is_final and not row.cancel_wanted)

    def _tell_ended(self, row: OrderRow) -> None:
        """The venue ended an order, or the rest of one, that the flow still wanted."""
        order = row.order
        event = OrderRejected(
            episode_id=order.episode_id,
            kind=order.kind,
            leg=order.leg,
            reason=f"ended by the venue: {row.why}",
            time_ms=self._clock.now_ms(),
        )
        self._memory.tell(event, self._desk, rows=(row,))

    # -- unknown orders ---------------------------------------------------------------------------------------------

    def _resolve(self, row: OrderRow) -> None:
        order, now_ms = row.order, self._clock.now_ms()
        by_id = self._broker.order(order.market, order.client_order_id)
        if self._broker.absence_is_final and isinstance(by_id, Absent):
            return  # It is still to be handed over, which the runner does.
        traces = self._traces(row) if needs_traces(row, by_id, now_ms) else None
        verdict = judge(row, by_id, traces, now_ms=now_ms)
        match verdict:
            case Found(order=found):
                self._see(row, found)
            case ProvedAbsent() if row.venue_order_id is None:
                self._not_placed(row)
            case ProvedAbsent():
                # The venue gave it an id: it was there, whatever the lists say now.
                self._look_again(row, now_ms + 15_000, row.lookups_count)
            case LookAgain(at_ms=at_ms, rounds=rounds):
                self._look_again(row, at_ms, rounds)

    def _look_again(self, row: OrderRow, at_ms: int, rounds: int) -> None:
        self._memory.keep(replace(row, lookup_after_ms=at_ms, lookups_count=rounds))
        order_id = row.order.client_order_id
        if halts(row, doubted_since_ms=self._doubted_since[order_id], now_ms=self._clock.now_ms()):
            self._panel.stop_new_orders(f"order {order_id} is unresolved")
            self._memory.alert(AlertKind.UNRESOLVED_ORDER, order_id, f"unknown since {row.sent_at_ms}: {row.why}")

    def _not_placed(self, row: OrderRow) -> None:
        """Its absence is proved: an exit may leave again under the same id where ids are unique for ever."""
        order = row.order
        if order.reduce_only and self._broker.same_id_after_not_placed and not row.cancel_wanted:
            self._memory.keep(moved(row, OrderState.PLANNED, "absence proved"))
            return
        event = OrderNotPlaced(
            episode_id=order.episode_id,
            kind=order.kind,
            leg=order.leg,
            reason="absence proved",
            time_ms=self._clock.now_ms(),
        )
        self._memory.tell(event, self._desk, rows=(moved(row, OrderState.NOT_PLACED, "absence proved"),))

    def _traces(self, row: OrderRow) -> Traces:
        """Every other place in which the order could show itself."""
        market, since_ms = row.order.market, since(row.sent_at_ms or row.planned_at_ms)
        fills = self._broker.fills(market, since_ms=since_ms)
        return Traces(
            listed=self._listed(row, since_ms),
            fills_foreign=None if isinstance(fills, Unavailable) else self._has_foreign(fills, row),
            position_moved=self._position_moved(row),
        )

    def _listed(self, row: OrderRow, since_ms: int) -> VenueOrder | Absent | None:
        lists = (self._broker.open_orders(), self._broker.orders(row.order.market, since_ms=since_ms))
        for answer in lists:
            if isinstance(answer, Unavailable):
                return None
            for each in answer:
                if each.client_order_id == row.order.client_order_id:
                    return each
        return Absent()

    def _has_foreign(self, fills: tuple[VenueFill, ...], row: OrderRow) -> bool:
        ours = {other.venue_order_id for other in self._memory.rows.values()}
        return any(
            fill.venue_order_id not in ours
            and fill.buys == row.order.buys
            and not self._memory.has_posted(fill.fill_id)
            for fill in fills
        )

    def _position_moved(self, row: OrderRow) -> bool | None:
        positions = self._broker.positions()
        if isinstance(positions, Unavailable):
            return None
        known = {key: other for key, other in self._memory.rows.items() if key != row.order.client_order_id}
        compared = compare(
            holdings=self._memory.state.book.holdings.values(),
            rows=known,
            positions=positions,
            open_orders=(),
            mode=self._watch.mode,
            at_ms=self._clock.now_ms(),
        )
        touched = [line for line in compared.lines if line.market == row.order.market]
        foreign = [each for each in compared.foreign_positions if each.market == row.order.market]
        return bool(foreign) or any(line.agreement is Agreement.MISMATCH for line in touched)

    # -- fills ------------------------------------------------------------------------------------------------------

    def _post_fills(self, market: Market) -> None:
        """Post every trade of our orders in a market that is not in the book yet, oldest first."""
        live = [row for row in self._memory.live if row.order.market == market and row.sent_at_ms is not None]
        since_ms = min((row.sent_at_ms or 0 for row in live), default=self._clock.now_ms())
        fills = self._broker.fills(market, since_ms=since(since_ms))
        if isinstance(fills, Unavailable):
            return
        ours = {row.venue_order_id: row.order.client_order_id for row in live if row.venue_order_id is not None}
        for trade in fills:
            client_order_id = ours.get(trade.venue_order_id)
            if client_order_id is not None and not self._memory.has_posted(trade.fill_id):
                self._post(trade, self._memory.row(client_order_id))

    def _post(self, trade: VenueFill, row: OrderRow) -> None:
        held = self._memory.state.book.holdings.get(row.order.episode_id)
        if not row.order.kind.is_entry and (held is None or trade.quantity > held.quantity):
            what = f"trade {trade.trade_id} closes more than the ledger holds"
            self._panel.stop_new_orders(what)
            self._memory.set_aside(trade.fill_id, row, trade.quantity)
            self._memory.alert(AlertKind.LEDGER_MISMATCH, trade.trade_id, what)
            return
        event = OrderFilled(fill=fill_of(trade, row.order))
        self._memory.fill(event, self._desk, row=row, fill_id=trade.fill_id)


def _id_of(row: OrderRow) -> str:
    return row.order.client_order_id


def _works(row: OrderRow) -> bool:
    return row.state in (OrderState.SUBMITTED, OrderState.OPEN, OrderState.PARTIALLY_FILLED)


def since(at_ms: int) -> int:
    """From when on to list what happened since `at_ms` of our clock."""
    return at_ms - CLOCKS_DIFFER_MS
