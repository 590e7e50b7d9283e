"""The plot of all parameters at once: every trial a line through its values.

No number is computed here but places on the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_figure import Figure, Plot, axis
from copytrade_core.edges.reports.report_text import Document
from copytrade_core.edges.reports.search_report_text import judged_label, parameter_name, parameter_tick, parameter_value

BARE = {"showticklabels": False, "showgrid": False, "zeroline": False}
GOLDEN = 0.618033988749895
"""Multiples of it, whole parts cut off, fall evenly: a shake that is the same every time."""


def coordinates_plot(document: Document) -> Plot | None:
    """Trials as lines through all parameters (parallel coordinates, turned so that labels can be read)."""
    grids: Sequence[Mapping[str, Any]] = document["coordinates"]["grids"]
    lines: Sequence[Mapping[str, Any]] = document["coordinates"]["lines"]
    shown = [axis_index for axis_index, grid in enumerate(grids) if len(grid["texts"]) > 1]
    if not lines or not shown:
        return None
    draw = [line for line in lines if line["kind"] == "draw"]
    thirds = (
        ("Worst third", [line for line in draw if line["rank_ratio"] < 1 / 3], "@orange", 0.4, 1.0),
        ("Middle third", [line for line in draw if 1 / 3 <= line["rank_ratio"] < 2 / 3], "@grey", 0.4, 1.0),
        ("Best third", [line for line in draw if line["rank_ratio"] >= 2 / 3], "@blue", 0.4, 1.0),
        ("Best 40 trials", [line for line in lines if line["kind"] == "best"], "@blue", 0.85, 1.5),
    )
    traces = [_paths(name, some, grids, shown, colour, opacity, width) for name, some, colour, opacity, width in thirds]
    judged = next((line for line in lines if line["kind"] == "judged"), None)
    if judged is not None:
        traces.append(_judged_path(document, judged, grids, shown))
    names = [grids[index]["name"] for index in shown]
    layout = {
        "xaxis": {**axis("Lowest to highest value", range=[-0.06, 1.06]), **BARE},
        "yaxis": {**rows_axis(names), "ticktext": [_with_range(grids[index]) for index in shown]},
        "annotations": _judged_values(judged, grids, shown),
        "height": 130 + 62 * len(shown),
    }
    return Plot(
        name="coordinates",
        title="All parameters at once",
        note="Each line is a trial that came through, going down through its values; each range stands under "
        "its name. Where the strong blue lines bundle, the best agree on a value; where they spread, the parameter "
        "hardly matters. Lines are shaken a little so that equal ones can be told apart.",
        figure={"data": [trace for trace in traces if trace["x"]], "layout": layout},
    )


def _paths(
    name: str,
    lines: Sequence[Mapping[str, Any]],
    grids: Sequence[Mapping[str, Any]],
    shown: Sequence[int],
    colour: str,
    opacity: float,
    width: float,
) -> Figure:
    """Many lines as one trace with gaps: one path in the page instead of hundreds."""
    xs: list[float | None] = []
    ys: list[int | None] = []
    for line in lines:
        shake = shaken(line["number"], 0.03)
        xs += [*(round(_place(grids[index], line["indices"][index]) + shake, 3) for index in shown), None]
        ys += [*range(len(shown)), None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": xs,
        "y": ys,
        "line": {"color": colour, "width": width},
        "opacity": opacity,
        "hoverinfo": "skip",
    }


def _judged_path(
    document: Document, line: Mapping[str, Any], grids: Sequence[Mapping[str, Any]], shown: Sequence[int]
) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": f"{judged_label(document)}, trial {line['number']:,}",
        "x": [round(_place(grids[i], line["indices"][i]), 3) for i in shown],
        "y": list(range(len(shown))),
        "text": [parameter_value(grids[i]["name"], grids[i]["texts"][line["indices"][i]]) for i in shown],
        "line": {"color": "@ink", "width": 2.5},
        "marker": {"size": 8, "color": "@ink"},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _judged_values(
    line: Mapping[str, Any] | None, grids: Sequence[Mapping[str, Any]], shown: Sequence[int]
) -> list[Figure]:
    """Annotations, not the text of the marks: only they have a ground that keeps lines out of them."""
    if line is None:
        return []
    return [
        {
            "x": round(_place(grids[i], line["indices"][i]), 3),
            "y": row,
            "text": f"<b>{parameter_tick(grids[i]['name'], grids[i]['texts'][line['indices'][i]])}</b>",
            "showarrow": False,
            "yshift": 15,
            "bgcolor": "@paper",
            "borderpad": 1,
            "font": {"size": 11},
        }
        for row, i in enumerate(shown)
    ]


def _place(grid: Mapping[str, Any], index: int) -> float:
    return index / (len(grid["texts"]) - 1)


def rows_axis(names: Sequence[str]) -> Figure:
    """One row per parameter, the first on top."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [_broken(parameter_name(name)) for name in names],
        "range": [len(names) - 0.45, -0.6],
        "zeroline": False,
    }


def _with_range(grid: Mapping[str, Any]) -> str:
    """A parameter with the ends of its range under it."""
    ends = [parameter_tick(grid["name"], grid["texts"][end]) for end in (0, -1)]
    return f'{_broken(parameter_name(grid["name"]))}<br><span style="font-size:10px">{ends[0]} to {ends[1]}</span>'


def shaken(number: int, reach: float) -> float:
    """How far a mark is moved aside so that equal ones can be told apart; by its trial's number, so always the same."""
    return (number * GOLDEN % 1 - 0.5) * reach


def _broken(name: str) -> str:
    """A label of at most two lines: the unit goes under the name."""
    return f"{name[0].upper()}{name[1:]}".replace(", ", ",<br>", 1)
