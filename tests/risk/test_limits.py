"""Every rule of the door, at its edge; every failing one is recorded; no reduction or close meets any of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.controls import CLEAR
from copytrade_core.model.intent import ByFraction, ByNotional, Intent, IntentKind, LimitStyle, MarketStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.verdict import Approved, RefusalReason, Refused
from copytrade_core.risk.exposure import Commitment, Exposure
from copytrade_core.risk.gate import check
from tests.desk_floor import CALM_CAPS
from tests.trading_floor import BTC, ETH, at_ms, instrument, usdt

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
    headroom_ppm=0,
    reason="test",
    policy="p",
    policy_digest="d",
    decided_at_ms=at_ms(0),
    expires_at_ms=at_ms(5),
)


def held(market, side: Side, amount: float) -> Commitment:
    return Commitment(market=market, side=side, notional=usdt(amount))


CALM = Exposure(
    now_ms=at_ms(0),
    equity=usdt(10_000),
    day_result=Money(0),
    commitments=(held(BTC, Side.LONG, 300), held(ETH, Side.SHORT, 200)),
    quantity_held=Steps(5),
    instrument=instrument(),
    controls=CLEAR,
    entries_last_hour=3,
    source_age_ms=1_000,
    mark_age_ms=1_000,
    mark=Ticks(100_000),
    unresolved_count=0,
    account_fault=None,
    is_one_way=False,
    correlation_ppm=lambda _a, _b: -1_000_000,
)
"""Held: 300 long of one market, 200 short of another that moves the other way, so both are one bet."""

# Each rule: caps and exposure that fail it by the smallest amount, and that just keep it.
EDGES: dict[RefusalReason, tuple[tuple[dict[str, Any], dict[str, Any]], tuple[dict[str, Any], dict[str, Any]]]] = {
    RefusalReason.EXPIRED: (({}, {"now_ms": at_ms(5)}), ({}, {"now_ms": at_ms(5) - 1})),
    RefusalReason.KILL: (({}, {"controls": replace(CLEAR, kill=True)}), ({}, {})),
    RefusalReason.STOP_NEW_ORDERS: (({}, {"controls": replace(CLEAR, stop_new_orders=True)}), ({}, {})),
    RefusalReason.DEADLINE_REACHED: (
        ({}, {"controls": replace(CLEAR, deadline_ms=at_ms(0))}),
        ({}, {"controls": replace(CLEAR, deadline_ms=at_ms(0) + 1)}),
    ),
    RefusalReason.DAILY_LOSS: (
        ({"daily_loss_max": usdt(5)}, {"day_result": usdt(-5)}),
        ({"daily_loss_max": usdt(5)}, {"day_result": Money(usdt(-5) + 1)}),
    ),
    RefusalReason.ORDERS_PER_HOUR: (({"orders_per_hour_max": 3}, {}), ({"orders_per_hour_max": 4}, {})),
    RefusalReason.NOTIONAL_GROSS: (
        ({"notional_gross_max": Money(usdt(600) - 1)}, {}),
        ({"notional_gross_max": usdt(600)}, {}),
    ),
    RefusalReason.NOTIONAL_ONE_SIDE: (
        ({"notional_one_side_max": Money(usdt(400) - 1)}, {}),
        ({"notional_one_side_max": usdt(400)}, {}),
    ),
    RefusalReason.NOTIONAL_CORRELATED: (
        ({"notional_correlated_max": Money(usdt(600) - 1)}, {}),
        ({"notional_correlated_max": usdt(600)}, {}),
    ),
    RefusalReason.NOTIONAL_LEAD: (
        ({}, {"notional_of_lead": usdt(50), "notional_of_lead_max": Money(usdt(150) - 1)}),
        ({}, {"notional_of_lead": usdt(50), "notional_of_lead_max": usdt(150)}),
    ),
    RefusalReason.SOURCE_STALE: (({}, {"source_age_ms": 60_001}), ({}, {"source_age_ms": 60_000})),
    RefusalReason.MARK_STALE: (({}, {"mark_age_ms": 60_001}), ({}, {"mark_age_ms": 60_000})),
    RefusalReason.ENTRY_DRIFT: (({}, {"mark": Ticks(98_999)}), ({}, {"mark": Ticks(99_000)})),
    RefusalReason.UNKNOWN_ORDER_PENDING: (({}, {"unresolved_count": 1}), ({}, {})),
    RefusalReason.APPROVAL_INVALID: (
        ({}, {"controls": replace(CLEAR, approval_valid=False)}),
        ({}, {"controls": replace(CLEAR, approval_valid=True)}),
    ),
    RefusalReason.ACCOUNT_FAULT: (({}, {"account_fault": "foreign order x"}), ({}, {})),
    RefusalReason.OPPOSITE_POSITION: (
        ({}, {"is_one_way": True, "commitments": (held(BTC, Side.SHORT, 1),)}),
        ({}, {"is_one_way": True, "commitments": (held(BTC, Side.LONG, 1), held(ETH, Side.SHORT, 1))}),
    ),
    RefusalReason.NOTIONAL_GT_EQUITY: (({}, {"equity": Money(usdt(600) - 1)}), ({}, {"equity": usdt(600)})),
}


def verdict_of(caps: dict[str, Any], exposure: dict[str, Any], intent: Intent = OPEN) -> Approved | Refused:
    return check(intent, replace(CALM, **exposure), replace(CALM_CAPS, **caps))


def test_every_reason_that_a_cap_or_a_control_can_give_is_tested_here():
    elsewhere = {RefusalReason.MISSING_QUANTITY, RefusalReason.NO_POSITION, RefusalReason.BELOW_MINIMUM}
    assert set(EDGES) | elsewhere == set(RefusalReason)


@pytest.mark.parametrize("reason", EDGES)
def test_each_rule_refuses_at_its_edge_and_not_before(reason):
    failing, keeping = EDGES[reason]
    refused = verdict_of(*failing)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.also) == (reason, ())
    assert isinstance(verdict_of(*keeping), Approved)
    for kind in (IntentKind.OPEN, IntentKind.ADD):
        assert isinstance(verdict_of(*failing, replace(OPEN, kind=kind)), Refused), "adds as well as opens"


@pytest.mark.parametrize("reason", EDGES)
def test_a_cap_that_is_not_set_holds_nothing_back(reason):
    (caps, exposure), _ = EDGES[reason]
    if caps:
        assert isinstance(verdict_of(dict.fromkeys(caps), exposure), Approved)


@pytest.mark.parametrize(
    ("caps", "exposure", "reason", "numbers"),
    [
        (
            {"daily_loss_max": usdt(5)},
            {"day_result": usdt(-7)},
            RefusalReason.DAILY_LOSS,
            {"day_result": usdt(-7), "daily_loss_max": usdt(5)},
        ),
        (
            {"orders_per_hour_max": 2},
            {},
            RefusalReason.ORDERS_PER_HOUR,
            {"entries_last_hour": 3, "orders_per_hour_max": 2},
        ),
        (
            {"notional_one_side_max": usdt(350)},
            {},
            RefusalReason.NOTIONAL_ONE_SIDE,
            {"notional_one_side": usdt(300), "asked": usdt(100), "notional_one_side_max": usdt(350)},
        ),
        (
            {"notional_correlated_max": usdt(550)},
            {},
            RefusalReason.NOTIONAL_CORRELATED,
            {"notional_correlated": usdt(600), "asked": usdt(100), "notional_correlated_max": usdt(550)},
        ),
        ({}, {"source_age_ms": 61_000}, RefusalReason.SOURCE_STALE, {"source_age_ms": 61_000, "source_age_s_max": 60}),
        (
            {},
            {"mark": Ticks(102_000)},
            RefusalReason.ENTRY_DRIFT,
            {"mark": 102_000, "reference_price": 100_000, "drift_ppm": 20_000, "entry_drift_ppm_max": 10_000},
        ),
    ],
)
def test_a_refusal_says_what_was_compared(caps, exposure, reason, numbers):
    refused = verdict_of(caps, exposure)
    assert isinstance(refused, Refused)
    assert (refused.reason, dict(refused.numbers)) == (reason, numbers)


@pytest.mark.parametrize(
    ("exposure", "reason"),
    [
        ({"day_result": None}, RefusalReason.DAILY_LOSS),
        ({"source_age_ms": None}, RefusalReason.SOURCE_STALE),
        ({"mark_age_ms": None}, RefusalReason.MARK_STALE),
        ({"mark": None}, RefusalReason.ENTRY_DRIFT),
    ],
)
def test_what_is_not_known_counts_as_a_breach(exposure, reason):
    refused = verdict_of({}, exposure)
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert refused.detail


def test_a_resting_entry_states_its_price_so_the_mark_may_have_moved():
    rung = replace(OPEN, style=LimitStyle(price=Ticks(90_000), post_only=False))
    assert isinstance(verdict_of({}, {"mark": Ticks(95_000)}, rung), Approved)


@given(chosen=st.sets(st.sampled_from(list(EDGES))))
def test_the_first_failing_rule_names_a_refusal_and_every_other_one_is_recorded(chosen):
    caps: dict[str, Any] = {}
    exposure: dict[str, Any] = {"controls": CLEAR}
    for reason in chosen:
        (more_caps, more), _ = EDGES[reason]
        caps.update(more_caps)
        controls = more.get("controls")
        if controls is not None:
            differing = {
                name: getattr(controls, name)
                for name in ("kill", "stop_new_orders", "deadline_ms", "approval_valid")
                if getattr(controls, name) != getattr(CLEAR, name)
            }
            exposure["controls"] = replace(exposure["controls"], **differing)
        exposure.update({name: value for name, value in more.items() if name != "controls"})
    if RefusalReason.OPPOSITE_POSITION in chosen:
        exposure["commitments"] = (*CALM.commitments, held(BTC, Side.SHORT, 1))
    verdict = verdict_of(caps, exposure)
    if not chosen:
        assert isinstance(verdict, Approved)
        return
    assert isinstance(verdict, Refused)
    named = [verdict.reason, *(each.reason for each in verdict.also)]
    assert set(named) == chosen
    assert named == [reason for reason in RefusalReason if reason in chosen], "in one order"


@given(chosen=st.sets(st.sampled_from(list(EDGES))), kind=st.sampled_from([IntentKind.CLOSE, IntentKind.REDUCE]))
def test_no_combination_of_caps_and_controls_holds_back_a_reduction_or_a_close(chosen, kind):
    caps: dict[str, Any] = {}
    exposure: dict[str, Any] = {}
    for reason in chosen:
        (more_caps, more), _ = EDGES[reason]
        caps.update(more_caps)
        exposure.update(more)
    way_out = replace(OPEN, kind=kind, leg="ttl.1", sizing=ByFraction(numerator=1, denominator=1))
    verdict = verdict_of(caps, exposure, way_out)
    assert isinstance(verdict, Approved)
    assert verdict.worst_notional == 0
