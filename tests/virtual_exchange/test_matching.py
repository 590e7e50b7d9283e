"""One order against one bar: when it fills, and that the price was there to be had."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.units import Ticks
from copytrade_core.virtual_exchange.matching import limit_close_beyond, limit_touch, stop_touch
from tests.trading_floor import bar

# open, high, low, close
BAR = bar(100, 110, 90, 105)
PRICES = st.integers(1, 300).map(Ticks)


@st.composite
def bars(draw):
    low, a, b, high = sorted(draw(st.lists(st.integers(1, 300), min_size=4, max_size=4)))
    open_, close = (a, b) if draw(st.booleans()) else (b, a)
    return bar(open_, high, low, close)


@pytest.mark.parametrize(
    ("price", "buys", "fills"),
    [
        (95, True, 95),
        (90, True, 90),
        (89, True, None),
        (100, True, 100),
        (105, True, 100),
        (105, False, 105),
        (110, False, 110),
        (111, False, None),
        (95, False, 100),
    ],
)
def test_a_limit_order_fills_at_its_price_or_at_the_better_open(price, buys, fills):
    assert limit_touch(Ticks(price), BAR, buys=buys) == fills


@pytest.mark.parametrize(
    ("trigger", "buys", "fills"),
    [
        (95, False, 95),
        (90, False, 90),
        (89, False, None),
        (105, False, 100),
        (105, True, 105),
        (110, True, 110),
        (111, True, None),
        (95, True, 100),
    ],
)
def test_a_stop_fills_at_its_trigger_or_at_the_worse_open(trigger, buys, fills):
    assert stop_touch(Ticks(trigger), BAR, buys=buys) == fills


@pytest.mark.parametrize(
    ("price", "buys", "fills"), [(106, True, 106), (105, True, None), (104, False, 104), (105, False, None)]
)
def test_a_close_must_be_beyond_and_not_at_the_price(price, buys, fills):
    assert limit_close_beyond(Ticks(price), BAR, buys=buys) == fills


@given(one=bars(), price=PRICES, buys=st.booleans())
def test_fills_lie_inside_the_bar_and_on_the_right_side_of_the_price(one, price, buys):
    sign = 1 if buys else -1
    limit, stop = limit_touch(price, one, buys=buys), stop_touch(price, one, buys=buys)
    for filled in (limit, stop):
        assert filled is None or one.low <= filled <= one.high
    assert limit is None or (price - limit) * sign >= 0, "a limit never pays more than it said"
    assert stop is None or (stop - price) * sign >= 0, "a stop never gets better than its trigger"


@given(one=bars(), price=PRICES, buys=st.booleans())
def test_a_sale_is_a_purchase_in_the_mirror(one, price, buys):
    mirrored = bar(400 - one.open, 400 - one.low, 400 - one.high, 400 - one.close)
    for rule in (limit_touch, stop_touch, limit_close_beyond):
        straight, turned = rule(price, one, buys=buys), rule(Ticks(400 - price), mirrored, buys=not buys)
        assert turned == (None if straight is None else 400 - straight)
