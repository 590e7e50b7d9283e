"""A desk whose venue is the test: fills and refusals are told by hand, and the world can be disturbed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from copytrade_core.desk import Desk, FlowState, fresh_state
from copytrade_core.flow import Record, advance
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.broker import OrderSink
from copytrade_core.model.caps import UNCAPPED, Caps
from copytrade_core.model.controls import CLEAR, Controls
from copytrade_core.model.event import Event, MarkSeen, OrderFilled, OrderNotPlaced, OrderRejected
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.units import Money, Ppm, Steps, Ticks
from copytrade_core.model.verdict import Refused
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.state import FRESH
from tests.trading_floor import BTC, at_ms, instrument, usdt

CALM_CAPS = Caps(
    notional_gross_max=usdt(100_000),
    notional_one_side_max=usdt(100_000),
    notional_correlated_max=usdt(100_000),
    daily_loss_max=usdt(100_000),
    orders_per_hour_max=1_000,
    source_age_s_max=60,
    mark_age_s_max=60,
    entry_drift_ppm_max=Ppm(10_000),
)
"""Every cap is set, and none is near."""


class World:
    """Surroundings that a test disturbs by setting attributes; `asked` counts what was asked for."""

    def __init__(self) -> None:
        self.set: Controls = CLEAR
        self.source_age: int | None = 0
        self.mark_age: dict[str, int | None] = {}
        self.correlations: dict[tuple[str, str], int | None] = {}
        self.unresolved: set[str] = set()
        self.alive: set[str] = set()
        self.fault: str | None = None
        self.one_way = False
        self.asked = 0

    def controls(self) -> Controls:
        self.asked += 1
        return self.set

    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        self.asked += 1
        return self.source_age

    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        self.asked += 1
        return self.mark_age.get(market, 0)

    def correlation_ppm(self, market: str, other: str) -> int | None:
        return self.correlations.get((market, other))

    def is_unresolved(self, client_order_id: str) -> bool:
        return client_order_id in self.unresolved

    def may_still_fill(self, client_order_id: str) -> bool:
        return client_order_id in self.alive or client_order_id in self.unresolved

    def account_fault(self) -> str | None:
        return self.fault

    def is_one_way(self) -> bool:
        return self.one_way


class Marks:
    """The last price of each market."""

    def __init__(self, price: int | None) -> None:
        self.default = price
        self.of: dict[str, int | None] = {}

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        price = self.of.get(market, self.default)
        return None if price is None else Ticks(price)


class Kept(OrderSink):
    """What was handed over and taken back, in order."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.cancelled: list[str] = []

    def submit(self, order: Order) -> None:
        assert order.client_order_id not in self.orders, "an id is used once"
        self.orders[order.client_order_id] = order

    def cancel(self, client_order_id: str) -> None:
        self.cancelled.append(client_order_id)


class DeskFloor:
    """One desk, told one event at a time."""

    def __init__(
        self,
        policy: PolicySpec,
        *,
        caps: Caps = UNCAPPED,
        equity: float = 10_000,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self.world = World()
        self.marks = Marks(100_000)
        self.sink = Kept()
        self.minutes = 0.0
        self.records: list[Record] = []
        self.desk = Desk(
            strategy=strategy_of(policy),
            sink=self.sink,
            prices=self.marks,
            instruments=instruments or {BTC: instrument()},
            account="test",
            lead_margin_balance=None,
            caps=caps,
            surroundings=self.world,
        )
        self.state: FlowState = fresh_state(FRESH, opened_book(usdt(equity)))

    @property
    def now_ms(self) -> int:
        return at_ms(self.minutes)

    def tell(self, event: Event, minutes: float | None = None) -> list[Record]:
        self.minutes = self.minutes if minutes is None else minutes
        step = advance(self.state, event, self.desk, now_ms=self.now_ms)
        self.state = step.state
        self.records.extend(step.records)
        return list(step.records)

    def cap(self, **caps: int) -> None:
        self.desk = replace(self.desk, caps=replace(self.desk.caps, **caps))

    def fill(self, order: Order, quantity: int | None = None, *, price: int | None = None) -> list[Record]:
        found = price if price is not None else self.marks.of.get(order.market, self.marks.default)
        assert found is not None
        return self.tell(OrderFilled(fill=fill_of(order, quantity or order.quantity, found, self.now_ms)))

    def reject(self, order: Order, why: str = "no") -> list[Record]:
        return self.tell(
            OrderRejected(episode_id=order.episode_id, kind=order.kind, leg=order.leg, reason=why, time_ms=self.now_ms)
        )

    def not_placed(self, order: Order) -> list[Record]:
        return self.tell(
            OrderNotPlaced(
                episode_id=order.episode_id, kind=order.kind, leg=order.leg, reason="absent", time_ms=self.now_ms
            )
        )

    def price(self, price: int, minutes: float, market: Market = BTC) -> list[Record]:
        self.marks.of[market] = price
        return self.tell(MarkSeen(market=market, price=Ticks(price), time_ms=at_ms(minutes), age_ms=0), minutes)

    def resting(self, leg: str) -> Order:
        (order,) = [each for each in self.state.resting.values() if each.leg == leg]
        return order

    def legs(self) -> set[str]:
        return {order.leg for order in self.state.resting.values()}

    def refusals(self) -> list[Refused]:
        return [record for record in self.records if isinstance(record, Refused)]

    def held(self, episode_id: str) -> int:
        holding = self.state.book.holdings.get(episode_id)
        return 0 if holding is None else holding.quantity


def fill_of(order: Order, quantity: int, price: int, time_ms: int) -> Fill:
    return Fill(
        client_order_id=order.client_order_id,
        kind=order.kind,
        episode_id=order.episode_id,
        market=order.market,
        side=order.side,
        leg=order.leg,
        buys=order.buys,
        time_ms=time_ms,
        bar_open_ms=time_ms,
        raw_price=Ticks(price),
        price=Ticks(price),
        quantity=Steps(quantity),
        fee=Money(0),
        slippage=Money(0),
        model=FillModel.NEXT_BAR_OPEN,
        reason="a test",
    )


def orders_in(records: list[Record]) -> list[Order]:
    return [record for record in records if isinstance(record, Order)]
