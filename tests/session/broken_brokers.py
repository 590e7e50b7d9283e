"""Brokers that tests put between a session and a venue: one that only passes on, and what somebody might get wrong."""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.broker import Broker
from copytrade_core.model.outcome import Unknown


class Passing(Broker):
    """Passes everything on."""

    def __init__(self, broker) -> None:
        self.broker = broker
        self.submit_deadline_ms = broker.submit_deadline_ms
        self.same_id_after_not_placed = broker.same_id_after_not_placed
        self.absence_is_final = broker.absence_is_final

    def submit(self, order):
        return self.broker.submit(order)

    def markets(self):
        return self.broker.markets()

    def positions(self):
        return self.broker.positions()

    def position(self, market):
        return self.broker.position(market)

    def open_orders(self):
        return self.broker.open_orders()

    def orders(self, market, *, since_ms):
        return self.broker.orders(market, since_ms=since_ms)

    def order(self, market, client_order_id):
        return self.broker.order(market, client_order_id)

    def fills(self, market, *, since_ms):
        return self.broker.fills(market, since_ms=since_ms)

    def balance(self):
        return self.broker.balance()

    def probe(self):
        return self.broker.probe()

    def cancel(self, market, client_order_id):
        return self.broker.cancel(market, client_order_id)

    def set_leverage(self, market, side, leverage):
        return self.broker.set_leverage(market, side, leverage)


class SendsTwice(Passing):
    """What has no trustworthy answer is sent again at once, under a new name."""

    def submit(self, order):
        outcome = self.broker.submit(order)
        if isinstance(outcome, Unknown):
            return self.broker.submit(replace(order, client_order_id=order.client_order_id[:-1] + "7"))
        return outcome
