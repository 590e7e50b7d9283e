"""Whether ledger and venue agree, again and again: what differs blocks entries, what lasts calls a person.

Only a venue's own fills ever explain a position that is gone. Nothing is sent, and nothing foreign is touched.
"""

from __future__ import annotations

from copytrade_core.flow import Desk
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.book import Holding
from copytrade_core.model.broker import Broker
from copytrade_core.model.event import OrderFilled, PositionSynced
from copytrade_core.model.instrument import Market
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.venue import VenueFill
from copytrade_core.orders.booking import fill_of_foreign_close
from copytrade_core.session.enquiry import Enquiry, since
from copytrade_core.session.foreign_closes import shares_of
from copytrade_core.session.memory import SessionMemory
from copytrade_core.session.ports import Clock, ControlPanel
from copytrade_core.session.reconcile import Line, Reconciliation, compare, unreadable
from copytrade_core.session.watch import SessionWatch

PATIENCE_MS = 30_000
"""How long ledger and venue may differ, entries blocked, before a person is called: positions may lag behind fills."""


class LedgerCheck:
    """The comparing side of a session.

    Args:
        memory: what the session knows.
        broker: the account.
        clock: our time.
        desk: passed on with everything that is told.
        panel: where STOP_NEW_ORDERS is set.
        watch: where it is noted that ledger and venue differ.
        enquiry: asked for late fills before a difference counts.
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
        enquiry: Enquiry,
    ) -> None:
        self._memory = memory
        self._broker = broker
        self._clock = clock
        self._desk = desk
        self._panel = panel
        self._watch = watch
        self._enquiry = enquiry
        self._differs_since: dict[tuple[Market, Side | None], int] = {}
        self._unread_since: int | None = None

    def reconcile(self) -> Reconciliation:
        """Compare, note the fault that blocks entries, and call a person when a difference lasts."""
        result = self._compared()
        if result.mismatches:
            self._enquiry.learn()
            result = self._compared()
        self._watch.note("reconcile", result.fault)
        for order in result.foreign_orders:
            self._memory.alert(AlertKind.FOREIGN_ORDER, order.venue_order_id, f"{order.market}: not ours; left alone")
        for position in result.foreign_positions:
            self._memory.alert(AlertKind.FOREIGN_POSITION, position.market, f"{position.quantity} steps; left alone")
        if result.unavailable is None:
            self._unread_since = None
            self._follow(result.mismatches)
        else:
            self._follow_silence(result.unavailable)
        return result

    def _compared(self) -> Reconciliation:
        now_ms = self._clock.now_ms()
        positions = self._broker.positions()
        if isinstance(positions, Unavailable):
            return unreadable(f"positions ({positions.why})", now_ms)
        orders = self._broker.open_orders()
        if isinstance(orders, Unavailable):
            return unreadable(f"open_orders ({orders.why})", now_ms)
        return compare(
            holdings=self._memory.state.book.holdings.values(),
            rows=self._memory.rows,
            positions=positions,
            open_orders=orders,
            mode=self._watch.mode,
            at_ms=now_ms,
        )

    def _follow(self, mismatches: tuple[Line, ...]) -> None:
        now_ms = self._clock.now_ms()
        self._differs_since = {
            (line.market, line.side): self._differs_since.get((line.market, line.side), now_ms) for line in mismatches
        }
        for line in mismatches:
            side = line.side or (Side.LONG if line.ledger > 0 else Side.SHORT)
            if abs(line.venue) < abs(line.ledger) and line.venue * line.ledger >= 0:
                self.explain_missing(line.market, side)
            if line.venue and now_ms - self._differs_since[line.market, line.side] >= PATIENCE_MS:
                what = f"ledger {line.ledger}, venue {line.venue} steps"
                self._memory.alert(AlertKind.LEDGER_MISMATCH, line.market, what)

    def _follow_silence(self, call: str) -> None:
        now_ms = self._clock.now_ms()
        self._unread_since = now_ms if self._unread_since is None else self._unread_since
        if now_ms - self._unread_since >= PATIENCE_MS:
            self._memory.alert(AlertKind.VENUE_UNAVAILABLE, "account", f"cannot be read: {call}")

    def explain_missing(self, market: Market, side: Side) -> None:
        """The venue shows less than the ledger holds: take the result from its fills, never invent one.

        What it shows is believed after two equal, well-formed reads. Fills that explain the difference exactly are
        posted. When the venue is flat, none explains it and patience is over, the holding leaves the book without a
        result, new orders stop, and a person is called.
        """
        holdings = self._memory.state.book.holdings.values()
        held = [each for each in holdings if (each.market, each.side) == (market, side)]
        shown = self._shown(market, side)
        missing = sum(each.quantity for each in held) - (shown or 0)
        if shown is None or missing <= 0:
            return
        closing = self._foreign_closes(held)
        if closing is None:
            return
        shares = shares_of(closing, held, missing)
        if shares is None:
            if shown == 0:
                self._give_up_on(market, side, held)
            return
        for share in shares:
            event = OrderFilled(fill=fill_of_foreign_close(share.trade, share.holding, share.quantity))
            self._memory.tell(event, self._desk, fill_id=share.fill_id)
        self._memory.alert(AlertKind.FOREIGN_ORDER, market, "someone else closed of our position; its fills are posted")

    def _shown(self, market: Market, side: Side) -> int | None:
        """The steps that two well-formed reads show on this side; None when they differ or one failed."""
        seen: set[int] = set()
        for _ in range(2):
            answer = self._broker.position(market)
            if isinstance(answer, Unavailable):
                return None
            seen.add(sum(each.quantity for each in answer if each.side is side))
        return seen.pop() if len(seen) == 1 else None

    def _foreign_closes(self, held: list[Holding]) -> list[VenueFill] | None:
        """Closing trades since the first holding opened that are not of our orders; None when the read failed."""
        market, side = held[0].market, held[0].side
        fills = self._broker.fills(market, since_ms=since(min(each.opened_at_ms for each in held)))
        if isinstance(fills, Unavailable):
            return None
        ours = {row.venue_order_id for row in self._memory.rows.values()}
        return [
            fill
            for fill in fills
            if fill.buys is side.exit_buys
            and fill.venue_order_id not in ours
            and not self._memory.has_posted(fill.fill_id)
        ]

    def _give_up_on(self, market: Market, side: Side, held: list[Holding]) -> None:
        now_ms = self._clock.now_ms()
        key = (market, None if (market, None) in self._differs_since else side)
        if now_ms - self._differs_since.setdefault(key, now_ms) < PATIENCE_MS:
            return
        self._panel.stop_new_orders(f"{market}: the venue is flat and no fill says why")
        for each in held:
            event = PositionSynced(episode_id=each.episode_id, holding=None, time_ms=now_ms)
            self._memory.tell(event, self._desk)
            self._memory.alert(AlertKind.UNEXPLAINED_POSITION, each.episode_id, f"{market} {side}: flat without a fill")
