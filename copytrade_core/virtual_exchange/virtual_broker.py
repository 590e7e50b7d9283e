"""The in-process face of a virtual venue: a `Broker` whose answers are those that a client of a real venue would have.

Nothing is sent anywhere. The clock is the engine's; only faults that cost a client time move it here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from typing_extensions import override

from copytrade_core.model.broker import Broker
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import (
    Absent,
    Accepted,
    CancelOutcome,
    DefiniteReject,
    Exists,
    RejectReason,
    SubmitOutcome,
    Unavailable,
    Unknown,
)
from copytrade_core.model.side import Side
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)
from copytrade_core.virtual_exchange.call_plan import CallPlan, plan_call
from copytrade_core.virtual_exchange.client_words import RESET, SKEW, TIMEOUT, outcome_of, rejected_by, why_of
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, PlaceAsk, PlaceTerms, VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import IdUniqueness, VenueRule

DISAGREE = "two readings disagree"
_Answer = TypeVar("_Answer")
_Item = TypeVar("_Item")
_WAITS = frozenset({VenueFaultKind.LOST, VenueFaultKind.HANG, VenueFaultKind.ACCEPT_THEN_HANG})
_DONE = frozenset(
    {
        VenueFaultKind.ACCEPT_THEN_HANG,
        VenueFaultKind.ACCEPT_THEN_RESET,
        VenueFaultKind.ACCEPT_THEN_5XX,
        VenueFaultKind.ACCEPT_THEN_GARBAGE,
        VenueFaultKind.DUPLICATE_ID,
    }
)
_REJECTS = frozenset(
    {
        VenueFaultKind.REJECT,
        VenueFaultKind.REJECT_NEXT_N_ORDERS,
        VenueFaultKind.REJECT_PROBABILITY,
        VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT,
    }
)


class VirtualBroker(Broker):
    """One account at a virtual venue.

    Args:
        engine: the account; its clock is the simulation's.
        faults: what happens to which call.
        position_mode: the mode that the client believes in; the venue may be in the other.
        timeout_ms: how long the client waits for an answer.
        can_withdraw: whether the key may withdraw; once a probe has seen it, nothing is sent any more.
        ip_restricted: whether the key has an allow-list (None: the venue does not tell).
    """

    def __init__(
        self,
        engine: VenueEngine,
        *,
        faults: VenueFaultBook,
        position_mode: PositionMode,
        timeout_ms: int,
        can_withdraw: bool,
        ip_restricted: bool | None,
    ) -> None:
        self.submit_deadline_ms = engine.rules.receive_window_ms
        self.same_id_after_not_placed = engine.rules.id_uniqueness is IdUniqueness.FOREVER
        self.absence_is_final = False
        self._engine = engine
        self._faults = faults
        self._mode = position_mode
        self._timeout_ms = timeout_ms
        self._can_withdraw = can_withdraw
        self._ip_restricted = ip_restricted
        self._may_withdraw = False
        self._prefix = engine.rules.id_prefix

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        return self._read(VenueCall.MARKETS, lambda _: self._engine.markets)

    @override
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        return self._unless_empty(VenueCall.POSITIONS, lambda plan: self._engine.positions(as_of_ms=plan.as_of_ms))

    @override
    def position(self, market: Market) -> tuple[VenuePosition, ...] | Unavailable:
        return self._unless_empty(
            VenueCall.POSITION, lambda plan: self._engine.positions(market, as_of_ms=plan.as_of_ms)
        )

    @override
    def open_orders(self) -> tuple[VenueOrder, ...] | Unavailable:
        return self._unless_empty(
            VenueCall.OPEN_ORDERS,
            lambda plan: tuple(self._view(order) for order in self._engine.open_orders(as_of_ms=plan.as_of_ms)),
        )

    @override
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...] | Unavailable:
        return self._read(
            VenueCall.ORDERS,
            lambda plan: tuple(
                self._view(order) for order in self._engine.orders(market, since_ms=since_ms, as_of_ms=plan.as_of_ms)
            ),
        )

    @override
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent | Unavailable:
        def found(plan: CallPlan) -> VenueOrder | Absent:
            order = self._engine.order(market, client_order_id=self._prefix + client_order_id, as_of_ms=plan.as_of_ms)
            return Absent() if order is None else self._view(order)

        return self._read(VenueCall.ORDER, found)

    @override
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...] | Unavailable:
        return self._read(
            VenueCall.FILLS, lambda plan: self._engine.fills(market, since_ms=since_ms, as_of_ms=plan.as_of_ms)
        )

    @override
    def balance(self) -> VenueBalance | Unavailable:
        return self._read(VenueCall.BALANCE, lambda _: self._engine.balance())

    @override
    def probe(self) -> VenueProbe | Unavailable:
        plan = self._plan(VenueCall.PROBE)
        why = self._lost(plan)
        if why is not None:
            return Unavailable(call=VenueCall.PROBE.value, why=why)
        self._may_withdraw = self._can_withdraw
        return VenueProbe(
            can_trade=True,
            can_withdraw=self._can_withdraw,
            ip_restricted=self._ip_restricted,
            position_mode=self._engine.position_mode,
            clock_skew_ms=plan.skew_ms,
        )

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        if self._may_withdraw:
            return DefiniteReject(reason=RejectReason.PERMISSION, code="", message="the key may withdraw: not sent")
        plan = plan_call(self._engine, self._faults, VenueCall.SUBMIT, closes=order.buys is order.side.exit_buys)
        ask = self._ask(order)
        if plan.is_refused_for_time(self.submit_deadline_ms):
            return DefiniteReject(reason=RejectReason.BAD_REQUEST, code=SKEW, message="the time stamp is refused")
        fault = plan.fault
        if fault is None:
            outcome = self._placed(ask, plan.terms)
            return outcome if self._answered(plan.slow_ms) else Unknown(why=TIMEOUT, code="")
        if fault.kind in _REJECTS:
            return rejected_by(fault)
        if fault.kind is VenueFaultKind.DELAYED_APPLY:
            self._engine.place_later(ask, delay_ms=fault.delay_ms or 0)
            return Unknown(why=RESET, code="")
        outcome = self._placed(ask, plan.terms) if fault.kind in _DONE else None
        if fault.kind is VenueFaultKind.DUPLICATE_ID and outcome is not None:
            is_placed = isinstance(outcome, Accepted)
            return Exists(code=fault.code or VenueRule.DUPLICATE_CLIENT_ID.value) if is_placed else outcome
        return Unknown(why=self._why(fault), code="")

    @override
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        plan = self._plan(VenueCall.CANCEL)
        fault = plan.fault
        if plan.is_refused_for_time(self.submit_deadline_ms):
            return CancelOutcome.UNKNOWN
        if fault is None or fault.kind in _DONE:
            done = self._engine.cancel(market, client_order_id=self._prefix + client_order_id)
            if fault is None and self._answered(plan.slow_ms):
                return CancelOutcome.NOT_OPEN if isinstance(done, VenueRefusal) else CancelOutcome.DONE
        if fault is not None:
            _ = self._why(fault)
        return CancelOutcome.UNKNOWN

    @override
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        plan = self._plan(VenueCall.SET_LEVERAGE)
        refusal = None
        if plan.fault is None or plan.fault.kind in _DONE:
            refusal = self._engine.set_leverage(market, side, leverage)
        why = self._lost(plan)
        return refusal is None if why is None else Unavailable(call=VenueCall.SET_LEVERAGE.value, why=why)

    def _read(self, call: VenueCall, answer: Callable[[CallPlan], _Answer]) -> _Answer | Unavailable:
        plan = self._plan(call)
        if plan.fault is None and not plan.slow_ms and not plan.skew_ms:
            return answer(plan)
        found = answer(plan)
        is_signed = call is not VenueCall.MARKETS
        why = SKEW if is_signed and plan.is_refused_for_time(self.submit_deadline_ms) else self._lost(plan)
        return found if why is None else Unavailable(call=call.value, why=why)

    def _unless_empty(
        self, call: VenueCall, answer: Callable[[CallPlan], tuple[_Item, ...]]
    ) -> tuple[_Item, ...] | Unavailable:
        """A list; an empty one only when a second reading agrees and the balance could be read, as over HTTP."""
        found = self._read(call, answer)
        if found:
            return found
        again = self._read(call, answer)
        if isinstance(again, Unavailable):
            return again
        if again:
            return Unavailable(call=call.value, why=DISAGREE)
        balance = self.balance()
        return (
            Unavailable(call=call.value, why=f"no balance: {balance.why}") if isinstance(balance, Unavailable) else ()
        )

    def _plan(self, call: VenueCall) -> CallPlan:
        return plan_call(self._engine, self._faults, call)

    def _lost(self, plan: CallPlan) -> str | None:
        """Why the client has no answer, after the time that it waited; None when it has one."""
        if plan.fault is not None:
            return self._why(plan.fault)
        return None if self._answered(plan.slow_ms) else TIMEOUT

    def _answered(self, slow_ms: int) -> bool:
        """Wait for a slow answer; False when the client gave up first."""
        if slow_ms:
            self._engine.advance(self._engine.now_ms + min(slow_ms, self._timeout_ms))
        return slow_ms < self._timeout_ms

    def _why(self, fault: VenueFault) -> str:
        """The client's word for a call without a trustworthy answer, after the time that it waited."""
        if fault.kind in _WAITS:
            self._engine.advance(self._engine.now_ms + self._timeout_ms)
        return why_of(fault)

    def _ask(self, order: Order) -> PlaceAsk:
        """The order as a client in its mode sends it: a position side in hedge mode, else reduce-only where it is."""
        hedged = self._mode is PositionMode.HEDGE
        return PlaceAsk(
            client_order_id=self._prefix + order.client_order_id,
            market=order.market,
            buys=order.buys,
            position_side=order.side if hedged else None,
            reduce_only=True if order.reduce_only and not hedged else None,
            style=order.style,
            quantity=order.quantity,
        )

    def _view(self, order: EngineOrder) -> VenueOrder:
        """An order as our client shows it: without the prefix that the venue wants before our id."""
        seen = order.view()
        if not self._prefix or seen.client_order_id is None:
            return seen
        return replace(seen, client_order_id=seen.client_order_id.removeprefix(self._prefix))

    def _placed(self, ask: PlaceAsk, terms: PlaceTerms) -> SubmitOutcome:
        done = self._engine.place(ask, terms)
        if isinstance(done, VenueRefusal):
            return outcome_of(done)
        return Accepted(venue_order_id=done.order.venue_order_id)
