"""The ladder's arithmetic: the reference instance to the last digit, and what holds for every ladder."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.policy import AddMode
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.strategies.dca_ladder import base_notional, level_ratios, plan_ladder, rung_notionals
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.trading_floor import instrument, ladder, usdt

FINE = instrument(step="0.00000001", tick="1")


@pytest.fixture(scope="module")
def candidate_189(project_root):
    text = (project_root / "settings/policies/candidate_189.toml").read_text(encoding="utf-8")
    return policy_from_mapping(tomllib.loads(text, parse_float=Decimal), file="candidate_189.toml").ladder


def test_candidate_189_splits_a_target_into_its_published_legs(candidate_189):
    hundred = usdt(100)
    legs = (base_notional(candidate_189, hundred), *rung_notionals(candidate_189, hundred, minimums=()))
    assert legs == (2_800_000_000, 1_066_666_666, 1_600_000_000, 2_933_333_333, 1_600_000_000)
    assert sum(legs) == hundred - 1, "two thirds of 1e-8 are left over, never overspent"


def test_candidate_189_for_a_target_of_thirty(candidate_189):
    thirty = usdt(30)
    legs = (base_notional(candidate_189, thirty), *rung_notionals(candidate_189, thirty, minimums=()))
    assert legs == tuple(usdt(leg) for leg in (8.4, 3.2, 4.8, 8.8, 4.8))


def test_candidate_189_rests_at_its_published_levels(candidate_189):
    ratios = level_ratios(candidate_189, Side.LONG)
    published = ("0.9975", "0.99400875", "0.988541701875", "0.95888545081875")
    assert ratios == tuple(round(Fraction(level) * 10**9) for level in published)
    exact, level = [], Fraction(1)
    for step in candidate_189.steps:
        level *= 1 - step
        exact.append(level)
    assert exact == [Fraction(text) for text in published]


def test_a_short_mirrors_a_long(candidate_189):
    chained, level = [], Fraction(1)
    for step in ("0.0025", "0.0035", "0.0055", "0.03"):
        level *= 1 + Fraction(step)
        chained.append(round(level * 10**9))
    assert level_ratios(candidate_189, Side.SHORT) == tuple(chained)
    plan = plan_ladder(candidate_189, Side.SHORT, usdt(30), Ticks(100_000), FINE, 0)
    assert [rung.price for rung in plan.rungs] == [100_250, 100_600, 101_154, 104_188], "a sale is rounded down"


def test_a_buy_level_is_rounded_up(candidate_189):
    plan = plan_ladder(candidate_189, Side.LONG, usdt(30), Ticks(100_000), FINE, 0)
    assert [rung.price for rung in plan.rungs] == [99_750, 99_401, 98_855, 95_889]


STEPS = st.fractions(Fraction(1, 1000), Fraction(1, 2), max_denominator=1000)
WEIGHTS = st.fractions(Fraction(1, 100), 20, max_denominator=100)
LADDERS = st.builds(
    lambda base, rungs, mode: ladder(str(base), *((str(s), str(w)) for s, w in rungs), add_mode=mode),
    base=st.fractions(Fraction(1, 100), 1, max_denominator=100),
    rungs=st.lists(st.tuples(STEPS, WEIGHTS), max_size=6),
    mode=st.sampled_from(list(AddMode)),
)
TARGETS = st.integers(1, 10**12).map(Money)
SIDES = st.sampled_from(list(Side))


@given(shape=LADDERS, target=TARGETS, minimum=st.integers(1, 10**10))
def test_the_legs_never_exceed_the_target(shape, target, minimum):
    legs = (base_notional(shape, target), *rung_notionals(shape, target, minimums=[Money(minimum)] * len(shape.steps)))
    assert all(leg >= 0 for leg in legs)
    assert sum(legs) <= target


@given(shape=LADDERS, side=SIDES)
def test_each_level_is_further_away_than_the_one_before(shape, side):
    ratios = (10**9, *level_ratios(shape, side))
    moves = [(after - before) * side.sign for before, after in pairwise(ratios)]
    assert all(move < 0 for move in moves)


@given(
    shape=LADDERS,
    side=SIDES,
    target=TARGETS,
    anchor=st.integers(1000, 200_000).map(Ticks),
    least=st.integers(0, 200),
    headroom=st.integers(0, 20_000),
)
def test_a_rung_is_placed_as_asked_or_skipped_and_counted_never_rounded_up(
    shape, side, target, anchor, least, headroom
):
    rules = instrument(min_notional=least)
    plan = plan_ladder(shape, side, target, anchor, rules, headroom)
    asked = len(shape.steps)
    assert len(plan.rungs) + plan.skipped_count == asked
    for rung in plan.rungs:
        lots = rules.quantity_for(rung.notional * 10**6 // (10**6 + headroom), rung.price)
        assert not rules.is_below_minimum(rung.price, lots)
        assert rules.notional(rung.price, lots) <= rung.notional
    whole = base_notional(shape, target) + sum(rung.notional for rung in plan.rungs) + plan.skipped_notional
    assert whole <= target


def test_legs_under_the_minimum_are_skipped_with_their_notional():
    shape = ladder("0.5", ("0.01", "0.04"), ("0.01", "0.46"))
    plan = plan_ladder(shape, Side.LONG, usdt(100), Ticks(100_000), instrument(min_notional=5), 0)
    assert [rung.leg for rung in plan.rungs] == ["rung2"], "a leg keeps its name when its neighbour is skipped"
    assert (plan.skipped_count, plan.skipped_notional) == (1, usdt(4))


@pytest.mark.parametrize("side", list(Side))
def test_minimum_orders_can_be_placed_at_every_level_that_the_target_has_room_for(side):
    shape = ladder("0.5", ("0.1", "1"), ("0.1", "1"), ("0.1", "1"), add_mode=AddMode.MIN_ORDER)
    rules = instrument(min_notional=5)
    plan = plan_ladder(shape, side, usdt(100), Ticks(100_000), rules, 5_000)
    assert (len(plan.rungs), plan.skipped_count) == (3, 0)
    small = plan_ladder(shape, side, usdt(25), Ticks(100_000), rules, 5_000)
    assert 0 < len(small.rungs) < 3


def test_headroom_is_part_of_what_can_be_placed():
    shape = replace(ladder("0.95", ("0.01", "0.05")), name="edge")
    rules = instrument(min_notional=5)
    assert plan_ladder(shape, Side.SHORT, usdt(100), Ticks(100_000), rules, 0).skipped_count == 1
    assert plan_ladder(shape, Side.SHORT, usdt(104), Ticks(100_000), rules, 0).skipped_count == 0
    assert plan_ladder(shape, Side.SHORT, usdt(104), Ticks(100_000), rules, 100_000).skipped_count == 1
