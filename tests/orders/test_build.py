"""From an approved intent to an order: on the grid, under what was asked, and named by what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.intent import (
    ByFraction,
    ByNotional,
    ByQuantity,
    Intent,
    IntentKind,
    LimitStyle,
    MarketStyle,
    StopStyle,
)
from copytrade_core.model.order import Order
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.verdict import Approved, RefusalReason, Refused
from copytrade_core.orders.build import OrderIdentity, build, client_order_id
from tests.trading_floor import BTC, at_ms, instrument, usdt

OPEN = Intent(
    kind=IntentKind.OPEN,
    episode_id="lead|BTC/USDT:USDT|long|1",
    market=BTC,
    side=Side.LONG,
    leg="base",
    replaces="base",
    sizing=ByNotional(notional=usdt(100), rule="test"),
    style=MarketStyle(),
    allow_market_fallback=False,
    fallback_on_reject=False,
    fallback_on_timeout=False,
    reference_price=Ticks(100_000),
    headroom_ppm=0,
    reason="test",
    policy="p",
    policy_digest="d",
    decided_at_ms=at_ms(0),
    expires_at_ms=at_ms(60),
)
WHOLE = ByFraction(numerator=1, denominator=1)


def built(intent, *, held=0, rules=None, account="test", attempt=0, minutes=0.0) -> Order | Refused:
    return build(
        Approved(intent=intent, worst_notional=Money(0)),
        rules or instrument(),
        quantity_held=Steps(held),
        account=account,
        attempt=attempt,
        now_ms=at_ms(minutes),
    )


@given(
    notional=st.integers(1, 10**12),
    price=st.integers(1_000, 200_000),
    headroom=st.integers(0, 50_000),
    least=st.integers(0, 50),
)
def test_an_entry_never_asks_for_more_than_its_notional_nor_less_than_the_minimum(notional, price, headroom, least):
    rules = instrument(min_notional=least)
    intent = replace(
        OPEN,
        sizing=ByNotional(notional=Money(notional), rule="test"),
        reference_price=Ticks(price),
        headroom_ppm=headroom,
    )
    order = built(intent, rules=rules)
    if isinstance(order, Refused):
        assert order.reason is RefusalReason.BELOW_MINIMUM
        return
    assert rules.notional(price, order.quantity) * (10**6 + headroom) <= notional * 10**6
    assert not rules.is_below_minimum(Ticks(price), order.quantity)


@pytest.mark.parametrize(
    ("style", "steps"),
    [
        (MarketStyle(), 100),
        (LimitStyle(price=Ticks(50_000), post_only=True), 200),
        (StopStyle(trigger=Ticks(80_000)), 125),
    ],
)
def test_the_quantity_follows_from_the_price_the_order_will_pay(style, steps):
    order = built(replace(OPEN, style=style))
    assert isinstance(order, Order)
    assert (order.quantity, order.style) == (steps, style)


def test_what_is_held_can_always_leave_however_small():
    rules = instrument(min_quantity=10, min_notional=100)
    order = built(replace(OPEN, kind=IntentKind.CLOSE, sizing=WHOLE), held=1, rules=rules)
    assert isinstance(order, Order)
    assert (order.quantity, order.reduce_only) == (1, True)


def test_a_fraction_is_rounded_down_and_a_fraction_of_nothing_is_refused():
    third = replace(OPEN, kind=IntentKind.REDUCE, sizing=ByFraction(numerator=1, denominator=3))
    order = built(third, held=8)
    assert isinstance(order, Order)
    assert order.quantity == 2
    assert isinstance(built(third, held=2), Refused)


def test_a_quantity_is_taken_as_it_is():
    order = built(replace(OPEN, sizing=ByQuantity(quantity=Steps(7))))
    assert isinstance(order, Order)
    assert order.quantity == 7


@pytest.mark.parametrize(
    ("kind", "side", "buys"),
    [
        (IntentKind.OPEN, Side.LONG, True),
        (IntentKind.ADD, Side.SHORT, False),
        (IntentKind.CLOSE, Side.LONG, False),
        (IntentKind.REDUCE, Side.SHORT, True),
    ],
)
def test_entries_trade_with_the_side_and_exits_against_it(kind, side, buys):
    sizing = OPEN.sizing if kind.is_entry else WHOLE
    order = built(replace(OPEN, kind=kind, side=side, sizing=sizing), held=5)
    assert isinstance(order, Order)
    assert (order.buys, order.reduce_only) == (buys, not kind.is_entry)


def test_an_order_carries_its_times_and_reason():
    order = built(OPEN, minutes=3)
    assert isinstance(order, Order)
    assert (order.live_from_ms, order.expires_at_ms, order.reason) == (at_ms(3), at_ms(60), "test")


IDENTITIES = st.builds(
    OrderIdentity,
    account=st.sampled_from(["a", "b"]),
    episode_id=st.sampled_from(["e1", "e2"]),
    kind=st.sampled_from(["open", "add"]),
    leg=st.sampled_from(["base", "rung1"]),
    attempt=st.integers(0, 3),
)


@given(one=IDENTITIES, other=IDENTITIES)
def test_an_id_is_the_identity_and_nothing_else(one, other):
    assert (client_order_id(one) == client_order_id(other)) == (one == other)


@given(identity=IDENTITIES)
def test_an_id_suits_every_venue(identity):
    name = client_order_id(identity)
    assert len(name) == 26
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_the_time_of_asking_does_not_name_an_order():
    one, other = built(OPEN, minutes=0), built(OPEN, minutes=9)
    assert isinstance(one, Order)
    assert isinstance(other, Order)
    assert one.client_order_id == other.client_order_id
    again = built(OPEN, attempt=1)
    assert isinstance(again, Order)
    assert again.client_order_id != one.client_order_id
