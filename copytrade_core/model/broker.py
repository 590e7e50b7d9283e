"""The port an order goes through. What is behind it (virtual exchange, paper, a venue) is not known here."""

from __future__ import annotations

from abc import ABC, abstractmethod

from copytrade_core.model.order import Order


class Broker(ABC):
    """Takes orders and cancels; says what happened through `OrderFilled`, `OrderRejected` and `OrderNotPlaced`."""

    @abstractmethod
    def submit(self, order: Order) -> None:
        """Hand an order over. It never fills inside this call."""

    @abstractmethod
    def cancel(self, client_order_id: str) -> None:
        """Take a resting order back; one that is not resting is left alone."""
