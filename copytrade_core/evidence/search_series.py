"""What the plots of a search report draw: trial history, coordinates, train against validation.

Twenty thousand trials are thinned to what an eye can tell apart; every count and every table is made from all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.evidence.search_inputs import FinalistRecord, ParameterGrid, Parameters, SearchReportInputs
from copytrade_core.evidence.search_trials import objective_of, once, sampled
from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.trial import Trial, TrialMetrics, TrialStatus

HISTORY_POINTS = 2400
GROUP_POINTS_MIN = 120
"""Points that a small group (one origin and status) may keep whatever its share."""
BACKGROUND_LINES = 150
TOP_LINES = 40
RANK_POINTS_MIN = 10
"""Fewer points have no rank correlation worth a number."""
SHOWN_FROM_RATIO = 0.02
"""The lowest part of the objectives that the history's axis leaves out: one disaster would flatten all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Objective by trial number: a thinned draw (`total_count` have one) and the best so far on the whole train part.

    Columns are parallel. `shown_from` is where the axis may begin, `below_count` how many of all lie under it.
    """

    numbers: tuple[int, ...]
    objectives: tuple[float, ...]
    origins: tuple[str, ...]
    statuses: tuple[str, ...]
    total_count: int
    best_numbers: tuple[int, ...]
    best_objectives: tuple[float, ...]
    shown_from: float | None
    below_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateLine:
    """One trial as grid indices, in the order of the grids; `rank_ratio` 1 = best of all complete trials, 0 = worst."""

    number: int
    indices: tuple[int, ...]
    objective: float
    rank_ratio: float
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coordinates:
    """Lines through every parameter: a draw of all complete sampled trials, the best of them, and the judged one."""

    grids: tuple[ParameterGrid, ...]
    lines: tuple[CoordinateLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPoint:
    """One trial's Sharpe ratio per round trip on both parts; `kind` is champion, passed, struck_off or draw."""

    number: int
    kind: str
    train_sharpe: float
    validation_sharpe: float
    train_net_usdt: float
    validation_net_usdt: float
    validation_trades_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainAndValidation:
    """Points of both parts. `rank_correlation` (Spearman) is over the draw: 1 = the same order on both, 0 = none."""

    points: tuple[PartPoint, ...]
    drawn_count: int
    rank_correlation: float | None


def history_of(trials: Sequence[Trial]) -> History:
    """The history, thinned evenly within every group of one origin and one status; every improvement is kept."""
    seen = [
        (trial, trial.metrics.objective) for trial in trials if trial.metrics and trial.metrics.objective is not None
    ]
    groups: dict[tuple[str, str], list[int]] = {}
    for index, (trial, _) in enumerate(seen):
        groups.setdefault((trial.origin.value, trial.status.value), []).append(index)
    best = _improvements([trial for trial, _ in seen])
    kept = {index for members in groups.values() for index in _thinned(members, len(seen))}
    numbers = {number for number, _ in best}
    kept |= {index for index, (trial, _) in enumerate(seen) if trial.number in numbers}
    shown = [seen[index] for index in sorted(kept)]
    values = np.array([value for _, value in seen], dtype=np.float64)
    floor = float(np.quantile(values, SHOWN_FROM_RATIO)) if len(values) else None
    last = [(trials[-1].number, best[-1][1])] if best else []
    return History(
        numbers=tuple(trial.number for trial, _ in shown),
        objectives=tuple(_short(value) for _, value in shown),
        origins=tuple(trial.origin.value for trial, _ in shown),
        statuses=tuple(trial.status.value for trial, _ in shown),
        total_count=len(seen),
        best_numbers=tuple(number for number, _ in [*best, *last]),
        best_objectives=tuple(_short(value) for _, value in [*best, *last]),
        shown_from=None if floor is None else _short(floor),
        below_count=0 if floor is None else int((values < floor).sum()),
    )


def coordinates_of(inputs: SearchReportInputs) -> Coordinates:
    """Lines for the plot of all parameters at once."""
    complete = [(value, trial) for trial in sampled(inputs.trials) if (value := objective_of(trial)) is not None]
    complete.sort(key=lambda item: (item[0], -item[1].number))
    places = places_of(inputs.grids)
    count = len(complete)
    judged = inputs.judged
    chosen: dict[int, str] = {int(rank): "draw" for rank in _even(count, BACKGROUND_LINES)}
    chosen |= dict.fromkeys(range(max(0, count - TOP_LINES), count), "best")
    if judged is not None:
        own = (rank for rank, (_, trial) in enumerate(complete) if trial.trial_id == judged.trial.trial_id)
        chosen |= dict.fromkeys(own, "judged")
    lines = [
        CoordinateLine(
            number=trial.number,
            indices=indices,
            objective=_short(value),
            rank_ratio=_short(rank / max(1, count - 1)),
            kind=chosen[rank],
        )
        for rank, (value, trial) in enumerate(complete)
        if rank in chosen and (indices := indices_in(places, trial.parameters)) is not None
    ]
    return Coordinates(grids=tuple(inputs.grids), lines=tuple(lines))


def train_and_validation(inputs: SearchReportInputs) -> TrainAndValidation:
    """Sharpe ratios per round trip on train and on validation, of the finalists and of a draw beside them."""
    finalists = {one.trial.trial_id: one for one in inputs.finalists}
    points: list[PartPoint] = []
    drawn: list[tuple[float, float]] = []
    for trial in once(inputs.trials):
        finalist = finalists.get(trial.trial_id)
        found = finalist.validation if finalist else inputs.validation_sample.get(trial.trial_id)
        if trial.status is not TrialStatus.COMPLETE or trial.metrics is None or found is None:
            continue
        kind = "draw" if finalist is None else _kind(inputs, finalist)
        point = _part_point(trial.number, kind, trial.metrics, found)
        if point is not None:
            points.append(point)
            drawn += [(point.train_sharpe, point.validation_sharpe)] if kind == "draw" else []
    return TrainAndValidation(
        points=tuple(points),
        drawn_count=len(drawn),
        rank_correlation=rank_correlation(np.array(drawn, dtype=np.float64)),
    )


def rank_correlation(pairs: Float64s) -> float | None:
    """Spearman's rank correlation of two columns, shape `(n, 2)`; None for few points or one that never differs."""
    if len(pairs) < RANK_POINTS_MIN:
        return None
    one, other = _ranks(pairs[:, 0]), _ranks(pairs[:, 1])
    if one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def indices_in(places: Sequence[tuple[str, Mapping[str, int]]], parameters: Parameters) -> tuple[int, ...] | None:
    """Where parameters stand on the grids; None for those of no point (the base strategy itself), and without grids."""
    given = dict(parameters)
    found = [index.get(given.get(name, "")) for name, index in places]
    known = [index for index in found if index is not None]
    return tuple(known) if known and len(known) == len(found) else None


def places_of(grids: Sequence[ParameterGrid]) -> list[tuple[str, Mapping[str, int]]]:
    """Index by text for every grid."""
    return [(grid.name, {text: index for index, text in enumerate(grid.texts)}) for grid in grids]


def _kind(inputs: SearchReportInputs, finalist: FinalistRecord) -> str:
    if finalist is inputs.champion:
        return "champion"
    return "struck_off" if finalist.reasons else "passed"


def _part_point(number: int, kind: str, train: TrialMetrics, validation: TrialMetrics) -> PartPoint | None:
    if train.sharpe is None or validation.sharpe is None:
        return None
    return PartPoint(
        number=number,
        kind=kind,
        train_sharpe=_short(train.sharpe),
        validation_sharpe=_short(validation.sharpe),
        train_net_usdt=round(train.net_pnl_usdt, 2),
        validation_net_usdt=round(validation.net_pnl_usdt, 2),
        validation_trades_count=validation.trades_count,
    )


def _improvements(trials: Sequence[Trial]) -> list[tuple[int, float]]:
    best: list[tuple[int, float]] = []
    for trial in trials:
        value = objective_of(trial)
        if value is not None and (not best or value > best[-1][1]):
            best.append((trial.number, value))
    return best


def _thinned(members: Sequence[int], total: int) -> list[int]:
    wanted = max(GROUP_POINTS_MIN, round(HISTORY_POINTS * len(members) / max(1, total)))
    return [members[place] for place in _even(len(members), wanted)]


def _even(count: int, wanted: int) -> Int64s:
    """At most `wanted` of `count` places, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, wanted)).round().astype(np.int64))


def _ranks(values: Float64s) -> Float64s:
    """Ranks, ties sharing their mean."""
    ordered = np.sort(values)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (left + right - 1) / 2.0


def _short(value: float) -> float:
    """Five digits: more cannot be seen in a plot."""
    return float(f"{value:.5g}")
