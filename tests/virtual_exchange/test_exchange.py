"""The virtual exchange by itself: costs, order of events inside a bar, and what it will not take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.model.errors import BadInput
from copytrade_core.model.fill import FillModel
from copytrade_core.model.intent import ByNotional, Intent, IntentKind, LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.verdict import Approved
from copytrade_core.orders.build import build
from copytrade_core.virtual_exchange.exchange import VirtualExchange
from tests.trading_floor import BTC, COSTS, FREE, at_ms, bar, instrument, usdt

RULES = instrument()
NEXT_OPEN, TOUCH, BEYOND = FillModel.NEXT_BAR_OPEN, FillModel.TOUCH, FillModel.CLOSE_BEYOND


def exchange(*, market=NEXT_OPEN, rungs=TOUCH, costs=FREE) -> VirtualExchange:
    return VirtualExchange(instruments={BTC: RULES}, costs=costs, market_fill=market, rung_fill=rungs, quotes={})


def order(kind=IntentKind.OPEN, leg="base", *, style=None, side=Side.LONG, minutes=0.0, name="a", expires=None):
    """A real order, built as flow builds it."""
    intent = Intent(
        kind=kind,
        episode_id=name,
        market=BTC,
        side=side,
        leg=leg,
        replaces=leg.partition(".")[0],
        sizing=ByNotional(notional=usdt(100), rule="test"),
        style=style or MarketStyle(),
        allow_market_fallback=False,
        fallback_on_reject=False,
        fallback_on_timeout=False,
        reference_price=Ticks(100_000),
        headroom_ppm=0,
        reason=leg.partition(".")[0],
        policy="p",
        policy_digest="d",
        decided_at_ms=at_ms(minutes),
        expires_at_ms=None if expires is None else at_ms(expires),
    )
    built = build(
        Approved(intent=intent, worst_notional=Money(0)),
        RULES,
        quantity_held=Steps(100),
        account="test",
        attempt=0,
        now_ms=at_ms(minutes),
    )
    assert isinstance(built, Order)
    return replace(built, quantity=Steps(100))


def limit(price, kind=IntentKind.ADD, leg="rung1", **more):
    return order(kind, leg, style=LimitStyle(price=Ticks(price), post_only=False), **more)


def stop(trigger, **more):
    return order(IntentKind.CLOSE, "stop.1", style=StopStyle(trigger=Ticks(trigger)), **more)


def legs(fills):
    return [(fill.leg, fill.price) for fill in fills]


def test_an_order_never_fills_inside_the_call_that_hands_it_over():
    venue = exchange()
    assert venue.submit(order()) is None
    assert venue.active_markets() == (BTC,)


def test_an_id_rests_once():
    venue = exchange()
    venue.submit(order())
    with pytest.raises(BadInput, match="duplicate client order id") as caught:
        venue.submit(order())
    assert caught.value.where.field == "client_order_id"


def test_a_cancelled_order_does_not_fill_and_cancelling_twice_is_no_fault():
    venue, base = exchange(), order()
    venue.submit(base)
    venue.cancel(base.client_order_id)
    venue.cancel(base.client_order_id)
    assert list(venue.at_open(bar(100, 100, 100, 100), exits=False)) == []
    assert venue.active_markets() == ()


def test_an_order_fills_only_in_a_bar_that_opens_after_it_arrived():
    venue = exchange()
    venue.submit(order(minutes=0.001))
    assert list(venue.at_open(bar(100_000, 100_000, 100_000, 100_000), exits=False)) == []
    (fill,) = venue.at_open(bar(100_500, 100_500, 100_500, 100_500, minutes=5), exits=False)
    assert (fill.price, fill.time_ms, fill.model) == (100_500, at_ms(5), NEXT_OPEN)


@pytest.mark.parametrize(("side", "price"), [(Side.LONG, 100_030), (Side.SHORT, 99_970)])
def test_slippage_is_against_us_and_shown_and_fees_are_on_the_price_paid(side, price):
    venue = exchange(costs=COSTS)
    venue.submit(order(side=side))
    (fill,) = venue.at_open(bar(100_000, 100_000, 100_000, 100_000), exits=False)
    assert (fill.raw_price, fill.price) == (100_000, price)
    assert fill.slippage == RULES.notional(30, 100)
    assert fill.fee == -(-RULES.notional(price, 100) * 500 // 10**6)


def test_resting_limits_pay_the_maker_fee_stops_and_market_orders_the_taker_fee():
    venue = exchange(costs=COSTS)
    venue.submit(limit(99_000))
    venue.submit(stop(98_000))
    fills = list(venue.inside(bar(100_000, 100_000, 97_000, 97_000), closing=()))
    rates = {fill.leg: round(fill.fee * 10**6 / RULES.notional(fill.price, fill.quantity)) for fill in fills}
    assert rates == {"rung1": 200, "stop.1": 500}


def test_adverse_orders_fill_in_the_order_the_price_meets_them():
    venue = exchange()
    for each in (stop(97_000), limit(96_000, leg="rung2"), limit(99_000)):
        venue.submit(each)
    fills = venue.inside(bar(100_000, 101_000, 95_000, 100_000), closing=())
    assert legs(fills) == [("rung1", 99_000), ("stop.1", 97_000), ("rung2", 96_000)]


def test_an_open_beyond_stop_and_rung_triggers_the_stop_first():
    venue = exchange()
    venue.submit(limit(99_000))
    venue.submit(stop(98_500))
    fills = venue.inside(bar(98_000, 98_000, 97_000, 97_500), closing=())
    assert next(iter(legs(fills))) == ("stop.1", 98_000)


def test_a_take_profit_waits_when_a_rung_filled_in_the_bar():
    for model in (TOUCH, BEYOND):
        venue = exchange(rungs=model)
        venue.submit(limit(99_000, minutes=-5))
        venue.submit(limit(102_000, IntentKind.CLOSE, "take_profit.1", minutes=-5))
        fills = legs(venue.inside(bar(100_000, 103_000, 97_000, 98_000), closing=()))
        assert fills == [("rung1", 99_000)]
        later = legs(venue.inside(bar(100_000, 103_000, 99_500, 100_000, minutes=5), closing=()))
        assert later == [("take_profit.1", 102_000)]


def test_a_take_profit_does_not_fill_in_the_bar_it_was_placed_in():
    venue = exchange()
    venue.submit(limit(102_000, IntentKind.CLOSE, "take_profit.1", minutes=1))
    assert legs(venue.inside(bar(100_000, 103_000, 100_000, 100_000), closing=())) == []


def test_a_rung_placed_while_a_bar_lasts_is_not_judged_by_that_bar():
    venue = exchange()
    venue.submit(limit(99_000, minutes=2))
    assert legs(venue.inside(bar(100_000, 100_000, 98_000, 100_000), closing=())) == []
    assert legs(venue.inside(bar(100_000, 100_000, 98_000, 100_000, minutes=5), closing=())) == [("rung1", 99_000)]


@pytest.mark.parametrize(
    ("model", "expires", "fills"), [(TOUCH, 5, 0), (TOUCH, 5.1, 1), (BEYOND, 10, 0), (BEYOND, 10.1, 1)]
)
def test_a_rung_lapses_with_its_time(model, expires, fills):
    """Touch: alive while its time has not come when the bar opens. Close: alive until after the bar's end."""
    venue = exchange(rungs=model)
    venue.submit(limit(99_000, minutes=0, expires=expires))
    bar_at_five = bar(100_000, 100_000, 98_000, 98_000, minutes=5)
    assert len(list(venue.inside(bar_at_five, closing=()))) == fills


def test_no_rung_fills_by_the_close_of_a_bar_in_which_the_source_closes():
    venue = exchange(rungs=BEYOND)
    venue.submit(limit(99_000, minutes=0))
    late = bar(100_000, 100_000, 98_000, 98_000, minutes=5)
    assert list(venue.inside(late, closing={"a"})) == []
    assert legs(venue.inside(late, closing={"b"})) == [("rung1", 99_000)]


def test_episodes_do_not_hold_each_other_up():
    venue = exchange()
    venue.submit(limit(99_000, name="a"))
    venue.submit(limit(102_000, IntentKind.CLOSE, "take_profit.1", name="b"))
    fills = [(fill.episode_id, fill.leg) for fill in venue.inside(bar(100_000, 103_000, 98_000, 100_000), closing=())]
    assert fills == [("a", "rung1"), ("b", "take_profit.1")]


def test_an_order_taken_back_while_fills_are_read_does_not_fill():
    venue, other = exchange(), limit(96_000, leg="rung2")
    venue.submit(limit(99_000))
    venue.submit(other)
    fills = venue.inside(bar(100_000, 100_000, 90_000, 90_000), closing=())
    assert next(fills).leg == "rung1"
    venue.cancel(other.client_order_id)
    assert list(fills) == []


def test_first_bar_close_fills_market_orders_at_the_close_and_nothing_at_the_open():
    venue = exchange(market=FillModel.FIRST_BAR_CLOSE)
    venue.submit(order())
    venue.submit(order(IntentKind.CLOSE, "ttl.1", name="b"))
    one = bar(100_000, 100_900, 99_000, 100_700)
    assert [list(venue.at_open(one, exits=exits)) for exits in (True, False)] == [[], []]
    exits, entries = ([*venue.at_close(one, exits=flag)] for flag in (True, False))
    assert [(fill.leg, fill.price, fill.time_ms) for fill in (*exits, *entries)] == [
        ("ttl.1", 100_700, at_ms(5)),
        ("base", 100_700, at_ms(5)),
    ]
