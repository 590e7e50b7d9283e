"""Gates about orders: only a whole, young preflight of exactly this policy, venue and code lets a candidate by."""

from datetime import timedelta

import pytest

from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_core.promotion.gates import evaluate

PASS, FAIL, INCONCLUSIVE = GateVerdict.PASS, GateVerdict.FAIL, GateVerdict.INCONCLUSIVE
CLEAN, RESTART = Gate.PREFLIGHT_CLEAN, Gate.RESTART_CLEAN
RUN = "copytrade preflight --lead 4751838302089254401 --venue bingx"


def result(candidates, gate, *, now=None, **changes):
    return evaluate(candidates.facts(**changes), candidates.contract(), now=now or candidates.now)[gate]


@pytest.mark.parametrize("gate", [CLEAN, RESTART])
def test_a_whole_preflight_of_exactly_this_passes(candidates, gate):
    found = result(candidates, gate)
    assert found.verdict is PASS
    assert found.reasons == ()


@pytest.mark.parametrize("gate", [CLEAN, RESTART])
def test_without_a_preflight_the_gate_says_how_to_run_one(candidates, gate):
    found = result(candidates, gate, preflight=None)
    assert found.verdict is INCONCLUSIVE
    assert found.deciding.reason == "no preflight was run"
    assert found.deciding.command == RUN


@pytest.mark.parametrize("gate", [CLEAN, RESTART])
@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"policy_digest": "0" * 64}, "of_this_policy"),
        ({"code_version": "0.0.9+0"}, "by_this_code"),
        ({"venue": "gate"}, "at_this_venue"),
        ({"venue_digest": "0" * 64}, "at_this_venue"),
    ],
)
def test_a_preflight_about_something_else_counts_for_nothing(candidates, gate, change, criterion):
    found = result(candidates, gate, preflight=candidates.preflight(**change))
    assert found.verdict is INCONCLUSIVE
    assert found.deciding.name == criterion
    assert found.deciding.command == RUN
    assert all(each.number is None for each in found.criteria if each.name.endswith(("count_max", "count_min")))


@pytest.mark.parametrize("gate", [CLEAN, RESTART])
def test_even_a_broken_preflight_of_something_else_does_not_fail_this(candidates, gate):
    broken = candidates.preflight(code_version="other", failures=("a: b",), duplicates_count=3)
    assert result(candidates, gate, preflight=broken).verdict is INCONCLUSIVE


def test_an_uncertified_venue_is_certified_first(candidates):
    found = result(candidates, CLEAN, judged=candidates.judged(venue_digest=None))
    assert found.verdict is INCONCLUSIVE
    unmet = [each for each in found.criteria if each.verdict is not PASS]
    assert "bingx is not certified" in {each.reason for each in unmet}
    assert {each.command for each in unmet if each.name == "at_this_venue"} == {"copytrade certify --venue bingx"}


@pytest.mark.parametrize("gate", [CLEAN, RESTART])
@pytest.mark.parametrize(("days", "expected"), [(30, PASS), (31, INCONCLUSIVE)])
def test_an_old_preflight_has_expired_and_has_not_failed(candidates, gate, days, expected):
    made_at = candidates.now - timedelta(days=days)
    found = result(candidates, gate, preflight=candidates.preflight(made_at=made_at))
    assert found.verdict is expected
    if expected is INCONCLUSIVE:
        assert (found.deciding.name, found.deciding.command) == ("preflight_age_s_max", RUN)


def test_one_of_unknown_age_has_expired(candidates):
    assert result(candidates, CLEAN, preflight=candidates.preflight(made_at=None)).verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    ("gate", "change", "expected", "words"),
    [
        (CLEAN, {"seeds_count": 199}, INCONCLUSIVE, "too few to tell"),
        (CLEAN, {"injected": ("reject_next_n_orders=1",)}, INCONCLUSIVE, "reject_next_n_orders=1"),
        (CLEAN, {"scenarios_count": 0}, INCONCLUSIVE, "every one"),
        (CLEAN, {"scenarios_missing": ("kill", "429_burst")}, INCONCLUSIVE, "kill; 429_burst"),
        (CLEAN, {"scenarios_unmet": ("hot_stop",)}, FAIL, "hot_stop"),
        (CLEAN, {"failures": ("seed 7 broke journal_first: run x",)}, FAIL, "seed 7 broke journal_first"),
        (CLEAN, {"failures": tuple("abcde")}, FAIL, "a; b; c and 2 more"),
        (CLEAN, {"cells_empty": ("lost/submit/closing",)}, INCONCLUSIVE, "lost/submit/closing"),
        (RESTART, {"crash_points_count": 9}, INCONCLUSIVE, "too few to tell"),
        (RESTART, {"restarts_compared_count": 9}, INCONCLUSIVE, "too few to tell"),
        (RESTART, {"duplicates_count": 1}, FAIL, "1 is not <= 0"),
        (RESTART, {"restarts_differing_count": 1}, FAIL, "1 is not <= 0"),
    ],
)
def test_each_number_has_its_limit(candidates, gate, change, expected, words):
    found = result(candidates, gate, preflight=candidates.preflight(**change))
    assert found.verdict is expected
    assert words in found.deciding.reason
    assert found.deciding.fix
    other = RESTART if gate is CLEAN else CLEAN
    assert result(candidates, other, preflight=candidates.preflight(**change)).verdict is PASS


def test_too_few_seeds_are_answered_with_the_number_to_run(candidates):
    found = result(candidates, CLEAN, preflight=candidates.preflight(seeds_count=5))
    assert found.deciding.command == f"{RUN} --seeds 200"
