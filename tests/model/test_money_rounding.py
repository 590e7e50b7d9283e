"""Every rounding rule against exact fractions: right to the last unit, never in our favour, refused at the edge."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model import units
from copytrade_core.model.errors import OutOfBounds

PRICES = st.integers(1, units.TICKS_MAX)
RATES = st.integers(0, units.RATE_MAX)
SIGNED_RATES = st.integers(-999_999, units.RATE_MAX)
NOTIONALS = st.integers(0, units.NOTIONAL_MAX)
FUNDING_RATES = st.integers(-units.FUNDING_RATE_MAX, units.FUNDING_RATE_MAX)
SIGNS = st.sampled_from([-1, 1])
TICK_SIZES = st.sampled_from([Decimal(t) for t in ("0.00001", "0.001", "0.01", "0.1", "1", "0.25", "0.5", "10")])
DECIMALS = st.decimals("0.000001", "10000000", allow_nan=False, places=8)


@given(numerator=st.integers(-(2**70), 2**70), denominator=st.integers(1, 2**40))
def test_ceil_div_is_the_ceiling(numerator, denominator):
    assert units.ceil_div(numerator, denominator) == math.ceil(Fraction(numerator, denominator))


@given(price=PRICES, rate=RATES)
def test_slippage_never_helps_us(price, rate):
    exact_up, exact_down = Fraction(price) * (1 + Fraction(rate, 10**6)), Fraction(price) * (1 - Fraction(rate, 10**6))
    assert units.against(price, rate, buying=True) == math.ceil(exact_up) >= price
    assert units.against(price, rate, buying=False) == max(1, math.floor(exact_down)) <= price


@given(price=PRICES, rate=SIGNED_RATES)
def test_an_offset_is_rounded_towards_what_the_order_concedes(price, rate):
    exact = Fraction(price) * (1 + Fraction(rate, 10**6))
    assert units.offset(price, rate, buying=True) == max(1, math.ceil(exact))
    assert units.offset(price, rate, buying=False) == max(1, math.floor(exact))


@given(anchor=PRICES, ratio=st.integers(1, 2 * units.LEVEL_SCALE))
def test_a_ladder_level_is_rounded_towards_what_the_order_concedes(anchor, ratio):
    exact = Fraction(anchor * ratio, units.LEVEL_SCALE)
    assert units.at_level(anchor, ratio, buying=True) == max(1, math.ceil(exact))
    assert units.at_level(anchor, ratio, buying=False) == max(1, math.floor(exact))
    assert anchor * ratio <= units.INT64_MAX


@given(notional=NOTIONALS, rate=RATES)
def test_a_fee_is_rounded_up(notional, rate):
    assert units.fee(notional, rate) == math.ceil(Fraction(notional * rate, 10**6))
    assert notional * rate <= units.INT64_MAX


@given(notional=NOTIONALS, rate=FUNDING_RATES, sign=SIGNS)
def test_funding_is_rounded_against_us_without_leaving_int64(notional, rate, sign):
    cost = units.funding_cost(notional, rate, sign=sign)
    assert cost == math.ceil(Fraction(notional * rate * sign, units.FUNDING_SCALE))
    whole, rest = divmod(notional, units.FUNDING_SCALE)
    assert abs(whole * rate) <= units.INT64_MAX
    assert abs(rest * rate) <= units.INT64_MAX


@given(notional=NOTIONALS, rate=FUNDING_RATES)
def test_what_a_long_pays_a_short_gets_but_for_rounding(notional, rate):
    together = units.funding_cost(notional, rate, sign=1) + units.funding_cost(notional, rate, sign=-1)
    assert together in {0, 1}


@given(amount=NOTIONALS, part=st.fractions(0, 1))
def test_a_share_is_rounded_down(amount, part):
    assert units.share(amount, part.numerator, part.denominator) == math.floor(amount * part)


@given(notional=NOTIONALS, headroom=st.integers(0, 10**6))
def test_headroom_holds_when_the_price_is_that_much_worse(notional, headroom):
    ordered = units.under_headroom(notional, headroom)
    assert Fraction(ordered) * (1 + Fraction(headroom, 10**6)) <= notional
    assert Fraction(ordered + 1) * (1 + Fraction(headroom, 10**6)) > notional


@given(price=DECIMALS, tick=TICK_SIZES)
def test_a_buyer_pays_up_a_seller_gets_down_and_an_exact_price_is_neither(price, tick):
    exact = Fraction(price) / Fraction(tick)
    expected = {
        units.ticks_up: math.ceil(exact),
        units.ticks_down: math.floor(exact),
        units.ticks_nearest: round(exact),
    }
    for rule, ticks in expected.items():
        if 1 <= ticks <= units.TICKS_MAX:
            assert rule(price, tick) == ticks
        else:
            with pytest.raises(OutOfBounds, match="outside 1"):
                rule(price, tick)


@pytest.mark.parametrize("rule", [units.ticks_up, units.ticks_down, units.ticks_nearest])
def test_the_largest_price_is_the_last_that_is_accepted(rule):
    assert rule(Decimal(units.TICKS_MAX), Decimal(1)) == units.TICKS_MAX
    with pytest.raises(OutOfBounds):
        rule(Decimal(units.TICKS_MAX + 1), Decimal(1))
    with pytest.raises(OutOfBounds):
        rule(Decimal(0), Decimal(1))


@given(money=st.integers(-(10**16), 10**16))
def test_money_survives_the_way_through_text(money):
    assert units.money_from_decimal(Decimal(str(units.money_to_decimal(money)))) == money


@given(value=st.decimals("-1000000", "1000000", allow_nan=False, places=12))
def test_money_and_funding_rates_are_rounded_half_to_even(value):
    assert units.money_from_decimal(value) == round(Fraction(value) * 10**8)
    rate = round(Fraction(value) * 10**8)
    if abs(rate) <= units.FUNDING_RATE_MAX:
        assert units.funding_rate_from_decimal(value) == rate
    else:
        with pytest.raises(OutOfBounds, match="funding rate"):
            units.funding_rate_from_decimal(value)


@given(value=st.decimals("0", "0.09", allow_nan=False, places=9))
def test_a_cost_is_never_understated(value):
    assert units.ppm_from_decimal(value) == math.ceil(Fraction(value) * 10**6)


@given(value=st.fractions(0, 2))
def test_a_level_ratio_is_the_nearest(value):
    assert abs(Fraction(units.level_ratio(value), units.LEVEL_SCALE) - value) <= Fraction(1, 2 * units.LEVEL_SCALE)
