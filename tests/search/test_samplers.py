"""Samplers: deterministic in their seed and what they were told, inside their grid, quiet."""

from __future__ import annotations

import itertools
import math

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning

from copytrade_core.search.phases import derived_seed, elites_of
from copytrade_core.search.samplers import GridWalk, SobolDraws, sampler_of
from copytrade_core.search.settings import SamplerName
from tests.search.landscape import search_settings

LENGTHS = (7, 1, 16, 3, 40)
LEARNERS = (SamplerName.TPE, SamplerName.CMA_ES)


def valley(point) -> float:
    """Best at (5, 0, 12, 1, 33)."""
    return -math.dist([i / n for i, n in zip(point, LENGTHS, strict=True)], [5 / 7, 0, 12 / 16, 1 / 3, 33 / 40])


def history(name, *, seed, batches=4, count=25, elites=(), score=valley):
    sampler = sampler_of(name, LENGTHS, seed=seed, settings=search_settings(), elites=elites)
    seen = []
    for _ in range(batches):
        points = sampler.propose(count)
        seen.append(points)
        if sampler.learns:
            sampler.learn([score(point) for point in points])
    return seen


@pytest.mark.parametrize("name", list(SamplerName))
def test_the_same_seed_proposes_the_same_points_and_another_seed_others(name):
    assert history(name, seed=3) == history(name, seed=3)
    assert history(name, seed=3) != history(name, seed=4)


@pytest.mark.parametrize("name", list(SamplerName))
def test_every_proposal_is_on_the_grid(name):
    for point in itertools.chain.from_iterable(history(name, seed=1)):
        assert len(point) == len(LENGTHS)
        assert all(type(index) is int and 0 <= index < n for index, n in zip(point, LENGTHS, strict=True))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_goes_where_it_was_told_the_good_ones_are(name):
    seen = history(name, seed=1, batches=10, count=50)
    first = sum(map(valley, seen[0])) / 50
    last = sum(map(valley, seen[-1])) / 50
    assert last > 0.7 * first, "scores are negative distances: a good part nearer, exploring goes on"


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_that_is_never_given_a_number_goes_on(name):
    seen = history(name, seed=1, batches=3, score=lambda _: None)
    assert [len(points) for points in seen] == [25, 25, 25]


@pytest.mark.parametrize("name", LEARNERS)
def test_elites_of_earlier_samplers_are_learned_from(name):
    points = list(itertools.chain.from_iterable(history(SamplerName.QMC, seed=1, batches=8, count=50)))
    elites = elites_of([(point, valley(point)) for point in points], 100)
    told = history(name, seed=1, batches=1, count=50, elites=elites)[0]
    alone = history(name, seed=1, batches=1, count=50)[0]
    assert sum(map(valley, told)) > sum(map(valley, alone))


def test_cma_es_refines_within_half_of_every_axis_around_the_best():
    best = (6, 0, 8, 1, 20)
    told = history(SamplerName.CMA_ES, seed=1, batches=3, count=50, elites=[(best, 1.0)])
    for point in itertools.chain.from_iterable(told):
        assert all(abs(i - c) <= max(1, n // 4) for i, c, n in zip(point, best, LENGTHS, strict=True))


def test_sobol_blocks_are_the_sequence_of_optunas_own_sampler():
    lengths = (7, 16, 3, 40)
    with pytest.warns(ExperimentalWarning):
        slow = optuna.samplers.QMCSampler(seed=11, scramble=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=slow)
    axes: dict[str, BaseDistribution] = {f"axis_{i}": IntDistribution(0, n - 1) for i, n in enumerate(lengths)}
    theirs = []
    for _ in range(65):
        trial = study.ask(axes)
        study.tell(trial, 0.0)
        theirs.append(tuple(trial.params.values()))
    # Optuna's first point is drawn at random: it knows the axes only after one trial.
    assert SobolDraws(lengths, seed=11).propose(64) == theirs[1:]


def test_sobol_points_do_not_depend_on_how_many_are_asked_at_once():
    whole = SobolDraws(LENGTHS, seed=5).propose(3000)
    parts = SobolDraws(LENGTHS, seed=5)
    assert [point for count in (1, 1500, 0, 1023, 476) for point in parts.propose(count)] == whole


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_a_walk_over_the_grid_meets_every_point_once_and_ends(lengths, seed, count):
    walk = GridWalk(lengths, seed=seed)
    seen = []
    while points := walk.propose(count):
        seen += points
    assert sorted(seen) == list(itertools.product(*(range(n) for n in lengths)))
    assert walk.propose(count) == []


@pytest.mark.parametrize("name", list(SamplerName))
def test_a_space_of_one_point_is_proposed_once(name):
    sampler = sampler_of(name, (1, 1), seed=1, settings=search_settings(), elites=())
    assert sampler.propose(10) == [(0, 0)]
    assert sampler.propose(10) == []


def test_a_study_is_not_announced(capfd):
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    history(SamplerName.TPE, seed=1, batches=1)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO, "left as it was found"
    optuna.logging.set_verbosity(before)
    assert capfd.readouterr().err == ""


def test_elites_are_the_best_half_and_a_spread_of_the_rest():
    scored = [((i,), float(i % 100) + i / 1000) for i in range(1000)]
    elites = elites_of(scored, 10)
    ranks = sorted((score for _, score in scored), reverse=True)
    assert [score for _, score in elites[:5]] == ranks[:5]
    assert elites[5][1] == ranks[5]
    assert elites[-1][1] == ranks[-1]
    assert len(elites) == 10
    assert elites_of(scored[:3], 10) == tuple(sorted(scored[:3], key=lambda item: -item[1]))


def test_every_stream_has_a_seed_of_its_own():
    seeds = {derived_seed(seed, stream) for seed in range(20) for stream in range(10)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)
