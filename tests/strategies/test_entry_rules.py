"""Every reason not to take a signal, at its edge, with the numbers that were compared."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from copytrade_core.model.episode import Provenance
from copytrade_core.model.intent import ByNotional, Hold, Intent
from copytrade_core.model.policy import SizingRule
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.strategies.state import FRESH
from tests.trading_floor import (
    CONTRARIAN,
    FOLLOW,
    at_ms,
    closed,
    episode,
    instrument,
    ladder,
    living,
    opened,
    usdt,
    view,
)


def answer(policy, event, seen, state=FRESH) -> Any:
    """The single wish of one decision."""
    (wish,) = living(policy).decide(state, event, seen).wishes
    return wish


def with_entry(policy, **changes):
    return replace(policy, entry=replace(policy.entry, **changes))


def with_sizing(policy, **changes):
    return replace(policy, sizing=replace(policy.sizing, **changes))


def test_a_signal_in_order_becomes_one_open_with_everything_spelled_out():
    wish = answer(FOLLOW, opened(episode(0, 60)), view(minutes=1))
    assert isinstance(wish, Intent)
    assert isinstance(wish.sizing, ByNotional)
    assert (wish.kind, wish.leg, wish.side, wish.reason) == ("open", "base", Side.LONG, "follow_open")
    assert wish.sizing.notional == usdt(1000)
    assert wish.sizing.rule == "fixed:base"
    assert (wish.reference_price, wish.decided_at_ms) == (100_000, at_ms(1))
    assert (wish.allow_market_fallback, wish.fallback_on_reject, wish.fallback_on_timeout) == (False, False, False)
    assert wish.policy == "follow_open/both/single/source_close_follows"
    assert wish.policy_digest == living(FOLLOW).policy_digest


def test_a_contrarian_takes_the_other_side_of_a_close():
    wish = answer(CONTRARIAN, closed(episode(0, 60, side=Side.LONG)), view(minutes=60))
    assert isinstance(wish, Intent)
    assert (wish.kind, wish.side, wish.reason) == ("open", Side.SHORT, "contrarian_on_close")


def test_a_contrarian_ignores_an_opening_and_a_follower_ignores_a_foreign_close():
    known = episode(0, 60)
    assert living(CONTRARIAN).decide(FRESH, opened(known), view()).wishes == ()
    assert living(FOLLOW).decide(FRESH, closed(known), view(minutes=60)).wishes == ()


def test_what_the_first_poll_found_is_never_traded():
    seeded = episode(0, 60, provenance=Provenance.SEEDED)
    assert answer(FOLLOW, opened(seeded), view()).reason == "seeded_first_poll"


@pytest.mark.parametrize(
    ("allowed", "side", "taken"),
    [
        (SideFilter.LONG_ONLY, Side.LONG, True),
        (SideFilter.LONG_ONLY, Side.SHORT, False),
        (SideFilter.SHORT_ONLY, Side.SHORT, True),
        (SideFilter.SHORT_ONLY, Side.LONG, False),
        (SideFilter.BOTH, Side.SHORT, True),
    ],
)
def test_the_side_filter_judges_our_side_not_the_leads(allowed, side, taken):
    follow = answer(with_entry(FOLLOW, side=allowed), opened(episode(0, 60, side=side)), view())
    against = answer(with_entry(CONTRARIAN, side=allowed), closed(episode(0, 60, side=side.opposite)), view(minutes=60))
    for wish in (follow, against):
        assert isinstance(wish, Intent) if taken else wish.reason == "side_filtered"


def test_a_signal_is_too_old_one_millisecond_after_its_limit():
    rules = with_entry(FOLLOW, signal_age_s_max=60)
    event = opened(episode(0, 60))
    assert isinstance(answer(rules, event, view(minutes=1)), Intent)
    held = answer(rules, event, view(minutes=1 + 1 / 60_000))
    assert (held.reason, held.numbers) == ("signal_too_old", (("age_ms", "60001"), ("age_s_max", "60")))


@pytest.mark.parametrize("mark", [101_001, 98_999])
def test_a_price_that_has_run_away_is_not_chased_on_either_side(mark):
    rules = with_entry(FOLLOW, entry_drift_ppm_max=10_000)
    held = answer(rules, opened(episode(0, 60)), view(mark=mark))
    assert (held.reason, held.numbers) == ("entry_drift", (("drift_ppm", "10010"), ("drift_ppm_max", "10000")))


@pytest.mark.parametrize("mark", [101_000, 99_000])
def test_drift_at_its_limit_is_allowed(mark):
    assert isinstance(
        answer(with_entry(FOLLOW, entry_drift_ppm_max=10_000), opened(episode(0, 60)), view(mark=mark)), Intent
    )


def test_without_a_price_nothing_is_opened():
    assert answer(FOLLOW, opened(episode(0, 60)), view(mark=None)).reason == "mark_unknown"


def test_an_episode_is_traded_once_and_not_entered_again_after_its_end():
    strategy, event = living(FOLLOW), opened(episode(0, 60))
    first = strategy.decide(FRESH, event, view())
    (again,) = strategy.decide(first.state, event, view()).wishes
    assert isinstance(again, Hold)
    assert again.reason == "episode_already_traded"


def test_a_base_leg_under_the_minimum_is_not_rounded_up():
    policy = replace(FOLLOW, ladder=ladder("0.004", ("0.01", "0.9")))
    held = answer(policy, opened(episode(0, 60)), view(rules=instrument(min_notional=5)))
    assert held.reason == "below_minimum"
    assert held.numbers == (("base_notional", str(usdt(4))), ("minimum_notional", str(usdt(5))))


def sized(rule: SizingRule, seen, known=None):
    wish = answer(with_sizing(FOLLOW, rule=rule), opened(known or episode(0, 60)), seen)
    return wish.reason if isinstance(wish, Hold) else wish.sizing.notional


def test_compound_sizing_grows_and_shrinks_with_equity():
    assert sized(SizingRule.COMPOUND, view(equity=12_500)) == usdt(1250)
    assert sized(SizingRule.COMPOUND, view(equity=5_000)) == usdt(500)
    assert sized(SizingRule.COMPOUND, view(equity=0)) == "equity_spent"


def test_fixed_sizing_ignores_equity():
    assert sized(SizingRule.FIXED, view(equity=12_500)) == usdt(1000)


def test_lead_margin_sizing_copies_the_leads_share_up_to_the_target():
    # The lead put 1 x 100,000 / 10 = 10,000 of its 200,000 margin into the trade: a twentieth.
    rule = SizingRule.LEAD_MARGIN_FRACTION
    known = episode(0, 60, provenance=Provenance.OBSERVED)
    assert sized(rule, view(lead_margin_balance=200_000, equity=4_000), known) == usdt(200)
    assert sized(rule, view(lead_margin_balance=200_000, equity=50_000), known) == usdt(1000), "never above the target"
    assert sized(rule, view(lead_margin_balance=None), known) == "lead_margin_unknown"
    assert sized(rule, view(lead_margin_balance=200_000), replace(known, leverage=None)) == "lead_leverage_unknown"
    assert sized(rule, view(lead_margin_balance=200_000, equity=-1), known) == "equity_spent"


def test_the_artefact_price_is_only_compared_never_paid():
    known = replace(episode(0, 60), entry_price=Decimal(99_500))
    wish = answer(FOLLOW, opened(known), view(mark=100_000))
    assert isinstance(wish, Intent)
    assert wish.reference_price == 100_000
