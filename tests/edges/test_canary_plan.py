"""What a canary's evidence must carry: exactly the judged policy, and exactly this way of trading it."""

from __future__ import annotations

import shutil

import pytest

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_plan import canary_policy_digest, plan_of
from copytrade_core.edges.stages.paper import identity_of
from copytrade_core.edges.stages.workplace import open_workplace
from tests.made_lead import POLICY, offline_settings

LEAD = "4751838302089254777"


@pytest.fixture
def place_with(tmp_path, project_root):
    """A workplace with one policy, and what a test changes about policy or settings."""

    def make(*, policy: str = POLICY, **changes: object):
        settings = tmp_path / "settings"
        shutil.copytree(project_root / "settings", settings, dirs_exist_ok=True)
        (settings / "judged.toml").write_text(policy)
        config = settings / "copytrade.toml"
        config.write_text(offline_settings((project_root / "settings" / "copytrade.toml").read_text(), "judged"))
        overrides = {f"canary.{name}": value for name, value in changes.items()}
        return open_workplace(load_settings(file=config, overrides=overrides, environ={}))

    return make


def test_what_a_session_is_stamped_with_is_what_gates_ask_for(place_with):
    place = place_with()
    assert identity_of(plan_of(place, LEAD)).policy_digest == canary_policy_digest(place, LEAD)
    assert canary_policy_digest(place, LEAD) == canary_policy_digest(place_with(), LEAD), "the same in every process"


def test_it_trades_the_judged_policy_with_the_canarys_own_target_and_money(place_with):
    plan = plan_of(place_with(), LEAD)
    assert plan.policy.sizing.target_notional == 25 * 10**8
    assert plan.judged.sizing.target_notional == 100 * 10**8
    assert plan.policy.exit == plan.judged.exit
    assert (plan.equity, plan.caps.daily_loss_max) == (30 * 10**8, 5 * 10**8)


@pytest.mark.parametrize(
    "change",
    [
        {"policy": POLICY.replace("ttl_s = 3600", "ttl_s = 3601")},
        {"policy": POLICY.replace("target_notional_usdt = 100", "target_notional_usdt = 101")},
        {"target_usdt": "24"},
        {"equity_usdt": "31"},
        {"daily_loss_usdt_max": "6"},
        {"orders_per_hour_max": 21},
        {"entry_drift_bps_max": "101"},
        {"slippage_bps": "4.5"},
        {"delay_ms": 400},
    ],
    ids=str,
)
def test_another_policy_target_cap_cost_or_delay_is_another_canary(place_with, change):
    before = canary_policy_digest(place_with(), LEAD)
    assert canary_policy_digest(place_with(**change), LEAD) != before


def test_how_often_it_looks_is_no_other_policy(place_with):
    assert canary_policy_digest(place_with(poll_every_s=30, deadline_s=60), LEAD) == canary_policy_digest(
        place_with(), LEAD
    )
