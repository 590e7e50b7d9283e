"""Where the flow puts what it wants of a venue, until the step is committed. Nothing leaves from here."""

from __future__ import annotations

from typing_extensions import override

from copytrade_core.model.broker import OrderSink
from copytrade_core.model.order import Order


class Outbox(OrderSink):
    """Orders and cancels of one flow step, in the order in which they were wished."""

    def __init__(self) -> None:
        self._orders: list[Order] = []
        self._cancels: list[str] = []

    @override
    def submit(self, order: Order) -> None:
        """Keep an order for the commit."""
        self._orders.append(order)

    @override
    def cancel(self, client_order_id: str) -> None:
        """Keep a cancel for the commit."""
        self._cancels.append(client_order_id)

    def take(self) -> tuple[tuple[Order, ...], tuple[str, ...]]:
        """What the step left here, once."""
        taken = tuple(self._orders), tuple(self._cancels)
        self._orders, self._cancels = [], []
        return taken
