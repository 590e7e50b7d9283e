"""A shadow session's account: each order is validated as the venue would get it, written down, and filled on paper.

What looks at the venue has no way to send: nothing here, and nothing that `VenueLook` offers, submits or cancels there.
Fills are the paper broker's, so that the strategy goes on as in a paper session beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from typing_extensions import override

from copytrade_core.model.broker import Broker
from copytrade_core.model.instrument import Market
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
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)
from copytrade_core.session.status import SessionFacts, SessionMode

SHADOW = "shadow"
"""In the place of a venue's code: the order would not have been taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFault:
    """Why an order could not have been sent: which rule, which field, and the numbers of it."""

    kind: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredOrder:
    """An order as the venue would have got it. `request` is every field by the venue's own name; empty with a fault."""

    order: Order
    at_ms: int
    mark: Ticks | None
    fault: ShadowFault | None
    request: tuple[tuple[str, str], ...]


class VenueLook(ABC):
    """What may be asked of a venue by who may not trade there: reads, and what an order would look like."""

    @abstractmethod
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        """Its trading rules."""

    @abstractmethod
    def probe(self) -> VenueProbe | Unavailable:
        """Rights of the key, position mode, clock.

        Raises:
            BadConfig: a key that may withdraw, or that is bound to no address where the venue tells.
        """

    @abstractmethod
    def desired(self, order: Order, *, mark: Ticks | None, at_ms: int) -> DesiredOrder:
        """The order validated to the last field that would be sent. Sends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowAt:
    """Where a session is a shadow: the venue's name, which its identity then carries, and the look at it."""

    venue: str
    look: VenueLook


def in_shadow(facts: SessionFacts, shadow: ShadowAt | None) -> SessionFacts:
    """The facts of the same session as a shadow at a venue; unchanged without one."""
    if shadow is None:
        return facts
    identity = replace(facts.identity, venue=shadow.venue)
    return replace(facts, identity=identity, mode=SessionMode.SHADOW)


class ShadowSink(Protocol):
    """Where desired orders are written."""

    def keep(self, desired: DesiredOrder) -> None:
        """Write one, durable on return; the same client order id again changes nothing.

        Raises:
            StoreFault: it cannot be written.
        """
        ...


class ShadowedPaper(Broker):
    """A paper account whose orders must pass a real venue's form first.

    Markets and probe are the venue's, so that a session starts under its real rules; everything else is the paper
    account's.

    Args:
        paper: fills the orders.
        venue: what the orders are validated against.
        sink: where they are written.
        mark: the last price known of a market at a time.
        now_ms: our clock.
    """

    def __init__(
        self,
        *,
        paper: Broker,
        venue: VenueLook,
        sink: ShadowSink,
        mark: Callable[[str, int], Ticks | None],
        now_ms: Callable[[], int],
    ) -> None:
        self.submit_deadline_ms = paper.submit_deadline_ms
        self.same_id_after_not_placed = paper.same_id_after_not_placed
        self._paper = paper
        self._venue = venue
        self._sink = sink
        self._mark = mark
        self._now_ms = now_ms

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        """Validate and write down; what the venue would have taken fills on paper."""
        now_ms = self._now_ms()
        desired = self._venue.desired(order, mark=self._mark(order.market, now_ms), at_ms=now_ms)
        self._sink.keep(desired)
        if desired.fault is not None:
            fault = desired.fault
            message = f"{fault.field}: {fault.detail} ({fault.kind})"
            return DefiniteReject(reason=RejectReason.INVALID_ORDER, code=SHADOW, message=message)
        return self._paper.submit(order)

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        return self._venue.markets()

    @override
    def probe(self) -> VenueProbe | Unavailable:
        return self._venue.probe()

    @override
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
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
