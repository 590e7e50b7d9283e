"""Spaces: what their files may say, and that every point of a shipped one is a valid, exact policy."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.policy import AddMode, PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.search.space import Space, parameters_of, point_of, settled
from copytrade_core.search.space_parse import space_from_mapping
from copytrade_core.search.space_policy import Unfit, candidate, check_space, longest_ttl_s, refusal, to_policy
from copytrade_core.strategies.dca_ladder import level_ratios, share_of_legs
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.search.landscape import SPACES, content, contrarian, space

BASE = contrarian()
SHIPPED = {name: space(name) for name in SPACES}


@st.composite
def points(draw, names=SPACES):
    chosen = SHIPPED[draw(st.sampled_from(names))]
    return chosen, tuple(draw(st.integers(0, length - 1)) for length in chosen.lengths)


@given(points())
def test_a_point_is_a_valid_policy_or_says_which_constraint_it_breaks(drawn):
    chosen, point = drawn
    found = candidate(chosen, point, BASE)
    if isinstance(found, Unfit):
        assert found.reason == refusal(chosen, point, BASE)
        with pytest.raises(BadConfig, match="outside the space"):
            to_policy(chosen, point, BASE)
        return
    assert found == to_policy(chosen, point, BASE)
    assert found.signal is BASE.signal
    assert found.backoff == BASE.backoff
    assert found.sizing.headroom_ppm == BASE.sizing.headroom_ppm
    assert_inside(chosen, found)


def assert_inside(chosen: Space, policy: PolicySpec) -> None:
    """Constraints computed anew, from the policy alone."""
    limits, ladder, leave = chosen.constraints, policy.ladder, policy.exit
    levels = list(accumulate(ladder.steps, lambda level, step: level * (1 + step), initial=Fraction(1)))
    deepest = levels[-1] - 1
    shares = share_of_legs(ladder)
    if limits.deepest_level_ratio_max is not None:
        assert deepest <= limits.deepest_level_ratio_max + Fraction(1, 10**9)
    if limits.weights_sum_max is not None:
        assert sum(ladder.weights) <= limits.weights_sum_max
    if limits.leg_notional_min is not None:
        assert min(shares) * policy.sizing.target_notional >= limits.leg_notional_min
    if limits.take_profit_ratio_above is not None and leave.take_profit_ppm is not None:
        assert Fraction(leave.take_profit_ppm, 10**6) > limits.take_profit_ratio_above
    if limits.stop_beyond_ladder and leave.stop_loss_ppm is not None:
        assert Fraction(leave.stop_loss_ppm, 10**6) > deepest - Fraction(1, 10**9)
    if limits.callback_below_take_profit and leave.trailing_callback_ppm is not None:
        assert leave.take_profit_ppm is not None
        assert leave.trailing_callback_ppm < leave.take_profit_ppm


@given(points(("dca_shape_v1",)))
def test_a_ladder_is_monotone_on_both_sides_and_never_plans_more_than_its_target(drawn):
    chosen, point = drawn
    policy = candidate(chosen, point, BASE)
    if isinstance(policy, Unfit):
        return
    for side in Side:
        ratios = [10**9, *level_ratios(policy.ladder, side)]
        adverse = [-side.sign * ratio for ratio in ratios]
        assert adverse == sorted(adverse)
        assert len(set(adverse)) == len(adverse)
    shares = share_of_legs(policy.ladder)
    assert sum(shares) <= 1
    assert all(part.numerator < 2**47 and part.denominator < 2**47 for part in shares)
    assert policy.sizing.target_notional <= BASE.sizing.target_notional


@given(points())
def test_parameters_name_their_point_exactly(drawn):
    chosen, point = drawn
    parameters = parameters_of(chosen, point)
    assert point_of(chosen, parameters) == point
    assert point_of(chosen, tuple(reversed(parameters))) == point
    for name, text in parameters:
        assert name in {axis.name for axis in chosen.axes}
        assert text in ("none", "both", "long_only", "short_only") or Decimal(text).is_finite()


def test_steps_and_weights_grow_from_the_first_one_rounded_to_a_millionth():
    text: dict[str, Any] = content("settings/spaces/dca_shape_v1.toml")
    text["constraints"] = {}
    for key, value in (("dca_count", 3), ("step_1", "0.001234"), ("step_growth", "1.1"), ("weight_growth", "0.7")):
        text["ladder"][key] = {"value": value}
    text["ladder"]["weight_1"] = {"value": "1.5"}
    chosen = space_from_mapping(text, file="x.toml")
    policy = to_policy(chosen, (0,) * len(chosen.axes), BASE)
    # 0.001234 x 1.1 = 0.0013574 -> 0.001357; x 1.21 = 0.00149314 -> 0.001493: every product is rounded once.
    assert policy.ladder.steps == (Fraction(1234, 10**6), Fraction(1357, 10**6), Fraction(1493, 10**6))
    assert policy.ladder.weights == (Fraction(3, 2), Fraction(105, 100), Fraction(735, 1000))
    assert policy.ladder.name == "dca_shape_v1"
    assert policy.name.startswith("contrarian_on_close/both/dca_shape_v1/")


def test_exits_alone_keep_the_ladder_and_say_the_space_in_its_name():
    policy = to_policy(SHIPPED["exits_v1"], (3, 30, 0, 3), BASE)
    assert policy.ladder.name == "study_dca3@exits_v1"
    assert policy.ladder.steps == BASE.ladder.steps
    assert policy.sizing == BASE.sizing
    assert policy.exit.ttl_s == 4 * 3600


def test_shipped_spaces_fit_the_contrarian_strategy_and_hold_enough_points():
    for name, chosen in SHIPPED.items():
        check_space(chosen, BASE, file=f"{name}.toml")
        assert chosen.name == name
        assert longest_ttl_s(chosen, BASE) == 72 * 3600, "no longer than the embargo of the shipped strategy"
    assert SHIPPED["dca_shape_v1"].size > 10**9
    assert SHIPPED["exits_v1"].size > 100_000
    assert SHIPPED["exits_grid_v1"].size == 252
    assert len({chosen.digest for chosen in SHIPPED.values()}) == len(SPACES)


def test_a_log_axis_has_equal_ratios_on_exact_millionths_whatever_the_callers_context():
    with localcontext() as context:
        context.prec = 5
        rounded = space("exits_v1")
    assert rounded == SHIPPED["exits_v1"]
    profits = [value for value in rounded.axes[0].values if isinstance(value, Decimal)]
    assert profits[0] == Decimal("0.003")
    assert profits[-1] == Decimal("0.08")
    ratios = [float(b / a) for a, b in pairwise(profits)]
    assert max(ratios) / min(ratios) < 1.001
    assert all(value % Decimal("0.000001") == 0 for value in profits)


def edited(name: str, path: str, value: Any) -> dict[str, Any]:
    """A shipped space with one key changed; `DELETE` removes it."""
    text: dict[str, Any] = content(f"settings/spaces/{name}.toml")
    *folders, last = path.split(".")
    table = text
    for folder in folders:
        table = table.setdefault(folder, {})
    if value == "DELETE":
        del table[last]
    else:
        table[last] = value
    return text


def linear(low, high, step, **more):
    return {"scale": "linear", "low": low, "high": high, "step": step, **more}


@pytest.mark.parametrize(
    ("path", "value", "field", "says"),
    [
        ("ladder.step_1", linear("0.02", "0.01", "0.001"), "ladder.step_1.high", "empty or inverted"),
        ("ladder.step_1", linear("0.01", "0.01", "0.001"), "ladder.step_1.high", "empty or inverted"),
        ("ladder.step_1", linear("0.01", "0.02", "0.003"), "ladder.step_1.step", "does not divide"),
        ("ladder.step_1", linear("0.01", "0.02", "0.03"), "ladder.step_1.step", "exceeds the range"),
        ("ladder.step_1", linear("0.01", "0.02", "0"), "ladder.step_1.step", "positive multiple"),
        ("ladder.step_1", linear("0.01", "0.02", "-0.001"), "ladder.step_1.step", "positive multiple"),
        ("ladder.step_1", linear("0.0000015", "0.02", "0.001"), "ladder.step_1.low", "not a multiple"),
        ("ladder.step_1", linear("0", "0.02", "0.001"), "ladder.step_1.low", "outside"),
        ("ladder.step_1", linear("0.01", "1", "0.01"), "ladder.step_1.high", "outside"),
        ("ladder.step_1", linear("0.01", "0.02", "0.001", none=True), "ladder.step_1.none", "cannot be left out"),
        ("ladder.step_1", linear("NaN", "0.02", "0.001"), "ladder.step_1.low", "not finite"),
        ("ladder.step_1", linear("wide", "0.02", "0.001"), "ladder.step_1.low", "not a number"),
        ("ladder.step_1", linear(0.01, "0.02", "0.001"), "ladder.step_1.low", "not an exact number"),
        ("ladder.step_1", {"scale": "log", "low": "0.01", "high": "0.02"}, "ladder.step_1.count", "is missing"),
        (
            "ladder.step_1",
            {"scale": "log", "low": "0.01", "high": "0.010002", "count": 9},
            "ladder.step_1.count",
            "closer than 0.000001",
        ),
        ("ladder.step_1", {"scale": "cubic", "low": "0.01"}, "ladder.step_1.scale", "none of linear, log"),
        ("ladder.step_1", {"low": "0.01", "high": "0.02"}, "ladder.step_1.high", "unknown key"),
        ("ladder.step_1", "0.01", "ladder.step_1", "must be a table"),
        ("ladder.step_1", "DELETE", "ladder.step_1", "is missing"),
        ("ladder.dca_count", linear(0, 9, 1), "ladder.dca_count.high", "outside 0..8"),
        ("ladder.target_frac", linear("0.5", "1.5", "0.5"), "ladder.target_frac.high", "outside"),
        ("ladder.colour", {"value": 1}, "ladder.colour", "unknown key"),
        ("ladder.headroom_bps", {"value": 1}, "ladder.headroom_bps", "invariant of execution"),
        ("exit.market_fill", {"value": 1}, "exit.market_fill", "invariant of execution"),
        ("costs", {"slippage_bps": 0}, "costs", "invariant of execution"),
        ("delay_s", 0, "delay_s", "invariant of execution"),
        ("sizing", {"cooldown": 1}, "sizing", "no strategy has the sizing family"),
        ("signal.volatility_filter", {"value": 1}, "signal.volatility_filter", "no strategy has a volatility filter"),
        ("signal.regime_filter", {"value": 1}, "signal.regime_filter", "no strategy has a regime filter"),
        ("signal.side", {"choices": ["both"]}, "signal.signal_age_s_max", "is missing"),
        ("exit.family", "source_close_follows", "exit.tp", "uses no exit parameter"),
        ("exit.family", "never", "exit.family", "none of"),
        ("exit.ttl_hours", linear(4, 72, 4, none=True), "exit.ttl_hours.none", "needs a time-to-live"),
        ("exit.ttl_hours", linear("4.001", 72, 4), "exit.ttl_hours.low", "not a multiple"),
        ("constraints.deepest_level_ratio_max", 2, "constraints.deepest_level_ratio_max", "outside"),
        ("constraints.tallest", 2, "constraints.tallest", "unknown key"),
        ("constraints.stop_beyond_ladder", False, "constraints.stop_beyond_ladder", "must be true"),
        ("constraints", "DELETE", "constraints", "is missing"),
        ("name", "DELETE", "name", "is missing"),
        ("name", "", "name", "must be a text"),
    ],
)
def test_a_space_that_cannot_mean_anything_is_refused_with_file_and_key(path, value, field, says):
    with pytest.raises(BadConfig, match=says) as found:
        space_from_mapping(edited("dca_shape_v1", path, value), file="wrong.toml")
    assert found.value.where.file == "wrong.toml"
    assert found.value.where.field == field


def test_a_space_without_a_family_is_refused():
    with pytest.raises(BadConfig, match="at least one family"):
        space_from_mapping({"name": "empty", "constraints": {}}, file="empty.toml")


def test_a_contrarian_strategy_takes_only_autonomous_exits():
    text = edited("exits_v1", "exit.family", "source_close_then_autonomous")
    mixed = space_from_mapping(text, file="mixed.toml")
    with pytest.raises(BadConfig, match="only autonomous") as found:
        check_space(mixed, BASE, file="mixed.toml")
    assert (found.value.where.file, found.value.where.field) == ("mixed.toml", "exit.family")


def test_constraints_that_no_point_meets_are_refused_and_the_usual_culprit_is_named():
    text = edited("dca_shape_v1", "constraints.leg_notional_usdt_min", 5000)
    with pytest.raises(
        BadConfig, match="none of the 4096 points tried meets them; most often: a leg is under"
    ) as found:
        check_space(space_from_mapping(text, file="dear.toml"), BASE, file="dear.toml")
    assert (found.value.where.file, found.value.where.field) == ("dear.toml", "constraints")


def test_a_ladder_of_minimum_orders_has_no_weights_to_vary():
    minimal = replace(BASE, ladder=replace(BASE.ladder, weights=(), add_mode=AddMode.MIN_ORDER))
    with pytest.raises(BadConfig, match="uses no weights"):
        check_space(SHIPPED["dca_shape_v1"], minimal, file="x.toml")
    check_space(SHIPPED["exits_v1"], minimal, file="x.toml")


def test_a_follower_of_closes_can_search_exits_of_its_own():
    follow = policy_from_mapping(content("settings/policies/follow_lead.toml"), file="follow.toml")
    check_space(SHIPPED["exits_v1"], follow, file="exits_v1.toml")
    policy = to_policy(SHIPPED["exits_v1"], (1, 1, 0, 1), follow)
    assert policy.exit.take_profit_ppm == 3264


def test_signal_rules_can_be_searched():
    text: dict[str, Any] = content("settings/spaces/exits_grid_v1.toml")
    text["signal"] = {
        "signal_age_s_max": linear(300, 900, 300),
        "entry_drift_bps_max": linear(25, 100, 25),
        "side": {"choices": ["both", "short_only"]},
    }
    chosen = space_from_mapping(text, file="x.toml")
    policy = to_policy(chosen, (0, 0, 0, 0, 1, 2, 1), BASE)
    assert policy.entry.signal_age_s_max == 600
    assert policy.entry.entry_drift_ppm_max == 7500
    assert policy.entry.side == "short_only"
    text["signal"]["side"] = {"choices": ["both", "both"]}
    with pytest.raises(BadConfig, match="different words"):
        space_from_mapping(text, file="x.toml")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ((("exit.tp", "0.02"),), "exit.sl is missing"),
        ((("exit.tp", "0.021"), ("exit.sl", "none"), ("exit.ttl_hours", "12")), "not on the grid"),
        ((("exit.colour", "0.02"),), "not a parameter"),
        ((("exit.tp", "0.02"), ("exit.tp", "0.02")), "given twice"),
    ],
)
def test_parameters_that_name_no_point_are_refused(parameters, says):
    with pytest.raises(BadInput, match=says):
        point_of(SHIPPED["exits_grid_v1"], parameters)


def test_a_parameter_with_one_value_need_not_be_named():
    point = point_of(SHIPPED["exits_grid_v1"], (("exit.tp", "0.02"), ("exit.sl", "none"), ("exit.ttl_hours", "12")))
    assert parameters_of(SHIPPED["exits_grid_v1"], point)[2] == ("exit.trailing_callback", "none")


@given(points(("dca_shape_v1",)))
def test_a_settled_point_has_the_same_policy_and_unused_coordinates_in_the_middle(drawn):
    chosen, point = drawn
    still = settled(chosen, point)
    assert candidate(chosen, still, BASE) == candidate(chosen, point, BASE)
    assert settled(chosen, still) == still
    if point[2] >= 2:
        assert still == point
    else:
        assert still[4] == len(chosen.axes[4].values) // 2, "a growth needs two rungs"
        assert (still[3] == point[3]) or point[2] == 0


def test_digests_tell_policies_apart_and_spaces_too():
    chosen = SHIPPED["exits_grid_v1"]
    digests = {digest_of(to_policy(chosen, (i, j, 0, k), BASE)) for i in range(7) for j in range(6) for k in range(6)}
    assert len(digests) == chosen.size
    other = space_from_mapping(edited("exits_grid_v1", "constraints.weights_sum_max", 50), file="x.toml")
    assert other.digest != chosen.digest
