"""Brokers as somebody might have got them wrong, put between a session and a venue by tests."""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.broker import Broker
from copytrade_core.model.outcome import Unknown


class SendsTwice(Broker):
    """What has no trustworthy answer is sent again at once, under a new name."""

    def __init__(self, broker) -> None:
        self._broker = broker
        self.submit_deadline_ms = broker.submit_deadline_ms
        self.same_id_after_not_placed = broker.same_id_after_not_placed

    def submit(self, order):
        outcome = self._broker.submit(order)
        if isinstance(outcome, Unknown):
            return self._broker.submit(replace(order, client_order_id=order.client_order_id[:-1] + "7"))
        return outcome

    def markets(self):
        return self._broker.markets()

    def positions(self):
        return self._broker.positions()

    def position(self, market):
        return self._broker.position(market)

    def open_orders(self):
        return self._broker.open_orders()

    def orders(self, market, *, since_ms):
        return self._broker.orders(market, since_ms=since_ms)

    def order(self, market, client_order_id):
        return self._broker.order(market, client_order_id)

    def fills(self, market, *, since_ms):
        return self._broker.fills(market, since_ms=since_ms)

    def balance(self):
        return self._broker.balance()

    def probe(self):
        return self._broker.probe()

    def cancel(self, market, client_order_id):
        return self._broker.cancel(market, client_order_id)

    def set_leverage(self, market, side, leverage):
        return self._broker.set_leverage(market, side, leverage)
