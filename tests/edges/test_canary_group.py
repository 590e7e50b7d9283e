"""A group of leads in one session: what its file may say, and that its sessions can be taken for nobody's canary."""

from __future__ import annotations

import shutil

import pytest

from copytrade_core.edges.canary_group import load_group
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_plan import canary_policy_digest, is_group, plan_of
from copytrade_core.edges.stages.paper import identity_of
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.model.errors import BadConfig, BadInput

A, B, NAME = "4751838302089254401", "4751838302089254402", "two_leads"


@pytest.fixture
def place_with(tmp_path, project_root):
    """The shipped settings with one text of the group's file replaced."""

    def make(old: str = "", new: str = ""):
        shutil.copytree(project_root / "settings", tmp_path / "settings")
        file = tmp_path / "settings" / "canaries" / f"{NAME}.toml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))
        return open_workplace(load_settings(file=tmp_path / "settings" / "copytrade.toml", environ={}))

    return make


def test_each_lead_has_its_own_capital_target_and_markets_under_caps_over_all(place_with):
    plan = plan_of(place_with(), NAME)
    one, two = plan.leads
    assert (one.lead_id, one.target, one.notional_max, one.allowed) == (A, None, 30 * 10**8, None)
    assert (two.lead_id, two.target, two.blocked) == (B, 20 * 10**8, {"DOGE/USDT:USDT"})
    assert plan.caps.notional_gross_max == 60 * 10**8
    assert two.notional_max == 30 * 10**8


def test_its_sessions_carry_its_name_and_a_digest_that_no_lead_has(place_with):
    place = place_with()
    assert identity_of(plan_of(place, NAME)).lead == NAME
    assert canary_policy_digest(place, NAME) not in {canary_policy_digest(place, lead) for lead in (A, B)}
    assert is_group(NAME)
    assert not is_group(A)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("capital_usdt = 30", "capital_usdt = 61", "more than money.equity_usdt"),
        ("target_usdt = 20", "target_usdt = 31", "more than its capital_usdt"),
        ("notional_one_side_usdt_max = 50", "notional_one_side_usdt_max = 61", "notional_gross_usdt_max"),
        ("daily_loss_usdt_max = 10", "", "daily_loss_usdt_max is missing"),
        ("capital_usdt = 30", "capital = 30", "unknown setting"),
        (f"[leads.{A}]", "[leads.somebody]", "is not a portfolio id"),
        ('["DOGE/USDT:USDT"]', '["XRP/USDT:USDT"]\nallowed = ["XRP/USDT:USDT"]', "XRP/USDT:USDT is both allowed and"),
        ('["DOGE/USDT:USDT"]', '["DOGEUSDT"]', "'DOGEUSDT' is not a linear market"),
        ('blocked = ["DOGE/USDT:USDT"]', "allowed = []", "no market is allowed"),
        (f"[leads.{B}]", f"[leads.{A}]", f"{A}.*twice"),
    ],
)
def test_what_contradicts_itself_is_refused(place_with, old, new, said):
    with pytest.raises(BadConfig, match=said):
        plan_of(place_with(old, new), NAME)


def test_a_group_that_is_not_there_is_named(place_with):
    with pytest.raises(BadConfig, match=r"there is no group nobody.*two_leads"):
        plan_of(place_with(), "nobody")
    with pytest.raises(BadInput):
        load_group(load_settings(environ={}), "../x")


def test_a_lead_s_capital_is_within_the_cap_over_all_of_them(place_with):
    place = place_with("equity_usdt = 60 ", "equity_usdt = 90 ")
    file = place.settings.paths.canaries / f"{NAME}.toml"
    file.write_text(file.read_text().replace("capital_usdt = 30", "capital_usdt = 61", 1))
    with pytest.raises(BadConfig, match=f"capital_usdt of {A} is more than money.notional_gross_usdt_max"):
        load_group(place.settings, NAME)
