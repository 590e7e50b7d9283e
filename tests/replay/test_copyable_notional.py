from __future__ import annotations

import tomllib
from dataclasses import replace
from decimal import Decimal

import pytest

from copytrade_core.model.units import Money
from copytrade_core.replay.copyable_notional import smallest_target
from copytrade_core.replay.reference import replay
from copytrade_core.strategies.dca_ladder import plan_ladder
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests import trading_floor as floor


@pytest.fixture(params=["candidate_189", "contrarian_on_close", "follow_lead"])
def policy(request, project_root):
    path = project_root / "settings" / "policies" / f"{request.param}.toml"
    return policy_from_mapping(tomllib.loads(path.read_text(), parse_float=Decimal), file=path.name)


def replayed(policy):
    quiet = [(100_000, 100_100, 99_900, 100_000)] * 1000
    rules = floor.instrument(min_notional=7)
    markets = floor.data(floor.series(quiet), instruments={floor.BTC: rules})
    known = floor.episode(12, 47)
    roomy = replace(policy, sizing=replace(policy.sizing, target_notional=floor.usdt(1000)))
    result = replay([known], roomy, replace(floor.SPEC, initial_equity=floor.usdt(5000)), markets)
    assert len(result.round_trips) == 1
    return result, markets, rules


def test_at_the_smallest_target_every_leg_can_be_placed_and_a_little_below_one_cannot(policy):
    result, markets, rules = replayed(policy)
    least = smallest_target(policy, result, markets)
    assert least is not None
    trip = result.round_trips[0]
    entry, headroom = trip.fills[0].price, policy.sizing.headroom_ppm

    def skipped(target: int) -> int:
        ladder = plan_ladder(policy.ladder, trip.side, Money(target), entry, rules, headroom)
        base = Money(target * policy.ladder.base_share.numerator // policy.ladder.base_share.denominator)
        return ladder.skipped_count + (rules.quantity_for(base * 10**6 // (10**6 + headroom), entry) < 7)

    assert skipped(least) == 0
    assert skipped(least * 85 // 100) > 0


def test_without_a_trade_there_is_no_smallest_target(policy):
    result, markets, _ = replayed(policy)
    assert smallest_target(policy, replace(result, round_trips=()), markets) is None
