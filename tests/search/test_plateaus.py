"""Finalists, plateaus and champions: rules on plain trials, with a needle, a cluster and a lost validation planted."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.trial import TrialMetrics, TrialOrigin, TrialStatus
from copytrade_core.search.finalists import Champion, NoChampion, finalists_of, judge, ranked
from copytrade_core.search.plan import SamplerChoice, point_in
from copytrade_core.search.plateau import neighbours_of, plateau_of
from copytrade_core.search.run import search_batches
from copytrade_core.search.samples import equivalence_sample, overfitting_sample
from copytrade_core.search.space import parameters_of, settled
from tests.search.landscape import SPACES, hill, plan_of, space
from tests.trading_floor import usdt

PLAN = plan_of(trials=300, sampler=SamplerChoice.QMC)
TRIALS = [trial for batch in search_batches(PLAN, hill, ()) for trial in batch.trials]
GOOD = TrialMetrics(
    trades_count=20,
    net_pnl_usdt=12.0,
    sharpe=0.3,
    profit_factor=1.5,
    drawdown_marked_ratio=0.03,
    peak_gross_usdt=100.0,
    objective=1.3,
)


def validated(metrics=GOOD, trials=TRIALS, plan=PLAN):
    return {trial.trial_id: metrics for trial in finalists_of(plan, trials)}


def test_finalists_are_the_best_and_stand_apart():
    finalists = finalists_of(PLAN, TRIALS)
    assert len(finalists) == PLAN.settings.finalists.count
    assert finalists[0] == ranked(TRIALS)[0]
    objectives = [t.metrics.objective for t in finalists if t.metrics and t.metrics.objective is not None]
    assert len(objectives) == len(finalists)
    assert objectives == sorted(objectives, reverse=True)
    points = [point_in(PLAN, trial) for trial in finalists]
    for i, one in enumerate(points):
        for other in points[:i]:
            assert one is not None
            assert other is not None
            assert max(abs(a - b) for a, b in zip(one, other, strict=True)) >= 2


def test_a_cluster_sends_one_to_validation():
    best = ranked(TRIALS)[0]
    point = point_in(PLAN, best)
    assert point is not None
    beside = (*point[:-1], point[-1] + (1 if point[-1] == 0 else -1))
    assert best.metrics is not None
    twin = replace(
        best,
        trial_id="t" * 64,
        number=10_000,
        parameters=parameters_of(PLAN.space, beside),
        metrics=replace(best.metrics, objective=(best.metrics.objective or 0) - 1e-9),
    )
    assert ranked([*TRIALS, twin])[1] == twin
    assert twin not in finalists_of(PLAN, [*TRIALS, twin])
    apart = replace(PLAN.settings.finalists, distance_steps_min=1)
    loose = replace(PLAN, settings=replace(PLAN.settings, finalists=apart))
    assert twin in finalists_of(loose, [*TRIALS, twin])


def test_only_sampled_complete_trials_can_be_finalists():
    statuses = {trial.status for trial in ranked(TRIALS)}
    assert statuses == {TrialStatus.COMPLETE}
    assert TrialOrigin.NEIGHBOUR not in {trial.origin for trial in ranked(TRIALS)}
    assert finalists_of(PLAN, [replace(trial, status=TrialStatus.PRUNED) for trial in TRIALS]) == ()


@given(st.sampled_from(SPACES), st.integers(0, 2**32 - 1), st.data())
def test_neighbours_are_near_on_the_grid_different_and_seeded(name, seed, data):
    plan = replace(plan_of(name), seed=seed)
    lengths = space(name).lengths
    centre = settled(plan.space, tuple(data.draw(st.integers(0, n - 1)) for n in lengths))
    found = neighbours_of(plan, centre)
    assert found == neighbours_of(plan, centre)
    assert len(set(found)) == len(found)
    assert centre not in found
    assert all(settled(plan.space, point) == point for point in found)
    if name == "dca_shape_v1":
        return
    for point in found:
        assert all(0 <= i < n and abs(i - c) <= 1 for i, c, n in zip(point, centre, lengths, strict=True))
    alone = {point for point in found if sum(a != b for a, b in zip(point, centre, strict=True)) == 1}
    expected = sum((c > 0) + (c < n - 1) for c, n in zip(centre, lengths, strict=True))
    assert len(alone) == expected, "every parameter alone, up and down"


def test_a_smooth_hill_is_a_plateau():
    best = finalists_of(PLAN, TRIALS)[0]
    plateau = plateau_of(PLAN, best, TRIALS)
    assert plateau.is_flat
    assert plateau.neighbours_count >= 10
    assert plateau.profitable_ratio == 1.0
    assert plateau.median_ratio is not None
    assert plateau.worst_ratio is not None
    assert 0.5 < plateau.worst_ratio <= plateau.median_ratio <= 1.2


def needle(policies, signals_count):
    """Everything loses but one policy in a hundred."""
    table = hill(policies, signals_count)
    lucky = table.fill_hash % 100 == 7
    loss = np.where(lucky, table.net_pnl + usdt(40), -usdt(40))
    return replace(table, net_pnl=loss, pnl_square_sum=table.pnl_square_sum + 1600.0)


def test_a_needle_is_no_plateau_and_no_champion():
    trials = [trial for batch in search_batches(PLAN, needle, ()) for trial in batch.trials]
    best = finalists_of(PLAN, trials)[0]
    plateau = plateau_of(PLAN, best, trials)
    assert not plateau.is_flat
    assert plateau.profitable_ratio is not None
    assert plateau.profitable_ratio < 0.2
    verdict = judge(PLAN, trials, validated(trials=trials))
    assert isinstance(verdict, NoChampion)
    assert all("plateau: " in reason or "loses on the train part" in reason for reason in verdict.reasons)


def test_a_neighbour_outside_the_limits_counts_as_a_loss():
    best = finalists_of(PLAN, TRIALS)[0]
    flat = plateau_of(PLAN, best, TRIALS)
    pruned = [
        replace(trial, status=TrialStatus.PRUNED) if trial.trial_id != best.trial_id else trial for trial in TRIALS
    ]
    plateau = plateau_of(PLAN, best, pruned)
    assert plateau.neighbours_count == flat.neighbours_count
    assert (plateau.profitable_ratio, plateau.median_ratio, plateau.worst_ratio) == (0.0, 0.0, 0.0)


def test_exactly_the_needed_share_is_enough():
    best = finalists_of(PLAN, TRIALS)[0]
    near = neighbours_of(PLAN, point_in(PLAN, best) or ())
    around = [t for t in TRIALS if t.trial_id != best.trial_id and point_in(PLAN, t) in near][-10:]
    assert len({trial.trial_id for trial in around}) == 10
    losing = [replace(trial, status=TrialStatus.PRUNED) for trial in around[:3]]
    assert plateau_of(PLAN, best, [best, *losing, *around[3:]]).is_flat, "7 of 10 is 0.7"
    losing = [replace(trial, status=TrialStatus.PRUNED) for trial in around[:4]]
    assert plateau_of(PLAN, best, [best, *losing, *around[4:]]).reasons == (
        "60% of its neighbours gain, 70% are needed",
    )
    assert plateau_of(PLAN, best, [best, *around[1:]]).reasons == ("only 9 different neighbours, 10 are needed",)


def test_a_candidate_without_tried_neighbours_is_no_plateau():
    best = finalists_of(PLAN, TRIALS)[0]
    plateau = plateau_of(PLAN, best, [best])
    assert (plateau.neighbours_count, plateau.profitable_ratio, plateau.is_flat) == (0, None, False)
    assert plateau.reasons == ("none of its neighbours was tried",)


def test_the_champion_is_the_best_on_train_against_which_nothing_speaks():
    finalists = finalists_of(PLAN, TRIALS)
    verdict = judge(PLAN, TRIALS, validated())
    assert isinstance(verdict, Champion)
    assert verdict.winner.trial == finalists[0]
    assert [one.trial for one in verdict.judged] == list(finalists)
    struck = {**validated(), finalists[0].trial_id: replace(GOOD, net_pnl_usdt=-1.0)}
    verdict = judge(PLAN, TRIALS, struck)
    assert isinstance(verdict, Champion)
    assert verdict.winner.trial == finalists[1], "validation strikes off, it never ranks"
    assert verdict.judged[0].reasons == ("validation: net -1.00 USDT is not above 0",)


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        (replace(GOOD, net_pnl_usdt=0.0), "net 0.00 USDT is not above 0"),
        (replace(GOOD, net_pnl_usdt=math.nan), "net nan USDT is not above 0"),
        (replace(GOOD, profit_factor=0.99), "profit factor 0.99 is under 1"),
        (replace(GOOD, trades_count=4), "4 round trips, 5 are needed"),
        (replace(GOOD, drawdown_marked_ratio=0.16), "drawdown 16.0% is over 15.0%"),
        (None, "it could not be evaluated"),
    ],
)
def test_a_finalist_that_fails_validation_is_struck_off_with_its_reason(metrics, says):
    verdict = judge(PLAN, TRIALS, validated(metrics))
    assert isinstance(verdict, NoChampion)
    assert len(verdict.reasons) == len(verdict.judged) == 10
    assert all(f"validation: {says}" in reason for reason in verdict.reasons)


@pytest.mark.parametrize("metrics", [replace(GOOD, profit_factor=None), replace(GOOD, drawdown_marked_ratio=0.15)])
def test_no_loser_at_all_and_figures_at_the_limit_pass(metrics):
    assert isinstance(judge(PLAN, TRIALS, validated(metrics)), Champion)


def test_without_finalists_there_is_no_champion_and_one_reason():
    verdict = judge(PLAN, [], {})
    assert verdict == NoChampion(reasons=("no trial came through the whole train part within the limits",), judged=())


def test_samples_hold_the_top_the_finalists_and_a_seeded_draw_of_different_policies():
    sizes = PLAN.settings.samples
    top_count, drawn_count = sizes.equivalence_top_count, sizes.equivalence_random_count
    for sample, size in (
        (equivalence_sample, top_count + drawn_count),
        (overfitting_sample, sizes.overfitting_candidates_count),
    ):
        found = sample(PLAN, TRIALS)
        assert found == sample(PLAN, TRIALS)
        assert {trial.trial_id for trial in finalists_of(PLAN, TRIALS)} <= {trial.trial_id for trial in found}
        assert len({trial.trial_id for trial in found}) == len(found)
        assert len(found) >= min(size, len({trial.trial_id for trial in TRIALS}))
        assert sample(replace(PLAN, seed=2), TRIALS) != found or len(found) >= len({t.trial_id for t in TRIALS})
    top = {trial.trial_id for trial in ranked(TRIALS)[:top_count]}
    assert top <= {trial.trial_id for trial in equivalence_sample(PLAN, TRIALS)}
    aborted = [replace(trial, status=TrialStatus.ABORTED) for trial in TRIALS]
    assert overfitting_sample(PLAN, aborted) == ()
