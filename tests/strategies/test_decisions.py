"""Whatever happens in whatever order: the same events give the same intents, and what is remembered survives a save."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import BadInput
from copytrade_core.model.event import (
    BarClosed,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
)
from copytrade_core.model.intent import ByNotional, Intent, IntentKind
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceChange, SourceChanged, SourceMissing
from copytrade_core.model.units import Ticks
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.state import FRESH, export_state, import_state
from tests.trading_floor import (
    BTC,
    CONTRARIAN,
    FOLLOW,
    at,
    at_ms,
    bar,
    closed,
    episode,
    fill,
    holding,
    ladder,
    leave,
    opened,
    usdt,
    view,
)

LADDER = ladder("0.3", ("0.01", "0.2"), ("0.01", "0.2"), ("0.02", "0.3"))
POLICIES = [
    replace(FOLLOW, ladder=LADDER),
    replace(CONTRARIAN, ladder=LADDER, exit=leave(ExitFamily.AUTONOMOUS, profit=20_000, stop=50_000, ttl_s=1800)),
    replace(FOLLOW, exit=leave(ExitFamily.AUTONOMOUS, profit=10_000, trailing=5_000, ttl_s=1800), ladder=LADDER),
    replace(FOLLOW, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, stop=30_000), ladder=LADDER),
]
EPISODES = [episode(0, 20, side=Side.LONG), episode(1, 30, side=Side.SHORT), episode(2, 5, side=Side.LONG)]
LEGS = ["base", "rung1", "rung2", "rung3", "stop.1", "take_profit.2", "source_close.1", "ttl.3"]


def source_changed(known, when):
    return SourceChanged(
        episode=known,
        change=SourceChange.SCALED_IN,
        happened_at=at(when),
        known_at=at(when),
        entry_price_before=known.entry_price,
        entry_price=known.entry_price,
        quantity_before=known.quantity_max,
        quantity=known.quantity_max,
    )


def source_missing(known, when, count=1):
    return SourceMissing(
        episode=known,
        happened_at=at(when),
        known_at=at(when),
        last_seen_at=at(when),
        missing_polls_count=count,
        why_not_closed=(),
    )


@st.composite
def moments(draw):
    """One event with the view it is met with; not every sequence of them is possible, and none may break anything."""
    when = draw(st.integers(0, 60))
    known = draw(st.sampled_from(EPISODES))
    name, leg = known.episode_id, draw(st.sampled_from(LEGS))
    kind = IntentKind.OPEN if leg == "base" else IntentKind.ADD if leg.startswith("rung") else IntentKind.CLOSE
    price = draw(st.integers(90_000, 110_000))
    held = draw(st.none() | st.just(holding(name, side=known.side, quantity=draw(st.integers(1, 1000)))))
    failed: dict[str, Any] = {"episode_id": name, "kind": kind, "leg": leg, "reason": "no", "time_ms": at_ms(when)}
    event = draw(
        st.sampled_from(
            [
                opened(known),
                closed(known),
                source_changed(known, when),
                source_missing(known, when),
                BarClosed(bar=bar(price, price + 2000, price - 2000, price, minutes=when)),
                MarkSeen(market=BTC, price=Ticks(price), time_ms=at_ms(when), age_ms=0),
                OrderFilled(fill=fill(name, kind=kind, leg=leg, side=known.side, price=price, minutes=when)),
                OrderRejected(**failed),
                OrderNotPlaced(**failed),
                PositionSynced(episode_id=name, holding=held, time_ms=at_ms(when)),
                Timer(episode_id=name, time_ms=at_ms(when)),
            ]
        )
    )
    mark = draw(st.none() | st.integers(95_000, 105_000))
    pending = draw(st.sampled_from([(), ("stop",), ("take_profit",), ("source_close",), ("stop", "take_profit")]))
    return event, view(mark=mark, minutes=when, holding=held, pending=pending)


# Random moments alone rarely trade; most sequences begin with a filled base leg.
BEGINNING = [
    (opened(EPISODES[0]), view()),
    (closed(EPISODES[0]), view(minutes=20)),
    (OrderFilled(fill=fill(EPISODES[0].episode_id)), view(holding=holding(EPISODES[0].episode_id))),
]
SEQUENCES = st.builds(
    lambda start, rest: start + rest,
    st.sampled_from([BEGINNING, BEGINNING[::2], BEGINNING[1:], []]),
    st.lists(moments(), max_size=25),
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@given(sequence=SEQUENCES)
def test_state_survives_export_and_import_at_every_point(policy, sequence):
    strategy = strategy_of(policy)
    kept, saved = FRESH, FRESH
    for event, seen in sequence:
        saved = import_state(export_state(saved))
        assert saved == kept
        one, other = strategy.decide(kept, event, seen), strategy.decide(saved, event, seen)
        assert one == other, "the same events give the same intents"
        kept, saved = one.state, other.state
    assert export_state(saved) == export_state(kept)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@given(sequence=SEQUENCES)
def test_entries_wished_for_never_exceed_the_target_of_their_trade(policy, sequence):
    """A rung may be wished for again after it failed; once each, all legs together stay under the target."""
    strategy, state = strategy_of(policy), FRESH
    asked: dict[str, dict[str, int]] = {}
    for event, seen in sequence:
        decision = strategy.decide(state, event, seen)
        for wish in decision.wishes:
            if isinstance(wish, Intent) and wish.kind.is_entry:
                assert isinstance(wish.sizing, ByNotional)
                assert wish.leg not in state.trades.get(wish.episode_id, _NoTrade).resting, (
                    "a resting rung is not doubled"
                )
                asked.setdefault(wish.episode_id, {})[wish.leg] = wish.sizing.notional
        state = decision.state
    for legs in asked.values():
        assert sum(legs.values()) <= usdt(1000)


class _NoTrade:
    resting = ()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@given(sequence=SEQUENCES)
def test_strategy_entry_signal_is_the_only_open_source(policy, sequence):
    strategy, state = strategy_of(policy), FRESH
    entry_signal = type(opened(EPISODES[0])) if "follow_open" in policy.name else type(closed(EPISODES[0]))
    opens: list[str] = []
    for event, seen in sequence:
        decision = strategy.decide(state, event, seen)
        for wish in decision.wishes:
            if isinstance(wish, Intent) and wish.kind is IntentKind.OPEN:
                assert isinstance(event, entry_signal), f"{type(event).__name__} opened a position"
                opens.append(wish.episode_id)
        state = decision.state
    assert len(opens) == len(set(opens)), "one open per episode"


def test_a_vanished_source_row_is_a_reason_to_hold_and_nothing_else():
    strategy, known = strategy_of(FOLLOW), EPISODES[0]
    state = strategy.decide(FRESH, opened(known), view()).state
    state = strategy.decide(
        state, OrderFilled(fill=fill(known.episode_id)), view(holding=holding(known.episode_id))
    ).state
    for count in range(1, 50):
        decision = strategy.decide(state, source_missing(known, count, count), view(holding=holding(known.episode_id)))
        assert [wish.reason for wish in decision.wishes] == ["source_missing"]
        assert not any(isinstance(wish, Intent) for wish in decision.wishes)
        assert decision.state == state


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"schema_version":2,"trades":{"a":{}},"backoff":{"failures":0,"until_ms":null}}',
    ],
)
def test_a_broken_state_is_refused(text):
    with pytest.raises(BadInput, match="strategy state"):
        import_state(text)


def test_a_state_of_another_schema_is_refused():
    with pytest.raises(BadInput, match="schema 3") as caught:
        import_state(export_state(replace(FRESH, schema_version=3)))
    assert caught.value.where.field == "schema_version"
