"""The story through real parts: what reaches the broker, what is refused, and what is never invented."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.flow import UNDISTURBED, Desk, advance, fresh_state
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.caps import UNCAPPED
from copytrade_core.model.event import (
    AFTER_BLOCKED_ADD,
    BarClosed,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
)
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.intent import Hold, Intent, IntentKind, LimitStyle, MarketStyle
from copytrade_core.model.order import Order
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceChange, SourceChanged, SourceMissing
from copytrade_core.model.units import Ticks
from copytrade_core.model.verdict import Refused
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.state import FRESH
from copytrade_core.virtual_exchange.exchange import VirtualExchange
from tests.trading_floor import (
    BAR_MS,
    BTC,
    FOLLOW,
    FREE,
    at,
    at_ms,
    bar,
    closed,
    episode,
    instrument,
    ladder,
    leave,
    opened,
    usdt,
)


class Market:
    """The last close, as the desk sees it."""

    def __init__(self, price: int = 100_000) -> None:
        self.price = price

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        return Ticks(self.price)


class Floor:
    """A desk with a virtual exchange behind it, told one event at a time; every record is kept."""

    def __init__(self, policy, *, equity: float = 10_000, rungs: FillModel = FillModel.TOUCH) -> None:
        self.market = Market()
        self.exchange = VirtualExchange(
            instruments={BTC: instrument()},
            costs=FREE,
            market_fill=FillModel.NEXT_BAR_OPEN,
            rung_fill=rungs,
            quotes={},
        )
        self.desk = Desk(
            strategy=strategy_of(policy),
            sink=self.exchange,
            prices=self.market,
            instruments={BTC: instrument()},
            account="test",
            lead_margin_balance=None,
            caps=UNCAPPED,
            surroundings=UNDISTURBED,
        )
        self.state = fresh_state(FRESH, opened_book(usdt(equity)))
        self.records: list = []
        self.marks: dict[str, int] = {}

    def tell(self, event, minutes: float) -> list:
        step = advance(self.state, event, self.desk, now_ms=at_ms(minutes))
        self.state = step.state
        self.records.extend(step.records)
        new = [record for record in step.records if isinstance(record, Order)]
        self.marks.update({order.client_order_id: self.market.price for order in new})
        return list(step.records)

    def bar(self, minutes: float, open_: int, high: int, low: int, close: int) -> list[Fill]:
        told = bar(open_, high, low, close, minutes=minutes)
        fills = []
        for phase in (
            self.exchange.at_open(told, exits=True),
            self.exchange.at_open(told, exits=False),
            self.exchange.inside(told, closing=()),
        ):
            for fill in phase:
                fills.append(fill)
                self.tell(OrderFilled(fill=fill), (fill.time_ms - at_ms(0)) / 60_000)
        self.market.price = close
        self.tell(BarClosed(bar=told), minutes + BAR_MS / 60_000)
        return fills

    def orders(self) -> list[Order]:
        return [record for record in self.records if isinstance(record, Order)]

    def resting(self) -> set[str]:
        return {order.leg for order in self.state.resting.values()}


def missing(known, minutes, count=1):
    return SourceMissing(
        episode=known,
        happened_at=at(minutes),
        known_at=at(minutes),
        last_seen_at=at(0),
        missing_polls_count=count,
        why_not_closed=(),
    )


def changed(known, minutes):
    return SourceChanged(
        episode=known,
        change=SourceChange.SCALED_OUT,
        happened_at=at(minutes),
        known_at=at(minutes),
        entry_price_before=known.entry_price,
        entry_price=known.entry_price,
        quantity_before=known.quantity_max,
        quantity=known.quantity_max / 2,
    )


KNOWN = episode(0, 60)


def test_the_story_closes_nothing_without_a_close_intent():
    floor = Floor(FOLLOW)
    floor.tell(opened(KNOWN), 0)
    floor.bar(0, 100_000, 100_000, 100_000, 100_000)
    held = floor.state.book.holdings[KNOWN.episode_id]
    before = len(floor.orders())
    for minute in range(5, 55, 5):
        floor.tell(missing(KNOWN, minute, minute // 5), minute)
        floor.tell(changed(KNOWN, minute), minute)
        floor.tell(Timer(episode_id=KNOWN.episode_id, time_ms=at_ms(minute)), minute)
        floor.tell(MarkSeen(market=BTC, price=Ticks(50_000), time_ms=at_ms(minute), age_ms=0), minute)
        floor.tell(PositionSynced(episode_id=KNOWN.episode_id, holding=held, time_ms=at_ms(minute)), minute)
        floor.bar(minute, 100_000, 150_000, 50_000, 100_000)
    assert len(floor.orders()) == before, "a vanished row, a timer or a price closes nothing"
    assert floor.state.book.holdings[KNOWN.episode_id] == held
    assert any(isinstance(record, Hold) and record.reason == "source_missing" for record in floor.records)

    (order,) = [record for record in floor.tell(closed(KNOWN), 60) if isinstance(record, Order)]
    assert (order.kind, order.reason, order.reduce_only) == (IntentKind.CLOSE, "source_close", True)


LADDER = ladder("0.4", ("0.01", "0.2"), ("0.01", "0.2"), ("0.01", "0.2"))


def test_the_story_stops_adds_after_the_first_that_risk_blocks():
    floor = Floor(replace(FOLLOW, ladder=LADDER), equity=700)
    floor.tell(opened(KNOWN), 0)
    floor.bar(0, 100_000, 100_000, 100_000, 100_000)
    assert [order.leg for order in floor.orders()] == ["base", "rung1"]
    refused = [record for record in floor.records if isinstance(record, Refused)]
    assert [record.intent.leg for record in refused] == ["rung2", "rung2"], "rung3 was not tried, in either pass"
    assert {record.reason for record in refused} == {"notional_gt_equity"}
    assert dict(refused[0].numbers) == {"notional_used": usdt(599.98), "asked": usdt(200), "equity": usdt(700)}
    trade = floor.state.strategy.trades[KNOWN.episode_id]
    assert trade.resting == ("rung1",), "the ladder stays where it was"
    assert floor.state.strategy.backoff.failures == 2, "what was not tried has not failed"

    floor.bar(5, 100_000, 100_000, 100_000, 100_000)
    assert floor.state.strategy.backoff.blocks(at_ms(10)), "three blocked adds put the brake on"
    before = len(floor.records)
    floor.tell(Timer(episode_id=KNOWN.episode_id, time_ms=at_ms(10.5)), 10.5)
    assert len(floor.records) == before, "no retry storm"


def test_skipped_adds_are_told_apart_from_refused_ones():
    heard = []

    class Listening:
        policy_digest = "listening"

        def __init__(self, strategy):
            self._strategy = strategy

        def decide(self, state, event, seen):
            if isinstance(event, OrderNotPlaced):
                heard.append((event.leg, event.reason))
            return self._strategy.decide(state, event, seen)

    floor = Floor(replace(FOLLOW, ladder=LADDER), equity=700)
    floor.desk = replace(floor.desk, strategy=Listening(floor.desk.strategy))
    floor.tell(opened(KNOWN), 0)
    fills = floor.exchange.at_open(bar(100_000, 100_000, 100_000, 100_000), exits=False)
    floor.tell(OrderFilled(fill=next(fills)), 0)
    assert heard == [("rung2", "notional_gt_equity"), ("rung3", AFTER_BLOCKED_ADD)]


def test_a_flat_episode_leaves_nothing_resting():
    policy = replace(FOLLOW, exit=leave(ExitFamily.AUTONOMOUS, profit=20_000, stop=50_000, ttl_s=3600), ladder=LADDER)
    floor = Floor(policy)
    floor.tell(opened(KNOWN), 0)
    floor.bar(0, 100_000, 100_000, 100_000, 100_000)
    assert floor.resting() == {"rung1", "rung2", "rung3", "stop.1", "take_profit.1"}
    fills = floor.bar(5, 100_000, 103_000, 100_000, 101_000)
    assert [fill.leg for fill in fills] == ["take_profit.1"]
    assert floor.resting() == set()
    assert floor.exchange.active_markets() == ()
    assert floor.bar(10, 101_000, 101_000, 1_000, 50_000) == [], "no rung fills after the exit"


def test_a_market_close_takes_back_everything_that_rests_for_its_episode_only():
    policy = replace(FOLLOW, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, stop=50_000), ladder=LADDER)
    other = episode(1, 90)
    floor = Floor(policy)
    floor.tell(opened(KNOWN), 0)
    floor.tell(opened(other), 1)
    floor.bar(5, 100_000, 100_000, 100_000, 100_000)
    floor.tell(closed(KNOWN), 60)
    legs = {(order.episode_id, order.leg) for order in floor.state.resting.values()}
    assert {leg for name, leg in legs if name == KNOWN.episode_id} == {"source_close.2"}
    assert {leg for name, leg in legs if name == other.episode_id} == {"stop.1", "rung1", "rung2", "rung3"}


def test_a_newer_stop_takes_the_place_of_the_older():
    policy = replace(FOLLOW, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, stop=50_000), ladder=LADDER)
    floor = Floor(policy)
    floor.tell(opened(KNOWN), 0)
    floor.bar(0, 100_000, 100_000, 98_990, 99_500)
    stops = [order for order in floor.state.resting.values() if order.leg.startswith("stop")]
    assert [order.leg for order in stops] == ["stop.2"]
    assert stops[0].quantity == floor.state.book.holdings[KNOWN.episode_id].quantity, "it covers the rung too"


def test_an_order_is_the_same_after_a_restart_and_another_after_it_was_not_placed():
    def base_id(floor):
        return [order.client_order_id for order in floor.orders() if order.leg == "base"]

    one, other = Floor(FOLLOW), Floor(FOLLOW)
    one.tell(opened(KNOWN), 0)
    other.tell(opened(KNOWN), 3)
    assert base_id(one) == base_id(other), "time does not name an order"

    laddered = Floor(replace(FOLLOW, ladder=LADDER))
    laddered.tell(opened(KNOWN), 0)
    laddered.bar(0, 100_000, 100_000, 100_000, 100_000)
    rung = next(order for order in laddered.state.resting.values() if order.leg == "rung1")
    laddered.exchange.cancel(rung.client_order_id)
    laddered.state = replace(
        laddered.state,
        resting={key: order for key, order in laddered.state.resting.items() if key != rung.client_order_id},
    )
    laddered.tell(
        OrderRejected(episode_id=KNOWN.episode_id, kind=IntentKind.ADD, leg="rung1", reason="x", time_ms=at_ms(6)), 6
    )
    laddered.bar(5, 100_000, 100_000, 100_000, 100_000)
    again = next(order for order in laddered.state.resting.values() if order.leg == "rung1")
    assert again.client_order_id != rung.client_order_id
    assert (again.quantity, again.style) == (rung.quantity, rung.style)


@st.composite
def days(draw):
    """Bars and lead events of one day: gaps, spikes and closes at any minute."""
    price, bars = 100_000, []
    for _ in range(draw(st.integers(3, 14))):
        open_ = price + draw(st.integers(-1500, 1500))
        close = open_ + draw(st.integers(-1500, 1500))
        high = max(open_, close) + draw(st.integers(0, 1500))
        low = min(open_, close) - draw(st.integers(0, 1500))
        bars.append((open_, high, low, close))
        price = close
    lives = draw(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 40), st.sampled_from(list(Side))), max_size=3))
    return bars, [episode(start, start + length, side=side) for start, length, side in lives]


EXITS = [
    leave(),
    leave(ExitFamily.AUTONOMOUS, profit=8_000, stop=15_000, ttl_s=1200),
    leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=6_000, trailing=3_000, ttl_s=2400),
]


@given(
    day=days(),
    leaving=st.sampled_from(EXITS),
    rungs=st.sampled_from([FillModel.TOUCH, FillModel.CLOSE_BEYOND]),
    equity=st.sampled_from([400, 1500, 10_000]),
)
def test_whatever_the_day_brings_the_book_and_the_orders_agree(day, leaving, rungs, equity):
    bars, lives = day
    floor = Floor(replace(FOLLOW, exit=leaving, ladder=LADDER), equity=equity, rungs=rungs)
    events = sorted(
        [(event.known_at, event) for life in lives for event in (opened(life), closed(life))], key=lambda pair: pair[0]
    )
    for index, prices in enumerate(bars):
        while events and (events[0][0] - at(0)).total_seconds() < index * 300 + 1:
            known_at, event = events.pop(0)
            floor.tell(event, (known_at - at(0)).total_seconds() / 60)
        floor.bar(index * 5, *prices)
        check_the_floor(floor)


def check_the_floor(floor: Floor) -> None:
    state = floor.state
    at_venue = {order.client_order_id for orders in floor.exchange._orders.values() for order in orders.values()}
    assert at_venue == set(state.resting), "what we think rests is what rests"
    entries: dict[str, dict[str, int]] = {}
    for order in floor.orders():
        if order.kind.is_entry:
            price = floor.desk.instruments[order.market].notional(_reference(floor, order), order.quantity)
            entries.setdefault(order.episode_id, {})[order.leg] = price
    for legs in entries.values():
        assert sum(legs.values()) <= usdt(1000), "placed entries never exceed the target"
    for order in state.resting.values():
        held = state.book.holdings.get(order.episode_id)
        if order.reduce_only:
            assert held is not None, "an exit rests only for what is held"
            assert order.quantity == held.quantity
        elif not isinstance(order.style, MarketStyle):
            assert held is not None, "a rung rests only beside its base"
    fills = [record for record in floor.records if isinstance(record, Fill)]
    assert len({fill.client_order_id for fill in fills}) == len(fills), "an order fills once"
    intents = {order.client_order_id for order in floor.orders()}
    assert {fill.client_order_id for fill in fills} <= intents, "nothing fills that was not asked for"
    assert not any(isinstance(record, Intent) for record in floor.records)


def _reference(floor: Floor, order: Order) -> int:
    return order.style.price if isinstance(order.style, LimitStyle) else floor.marks[order.client_order_id]
