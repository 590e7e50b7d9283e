"""Leaving: who may end a trade, what happens when the venue refuses, and which prices count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from copytrade_core.model.event import BarClosed, MarkSeen, OrderFilled, OrderRejected, PositionSynced, Timer
from copytrade_core.model.intent import Intent, IntentKind, LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.units import Ticks
from copytrade_core.strategies.state import FRESH, Phase, StrategyState
from tests.trading_floor import (
    BTC,
    FOLLOW,
    at_ms,
    bar,
    closed,
    episode,
    fill,
    holding,
    ladder,
    leave,
    living,
    opened,
    view,
)

KNOWN = episode(0, 60)
NAME = KNOWN.episode_id
HELD = holding(NAME)


def holding_state(policy, *, filled_at: float = 0) -> tuple[Any, StrategyState, Any]:
    """A strategy whose base leg has just filled."""
    strategy = living(policy)
    state = strategy.decide(FRESH, opened(KNOWN), view()).state
    event = OrderFilled(fill=fill(NAME, minutes=filled_at))
    decision = strategy.decide(state, event, view(minutes=filled_at, holding=holding(NAME, minutes=filled_at)))
    return strategy, decision.state, decision.wishes


def autonomous(**changes):
    return replace(FOLLOW, exit=leave(ExitFamily.AUTONOMOUS, **{"ttl_s": 3600, **changes}))


def test_a_filled_base_leg_rests_its_exits_and_rungs():
    policy = replace(autonomous(profit=20_000, stop=50_000), ladder=ladder("0.5", ("0.01", "0.2"), ("0.01", "0.3")))
    _, _, wishes = holding_state(policy)
    styles = {wish.leg: wish.style for wish in wishes}
    assert styles == {
        "stop.1": StopStyle(trigger=Ticks(95_000)),
        "take_profit.1": LimitStyle(price=Ticks(102_000), post_only=False),
        "rung1": LimitStyle(price=Ticks(99_000), post_only=False),
        "rung2": LimitStyle(price=Ticks(98_010), post_only=False),
    }
    assert {wish.expires_at_ms for wish in wishes if wish.kind is IntentKind.ADD} == {at_ms(60)}


def test_time_to_live_ends_at_its_minute_and_not_before():
    strategy, state, _ = holding_state(autonomous())
    early = strategy.decide(state, Timer(episode_id=NAME, time_ms=at_ms(59)), view(minutes=59.999, holding=HELD))
    assert early.wishes == ()
    (wish,) = strategy.decide(state, Timer(episode_id=NAME, time_ms=at_ms(60)), view(minutes=60, holding=HELD)).wishes
    assert (wish.kind, wish.reason, wish.style) == (IntentKind.CLOSE, "ttl", MarketStyle())


def test_an_autonomous_exit_ignores_the_sources_close():
    strategy, state, _ = holding_state(autonomous())
    assert strategy.decide(state, closed(KNOWN), view(minutes=60, holding=HELD)).wishes == ()


def test_a_close_before_our_entry_filled_leaves_at_the_fill():
    strategy = living(FOLLOW)
    state = strategy.decide(FRESH, opened(KNOWN), view()).state
    waiting = strategy.decide(state, closed(KNOWN), view(minutes=1))
    assert waiting.wishes == ()
    (wish,) = strategy.decide(
        waiting.state, OrderFilled(fill=fill(NAME, minutes=5)), view(minutes=5, holding=HELD)
    ).wishes
    assert (wish.kind, wish.reason) == (IntentKind.CLOSE, "source_close")


def test_a_close_that_the_venue_refused_is_tried_again_at_the_next_price():
    policy = replace(FOLLOW, ladder=ladder("0.5", ("0.01", "0.2")))
    strategy, state, _ = holding_state(policy)
    leaving = strategy.decide(state, closed(KNOWN), view(minutes=60, holding=HELD))
    (first,) = leaving.wishes
    refused = OrderRejected(episode_id=NAME, kind=IntentKind.CLOSE, leg=first.leg, reason="busy", time_ms=at_ms(60))
    state = strategy.decide(leaving.state, refused, view(minutes=60, holding=HELD)).state
    mark = MarkSeen(market=BTC, price=Ticks(100_000), time_ms=at_ms(61), age_ms=0)
    again = strategy.decide(state, mark, view(minutes=61, holding=HELD, pending=()))
    (second,) = again.wishes
    assert isinstance(second, Intent)
    assert (second.kind, second.reason) == (IntentKind.CLOSE, "source_close")
    assert second.leg != first.leg, "another try is another order"
    flat = strategy.decide(again.state, OrderFilled(fill=fill(NAME, kind=IntentKind.CLOSE)), view(minutes=61)).state
    assert flat.trades[NAME].phase is Phase.DONE


def test_nothing_is_asked_while_a_close_is_on_its_way():
    strategy, state, _ = holding_state(replace(FOLLOW, ladder=ladder("0.5", ("0.01", "0.2"))))
    leaving = strategy.decide(state, closed(KNOWN), view(minutes=60, holding=HELD)).state
    for event in (
        BarClosed(bar=bar(100_000, 100_000, 50_000, 100_000, minutes=60)),
        Timer(episode_id=NAME, time_ms=at_ms(65)),
        closed(KNOWN),
    ):
        assert strategy.decide(leaving, event, view(minutes=65, holding=HELD)).wishes == ()


def test_a_trailing_stop_starts_at_its_level_and_follows_the_best_price():
    strategy, state, wishes = holding_state(autonomous(profit=10_000, trailing=5_000))
    assert wishes == (), "before its level nothing rests"
    below = strategy.decide(
        state, BarClosed(bar=bar(100_000, 100_999, 100_000, 100_500)), view(minutes=5, holding=HELD)
    )
    assert below.wishes == ()
    reached = BarClosed(bar=bar(100_500, 101_000, 100_400, 100_900, minutes=5))
    started = strategy.decide(below.state, reached, view(minutes=10, holding=HELD))
    assert [(wish.style, wish.reason) for wish in started.wishes] == [
        (StopStyle(trigger=Ticks(100_495)), "trailing_stop")
    ]
    lower = BarClosed(bar=bar(100_900, 100_950, 100_600, 100_700, minutes=10))
    assert strategy.decide(started.state, lower, view(minutes=15, holding=HELD)).wishes == ()
    higher = BarClosed(bar=bar(100_700, 102_000, 100_700, 101_900, minutes=15))
    (moved,) = strategy.decide(started.state, higher, view(minutes=20, holding=HELD)).wishes
    assert (moved.style, moved.replaces) == (StopStyle(trigger=Ticks(101_490)), "stop")


def test_what_a_bar_did_before_we_were_in_does_not_start_a_trailing_stop():
    strategy, state, _ = holding_state(autonomous(profit=10_000, trailing=5_000), filled_at=5)
    entered = view(minutes=5, holding=holding(NAME, minutes=5))
    spike = BarClosed(bar=bar(100_000, 103_000, 99_000, 100_000, minutes=0))
    decision = strategy.decide(state, spike, entered)
    assert decision.wishes == ()
    assert decision.state.trades[NAME].peak == 100_000


def test_a_venue_that_holds_nothing_ends_the_trade():
    strategy, state, _ = holding_state(FOLLOW)
    gone = strategy.decide(state, PositionSynced(episode_id=NAME, holding=None, time_ms=at_ms(9)), view(minutes=9))
    assert gone.state.trades[NAME].phase is Phase.DONE
    assert gone.wishes == ()
