"""What a search hands to its report: the same figures as its own, one by one."""

from __future__ import annotations

import statistics

import pytest

from copytrade_core.evidence.search_report import search_report, search_report_document
from copytrade_core.evidence.search_trials import objective_of
from copytrade_core.model.trial import TrialOrigin
from copytrade_core.search.finalists import finalists_of, judge
from copytrade_core.search.plateau import plateau_of
from copytrade_core.search.report_records import batch_record, finalist_records, grids_of, limits_of
from copytrade_core.search.run import search_batches
from copytrade_core.search.space import point_of
from tests.evidence.search_case import search_inputs
from tests.search.landscape import hill, plan_of


@pytest.fixture(scope="module")
def found():
    plan = plan_of("exits_v1", trials=300)
    batches = list(search_batches(plan, hill, ()))
    trials = [trial for batch in batches for trial in batch.trials]
    validation = {trial.trial_id: trial.metrics for trial in finalists_of(plan, trials)}
    return plan, batches, trials, judge(plan, trials, validation)


def test_grids_are_the_axes_and_every_trial_stands_on_them(found):
    plan, _, trials, _ = found
    grids = grids_of(plan.space)
    assert [(grid.name, len(grid.texts)) for grid in grids] == [(a.name, len(a.values)) for a in plan.space.axes]
    for trial in trials:
        assert point_of(plan.space, trial.parameters) == tuple(
            grid.texts.index(dict(trial.parameters)[grid.name]) for grid in grids
        )


def test_batches_in_numbers_account_for_every_proposal(found):
    _, batches, trials, _ = found
    records = [batch_record(batch) for batch in batches]
    assert sum(record.trials_count for record in records) == len(trials)
    assert all(r.asked_count == r.trials_count + r.repeated_count + r.refused_count for r in records)


def test_neighbours_one_by_one_give_the_plateau_figures_again(found):
    plan, _, trials, verdict = found
    records = finalist_records(plan, trials, verdict.judged)
    assert records
    for record in records:
        plateau = plateau_of(plan, record.trial, trials)
        assert len(record.neighbours) == record.neighbours_count == plateau.neighbours_count > 0
        best = objective_of(record.trial)
        assert best is not None
        ratios = [(objective_of(one.trial) or 0.0) / best for one in record.neighbours]
        assert statistics.median(ratios) == pytest.approx(plateau.median_ratio)
        assert min(ratios) == pytest.approx(plateau.worst_ratio)
        centre = point_of(plan.space, record.trial.parameters)
        for one in record.neighbours:
            point = point_of(plan.space, one.parameters)
            assert 0 < max(abs(a - b) for a, b in zip(point, centre, strict=True)) <= plan.settings.plateau.steps


def test_rules_are_told_with_their_numbers(found):
    plan, *_ = found
    said = {limit.name: limit.value for limit in limits_of(plan.settings)}
    assert said["Trial: drawdown marked at closes"] == "at most 15.0% of the peak"
    assert said["Finalist: different neighbours tried"] == f"at least {plan.settings.plateau.neighbours_count_min}"
    assert len(said) == len(limits_of(plan.settings))


def test_a_real_search_becomes_a_document(found):
    plan, batches, trials, verdict = found
    records = finalist_records(plan, trials, verdict.judged)
    made = search_report_document(
        search_report(
            search_inputs(
                trials=trials,
                batches=[batch_record(batch) for batch in batches],
                grids=grids_of(plan.space),
                finalists=records,
                champion_trial_id=records[0].trial.trial_id,
                validation_sample={},
            )
        )
    )
    counts = made["counts"]
    assert isinstance(counts, dict)
    assert counts["by_origin"][TrialOrigin.NEIGHBOUR.value] > 0
    phases = made["phases"]
    assert isinstance(phases, list)
    assert sum(row["trials_count"] for row in phases) == len(trials)
