"""Between all and nothing: parts, late fills, exits that failed. What is held is protected, or leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.event import PositionSynced, Timer
from copytrade_core.model.intent import IntentKind, LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.units import Ticks
from copytrade_core.strategies.rejection_backoff import IDLE
from copytrade_core.strategies.state import Phase
from tests.desk_floor import DeskFloor, orders_in
from tests.trading_floor import FOLLOW, at_ms, closed, episode, ladder, leave, opened, usdt

KNOWN = episode(0, 60)
NAME = KNOWN.episode_id
LADDER = ladder("0.4", ("0.01", "0.2"), ("0.01", "0.2"), ("0.01", "0.2"))
BOTH = leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=20_000, stop=50_000)
GUARDED = replace(FOLLOW, exit=BOTH, ladder=LADDER)


def opened_floor(policy=GUARDED) -> DeskFloor:
    floor = DeskFloor(policy)
    floor.tell(opened(KNOWN), 0)
    return floor


def held_floor(policy=GUARDED) -> DeskFloor:
    floor = opened_floor(policy)
    floor.fill(floor.resting("base"))
    return floor


def trade_of(floor: DeskFloor):
    return floor.state.strategy.trades[NAME]


# -- an entry in parts ----------------------------------------------------------------------------------------------


def test_the_ladder_is_planned_once_and_exits_follow_what_is_held():
    floor = opened_floor()
    base = floor.resting("base")
    floor.fill(base, 100, price=100_000)
    plan = trade_of(floor).ladder
    assert floor.legs() == {"base", "stop.1", "take_profit.1", "rung1", "rung2", "rung3"}
    rungs = {floor.resting(leg).client_order_id for leg in ("rung1", "rung2", "rung3")}
    floor.fill(floor.resting("base"), 200, price=100_010)
    assert trade_of(floor).ladder == plan, "not planned anew from the second part's price"
    assert {floor.resting(leg).client_order_id for leg in ("rung1", "rung2", "rung3")} == rungs
    assert floor.resting("stop.2").quantity == 300
    assert floor.resting("take_profit.2").quantity == 300
    assert floor.resting("base").quantity == base.quantity - 300


def test_when_the_rest_of_a_base_leg_is_refused_what_filled_is_a_protected_trade():
    floor = opened_floor()
    floor.fill(floor.resting("base"), 100)
    floor.reject(floor.resting("base"), "margin")
    assert trade_of(floor).phase is Phase.HELD
    assert floor.legs() == {"stop.1", "take_profit.1", "rung1", "rung2", "rung3"}
    (close,) = orders_in(floor.tell(closed(KNOWN), 60))
    assert (close.kind, close.quantity) == (IntentKind.CLOSE, 100)


@pytest.mark.parametrize("how", ["reject", "not_placed"])
def test_a_base_leg_that_never_came_ends_the_trade(how):
    floor = opened_floor()
    getattr(floor, how)(floor.resting("base"))
    assert trade_of(floor).phase is Phase.DONE
    assert floor.legs() == set()


def test_parts_of_one_leg_release_the_brake_once():
    floor = opened_floor(replace(GUARDED, backoff=replace(FOLLOW.backoff, failures_max=1)))
    floor.fill(floor.resting("base"), 100)
    floor.reject(floor.resting("rung1"))
    braked = floor.state.strategy.backoff
    assert braked.blocks(floor.now_ms)
    records = floor.fill(floor.resting("base"), 100)
    assert floor.state.strategy.backoff == braked, "the second part of a leg is no news"
    assert not any(order.kind.is_entry for order in orders_in(records)), "and the refused rung waits"
    floor.fill(floor.resting("rung2"), 50)
    assert floor.state.strategy.backoff == IDLE


def test_a_rung_in_parts_is_filled_once_and_never_wished_for_again():
    floor = held_floor()
    floor.fill(floor.resting("rung1"), 50, price=99_000)
    floor.fill(floor.resting("rung1"), 50, price=99_000)
    floor.reject(floor.resting("rung1"))
    assert trade_of(floor).filled == ("rung1",)
    floor.minutes = 10
    assert orders_in(floor.price(99_500, 10)) == []


# -- what fills too late ----------------------------------------------------------------------------------------------


def test_an_add_that_fills_after_the_close_was_sent_leaves_with_another_close():
    floor = held_floor()
    rung = floor.resting("rung1")
    floor.world.alive = {rung.client_order_id}
    (close,) = orders_in(floor.tell(closed(KNOWN), 60))
    floor.fill(rung, price=99_000)
    assert floor.legs() == {close.leg}, "one close at a time"
    floor.fill(close)
    assert floor.held(NAME) == rung.quantity
    (again,) = orders_in(floor.price(99_000, 61))
    assert (again.kind, again.quantity, again.reason) == (IntentKind.CLOSE, rung.quantity, "source_close")
    floor.fill(again)
    assert floor.state.book.holdings == {}
    assert trade_of(floor).phase is Phase.DONE


def test_an_add_that_fills_after_the_trade_ended_leaves_at_once():
    floor = held_floor()
    rung = floor.resting("rung1")
    floor.world.alive = {rung.client_order_id}
    (close,) = orders_in(floor.tell(closed(KNOWN), 60))
    floor.fill(close)
    assert trade_of(floor).phase is Phase.DONE
    (late,) = orders_in(floor.fill(rung, price=99_000))
    assert (late.kind, late.quantity, late.reduce_only) == (IntentKind.CLOSE, rung.quantity, True)


def test_the_rest_of_a_partial_close_leaves_at_the_next_price_when_the_venue_ended_it():
    floor = held_floor()
    (close,) = orders_in(floor.tell(closed(KNOWN), 60))
    floor.fill(close, 100)
    assert orders_in(floor.price(100_000, 61)) == [], "the rest is still on its way"
    floor.reject(floor.resting(close.leg), "expired")
    (again,) = orders_in(floor.tell(Timer(episode_id=NAME, time_ms=at_ms(62)), 62))
    assert (again.quantity, again.reason) == (300, "source_close")
    assert again.client_order_id != close.client_order_id


def test_a_close_needs_no_known_price():
    floor = held_floor(replace(GUARDED, exit=leave(ExitFamily.AUTONOMOUS, ttl_s=600)))
    floor.marks.default = None
    (close,) = orders_in(floor.tell(Timer(episode_id=NAME, time_ms=at_ms(10)), 10))
    assert (close.kind, close.reason) == (IntentKind.CLOSE, "ttl")
    floor.reject(close)
    (again,) = orders_in(floor.tell(Timer(episode_id=NAME, time_ms=at_ms(11)), 11))
    assert again.reason == "ttl"


# -- exits that failed ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leg", ["stop.1", "take_profit.1"])
@pytest.mark.parametrize("how", ["reject", "not_placed"])
def test_an_exit_that_failed_is_wished_for_again_once_at_each_event_and_the_other_stays(leg, how):
    floor = held_floor()
    other = next(name for name in ("stop.1", "take_profit.1") if name != leg)
    kept = floor.resting(other)
    before = floor.state.strategy.backoff
    for minute in range(1, 9):
        (lost,) = [order for order in floor.state.resting.values() if order.replaces == leg.partition(".")[0]]
        assert orders_in(getattr(floor, how)(lost)) == [], "not in answer to the refusal itself"
        (again,) = orders_in(floor.price(100_000, minute))
        assert again.replaces == lost.replaces
        assert again.style == lost.style
        assert again.client_order_id != lost.client_order_id
    assert floor.resting(other) == kept
    assert floor.state.strategy.backoff == before, "a failed exit is no failed entry"


def test_a_stop_that_the_price_has_passed_becomes_a_close():
    floor = held_floor()
    floor.reject(floor.resting("stop.1"))
    (close,) = orders_in(floor.price(94_000, 1))
    assert (close.style, close.reason, close.quantity) == (MarketStyle(), "stop_loss", 400)


def test_the_stop_follows_a_take_profit_that_filled_in_part():
    floor = held_floor()
    floor.fill(floor.resting("take_profit.1"), 150, price=102_000)
    assert floor.resting("stop.2").quantity == 250
    assert floor.resting("stop.2").style == StopStyle(trigger=Ticks(95_000))
    assert floor.resting("take_profit.1").quantity == 250
    assert floor.resting("take_profit.1").style == LimitStyle(price=Ticks(102_000), post_only=False)


# -- what the venue does not have -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_leaving", [False, True])
def test_a_holding_that_the_venue_does_not_have_is_written_off_and_its_orders_taken_back(is_leaving):
    floor = held_floor()
    if is_leaving:
        floor.tell(closed(KNOWN), 60)
    resting = set(floor.state.resting)
    held, cash = floor.state.book.holdings[NAME], floor.state.book.cash
    record: Any
    (record,) = floor.tell(PositionSynced(episode_id=NAME, holding=None, time_ms=at_ms(61)), 61)
    assert (record.holding, record.time_ms) == (held, at_ms(61))
    assert floor.state.book.holdings == {}
    assert floor.state.book.cash == cash, "no result is invented"
    assert set(floor.sink.cancelled) >= resting
    assert floor.legs() == set()
    assert trade_of(floor).phase is Phase.DONE
    assert floor.price(90_000, 62) == []


def test_a_venue_that_holds_nothing_yet_changes_nothing_while_the_base_leg_is_on_its_way():
    floor = opened_floor()
    floor.tell(PositionSynced(episode_id=NAME, holding=None, time_ms=at_ms(1)), 1)
    assert floor.legs() == {"base"}
    assert trade_of(floor).phase is Phase.ENTERING


# -- any order of parts, refusals and late fills ----------------------------------------------------------------------


@st.composite
def doings(draw):
    """What a venue may do next, as a choice among what is possible then."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(["fill", "part", "reject", "not_placed", "late", "price", "timer", "close"]),
                st.integers(0, 99),
            ),
            max_size=40,
        )
    )


@given(moves=doings())
def test_whatever_the_venue_does_no_more_than_the_target_is_added_and_everything_held_can_leave(moves):
    floor = opened_floor()
    entered = 0
    for minute, (what, pick) in enumerate(moves, 1):
        floor.minutes = minute
        # Every order that was taken back may still fill, except what has filled or failed.
        floor.world.alive = set(floor.sink.orders)
        working = list(floor.state.resting.values())
        late = list(floor.state.taken_back.values())
        pool = late if what == "late" else working
        order = pool[pick % len(pool)] if pool else None
        if what == "price":
            floor.price(97_000 + pick * 60, minute)
        elif what == "timer":
            floor.tell(Timer(episode_id=NAME, time_ms=at_ms(minute)), minute)
        elif what == "close":
            floor.tell(closed(KNOWN), minute)
        elif order is not None and what in ("reject", "not_placed"):
            getattr(floor, what)(order)
        elif order is not None:
            limit = order.quantity if order.kind.is_entry else min(order.quantity, floor.held(NAME))
            quantity = limit if what == "fill" else 1 + pick % max(1, limit)
            if min(limit, quantity) > 0:
                price = order.style.price if isinstance(order.style, LimitStyle) else 100_000
                floor.fill(order, min(limit, quantity), price=price)
                entered += min(limit, quantity) * price * 1000 if order.kind.is_entry else 0
        assert entered <= usdt(1000)
        resting = [order.leg for order in floor.state.resting.values()]
        assert len(resting) == len(set(resting)), "no leg rests twice"
        check_exits(floor)
    finish(floor, len(moves) + 1)


def check_exits(floor: DeskFloor) -> None:
    """One exit of each kind at most, none without something held, and nothing rests for a trade that is over."""
    exits = [order for order in floor.state.resting.values() if order.reduce_only]
    assert len({order.replaces for order in exits}) == len(exits)
    held = floor.held(NAME)
    assert held or not exits
    if trade_of(floor).phase is Phase.DONE and not held:
        assert floor.state.resting == {}


def finish(floor: DeskFloor, minute: float) -> None:
    """From wherever it stands, a close by the source and a venue that works again end flat."""
    floor.world.alive = set()
    floor.tell(closed(KNOWN), minute)
    for again in range(4):
        base = [order for order in floor.state.resting.values() if order.leg == "base"]
        for order in base:
            floor.fill(order, price=100_000)
        floor.price(100_000, minute + 1 + again)
        for order in list(floor.state.resting.values()):
            if order.reduce_only and isinstance(order.style, MarketStyle) and floor.held(NAME):
                floor.fill(order, min(order.quantity, floor.held(NAME)), price=100_000)
    assert floor.held(NAME) == 0
    assert floor.state.resting == {}
    assert trade_of(floor).phase is Phase.DONE
