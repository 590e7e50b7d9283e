"""Trading rules: exact notionals inside stated bounds, quantities that never exceed what was asked."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from copytrade_core.model.errors import BadInput, OutOfBounds
from copytrade_core.model.instrument import market_of_symbol, symbol_of_market
from copytrade_core.model.units import INT64_MAX, NOTIONAL_MAX, RATE_MAX, STEPS_MAX, TICKS_MAX, Steps, Ticks
from tests.trading_floor import instrument, usdt

GRIDS = st.sampled_from([("0.1", "0.0001"), ("0.01", "0.001"), ("1", "0.00001"), ("0.00001", "1"), ("0.001", "0.1")])


@given(grid=GRIDS, price=st.integers(1, TICKS_MAX), quantity=st.integers(0, STEPS_MAX))
def test_a_notional_is_exact_or_refused(grid, price, quantity):
    rules = instrument(tick=grid[0], step=grid[1])
    exact = Fraction(grid[0]) * price * Fraction(grid[1]) * quantity * 10**8
    if exact <= NOTIONAL_MAX:
        assert rules.notional(price, quantity) == exact
        assert rules.notional(price, quantity) * RATE_MAX <= INT64_MAX
    else:
        with pytest.raises(OutOfBounds, match="exceeds 1,000,000"):
            rules.notional(price, quantity)


@given(grid=GRIDS, price=st.integers(1, TICKS_MAX), notional=st.integers(0, NOTIONAL_MAX))
def test_a_quantity_is_the_largest_that_fits(grid, price, notional):
    rules = instrument(tick=grid[0], step=grid[1])
    steps = rules.quantity_for(notional, price)
    assume(steps <= STEPS_MAX)
    assert rules.notional(price, steps) <= notional
    assert (steps + 1) * price * rules.money_per_tick_step > notional


@pytest.mark.parametrize(("price", "quantity"), [(-1, 1), (1, -1), (TICKS_MAX + 1, 1), (1, STEPS_MAX + 1)])
def test_prices_and_quantities_outside_the_range_are_refused(price, quantity):
    with pytest.raises(OutOfBounds, match="out of range"):
        instrument().notional(price, quantity)


def test_the_largest_position_is_the_last_that_is_accepted():
    rules = instrument(tick="1", step="1")
    assert rules.notional(1_000_000, 1) == NOTIONAL_MAX
    with pytest.raises(OutOfBounds):
        rules.notional(1_000_001, 1)


def test_a_grid_finer_than_money_is_refused():
    assert instrument(tick="0.0001", step="0.0001").money_per_tick_step == 1
    with pytest.raises(OutOfBounds, match="one tick x one step"):
        instrument(tick="0.0001", step="0.00001")
    with pytest.raises(OutOfBounds, match="one tick x one step"):
        instrument(tick="0.00015", step="0.0001")


@pytest.mark.parametrize(("tick", "step"), [("0", "1"), ("1", "0"), ("-1", "1")])
def test_a_grid_must_be_positive(tick, step):
    with pytest.raises(BadInput, match="must be positive"):
        instrument(tick=tick, step=step)


def test_either_minimum_makes_an_order_too_small():
    rules = instrument(min_quantity=3, min_notional=5)
    assert rules.is_below_minimum(Ticks(1_000_000), Steps(2)), "fewer steps than the minimum"
    assert rules.is_below_minimum(Ticks(100_000), Steps(4)), "4 USDT are under 5"
    assert not rules.is_below_minimum(Ticks(100_000), Steps(5))
    assert instrument(min_quantity=0).is_below_minimum(Ticks(100_000), Steps(0)), "nothing is never an order"


def test_ticks_and_steps_become_prices_and_quantities_again():
    rules = instrument(tick="0.1", step="0.0001")
    assert rules.price(1_000_001) == Decimal("100000.1")
    assert rules.quantity(15) == Decimal("0.0015")


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("BTCUSDT", "BTC/USDT:USDT"),
        ("1000PEPEUSDC", "1000PEPE/USDC:USDC"),
        ("BTCUSDT_260626", None),
        ("BTCUSD", None),
        ("USDT", None),
        ("btcusdt", None),
        ("БТЦUSDT", None),
    ],
)
def test_a_symbol_names_a_linear_market_or_none(symbol, market):
    assert market_of_symbol(symbol) == market
    if market is not None:
        assert symbol_of_market(market) == symbol


@pytest.mark.parametrize("text", ["BTC", "BTC/USDT", "BTC/USDT:BTC", "/USDT:USDT", ""])
def test_what_is_not_a_linear_market_has_no_symbol(text):
    with pytest.raises(BadInput, match="is not a linear market") as caught:
        symbol_of_market(text)
    assert caught.value.next_step is not None


def test_minimums_are_money():
    assert instrument(min_notional=5).min_notional == usdt(5)
