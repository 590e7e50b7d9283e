"""Who proposes points: Optuna's TPE and CMA-ES, the Sobol sequence, chance, and a walk over the whole grid.

A sampler knows indexes and scores only. What a point means, and what a score is, is decided elsewhere.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, TPESampler
from optuna.trial import TrialState, create_trial
from scipy.stats import qmc
from typing_extensions import override

from copytrade_core.search.settings import SamplerName, SearchSettings
from copytrade_core.search.space import Point

_SOBOL_BLOCK = 1024
"""Points drawn at once: a power of two, as the sequence's balance asks."""

_GOLDEN = 618_033_988_749_895
"""Golden section x 1e15: steps of this part of the grid spread evenly however few are taken."""


class Sampler(ABC):
    """Proposes points and is told how the last proposal did; its state depends on nothing else.

    `learns`: proposals depend on scores, so every proposal must be scored before the next.
    """

    learns: bool = False

    @abstractmethod
    def propose(self, count: int) -> list[Point]:
        """Up to `count` points; fewer when there are no more, none at the end."""

    @abstractmethod
    def learn(self, scores: Sequence[float | None]) -> None:
        """Scores of the last proposal in its order, higher is better; None = no score."""


def sampler_of(
    name: SamplerName,
    lengths: Sequence[int],
    *,
    seed: int,
    settings: SearchSettings,
    elites: Sequence[tuple[Point, float]],
) -> Sampler:
    """A fresh sampler.

    Args:
        name: which one.
        lengths: values of each axis.
        seed: 0..2**32-1.
        settings: batch and start-up counts.
        elites: earlier points with their scores, best first; only TPE and CMA-ES learn from them.
    """
    if max(lengths, default=1) == 1:
        return GridWalk(lengths, seed=seed)
    match name:
        case SamplerName.QMC:
            return SobolDraws(lengths, seed=seed)
        case SamplerName.RANDOM:
            return RandomDraws(lengths, seed=seed)
        case SamplerName.GRID:
            return GridWalk(lengths, seed=seed)
        case SamplerName.TPE:
            tpe = TPESampler(
                seed=seed, n_startup_trials=settings.sampling.startup_count, multivariate=True, constant_liar=True
            )
            return OptunaDraws(tpe, [(0, length - 1) for length in lengths], elites)
        case SamplerName.CMA_ES:
            cma_es = CmaEsSampler(
                n_startup_trials=settings.sampling.startup_count,
                warn_independent_sampling=False,
                seed=seed,
                popsize=settings.phase(SamplerName.CMA_ES).batch_count,
            )
            return OptunaDraws(cma_es, _box(lengths, elites), elites)


class SobolDraws(Sampler):
    """A scrambled Sobol sequence, drawn in blocks.

    Optuna's `QMCSampler` draws the same sequence (a test compares them) but builds the engine anew and winds it forward
    for every single point, and warns that it is experimental; blocks cost a thousandth.
    """

    def __init__(self, lengths: Sequence[int], *, seed: int) -> None:
        self._lengths = tuple(lengths)
        self._free = [axis for axis, length in enumerate(lengths) if length > 1]
        # `seed`, not `rng`: what Optuna passes, and the older generator behind it never changes between releases.
        self._engine = qmc.Sobol(len(self._free), scramble=True, seed=seed)  # pyright: ignore[reportCallIssue]
        self._waiting: list[Point] = []

    @override
    def propose(self, count: int) -> list[Point]:
        while len(self._waiting) < count:
            self._waiting += self._block()
        drawn, self._waiting = self._waiting[:count], self._waiting[count:]
        return drawn

    @override
    def learn(self, scores: Sequence[float | None]) -> None:
        """Nothing: the sequence is fixed."""

    def _block(self) -> list[Point]:
        free = np.array([self._lengths[axis] for axis in self._free])
        drawn = self._engine.random(_SOBOL_BLOCK)
        points = np.zeros((_SOBOL_BLOCK, len(self._lengths)), dtype=np.int64)
        points[:, self._free] = np.minimum((drawn * free).astype(np.int64), free - 1)
        return [tuple(row) for row in points.tolist()]


class RandomDraws(Sampler):
    """Independent uniform draws."""

    def __init__(self, lengths: Sequence[int], *, seed: int) -> None:
        self._lengths = tuple(lengths)
        self._draws = np.random.default_rng(seed)

    @override
    def propose(self, count: int) -> list[Point]:
        drawn = self._draws.integers(0, self._lengths, size=(count, len(self._lengths)))
        return [tuple(row) for row in drawn.tolist()]

    @override
    def learn(self, scores: Sequence[float | None]) -> None:
        """Nothing: chance does not learn."""


class GridWalk(Sampler):
    """Every point once: strides of a golden part of the grid from a seeded start, so that any prefix is spread out."""

    def __init__(self, lengths: Sequence[int], *, seed: int) -> None:
        self._lengths = tuple(lengths)
        self._size = math.prod(lengths)
        self._stride = max(1, self._size * _GOLDEN // 10**15)
        while math.gcd(self._stride, self._size) != 1:
            self._stride += 1
        self._start = int(np.random.default_rng(seed).integers(0, 2**62)) % self._size
        self._taken = 0

    @override
    def propose(self, count: int) -> list[Point]:
        upto = min(self._size, self._taken + count)
        points = [self._at((self._start + step * self._stride) % self._size) for step in range(self._taken, upto)]
        self._taken = upto
        return points

    @override
    def learn(self, scores: Sequence[float | None]) -> None:
        """Nothing: the walk is fixed."""

    def _at(self, position: int) -> Point:
        indexes: list[int] = []
        for length in reversed(self._lengths):
            position, index = divmod(position, length)
            indexes.append(index)
        return tuple(reversed(indexes))


class OptunaDraws(Sampler):
    """An Optuna sampler on a study in memory of its own, asked and told in batches.

    Args:
        sampler: TPE or CMA-ES.
        bounds: lowest and highest index of each axis.
        elites: earlier points with scores, best first; those inside the bounds are told before anything is asked.
    """

    learns = True

    def __init__(
        self, sampler: BaseSampler, bounds: Sequence[tuple[int, int]], elites: Sequence[tuple[Point, float]]
    ) -> None:
        self._bounds = tuple(bounds)
        # An axis with one value is no question and is not asked.
        self._axes: dict[str, BaseDistribution] = {
            _axis_name(axis): IntDistribution(low, high) for axis, (low, high) in enumerate(bounds) if low < high
        }
        self._study = _quiet_study(sampler)
        for point, score in elites:
            if all(low <= index <= high for index, (low, high) in zip(point, bounds, strict=True)):
                params = {_axis_name(axis): index for axis, index in enumerate(point) if _axis_name(axis) in self._axes}
                self._study.add_trial(create_trial(value=score, params=params, distributions=self._axes))
        self._asked: list[optuna.Trial] = []

    @override
    def propose(self, count: int) -> list[Point]:
        self._asked = [self._study.ask(self._axes) for _ in range(count)]
        return [self._point(trial) for trial in self._asked]

    @override
    def learn(self, scores: Sequence[float | None]) -> None:
        for trial, score in zip(self._asked, scores, strict=True):
            state = TrialState.FAIL if score is None else TrialState.COMPLETE
            _ = self._study.tell(trial, score, state=state)
        self._asked = []

    def _point(self, trial: optuna.Trial) -> Point:
        params = trial.params
        return tuple(int(params.get(_axis_name(axis), low)) for axis, (low, _) in enumerate(self._bounds))


def _axis_name(axis: int) -> str:
    return f"axis_{axis:03d}"


def _box(lengths: Sequence[int], elites: Sequence[tuple[Point, float]]) -> list[tuple[int, int]]:
    """Half of every axis around the best so far, all of it without one.

    CMA-ES starts in the middle of its bounds (Optuna is giving up its starting point as an argument), so this is how it
    refines what earlier samplers found.
    """
    if not elites:
        return [(0, length - 1) for length in lengths]
    best = elites[0][0]
    reach = [max(1, length // 4) for length in lengths]
    return [
        (max(0, centre - far), min(length - 1, centre + far))
        for centre, far, length in zip(best, reach, lengths, strict=True)
    ]


def _quiet_study(sampler: BaseSampler) -> optuna.Study:
    """A study whose birth is not announced on the terminal."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    optuna.logging.set_verbosity(before)
    return study
