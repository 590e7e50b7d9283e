"""The only door to an order: what it compares, at the edge, and what no cap may hold back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.caps import UNCAPPED
from copytrade_core.model.controls import CLEAR
from copytrade_core.model.intent import ByFraction, ByNotional, ByQuantity, Intent, IntentKind, LimitStyle, MarketStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.verdict import Approved, RefusalReason, Refused
from copytrade_core.risk.exposure import Commitment, Exposure
from copytrade_core.risk.gate import check, worst_notional
from tests.trading_floor import BTC, at_ms, instrument, usdt

OPEN = Intent(
    kind=IntentKind.OPEN,
    episode_id="a",
    market=BTC,
    side=Side.LONG,
    leg="base",
    replaces="base",
    sizing=ByNotional(notional=usdt(100), rule="test"),
    style=MarketStyle(),
    allow_market_fallback=False,
    fallback_on_reject=False,
    fallback_on_timeout=False,
    reference_price=Ticks(100_000),
    headroom_ppm=5_000,
    reason="test",
    policy="p",
    policy_digest="d",
    decided_at_ms=at_ms(0),
    expires_at_ms=None,
)
CLOSE = replace(OPEN, kind=IntentKind.CLOSE, leg="ttl.1", sizing=ByFraction(numerator=1, denominator=1))
ROOM = Exposure(
    now_ms=at_ms(0),
    equity=usdt(1000),
    day_result=Money(0),
    commitments=(),
    quantity_held=Steps(0),
    instrument=instrument(),
    controls=CLEAR,
    entries_last_hour=0,
    source_age_ms=0,
    mark_age_ms=0,
    mark=Ticks(100_000),
    unresolved_count=0,
    account_fault=None,
    is_one_way=False,
    correlation_ppm=lambda _a, _b: None,
)


def using(notional: int, *, side: Side = Side.LONG, market=BTC, room: Exposure = ROOM) -> Exposure:
    """Room of which some is used already."""
    return replace(room, commitments=(Commitment(market=market, side=side, notional=Money(notional)),))


def test_the_whole_equity_may_be_used_and_not_a_unit_more():
    edge = using(usdt(900))
    assert isinstance(check(OPEN, edge, UNCAPPED), Approved)
    refused = check(OPEN, using(usdt(900) + 1), UNCAPPED)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NOTIONAL_GT_EQUITY
    assert dict(refused.numbers) == {"notional_used": usdt(900) + 1, "asked": usdt(100), "equity": usdt(1000)}


@given(used=st.integers(0, 10**12), asked=st.integers(1, 10**12), equity=st.integers(-(10**12), 10**12))
def test_an_entry_passes_exactly_when_everything_fits_under_equity(used, asked, equity):
    intent = replace(OPEN, sizing=ByNotional(notional=Money(asked), rule="test"))
    exposure = using(used, room=replace(ROOM, equity=Money(equity)))
    assert isinstance(check(intent, exposure, UNCAPPED), Approved) == (used + asked <= equity)


@pytest.mark.parametrize("kind", [IntentKind.CLOSE, IntentKind.REDUCE])
def test_no_cap_holds_back_a_way_out(kind):
    broke = using(usdt(10_000), room=replace(ROOM, equity=usdt(-500), quantity_held=Steps(5)))
    verdict = check(replace(CLOSE, kind=kind), broke, UNCAPPED)
    assert isinstance(verdict, Approved)
    assert verdict.worst_notional == 0


def test_nothing_held_cannot_be_closed():
    refused = check(CLOSE, ROOM, UNCAPPED)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.NO_POSITION


def test_an_intent_without_quantity_or_sizing_rule_is_no_intent():
    for intent in (replace(OPEN, sizing=None), replace(CLOSE, sizing=None)):
        refused = check(intent, replace(ROOM, quantity_held=Steps(5)), UNCAPPED)
        assert isinstance(refused, Refused)
        assert refused.reason is RefusalReason.MISSING_QUANTITY


def test_an_intent_lapses_at_its_time_and_not_before():
    intent = replace(OPEN, kind=IntentKind.ADD, expires_at_ms=at_ms(1))
    assert isinstance(check(intent, replace(ROOM, now_ms=at_ms(1) - 1), UNCAPPED), Approved)
    refused = check(intent, replace(ROOM, now_ms=at_ms(1)), UNCAPPED)
    assert isinstance(refused, Refused)
    assert refused.reason is RefusalReason.EXPIRED


def test_the_worst_case_of_a_quantity_includes_headroom():
    by_quantity = replace(OPEN, sizing=ByQuantity(quantity=Steps(100)))
    assert worst_notional(by_quantity, instrument()) == usdt(100.5)
    resting = replace(by_quantity, style=LimitStyle(price=Ticks(90_000), post_only=False))
    assert worst_notional(resting, instrument()) == usdt(90.45)
    assert worst_notional(CLOSE, instrument()) == 0
