"""The strategy's own brake: it stops retry storms, holds back entries only, and a fill alone releases it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.event import OrderFilled, OrderNotPlaced, OrderRejected
from copytrade_core.model.intent import Hold, Intent, IntentKind
from copytrade_core.model.policy import BackoffSpec
from copytrade_core.strategies.rejection_backoff import IDLE, after_entry_fill, after_failure
from copytrade_core.strategies.state import FRESH
from tests.trading_floor import FOLLOW, at_ms, closed, episode, fill, holding, living, opened, view

SPEC = BackoffSpec(failures_max=3, cooldown_s=60)


def test_the_brake_blocks_a_storm_of_signals_and_resets_on_fill():
    strategy, state = living(FOLLOW), FRESH
    asked = 0
    for second in range(60):
        known = episode(second / 60, 60)
        wishes = strategy.decide(state, opened(known), view(minutes=second / 60))
        state = wishes.state
        (wish,) = wishes.wishes
        if isinstance(wish, Hold):
            assert wish.reason == "backoff"
            continue
        asked += 1
        rejected = OrderRejected(
            episode_id=known.episode_id, kind=wish.kind, leg=wish.leg, reason="no margin", time_ms=at_ms(second / 60)
        )
        state = strategy.decide(state, rejected, view(minutes=second / 60)).state
    assert asked == 3, "after three rejections nothing is sent for a minute"

    trial = episode(5, 60)
    (wish,) = strategy.decide(state, opened(trial), view(minutes=5)).wishes
    assert isinstance(wish, Intent), "when the brake is off one entry is tried"
    state = strategy.decide(state, opened(trial), view(minutes=5)).state
    filled = OrderFilled(fill=fill(trial.episode_id, minutes=5))
    state = strategy.decide(state, filled, view(minutes=5, holding=holding(trial.episode_id))).state
    assert state.backoff == IDLE


def test_after_the_brake_one_more_failure_is_enough_until_something_fills():
    state = IDLE
    for _ in range(3):
        state = after_failure(state, SPEC, at_ms(0))
    assert state.blocks(at_ms(0.99))
    assert not state.blocks(at_ms(1))
    again = after_failure(state, SPEC, at_ms(2))
    assert again.blocks(at_ms(2.99)), "only an entry fill resets the count, the passing of time does not"
    assert after_entry_fill() == IDLE


def test_fewer_failures_than_allowed_do_not_brake():
    state = after_failure(after_failure(IDLE, SPEC, at_ms(0)), SPEC, at_ms(0))
    assert not state.blocks(at_ms(0))


@given(fails=st.lists(st.integers(0, 600), min_size=1, max_size=30).map(sorted))
def test_the_brake_is_on_exactly_while_a_cooldown_lasts_after_too_many_failures(fails):
    state = IDLE
    for count, second in enumerate(fails, 1):
        state = after_failure(state, SPEC, second * 1000)
        assert state.blocks(second * 1000) == (count >= 3)
        assert state.blocks(second * 1000 + 59_999) == (count >= 3)
        assert not state.blocks(second * 1000 + 60_000)


def test_the_brake_never_holds_back_a_close():
    strategy, known = living(FOLLOW), episode(0, 60)
    state = strategy.decide(FRESH, opened(known), view()).state
    seen = view(holding=holding(known.episode_id))
    state = strategy.decide(state, OrderFilled(fill=fill(known.episode_id)), seen).state
    for number in range(3):
        failed = OrderNotPlaced(
            episode_id=known.episode_id, kind=IntentKind.ADD, leg=f"rung{number}", reason="x", time_ms=at_ms(59)
        )
        state = strategy.decide(state, failed, view(minutes=59, holding=holding(known.episode_id))).state
    assert state.backoff.blocks(at_ms(59))
    decision = strategy.decide(state, closed(known), view(minutes=59, holding=holding(known.episode_id)))
    (wish,) = decision.wishes
    assert isinstance(wish, Intent)
    assert (wish.kind, wish.reason) == (IntentKind.CLOSE, "source_close")
    refused = OrderRejected(
        episode_id=known.episode_id, kind=IntentKind.CLOSE, leg=wish.leg, reason="x", time_ms=at_ms(59)
    )
    after = strategy.decide(decision.state, refused, view(minutes=59, holding=holding(known.episode_id))).state
    assert after.backoff == state.backoff, "a failed close is no failed entry"
