"""Gates about the choosing: only the judged policy's own search, ledger and engine record let a candidate by."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.promotion.facts import EngineFacts
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_core.promotion.gates import evaluate

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE


def result(candidates, gate, **changes):
    return evaluate(candidates.facts(**changes), candidates.contract(), now=candidates.now)[gate]


def verdict(candidates, gate, **changes):
    return result(candidates, gate, **changes).verdict


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"deflated_sharpe_ratio": 0.95}, PASS),
        ({"deflated_sharpe_ratio": 0.949}, FAIL),
        ({"deflated_sharpe_ratio": None, "reasons": (("deflated_sharpe_ratio", "no spread"),)}, INCONCLUSIVE),
        ({"observations_count": 29}, INCONCLUSIVE),
        ({"observations_count": 29, "deflated_sharpe_ratio": 0.1}, INCONCLUSIVE),
    ],
)
def test_the_deflated_sharpe_ratio_is_that_of_the_registry_of_today(candidates, changes, expected):
    trials = candidates.trials(figures=candidates.figures(**changes))
    assert verdict(candidates, Gate.OVERFITTING, trials=trials) is expected


def test_a_flattering_search_report_does_not_replace_what_the_registry_says(candidates):
    trials = candidates.trials(figures=candidates.figures(deflated_sharpe_ratio=0.2))
    search = candidates.search(overfitting=candidates.figures(deflated_sharpe_ratio=0.999))
    assert verdict(candidates, Gate.OVERFITTING, trials=trials, search=search) is FAIL


@pytest.mark.parametrize("sampled", [0, 19])
def test_without_a_search_on_this_data_nobody_knows_the_luck(candidates, sampled):
    found = result(candidates, Gate.OVERFITTING, trials=candidates.trials(sampled_count=sampled))
    assert found.verdict is INCONCLUSIVE
    assert found.deciding.name == "trials_count_min"
    assert found.deciding.command.startswith("copytrade search --lead")


def test_a_registry_that_does_not_verify_fails(candidates):
    trials = candidates.trials(figures=None, sampled_count=0, fault="segment 3 of the trial registry is missing")
    found = result(candidates, Gate.OVERFITTING, trials=trials)
    assert found.verdict is FAIL
    assert "segment 3" in found.deciding.reason


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.0, PASS), (0.10, PASS), (0.11, FAIL), (None, INCONCLUSIVE), (float("nan"), INCONCLUSIVE)]
)
def test_the_probability_of_overfitting_has_a_limit(candidates, ratio, expected):
    search = candidates.search(overfitting=candidates.figures(backtest_overfitting_ratio=ratio))
    assert verdict(candidates, Gate.OVERFITTING, search=search) is expected


@pytest.mark.parametrize("change", [{"policy_digest": "c" * 64}, {"data_digest": "c" * 64}])
def test_a_search_about_something_else_counts_for_nothing(candidates, change):
    search = candidates.search(**change)
    assert verdict(candidates, Gate.OVERFITTING, search=search) is INCONCLUSIVE
    assert verdict(candidates, Gate.ROBUSTNESS, search=search) is INCONCLUSIVE


@pytest.mark.parametrize(("low", "expected"), [(0.01, PASS), (0.0, FAIL), (None, INCONCLUSIVE)])
def test_validation_must_earn_with_confidence(candidates, low, expected):
    parts = {**candidates.facts().parts, "validation": candidates.measures(net_interval_low_usdt=low)}
    assert verdict(candidates, Gate.OVERFITTING, parts=parts) is expected


@pytest.mark.parametrize(
    ("changes", "expected", "decided_by"),
    [
        ({"openings_count": 0, "own": None, "own_verdict": None}, PASS, None),
        ({}, PASS, None),
        ({"own_verdict": None}, INCONCLUSIVE, "held_up"),
        ({"own_verdict": "inconclusive"}, INCONCLUSIVE, "held_up"),
        ({"own_verdict": "fail"}, FAIL, "held_up"),
        ({"others": "opened by somebody", "own": None, "own_verdict": None}, FAIL, "opened_for_no_other_candidate"),
        ({"others": "opened by somebody", "openings_count": 2}, FAIL, "opened_for_no_other_candidate"),
        ({"openings_count": 2}, FAIL, "openings_count_max"),
        ({"fault": "line 3: an entry was changed"}, FAIL, "ledger_verifies"),
        ({"signals_count": 0, "openings_count": 0, "own": None, "own_verdict": None}, INCONCLUSIVE, None),
    ],
)
def test_a_holdout_is_used_once_and_by_the_judged_candidate_alone(candidates, changes, expected, decided_by):
    found = result(candidates, Gate.HOLDOUT_UNSPENT, holdout=candidates.holdout(**changes))
    assert found.verdict is expected
    assert decided_by is None or found.deciding.name == decided_by


EQUAL = EngineFacts(verdict="EQUAL", compared_count=20, policy_digests=("a" * 64,), difference=None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, PASS),
        ({"verdict": "REJECTED_FOR_SEARCH", "difference": "fill 3 of e7"}, FAIL),
        ({"verdict": "equal, almost"}, FAIL),
        ({"policy_digests": ("b" * 64,)}, INCONCLUSIVE),
        ({"compared_count": 9}, INCONCLUSIVE),
    ],
)
def test_the_engines_must_have_been_equal_on_the_judged_policy(candidates, changes, expected):
    search = candidates.search(engine=replace(EQUAL, **changes))
    assert verdict(candidates, Gate.ENGINE_EQUIVALENCE, search=search) is expected


@pytest.mark.parametrize("change", [{"data_digest": "c" * 64}, {"code_version": "0.1.0+other"}, {"engine": None}])
def test_engines_compared_elsewhere_say_nothing_here(candidates, change):
    assert verdict(candidates, Gate.ENGINE_EQUIVALENCE, search=candidates.search(**change)) is INCONCLUSIVE
    assert verdict(candidates, Gate.ENGINE_EQUIVALENCE, search=None) is INCONCLUSIVE


@given(
    fault=st.none() | st.just("broken"),
    others=st.none() | st.just("somebody"),
    openings=st.integers(0, 3),
    own_verdict=st.none() | st.sampled_from([item.value for item in GateVerdict]),
    is_own=st.booleans(),
)
def test_no_state_of_the_ledger_passes_but_a_fresh_holdout_and_one_good_look(
    candidates, fault, others, openings, own_verdict, is_own
):
    holdout = replace(
        candidates.holdout(),
        fault=fault,
        others=others,
        openings_count=openings,
        own="mine" if is_own else None,
        own_verdict=own_verdict if is_own else None,
    )
    passes = verdict(candidates, Gate.HOLDOUT_UNSPENT, holdout=holdout) is PASS
    clean = fault is None and others is None and openings <= 1
    assert passes == (clean and (not is_own or own_verdict == "pass"))
