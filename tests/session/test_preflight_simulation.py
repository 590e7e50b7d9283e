"""Seeds in process: the grid is full, every crash point is survived, and a fault in the way of an order is found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from copytrade_core.edges.preflight.comparison import differences, is_comparable
from copytrade_core.edges.preflight.coverage import REQUIRED, REQUIRED_GROUPS, missing
from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES, FOLLOW_LADDER
from copytrade_core.edges.preflight.judge import Invariant
from copytrade_core.edges.preflight.observers import CrashPoint
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.run import RULES, PreflightPlan, injected_faults, run_preflight
from copytrade_core.edges.preflight.scenario import at_ms, usual_story
from copytrade_core.edges.preflight.scenarios import BY_NAME
from copytrade_core.edges.preflight.schedule import plain
from copytrade_core.edges.preflight.simulation import Judged, drilled, in_process, judged, run_seed, smallest
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.model.errors import BadInput
from copytrade_core.model.venue import Venue
from tests.session.broken_brokers import SendsTwice
from tests.session.order_mutants import MUTANTS, hunt, path_of, planted

ARENA = in_process(RULES[Venue.BINGX], DRILL_POLICIES)


def recorded(done: Judged) -> DrillRecord:
    assert done.record is not None, done.violations
    return done.record


def test_as_many_seeds_as_cells_fill_the_grid_and_break_nothing():
    struck, broken = set(), {}
    for seed in range(len(REQUIRED)):
        for done in run_seed(seed, ARENA):
            if done.violations:
                broken[seed] = done.violations
            struck |= recorded(done).cells
    assert broken == {}
    assert missing(struck) == ()


def test_every_required_cell_has_a_reason():
    assert all(group.reason and group.cells for group in REQUIRED_GROUPS)
    assert len(REQUIRED) <= 200


def test_a_seed_is_the_same_whenever_it_is_run():
    def seen(seed):
        records = [recorded(done) for done in run_seed(seed, ARENA)]
        return [(each.ledger, each.alerts, each.cells, each.crashes) for each in records]

    assert [seen(seed) for seed in (3, 77)] == [seen(seed) for seed in (3, 77)]


def spaced(story):
    """The usual story a hundred times slower: between two of its moments everything settles."""

    def later(each):
        return replace(each, at_ms=at_ms((each.at_ms - at_ms(0)) / 1_000 * 4))

    return replace(story, points=tuple(map(later, story.points)), told=tuple(map(later, story.told)), spaced=True)


def test_a_crash_at_every_step_of_a_trade_changes_nothing():
    """Before and after every commit and every call to the venue."""
    schedule = plain(spaced(usual_story(FOLLOW_LADDER)), name="usual", seed=None)
    calm = drilled(schedule, ARENA, traced=True)
    compared, broken = 0, {}
    for step in calm.trace:
        for after in (False, True):
            crashed = replace(schedule, crashes=(CrashPoint(what=None, nth=step.step, after=after),))
            done = judged(crashed, ARENA, calm)
            compared += done.compared
            assert len(recorded(done).crashes) == 1
            if done.violations:
                broken[step.step, step.what, after] = done.violations
    assert broken == {}
    assert compared > len(calm.trace)


def test_a_difference_after_a_restart_is_seen():
    schedule = plain(spaced(usual_story(FOLLOW_LADDER)), name="usual", seed=None)
    calm = drilled(schedule, ARENA)
    crashed = drilled(replace(schedule, crashes=(CrashPoint(what="submit", nth=1, after=True),)), ARENA)
    assert is_comparable(crashed)
    assert differences(crashed, calm) == ()
    lost = replace(crashed, ledger=replace(crashed.ledger, orders=crashed.ledger.orders[1:]))
    assert {each.invariant for each in differences(lost, calm)} == {Invariant.RESTART_CHANGES_NOTHING}
    assert not is_comparable(replace(crashed, schedule=replace(crashed.schedule, downtime_ms=1)))


def test_a_failing_seed_shrinks_to_the_one_fault_that_matters():
    arena = in_process(RULES[Venue.BINGX], DRILL_POLICIES, wrap=SendsTwice)
    failing = next(
        done
        for seed in range(40)
        for done in run_seed(seed, arena)
        if done.violations and len(done.schedule.faults) > 1
    )
    small = smallest(failing, arena)
    assert len(small.faults) <= 1
    assert small.crashes == ()
    assert judged(small, arena).violations
    for index in range(len(small.story.told)):
        told = small.story.told[:index] + small.story.told[index + 1 :]
        broken = judged(replace(small, story=replace(small.story, told=told)), arena).violations
        assert not {each.invariant for each in broken} & {each.invariant for each in failing.violations}
    assert judged(small, ARENA).violations == ()


def plan(**changes) -> PreflightPlan:
    usual = PreflightPlan(
        lead="4751838302089254401",
        venue=Venue.BINGX,
        policy=FOLLOW_LADDER,
        code_version="tests",
        first_seed=0,
        seeds_count=4,
        http_every=2,
        scenarios=("plain_trade", "timeout_before_accept"),
        injected=(),
    )
    return replace(usual, **changes)


def reported(asked: PreflightPlan, **more):
    seen = []
    certificate = certificate_of(profile_of(Venue.BINGX), requests=(), made_at_ms=0)
    report = run_preflight(asked, certificate=certificate, listen=seen.append, **more)
    assert [each.done for each in seen] == list(range(1, seen[-1].total + 1))
    return report


def test_a_preflight_reports_what_it_did():
    report = reported(plan())
    assert report.passed
    assert report.failures == ()
    assert {(each.name, each.face) for each in report.scenarios} == {
        (name, face) for name in ("plain_trade", "timeout_before_accept") for face in ("in_process", "http")
    }
    assert report.runs > report.runs_http > 2
    assert report.assumed_rules
    assert any(cell.count and cell.required for cell in report.grid)
    assert json.loads(json.dumps(report.as_json()))["verdict"] == "pass"


def test_a_broken_broker_fails_with_a_command_that_shows_it_again():
    report = reported(plan(seeds_count=2), wrap=SendsTwice)
    assert not report.passed
    scenario = next(each for each in report.failures if each.drill == "timeout_before_accept" and each.face == "http")
    assert scenario.replay == (
        "copytrade preflight --lead 4751838302089254401 --venue bingx --scenario timeout_before_accept"
    )
    seed = next(each for each in report.failures if each.drill.startswith("seed"))
    number = int(seed.replay.rpartition("--seed ")[2])
    again = reported(
        plan(scenarios=("timeout_before_accept",), first_seed=number, seeds_count=1, http_every=0), wrap=SendsTwice
    )
    assert {scenario.violations, seed.violations} <= {each.violations for each in again.failures}


def test_a_fault_that_is_added_by_hand_fails_the_preflight_and_is_in_the_command():
    report = reported(plan(injected=("reject_next_n_orders=1",), seeds_count=1))
    assert not report.passed
    assert report.failures[0].replay.endswith("--scenario plain_trade --inject reject_next_n_orders=1")


@pytest.mark.parametrize("asked", [plan(scenarios=("no such thing",)), plan(injected=("gremlins=1",))])
def test_an_unknown_scenario_or_fault_is_refused_before_anything_is_drilled(asked):
    certificate = certificate_of(profile_of(Venue.BINGX), requests=(), made_at_ms=0)
    with pytest.raises(BadInput):
        run_preflight(asked, certificate=certificate, listen=lambda seen: pytest.fail("drilled"))


def test_a_fault_by_hand_is_read_as_in_a_fault_file():
    (fault,) = injected_faults(("max_slippage_bps=30",))
    assert (fault.kind, fault.bps) == ("max_slippage_bps", 30)
    with pytest.raises(BadInput):
        injected_faults(("reject_next_n_orders=many",))


def test_the_broken_broker_of_these_tests_is_broken_only_where_an_answer_is_lost():
    report = reported(plan(scenarios=("plain_trade",), seeds_count=0), wrap=SendsTwice)
    assert report.passed, "it is broken only where an answer is lost"


def test_every_fault_to_plant_replaces_one_text(project_root):
    for mutant in MUTANTS:
        text = path_of(project_root, mutant).read_text("utf-8")
        assert {old: text.count(old) for old, _ in mutant.swaps} == dict.fromkeys((old for old, _ in mutant.swaps), 1)
        assert all(old != new for old, new in mutant.swaps)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12


QUICK = ("skip_the_journal", "failed_read_is_flat", "close_blocked_by_backoff")


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_fault_is_found(project_root, tmp_path, name):
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert hunt(planted(project_root, tmp_path, mutant), 0) is not None, f"survived: {mutant.why}"


def test_scenarios_are_known_by_name():
    assert BY_NAME["stop"].why
