from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.promotion.criteria import SIMULATED
from copytrade_core.promotion.facts import CapitalFacts
from copytrade_core.promotion.gate_result import Gate, GateVerdict, worst
from copytrade_core.promotion.gates import evaluate

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE
PRICED = (
    Gate.SAMPLE_SIZE,
    Gate.PROFITABILITY,
    Gate.DRAWDOWN,
    Gate.CAPITAL_GROUNDING,
    Gate.ROBUSTNESS,
    Gate.OVERFITTING,
)


def verdicts(candidates, **changes):
    results = evaluate(candidates.facts(**changes), candidates.contract(), now=candidates.now)
    return {gate: result.verdict for gate, result in results.items()}


def test_a_candidate_that_shows_everything_passes_every_gate(candidates):
    assert set(verdicts(candidates).values()) == {PASS}


def test_simulated_prices_never_pass_a_gate_that_rests_on_them(candidates):
    found = verdicts(candidates, assumptions=candidates.assumptions(origin=PriceOrigin.SIMULATED))
    assert found[Gate.SOURCE_QUALITY] is PASS
    assert found[Gate.EXECUTABLE_FILLS_ONLY] is INCONCLUSIVE
    assert {found[gate] for gate in PRICED} == {INCONCLUSIVE}


def test_a_bad_result_on_simulated_prices_still_fails(candidates):
    bad = candidates.measures(net_ratio=-0.1, max_drawdown_marked_ratio=0.5)
    found = verdicts(
        candidates,
        assumptions=candidates.assumptions(origin=PriceOrigin.SIMULATED),
        visible=bad,
        parts={"train": bad, "validation": bad},
    )
    assert found[Gate.PROFITABILITY] is FAIL
    assert found[Gate.DRAWDOWN] is FAIL


def test_a_closed_holdout_leaves_profitability_inconclusive_and_says_so(candidates):
    parts = {"train": candidates.measures(), "validation": candidates.measures()}
    result = evaluate(candidates.facts(parts=parts), candidates.contract(), now=candidates.now)[Gate.PROFITABILITY]
    assert result.verdict is INCONCLUSIVE
    assert result.deciding.reason == "holdout not opened"


@pytest.mark.parametrize(
    ("gate", "change", "verdict"),
    [
        (Gate.SOURCE_QUALITY, {"rejected_count": 2}, FAIL),
        (Gate.SOURCE_QUALITY, {"history_short_count": 1}, FAIL),
        (Gate.SOURCE_QUALITY, {"history_short_count": None}, INCONCLUSIVE),
        (Gate.SOURCE_QUALITY, {"newest_page_at": None}, INCONCLUSIVE),
        (Gate.SOURCE_QUALITY, {"losers_count": 0}, FAIL),
        (Gate.SOURCE_QUALITY, {"observed_count": 0}, FAIL),
        (Gate.SOURCE_QUALITY, {"closed_count": 0, "losers_count": 0}, INCONCLUSIVE),
    ],
)
def test_the_source_is_judged_by_what_we_saw(candidates, gate, change, verdict):
    assert verdicts(candidates, source=candidates.source(**change))[gate] is verdict


def test_an_old_page_fails_only_by_the_clock(candidates):
    late = candidates.now + timedelta(days=2)
    results = evaluate(candidates.facts(), candidates.contract(), now=late)
    assert results[Gate.SOURCE_QUALITY].verdict is FAIL
    assert results[Gate.SOURCE_QUALITY].deciding.name == "source_age_s_max"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"market_fill": FillModel.LEGACY_CONTRARIAN}, FAIL),
        ({"market_fill": FillModel.FIRST_BAR_CLOSE}, FAIL),
        ({"rung_fill": FillModel.TOUCH}, FAIL),
        ({"delay_s": 0}, FAIL),
        ({"slippage_bps": 0.0}, FAIL),
        ({"taker_fee_bps": 0.0}, FAIL),
        ({"funding_known": False}, INCONCLUSIVE),
    ],
)
def test_free_or_artefact_trading_is_not_executable(candidates, change, verdict):
    found = verdicts(candidates, assumptions=candidates.assumptions(**change))
    assert found[Gate.EXECUTABLE_FILLS_ONLY] is verdict


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        (Gate.SAMPLE_SIZE, {"trades_count": 43}),
        (Gate.SAMPLE_SIZE, {"shorts_count": 0}),
        (Gate.SAMPLE_SIZE, {"period_days": 10.0}),
        (Gate.PROFITABILITY, {"net_interval_low_usdt": 0.0}),
        (Gate.DRAWDOWN, {"max_drawdown_realised_ratio": 0.11}),
        (Gate.DRAWDOWN, {"max_drawdown_intrabar_ratio": 0.21}),
        (Gate.DRAWDOWN, {"worst_trade_ratio": -0.06}),
        (Gate.DRAWDOWN, {"worst_day_ratio": -0.06}),
        (Gate.ROBUSTNESS, {"net_without_best_tenth_usdt": 0.0}),
    ],
)
def test_a_visible_figure_beyond_its_limit_fails(candidates, gate, change):
    assert verdicts(candidates, visible=candidates.measures(**change))[gate] is FAIL


def test_a_side_that_is_not_claimed_is_not_asked_for(candidates):
    found = verdicts(
        candidates,
        visible=candidates.measures(shorts_count=0),
        assumptions=candidates.assumptions(sides=("long",)),
    )
    assert found[Gate.SAMPLE_SIZE] is PASS


@pytest.mark.parametrize("part", ["train", "validation", "holdout"])
@pytest.mark.parametrize("change", [{"net_ratio": 0.0}, {"profit_factor": 1.1}, {"expectancy_usdt": -0.1}])
def test_every_part_must_earn(candidates, part, change):
    parts = {**candidates.facts().parts, part: candidates.measures(**change)}
    assert verdicts(candidates, parts=parts)[Gate.PROFITABILITY] is FAIL


def test_a_part_without_trades_is_no_evidence_rather_than_a_loss(candidates):
    empty = candidates.measures(trades_count=0, net_ratio=0.0, profit_factor=None, expectancy_usdt=None)
    parts = {**candidates.facts().parts, "validation": empty}
    found = verdicts(candidates, parts=parts)
    assert found[Gate.PROFITABILITY] is INCONCLUSIVE
    assert found[Gate.SAMPLE_SIZE] is FAIL


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"gross_to_equity_ratio": 1.0001}, FAIL),
        ({"gross_to_equity_ratio": None}, INCONCLUSIVE),
        ({"entries_blocked_count": 1}, FAIL),
        ({"minimum_order_skips_count": 1}, FAIL),
        ({"equity_worst_ratio": 0.4}, FAIL),
    ],
)
def test_capital_must_be_real(candidates, change, verdict):
    capital = replace(candidates.facts().capital, **change)
    assert isinstance(capital, CapitalFacts)
    assert verdicts(candidates, capital=capital)[Gate.CAPITAL_GROUNDING] is verdict


@pytest.mark.parametrize("run", ["slippage_x2", "fees_x1.5", "delay_plus_one_bar"])
def test_a_stressed_run_must_earn_and_must_exist(candidates, run):
    stressed = dict(candidates.facts().stressed)
    lost = {**stressed, run: candidates.measures(net_pnl_usdt=-0.01)}
    assert verdicts(candidates, stressed=lost)[Gate.ROBUSTNESS] is FAIL
    stressed.pop(run)
    assert verdicts(candidates, stressed=stressed)[Gate.ROBUSTNESS] is INCONCLUSIVE


def test_without_a_search_there_is_no_plateau(candidates):
    assert verdicts(candidates, search=None)[Gate.ROBUSTNESS] is INCONCLUSIVE
    elsewhere = candidates.search(policy_digest="c" * 64)
    assert verdicts(candidates, search=elsewhere)[Gate.ROBUSTNESS] is INCONCLUSIVE
    assert verdicts(candidates, search=candidates.search(neighbours_profitable_ratio=0.5))[Gate.ROBUSTNESS] is FAIL


def test_whatever_does_not_pass_says_why_what_would_fix_it_and_which_command(candidates):
    hopeless = candidates.facts(
        source=candidates.source(rejected_count=50, history_short_count=None, losers_count=0),
        assumptions=candidates.assumptions(origin=PriceOrigin.SIMULATED, delay_s=0, funding_known=False),
        visible=candidates.measures(trades_count=1, worst_trade_ratio=None),
        parts={},
        stressed={},
        trials=candidates.trials(figures=None, sampled_count=0, fault="a segment was changed"),
        holdout=candidates.holdout(fault="an entry was changed", own=None, own_verdict=None, signals_count=0),
        search=None,
        preflight=None,
        canary=candidates.canary(sessions=(), parities=(), shadows=(), incidents=None),
    )
    for result in evaluate(hopeless, candidates.contract(), now=candidates.now).values():
        assert result.verdict is not PASS
        assert result.deciding.verdict is result.verdict
        assert len(result.reasons) == sum(item.verdict is not PASS for item in result.criteria)
        for item in result.criteria:
            assert item.unit
            if item.verdict is not PASS:
                assert item.reason
                assert item.fix
                assert item.command.startswith(("copytrade ", "dagster ", "(no command yet"))
    assert SIMULATED


@given(st.lists(st.sampled_from(GateVerdict), max_size=8))
def test_the_worst_verdict_wins_and_nothing_is_never_a_pass(found):
    verdict = worst(found)
    assert verdict is (FAIL if FAIL in found else INCONCLUSIVE if INCONCLUSIVE in found or not found else PASS)


@given(number=st.floats(allow_nan=True, allow_infinity=True))
def test_no_float_passes_by_being_strange(candidates, number):
    found = verdicts(candidates, visible=candidates.measures(max_drawdown_marked_ratio=number))[Gate.DRAWDOWN]
    assert (found is PASS) == (number <= 0.15 and number != float("-inf"))
