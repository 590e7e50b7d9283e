"""Money, for a long time: every rounding rule against exact fractions over its whole stated range. `make soak`."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model import units

prices = st.integers(1, units.TICKS_MAX)
notionals = st.integers(0, units.NOTIONAL_MAX)
rates = st.integers(0, units.RATE_MAX)
funding_rates = st.integers(-units.FUNDING_RATE_MAX, units.FUNDING_RATE_MAX)

pytestmark = pytest.mark.soak


@given(notional=notionals, rate=rates)
def test_a_fee_is_the_exact_fee_rounded_up(notional, rate):
    assert units.fee(notional, rate) == math.ceil(Fraction(notional * rate, units.RATE_SCALE)) <= units.INT64_MAX


@given(notional=notionals, rate=funding_rates, sign=st.sampled_from([1, -1]))
def test_funding_is_the_exact_cost_rounded_against_us(notional, rate, sign):
    exact = Fraction(notional * rate * sign, units.FUNDING_SCALE)
    assert units.funding_cost(notional, rate, sign=sign) == math.ceil(exact)


@given(price=prices, rate=rates, buying=st.booleans())
def test_slippage_never_favours_us(price, rate, buying):
    moved = units.against(price, rate, buying=buying)
    exact = Fraction(price * (units.RATE_SCALE + (rate if buying else -rate)), units.RATE_SCALE)
    assert moved == (math.ceil(exact) if buying else max(1, math.floor(exact)))
    assert moved >= price if buying else moved <= price


@given(amount=notionals, parts=st.integers(1, 10**6), data=st.data())
def test_shares_never_add_up_to_more_than_the_whole(amount, parts, data):
    taken = data.draw(st.integers(0, parts))
    assert units.share(amount, taken, parts) + units.share(amount, parts - taken, parts) in (amount, amount - 1)
