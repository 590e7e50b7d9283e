"""The two ports an order goes through: what the flow hands it to, and the venue behind that.

What is behind a port (virtual exchange, paper, a real venue) is not known here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Absent, CancelOutcome, SubmitOutcome, Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.venue import (
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)


class OrderSink(ABC):
    """Takes orders and cancels; what happened comes back as `OrderFilled`, `OrderRejected` and `OrderNotPlaced`."""

    @abstractmethod
    def submit(self, order: Order) -> None:
        """Hand an order over. It never fills inside this call."""

    @abstractmethod
    def cancel(self, client_order_id: str) -> None:
        """Take a resting order back; one that is not resting is left alone."""


class Broker(ABC):
    """One account at one venue. Every call answers with a value; none raises for what a venue or a network does.

    A read that failed is `Unavailable`; it never looks like an empty answer.
    """

    submit_deadline_ms: int
    """How long after sending a submit may still take effect at the venue (its receive window)."""
    same_id_after_not_placed: bool
    """Whether an id may be sent again once its absence is proved (ids unique for ever), else only a new attempt may."""
    absence_is_final: bool
    """Whether an order that the account does not know has not arrived and never will. So it is with an account that the
    session's own process keeps; across a network a request may still be on its way."""

    @abstractmethod
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        """Trading rules of every linear market of the venue."""

    @abstractmethod
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        """All open positions of the account; flat is an empty tuple from a well-formed answer."""

    @abstractmethod
    def position(self, market: Market) -> tuple[VenuePosition, ...] | Unavailable:
        """Open positions of one market: at most one per side."""

    @abstractmethod
    def open_orders(self) -> tuple[VenueOrder, ...] | Unavailable:
        """All working orders of the account, foreign ones included."""

    @abstractmethod
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...] | Unavailable:
        """Orders of one market created since a time, final ones included."""

    @abstractmethod
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent | Unavailable:
        """One order by our id."""

    @abstractmethod
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...] | Unavailable:
        """Trades of one market since a time, foreign ones included, oldest first."""

    @abstractmethod
    def balance(self) -> VenueBalance | Unavailable:
        """Quote money of the account."""

    @abstractmethod
    def probe(self) -> VenueProbe | Unavailable:
        """Permissions of the key, position mode and clock skew. Sends no order."""

    @abstractmethod
    def submit(self, order: Order) -> SubmitOutcome:
        """Ask for an order, once: no hidden retry, no redirect, never a test flag."""

    @abstractmethod
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        """Take one working order back by our id."""

    @abstractmethod
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        """Set the leverage of one market and side; True when the venue confirmed it."""
