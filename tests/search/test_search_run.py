"""A whole search on a landscape: deterministic, resumable after any batch, honest about repeats and shortfalls."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.trial import TrialOrigin, TrialStatus
from copytrade_core.search.plan import SamplerChoice, check_embargo, policy_of, search_id_of
from copytrade_core.search.run import search_batches, shortfall
from tests.search.landscape import hill, mean_pnl_usdt, plan_of, search_settings, space


def run(plan, evaluate=hill, known=()):
    return list(search_batches(plan, evaluate, known))


def trials_of(batches):
    return [trial for batch in batches for trial in batch.trials]


def small_batches(**more):
    """Settings with batches of 16, so that a short search has many of them."""
    shipped = search_settings()
    shares = {"qmc": "0.5", "cma_es": "0.25", "tpe": "0.25"}
    phases = tuple(
        replace(phase, batch_count=16, share=Fraction(shares.get(phase.sampler.value, "0"))) for phase in shipped.phases
    )
    return replace(shipped, phases=phases, finalists=replace(shipped.finalists, count=3), **more)


WHOLE_PLAN = plan_of(settings=small_batches(), trials=120)
WHOLE = run(WHOLE_PLAN)


def test_the_same_plan_gives_identical_trials_and_another_seed_others():
    again = run(WHOLE_PLAN)
    assert again == WHOLE
    other = run(replace(WHOLE_PLAN, seed=2))
    assert [t.policy_digest for t in trials_of(other)] != [t.policy_digest for t in trials_of(WHOLE)]


@pytest.mark.parametrize("stop", range(len(WHOLE) + 1))
def test_interrupted_after_any_batch_it_continues_identically(stop):
    evaluated = 0

    def counting(policies, signals_count):
        nonlocal evaluated
        evaluated += len(policies)
        return hill(policies, signals_count)

    resumed = run(WHOLE_PLAN, counting, [batch.trials for batch in WHOLE[:stop]])
    assert [batch.is_stored for batch in resumed] == [True] * stop + [False] * (len(WHOLE) - stop)
    assert [replace(batch, is_stored=False) for batch in resumed] == WHOLE
    assert (evaluated == 0) == (stop == len(WHOLE)), "what is stored is told, not evaluated"


@settings(max_examples=8)
@given(
    st.sampled_from([c for c in SamplerChoice if c is not SamplerChoice.MANUAL]),
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.integers(0, 8),
)
def test_any_sampler_any_seed_any_stop_continues_identically(sampler, seed, trials, stop):
    plan = plan_of("exits_grid_v1", settings=small_batches(), sampler=sampler, seed=seed, trials=trials)
    whole = run(plan)
    resumed = run(plan, hill, [batch.trials for batch in whole[:stop]])
    assert trials_of(resumed) == trials_of(whole)
    assert sum(trial.origin is not TrialOrigin.NEIGHBOUR for trial in trials_of(whole)) == trials


def test_batches_are_numbered_whole_and_add_up():
    assert [batch.index for batch in WHOLE] == list(range(len(WHOLE)))
    assert all(batch.trials for batch in WHOLE)
    numbers = [trial.number for trial in trials_of(WHOLE)]
    assert numbers == list(range(len(numbers)))
    for batch in WHOLE:
        assert batch.asked_count == len(batch.trials) + batch.repeated_count + batch.refused_count
        assert {trial.origin for trial in batch.trials} == {batch.origin}
        assert len(batch.trials) <= 16 or batch.origin is TrialOrigin.NEIGHBOUR
    sampled = [batch for batch in WHOLE if batch.origin is not TrialOrigin.NEIGHBOUR]
    assert sampled[-1].sampled_count == sampled[-1].wanted_count == 120
    assert shortfall(WHOLE_PLAN, trials_of(WHOLE)) is None


def test_every_phase_has_its_share_and_neighbours_come_last():
    origins = [trial.origin for trial in trials_of(WHOLE)]
    count = Counter(origins)
    assert count[TrialOrigin.QMC] >= 60
    assert count[TrialOrigin.CMA_ES] > 0
    assert count[TrialOrigin.TPE] > 0
    assert set(origins[120:]) == {TrialOrigin.NEIGHBOUR}


def test_learning_finds_better_policies_than_the_sequence_alone():
    by_origin = {
        origin: max(mean_pnl_usdt(policy_of(WHOLE_PLAN, t)) for t in trials_of(WHOLE) if t.origin is origin)
        for origin in (TrialOrigin.QMC, TrialOrigin.CMA_ES, TrialOrigin.TPE)
    }
    assert max(by_origin[TrialOrigin.CMA_ES], by_origin[TrialOrigin.TPE]) >= by_origin[TrialOrigin.QMC]
    assert max(by_origin.values()) > 0.9


def test_a_policy_is_tried_once_and_a_halved_neighbour_once_more_on_the_whole_part():
    seen: dict[str, TrialStatus] = {}
    for trial in trials_of(WHOLE):
        if trial.trial_id in seen:
            assert trial.origin is TrialOrigin.NEIGHBOUR
            assert seen[trial.trial_id] is TrialStatus.HALVED
            assert trial.status is not TrialStatus.HALVED
        seen[trial.trial_id] = trial.status
    assert all(trial.signals_count == 40 for trial in trials_of(WHOLE) if trial.origin is TrialOrigin.NEIGHBOUR)


def test_a_trial_can_be_rebuilt_from_what_is_stored():
    for trial in trials_of(WHOLE)[::7]:
        assert digest_of(policy_of(WHOLE_PLAN, trial)) == trial.policy_digest
    first = trials_of(WHOLE)[0]
    with pytest.raises(BadInput, match="another policy"):
        policy_of(WHOLE_PLAN, replace(first, policy_digest="f" * 64))


@pytest.mark.parametrize("sampler", [SamplerChoice.GRID, SamplerChoice.QMC, SamplerChoice.RANDOM, SamplerChoice.PHASES])
def test_a_small_grid_is_tried_whole_and_the_shortfall_says_so(sampler):
    plan = plan_of("exits_grid_v1", sampler=sampler, trials=1000)
    trials = trials_of(run(plan))
    sampled = [trial for trial in trials if trial.origin is not TrialOrigin.NEIGHBOUR]
    assert len(sampled) == space("exits_grid_v1").size
    assert len({trial.trial_id for trial in sampled}) == len(sampled)
    assert shortfall(plan, trials) == (
        "252 of 1000 trials: no more different policies within the constraints were found among the 252 points of "
        "exits_grid_v1"
    )


def test_the_asked_number_is_reached_when_the_space_holds_it():
    plan = plan_of("exits_grid_v1", sampler=SamplerChoice.RANDOM, trials=252)
    trials = trials_of(run(plan))
    assert sum(trial.origin is not TrialOrigin.NEIGHBOUR for trial in trials) == 252
    assert shortfall(plan, trials) is None


def test_a_manual_trial_of_the_strategy_itself_is_one_trial():
    plan = plan_of(sampler=SamplerChoice.MANUAL)
    batches = run(plan)
    [trial] = trials_of(batches)
    assert trial.origin is TrialOrigin.MANUAL
    assert trial.parameters == ()
    assert policy_of(plan, trial) == plan.base
    assert (batches[0].sampled_count, batches[0].wanted_count) == (1, 1)
    assert shortfall(plan, [trial]) is None
    assert run(plan, hill, [batch.trials for batch in batches])[0].trials == (trial,)


def test_a_manual_point_is_the_trial_that_the_search_would_have_made():
    sampled = trials_of(WHOLE)[5]
    plan = replace(WHOLE_PLAN, sampler=SamplerChoice.MANUAL, manual=sampled.parameters)
    [trial] = trials_of(run(plan))
    assert (trial.trial_id, trial.parameters) == (sampled.trial_id, sampled.parameters)
    outside = (("exit.tp", "0.003"), ("exit.sl", "none"), ("exit.trailing_callback", "0.02"), ("exit.ttl_hours", "5"))
    with pytest.raises(BadInput, match="callback is not below"):
        run(replace(plan, manual=outside))


def test_stored_batches_of_another_plan_are_refused():
    stored = [batch.trials for batch in WHOLE]
    with pytest.raises(BadInput, match="stored batch 0 of search ssssssssssss is not what this plan proposes"):
        run(replace(WHOLE_PLAN, seed=9), hill, stored)
    swapped = [stored[0], stored[2], stored[1], *stored[3:]]
    with pytest.raises(BadInput, match="stored batch 1"):
        run(WHOLE_PLAN, hill, swapped)
    with pytest.raises(BadInput, match=f"stored batch {len(stored)}"):
        run(WHOLE_PLAN, hill, [*stored, stored[-1]])


def test_metrics_that_are_not_finite_abort_a_trial_and_the_search_goes_on():
    def sometimes_broken(policies, signals_count):
        table = hill(policies, signals_count)
        table.drawdown_marked_ratio[table.fill_hash % 5 == 0] = math.nan
        return table

    plan = plan_of(settings=small_batches(), trials=120)
    trials = trials_of(run(plan, sometimes_broken))
    aborted = [trial for trial in trials if trial.status is TrialStatus.ABORTED]
    assert aborted
    assert all(trial.metrics is None and trial.fill_hash == "" for trial in aborted)
    assert {trial.reasons for trial in aborted} == {("drawdown_marked_ratio is not a finite number",)}
    assert sum(trial.origin is not TrialOrigin.NEIGHBOUR for trial in trials) == 120


def test_when_everything_is_aborted_there_are_no_finalists_and_no_error():
    def broken(policies, signals_count):
        table = hill(policies, signals_count)
        table.pnl_square_sum[:] = math.inf
        return table

    trials = trials_of(run(plan_of(settings=small_batches(), trials=60), broken))
    assert {trial.status for trial in trials} == {TrialStatus.ABORTED}
    assert len(trials) == 60


def test_a_search_without_signals_is_refused_with_the_next_step():
    with pytest.raises(BadInput, match=r"no signal that this strategy could trade.*Import more closed positions"):
        run(plan_of(signals=0))


def test_one_sided_data_cannot_support_a_policy_that_claims_both_sides():
    plan = replace(plan_of(trials=5), train_sides=(Side.LONG,) * 30)
    with pytest.raises(BadInput, match=r"no train signal is short.*Search with side = long_only"):
        run(plan)
    one_sided = replace(plan.base, entry=replace(plan.base.entry, side=SideFilter.LONG_ONLY))
    assert run(replace(plan, base=one_sided))
    with pytest.raises(BadInput, match="no train signal is long"):
        run(replace(plan, base=one_sided, train_sides=(Side.SHORT,) * 30))


@pytest.mark.parametrize("change", [{"trials_count": 0}, {"seed": -1}, {"seed": 2**32}])
def test_numbers_out_of_range_are_refused(change):
    with pytest.raises(BadInput, match="trials must be at least 1"):
        run(replace(plan_of(), **change))


def test_a_split_must_keep_its_parts_as_far_apart_as_the_longest_trade():
    plan = plan_of("exits_v1")
    check_embargo(plan, 72 * 3600)
    with pytest.raises(BadInput, match=r"may hold for 72 hours, the split keeps its parts only 71\.5 hours apart"):
        check_embargo(plan, 71.5 * 3600)


def test_parameters_by_hand_need_the_manual_sampler():
    with pytest.raises(BadInput, match="only the manual sampler"):
        run(plan_of(manual=(("exit.tp", "0.02"),)))


def test_a_search_is_named_by_everything_it_rests_on():
    plan = plan_of()
    asked: dict[str, Any] = {
        "lead_id": "1",
        "data_digest": "d",
        "assumptions_digest": "a",
        "base": plan.base,
        "space": plan.space,
        "settings": plan.settings,
        "sampler": plan.sampler,
        "seed": 1,
        "trials_count": 10,
        "manual": (),
    }
    other_entry = replace(plan.base, entry=replace(plan.base.entry, side=SideFilter.LONG_ONLY))
    changes: dict[str, Any] = {
        "lead_id": "2",
        "data_digest": "e",
        "assumptions_digest": "b",
        "base": other_entry,
        "space": space("exits_grid_v1"),
        "settings": small_batches(),
        "sampler": SamplerChoice.TPE,
        "seed": 2,
        "trials_count": 11,
        "manual": (("exit.tp", "0.02"),),
    }
    assert set(changes) == set(asked)
    ids = {search_id_of(**asked), *(search_id_of(**{**asked, name: value}) for name, value in changes.items())}
    assert len(ids) == 1 + len(changes)
    assert search_id_of(**asked) == search_id_of(**asked)
