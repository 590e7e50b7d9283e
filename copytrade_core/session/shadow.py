"""A shadow session's account: each order is validated as the venue would get it, written down, and filled on paper.

What looks at the venue has no way to send: nothing here, and nothing that `VenueLook` offers, submits or cancels there.
Fills are the paper broker's, so that the strategy goes on as in a paper session beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from typing_extensions import override

from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import (
    Absent,
    CancelOutcome,
    DefiniteReject,
    RejectReason,
    SubmitOutcome,
    Unavailable,
)
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)
from copytrade_core.session.status import SessionFacts, SessionMode
from copytrade_core.session.venue_look import (
    DesiredOrder,
    Looked,
    ShadowFault,
    VenueLook,
    account_faults,
    stricter_rules,
)

SHADOW = "shadow"
"""In the place of a venue's code: the order would not have been taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowAt:
    """Where a session is a shadow: the venue's name, which its identity carries, the look at it, the account's mode."""

    venue: str
    look: VenueLook
    position_mode: PositionMode


def in_shadow(facts: SessionFacts, shadow: ShadowAt | None) -> SessionFacts:
    """The facts of the same session as a shadow at a venue; unchanged without one."""
    if shadow is None:
        return facts
    identity = replace(facts.identity, venue=shadow.venue)
    return replace(facts, identity=identity, mode=SessionMode.SHADOW)


class ShadowSink(Protocol):
    """Where desired orders and looks at the account are written."""

    def keep(self, desired: DesiredOrder) -> None:
        """Write one, durable on return; the same client order id again changes nothing.

        Raises:
            StoreFault: it cannot be written.
        """
        ...

    def looked(self, look: Looked) -> None:
        """Write one, durable on return; a look that shows what the last one showed changes nothing.

        Raises:
            StoreFault: it cannot be written.
        """
        ...


class ShadowedPaper(Broker):
    """A paper account whose orders must pass a real venue's form first.

    The venue is looked at when the session starts and whenever the ledger is compared; what is seen there is written
    down and changes nothing here, so that the session does what paper does. Only an unsafe key ends it.

    Args:
        paper: fills the orders.
        shadow: what the orders are validated against.
        instruments: the rules that orders are built with.
        sink: where they are written.
        mark: the last price known of a market at a time.
        now_ms: our clock.
    """

    def __init__(
        self,
        *,
        paper: Broker,
        shadow: ShadowAt,
        instruments: Mapping[str, Instrument],
        sink: ShadowSink,
        mark: Callable[[str, int], Ticks | None],
        now_ms: Callable[[], int],
    ) -> None:
        self.submit_deadline_ms = paper.submit_deadline_ms
        self.same_id_after_not_placed = paper.same_id_after_not_placed
        self.absence_is_final = paper.absence_is_final
        self._paper = paper
        self._shadow = shadow
        self._instruments = instruments
        self._sink = sink
        self._mark = mark
        self._now_ms = now_ms

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        """Validate and write down; what the venue would have taken fills on paper."""
        now_ms, rules = self._now_ms(), self._instruments[order.market]
        mark = self._mark(order.market, now_ms)
        desired = self._shadow.look.desired(order, rules=rules, mark=mark, at_ms=now_ms)
        self._sink.keep(desired)
        if desired.fault is not None:
            fault = desired.fault
            message = f"{fault.field}: {fault.detail} ({fault.kind})"
            return DefiniteReject(reason=RejectReason.INVALID_ORDER, code=SHADOW, message=message)
        return self._paper.submit(order)

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        return self._paper.markets()

    @override
    def probe(self) -> VenueProbe | Unavailable:
        """Looks at the venue, and answers what the paper account is: in the mode that the venue's is expected in.

        Raises:
            BadConfig: see `VenueLook.probe`.
        """
        self._look()
        paper = self._paper.probe()
        return paper if isinstance(paper, Unavailable) else replace(paper, position_mode=self._shadow.position_mode)

    def _look(self) -> None:
        now_ms, rules = self._now_ms(), self._rules()
        try:
            seen = self._shadow.look.probe()
        except BadConfig as error:
            refused = ShadowFault(kind="unsafe_key", field=error.where.field or "key", detail=error.what)
            self._sink.looked(Looked(at_ms=now_ms, seen=None, faults=(refused,), rules=rules))
            raise
        faults = () if isinstance(seen, Unavailable) else account_faults(seen, self._shadow.position_mode)
        self._sink.looked(Looked(at_ms=now_ms, seen=seen, faults=faults, rules=rules))

    def _rules(self) -> tuple[str, ...]:
        listed = self._shadow.look.markets()
        return () if isinstance(listed, Unavailable) else stricter_rules(self._instruments, listed)

    @override
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        """The paper account's. Sessions ask when they compare the ledger: the venue is looked at as often."""
        self._look()
        return self._paper.positions()

    @override
    def position(self, market: Market) -> tuple[VenuePosition, ...] | Unavailable:
        return self._paper.position(market)

    @override
    def open_orders(self) -> tuple[VenueOrder, ...] | Unavailable:
        return self._paper.open_orders()

    @override
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...] | Unavailable:
        return self._paper.orders(market, since_ms=since_ms)

    @override
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent | Unavailable:
        return self._paper.order(market, client_order_id)

    @override
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...] | Unavailable:
        return self._paper.fills(market, since_ms=since_ms)

    @override
    def balance(self) -> VenueBalance | Unavailable:
        return self._paper.balance()

    @override
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        return self._paper.cancel(market, client_order_id)

    @override
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        """The paper account's: a shadow session changes nothing at the venue."""
        return self._paper.set_leverage(market, side, leverage)
