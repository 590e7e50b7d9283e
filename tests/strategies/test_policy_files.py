"""Policies as files: every shipped file loads, and every mistake is named with file and key."""

from __future__ import annotations

import copy
import tomllib
from decimal import Decimal
from fractions import Fraction

import pytest

from copytrade_core.model.errors import BadConfig
from copytrade_core.model.policy import AddMode, ExitFamily, SignalMode
from copytrade_core.model.units import MONEY_SCALE
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.strategies.policy_parse import policy_from_mapping

NAMES = {
    "candidate_189": "follow_open/both/candidate_189/source_close_follows",
    "contrarian_on_close": "contrarian_on_close/both/study_dca3/autonomous",
    "follow_lead": "follow_open/both/single/source_close_follows",
    "follow_lead_timed": "follow_open/both/single/autonomous",
}


def content(project_root, name) -> dict:
    return tomllib.loads((project_root / f"settings/policies/{name}.toml").read_text("utf-8"), parse_float=Decimal)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_shipped_policy_loads_under_a_name_that_spells_it(project_root, name):
    assert policy_from_mapping(content(project_root, name), file=name).name == NAMES[name]


def test_every_shipped_policy_is_listed_here(project_root):
    shipped = {path.stem for path in (project_root / "settings/policies").glob("*.toml")}
    assert shipped == set(NAMES)


def test_values_arrive_exactly(project_root):
    policy = policy_from_mapping(content(project_root, "candidate_189"), file="x")
    assert policy.signal is SignalMode.FOLLOW_OPEN
    assert policy.ladder.base_share == Fraction(28, 100)
    assert policy.ladder.steps == tuple(Fraction(text) for text in ("0.0025", "0.0035", "0.0055", "0.03"))
    assert (policy.sizing.target_notional, policy.sizing.headroom_ppm) == (30 * MONEY_SCALE, 5_000)
    assert (policy.entry.entry_drift_ppm_max, policy.entry.signal_age_s_max) == (10_000, 900)
    timed = policy_from_mapping(content(project_root, "follow_lead_timed"), file="x").exit
    assert (timed.take_profit_ppm, timed.stop_loss_ppm, timed.ttl_s) == (20_000, 50_000, 259_200)


def test_spelling_of_a_number_does_not_change_the_digest(project_root):
    one, other = content(project_root, "candidate_189"), content(project_root, "candidate_189")
    other["ladder"]["base_share_ratio"] = "7/25"
    other["ladder"]["weights"] = [Decimal("1.00"), "1.50", Decimal("2.75"), "3/2"]
    digests = {strategy_of(policy_from_mapping(each, file="x")).policy_digest for each in (one, other)}
    assert len(digests) == 1
    other["ladder"]["weights"][0] = Decimal("1.01")
    assert strategy_of(policy_from_mapping(other, file="x")).policy_digest not in digests


GONE = object()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("entry.sides", "both", "unknown key 'sides'"),
        ("shape", 1, "unknown key 'shape'"),
        ("entry", GONE, "is missing"),
        ("entry", 3, "must be a table"),
        ("signal", GONE, "is missing"),
        ("signal", "follow_close", "is none of follow_open, contrarian_on_close"),
        ("signal", 3, "must be a text"),
        ("entry.side", "long", "is none of both"),
        ("entry.signal_age_s_max", Decimal("1.5"), "must be a whole number"),
        ("entry.signal_age_s_max", True, "must be a whole number"),
        ("entry.signal_age_s_max", 0, "entry limits must be positive"),
        ("entry.entry_drift_bps_max", Decimal("0.001"), "finer than one part per million"),
        ("entry.entry_drift_bps_max", 0.5, "is not an exact number"),
        ("ladder.base_share_ratio", 0.28, "is not an exact number"),
        ("ladder.base_share_ratio", "28 %", "is not a number"),
        ("ladder.base_share_ratio", "1/0", "is not a fraction"),
        ("ladder.base_share_ratio", Decimal("NaN"), "is not finite"),
        ("ladder.base_share_ratio", "1.1", "must be in (0, 1]"),
        ("ladder.step_ratios", "0.01", "must be a list"),
        ("ladder.step_ratios", ["0.01"], "one weight per step"),
        ("ladder.step_ratios", [1, 1, 1, 1], "every ladder step"),
        ("ladder.weights", [0, 1, 1, 1], "every ladder weight"),
        ("ladder.weights", [True, 1, 1, 1], "is not an exact number"),
        ("ladder.add_mode", "min_order", "take no weights"),
        ("exit.take_profit_ratio", "0.014", "does not use take_profit_ppm"),
        ("exit.trailing_callback_ratio", "0.0045", "does not use trailing_callback_ppm"),
        ("exit.ttl_s", 259_200, "does not use ttl_s"),
        ("exit.family", "autonomous", "needs a time-to-live"),
        ("sizing.target_notional_usdt", 0, "must be positive"),
        ("sizing.headroom_bps", -1, "may not be negative"),
        ("backoff.failures_max", 0, "must be positive"),
        ("backoff.cooldown_s", 0, "must be positive"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(project_root, key, value, said):
    mapping = copy.deepcopy(content(project_root, "candidate_189"))
    section, _, name = key.rpartition(".")
    table = mapping[section] if section else mapping
    if value is GONE:
        del table[name]
    else:
        table[name] = value
    with pytest.raises(BadConfig) as caught:
        policy_from_mapping(mapping, file="my.toml")
    assert said in str(caught.value)
    assert caught.value.where.file == "my.toml"
    assert caught.value.where.field is not None
    assert caught.value.where.field.split(".")[0] == key.split(".")[0]


def test_a_min_order_ladder_takes_an_empty_list_of_weights(project_root):
    mapping = content(project_root, "candidate_189")
    mapping["ladder"].update(add_mode="min_order", weights=[])
    assert policy_from_mapping(mapping, file="x").ladder.add_mode is AddMode.MIN_ORDER


def test_a_third_exit_family_is_named_and_takes_both(project_root):
    mapping = content(project_root, "candidate_189")
    mapping["exit"] = {"family": "source_close_then_autonomous", "stop_loss_ratio": "0.05"}
    policy = policy_from_mapping(mapping, file="x")
    assert policy.exit.family is ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS
    assert policy.exit.follows_source_close
    assert policy.name.endswith("/source_close_then_autonomous")
