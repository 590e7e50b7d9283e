"""Exits: which family uses which number, and where take-profit, stop and trailing stop rest."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import BadConfig
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.strategies.exits import (
    average_entry,
    stop_price,
    take_profit_price,
    tighter,
    trailing_price,
    working_stop,
)
from tests.trading_floor import CONTRARIAN, holding, instrument, leave

AUTONOMOUS = ExitFamily.AUTONOMOUS
SIDES = st.sampled_from(list(Side))
AVERAGES = st.integers(1_000, 1_000_000).map(Ticks)
RATES = st.integers(1, 500_000)


@pytest.mark.parametrize(
    ("field", "value"),
    [("take_profit_ppm", 1), ("stop_loss_ppm", 1), ("trailing_callback_ppm", 1), ("ttl_s", 1)],
)
def test_a_family_that_waits_for_the_source_refuses_every_number_it_would_not_use(field, value):
    with pytest.raises(BadConfig, match=f"does not use {field}") as caught:
        replace(leave(), **{field: value})
    assert caught.value.where.field == f"exit.{field}"


def test_an_autonomous_exit_needs_an_end():
    with pytest.raises(BadConfig, match="time-to-live") as caught:
        leave(AUTONOMOUS, profit=20_000)
    assert caught.value.where.field == "exit.ttl_s"


def test_a_trailing_callback_needs_the_level_it_starts_at():
    with pytest.raises(BadConfig, match="trailing callback") as caught:
        leave(AUTONOMOUS, trailing=1000, ttl_s=60)
    assert caught.value.where.field == "exit.take_profit_ppm"


@pytest.mark.parametrize(
    ("field", "value"),
    [("profit", 0), ("profit", 1_000_000), ("stop", -1), ("stop", 1_000_000), ("ttl_s", 0)],
)
def test_rates_and_times_have_a_range(field, value):
    with pytest.raises(BadConfig, match="out of range"):
        leave(AUTONOMOUS, **{"ttl_s": 60, field: value})


@pytest.mark.parametrize("family", [ExitFamily.SOURCE_CLOSE_FOLLOWS, ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS])
def test_a_contrarian_cannot_wait_for_a_close_that_has_happened(family):
    with pytest.raises(BadConfig, match="only an autonomous exit"):
        replace(CONTRARIAN, exit=leave(family))


@given(side=SIDES, average=AVERAGES, profit=RATES, stop=RATES)
def test_profit_and_stop_lie_on_their_own_side_within_a_tick(side, average, profit, stop):
    spec = leave(AUTONOMOUS, profit=profit, stop=stop, ttl_s=60)
    taken, stopped = take_profit_price(spec, side, average), stop_price(spec, side, average)
    assert taken is not None
    assert stopped is not None
    exact_profit = average * (1 + side.sign * Fraction(profit, 10**6))
    exact_stop = average * (1 - side.sign * Fraction(stop, 10**6))
    # An exit of a long sells and rounds down; of a short buys and rounds up.
    assert 0 <= (exact_profit - taken) * side.sign < 1
    assert 0 <= (exact_stop - stopped) * side.sign < 1


@given(side=SIDES, average=AVERAGES, start=RATES, callback=RATES, move=st.integers(-400_000, 400_000))
def test_a_trailing_stop_starts_only_at_its_level(side, average, start, callback, move):
    spec = leave(AUTONOMOUS, profit=start, trailing=callback, ttl_s=60)
    peak = Ticks(max(1, average + average * move // 10**6))
    favourable = (peak - average) * side.sign
    trailing = trailing_price(spec, side, average, peak)
    assert take_profit_price(spec, side, average) is None, "the level starts the trailing stop and is no order"
    if favourable < Fraction(average * start, 10**6) - 1:
        assert trailing is None
    if favourable > Fraction(average * start, 10**6):
        assert trailing is not None
        assert 0 <= (peak * (1 - side.sign * Fraction(callback, 10**6)) - trailing) * side.sign < 1


@given(side=SIDES, average=AVERAGES, peaks=st.lists(AVERAGES, min_size=2, max_size=6))
def test_a_trailing_stop_only_tightens_while_the_average_stands(side, average, peaks):
    spec = leave(AUTONOMOUS, profit=1_000, trailing=5_000, stop=50_000, ttl_s=60)
    best, resting = peaks[0], None
    for peak in peaks:
        best = max(best, peak) if side is Side.LONG else min(best, peak)
        stop, _ = working_stop(spec, side, average, best, resting)
        assert stop is not None
        if resting is not None:
            assert (stop - resting) * side.sign >= 0
        resting = stop


def test_the_stop_says_whether_it_trails():
    spec = leave(AUTONOMOUS, profit=10_000, trailing=5_000, stop=20_000, ttl_s=60)
    assert working_stop(spec, Side.LONG, Ticks(100_000), Ticks(100_500), None) == (98_000, "stop_loss")
    assert working_stop(spec, Side.LONG, Ticks(100_000), Ticks(101_000), Ticks(98_000)) == (100_495, "trailing_stop")
    assert working_stop(spec, Side.SHORT, Ticks(100_000), Ticks(99_000), None) == (99_495, "trailing_stop")


def test_the_tighter_stop_triggers_first():
    assert tighter(Side.LONG, Ticks(5), Ticks(6)) == 6
    assert tighter(Side.SHORT, Ticks(5), Ticks(6)) == 5
    assert tighter(Side.LONG, None, Ticks(6)) == tighter(Side.LONG, Ticks(6), None) == 6
    assert tighter(Side.LONG, None, None) is None


@given(side=SIDES, price=st.integers(50_000, 150_000), lots=st.integers(1, 1000), more=st.integers(0, 10**6))
def test_the_average_entry_is_rounded_against_us(side, price, lots, more):
    held = holding("a", price=price, quantity=lots, side=side)
    held = replace(held, cost=Money(held.cost + more))
    exact = Fraction(held.cost, lots * instrument().money_per_tick_step)
    assert 0 <= (average_entry(held, instrument()) - exact) * side.sign < 1
