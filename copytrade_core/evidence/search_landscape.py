"""The ground around the best: which parameters matter, the map of the two that matter most, and its neighbours.

Whether that is a plateau is decided in `search`; here it is laid out to be seen.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from copytrade_core.evidence.search_inputs import FinalistRecord, ParameterGrid, SearchReportInputs
from copytrade_core.evidence.search_series import indices_in, places_of
from copytrade_core.evidence.search_trials import objective_of, sampled
from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.trial import Trial

BEYOND_NOTHING = (None, "none", "0")
"""Values beside which there is no other, whatever the space: at these a parameter is not at its edge."""
CELLS_MAX = 20
"""Cells along one side of the map."""
SEVERAL = "several at once"
"""The label of neighbours that differ in more than one parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterWeight:
    """How much one parameter alone explains of the differences in the objective, over complete sampled trials.

    `explained_ratio` is epsilon squared (Kelley 1935): the share of the variance that lies between the means of the
    parameter's values, corrected for their number; 0..1, None = nothing to compare. `best_low` and `best_high` are the
    ends of what the best trials use.
    """

    parameter: str
    explained_ratio: float | None
    judged_value: str | None
    best_low: str | None
    best_high: str | None
    grid_low: str
    grid_high: str
    is_at_edge: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One neighbour: the parameter that moved (or several), from where to where, and what came of it.

    `ratio` is its objective over the finalist's, 0 for one outside the limits. `x` and `y` are its place on the map.
    """

    number: int
    parameter: str
    moved: str
    ratio: float | None
    net_pnl_usdt: float | None
    status: str
    x: int | None
    y: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauView:
    """The judged finalist's neighbours, one by one and in numbers."""

    number: int
    is_champion: bool
    neighbours_count: int
    profitable_ratio: float | None
    median_ratio: float | None
    worst_ratio: float | None
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LandscapeMap:
    """The two parameters that explain most. Cells are `[y][x]`; None = nobody there came through.

    A cell holds `x_step` by `y_step` neighbouring values (the last one what is left): cells of a fine grid would hold
    one trial each. `objectives` are medians over the complete sampled trials of a cell, `tried_counts` all sampled
    trials there. `judged_x` and `judged_y` are indices into the grids.
    """

    x: ParameterGrid
    y: ParameterGrid
    x_step: int
    y_step: int
    objectives: tuple[tuple[float | None, ...], ...]
    complete_counts: tuple[tuple[int, ...], ...]
    tried_counts: tuple[tuple[int, ...], ...]
    judged_x: int | None
    judged_y: int | None


def parameter_weights(inputs: SearchReportInputs, best: Sequence[Mapping[str, str]]) -> tuple[ParameterWeight, ...]:
    """Every parameter that has a choice, the one that explains most first.

    Args:
        inputs: the search.
        best: parameters of the best trials.
    """
    placed = _placed(inputs)
    values = np.array([value for value, _ in placed], dtype=np.float64)
    indices = np.array([place for _, place in placed], dtype=np.int64).reshape(len(placed), len(inputs.grids))
    judged = dict(inputs.judged.trial.parameters) if inputs.judged else {}
    weights = [
        _weight(grid, explained_ratio(indices[:, axis], values), judged.get(grid.name), best)
        for axis, grid in enumerate(inputs.grids)
        if len(grid.texts) > 1
    ]
    return tuple(sorted(weights, key=lambda one: -1.0 if one.explained_ratio is None else -one.explained_ratio - 1))


def explained_ratio(groups: Int64s, values: Float64s) -> float | None:
    """Epsilon squared of values by group, both of shape `(n,)`; None without two groups, spare values or spread."""
    names, member = np.unique(groups, return_inverse=True)
    count, groups_count = len(values), len(names)
    total = float(((values - values.mean()) ** 2).sum()) if count else 0.0
    if groups_count < 2 or count <= groups_count or total <= 0:
        return None
    sizes = np.bincount(member)
    means = np.bincount(member, weights=values) / sizes
    within = float(((values - means[member]) ** 2).sum())
    return max(0.0, 1.0 - (within / (count - groups_count)) / (total / (count - 1)))


def plateau_view(inputs: SearchReportInputs, shown: LandscapeMap | None) -> PlateauView | None:
    """The neighbours of the judged finalist; None without one."""
    judged = inputs.judged
    if judged is None:
        return None
    order = [grid.name for grid in inputs.grids]
    neighbours = [_neighbour(judged, dict(one.parameters), one.trial, shown) for one in judged.neighbours]
    rank = {name: place for place, name in enumerate([*order, SEVERAL])}
    return PlateauView(
        number=judged.trial.number,
        is_champion=judged is inputs.champion,
        neighbours_count=judged.neighbours_count,
        profitable_ratio=judged.profitable_ratio,
        median_ratio=judged.median_ratio,
        worst_ratio=judged.worst_ratio,
        neighbours=tuple(sorted(neighbours, key=lambda one: (rank.get(one.parameter, len(rank)), one.number))),
    )


def landscape_map(inputs: SearchReportInputs, weights: Sequence[ParameterWeight]) -> LandscapeMap | None:
    """The map of the first two weights; None when there are not two parameters or no complete trial."""
    known = [weight.parameter for weight in weights if weight.explained_ratio is not None]
    if len(known) < 2:
        return None
    x, y = (next(grid for grid in inputs.grids if grid.name == name) for name in known[:2])
    places = places_of((x, y))
    steps = tuple(-(-len(grid.texts) // CELLS_MAX) for grid in (x, y))
    cells: dict[tuple[int, int], list[float]] = {}
    tried: dict[tuple[int, int], int] = {}
    for trial in sampled(inputs.trials):
        place = indices_in(places, trial.parameters)
        if place is not None:
            cell = (place[0] // steps[0], place[1] // steps[1])
            tried[cell] = tried.get(cell, 0) + 1
            value = objective_of(trial)
            if value is not None:
                cells.setdefault(cell, []).append(value)
    judged = indices_in(places, inputs.judged.trial.parameters) if inputs.judged else None
    columns, rows = (range(-(-len(grid.texts) // step)) for grid, step in zip((x, y), steps, strict=True))
    return LandscapeMap(
        x=x,
        y=y,
        x_step=steps[0],
        y_step=steps[1],
        objectives=tuple(tuple(_median(cells.get((i, j), [])) for i in columns) for j in rows),
        complete_counts=tuple(tuple(len(cells.get((i, j), [])) for i in columns) for j in rows),
        tried_counts=tuple(tuple(tried.get((i, j), 0) for i in columns) for j in rows),
        judged_x=None if judged is None else judged[0],
        judged_y=None if judged is None else judged[1],
    )


def _placed(inputs: SearchReportInputs) -> list[tuple[float, tuple[int, ...]]]:
    places = places_of(inputs.grids)
    return [
        (value, place)
        for trial in sampled(inputs.trials)
        if (value := objective_of(trial)) is not None and (place := indices_in(places, trial.parameters)) is not None
    ]


def _weight(
    grid: ParameterGrid, ratio: float | None, judged: str | None, best: Sequence[Mapping[str, str]]
) -> ParameterWeight:
    used = sorted({grid.texts.index(row[grid.name]) for row in best if row.get(grid.name) in grid.texts})
    return ParameterWeight(
        parameter=grid.name,
        explained_ratio=ratio,
        judged_value=judged,
        best_low=grid.texts[used[0]] if used else None,
        best_high=grid.texts[used[-1]] if used else None,
        grid_low=grid.texts[0],
        grid_high=grid.texts[-1],
        is_at_edge=judged in (grid.texts[0], grid.texts[-1]) and judged not in BEYOND_NOTHING,
    )


def _neighbour(centre: FinalistRecord, point: Mapping[str, str], trial: Trial, shown: LandscapeMap | None) -> Neighbour:
    before = dict(centre.trial.parameters)
    moved = [name for name, text in point.items() if before.get(name) != text]
    own, best = objective_of(trial), objective_of(centre.trial)
    place = None if shown is None else indices_in(places_of((shown.x, shown.y)), tuple(point.items()))
    return Neighbour(
        number=trial.number,
        parameter=moved[0] if len(moved) == 1 else SEVERAL,
        moved=", ".join(f"{name} {before.get(name, '?')} to {point[name]}" for name in moved),
        ratio=(0.0 if own is None else own) / best if best is not None and best > 0 else None,
        net_pnl_usdt=None if trial.metrics is None else round(trial.metrics.net_pnl_usdt, 2),
        status=trial.status.value,
        x=None if place is None else place[0],
        y=None if place is None else place[1],
    )


def _median(values: Sequence[float]) -> float | None:
    return float(f"{statistics.median(values):.4g}") if values else None
