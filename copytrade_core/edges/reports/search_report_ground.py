"""The plots of the ground around the best: the map of the two parameters that matter most, and its neighbours.

No number is computed here but places on the paper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_figure import Figure, Plot, axis
from copytrade_core.edges.reports.report_text import Document, percent
from copytrade_core.edges.reports.search_report_coordinates import rows_axis, shaken
from copytrade_core.edges.reports.search_report_text import (
    judged_label,
    objective_name,
    parameter_name,
    parameter_tick,
    parameter_value,
)

LOSS_TO_GAIN = [[0, "@orange"], [0.5, "@middle"], [1, "@blue"]]
LITTLE_TO_MUCH = [[0, "@middle"], [1, "@blue"]]
SHOWN_FROM = -1.0
"""A neighbour that loses more than the judged policy gains is counted, not drawn."""
TICKS_MAX = 9
"""Labels of one axis of the map; more would run into each other."""


def map_plot(document: Document) -> Plot | None:
    """The two parameters that explain most: median objective by cell, with the judged policy and its neighbours."""
    shown = document["landscape"]
    if shown is None:
        return None
    x, y = shown["x"], shown["y"]
    cells = _cells(document)
    if cells is None:
        return None
    layout = {
        "xaxis": {**_grid_axis(x), "tickangle": 0},
        # Without a stand-off the title would run into wide labels.
        "yaxis": {**_grid_axis(y), "title": {"text": parameter_name(y["name"]), "standoff": 12}},
        "height": 210 + max(240, 24 * min(len(y["texts"]), 20)),
        "annotations": [_under_the_axis(parameter_name(x["name"]))],
        "margin": {"l": 8, "r": 8, "t": 10, "b": 84},
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
    }
    return Plot(
        name="map",
        title="The ground around it: the two parameters that matter most",
        note="Colour: the middle trial of each cell, whatever its other parameters were. A broad strong patch around "
        "the star is a plateau; one strong cell among weak ones is luck. A dot in a cell: tried, but none came "
        "through; empty: not tried.",
        figure={"data": [cells, *_map_marks(document)], "layout": layout},
    )


def _cells(document: Document) -> Figure | None:
    shown = document["landscape"]
    x, y = shown["x"], shown["y"]
    values = [value for row in shown["objectives"] for value in row if value is not None]
    if not values:
        return None
    return {
        "type": "heatmap",
        "x": _edges(shown, "x"),
        "y": _edges(shown, "y"),
        "z": shown["objectives"],
        "text": _empty_marks(shown),
        "texttemplate": "%{text}",
        "customdata": _cell_words(shown),
        "xgap": 1,
        "ygap": 1,
        "colorbar": {
            "title": {"text": f"Median objective: {objective_name(document)}", "side": "top"},
            "orientation": "h",
            "thickness": 10,
            "y": 1.01,
            "yanchor": "bottom",
        },
        **({"colorscale": LITTLE_TO_MUCH} if min(values) >= 0 else {"colorscale": LOSS_TO_GAIN, "zmid": 0}),
        "hovertemplate": f"{parameter_name(x['name'])} %{{customdata[0]}}<br>{parameter_name(y['name'])} "
        "%{customdata[1]}<br>%{customdata[2]:,} of %{customdata[3]:,} came through<br>median %{z:.3~g}<extra></extra>",
    }


def _empty_marks(shown: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["·" if tried and not complete else "" for complete, tried in zip(*rows, strict=True)]
        for rows in zip(shown["complete_counts"], shown["tried_counts"], strict=True)
    ]


def _edges(shown: Mapping[str, Any], name: str) -> list[float]:
    """Edges of the cells along one side, in grid indices: the last cell may hold fewer values."""
    count, step = len(shown[name]["texts"]), shown[f"{name}_step"]
    return [*(index - 0.5 for index in range(0, count, step)), count - 0.5]


def _cell_names(shown: Mapping[str, Any], name: str) -> list[str]:
    grid, step = shown[name], shown[f"{name}_step"]
    values = [parameter_value(grid["name"], text) for text in grid["texts"]]
    groups = [values[start : start + step] for start in range(0, len(values), step)]
    return [group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}" for group in groups]


def _cell_words(shown: Mapping[str, Any]) -> list[list[list[str | int]]]:
    """Values and counts of every cell, for its label."""
    xs, ys = _cell_names(shown, "x"), _cell_names(shown, "y")
    return [
        [[xs[i], ys[j], shown["complete_counts"][j][i], tried] for i, tried in enumerate(row)]
        for j, row in enumerate(shown["tried_counts"])
    ]


def _under_the_axis(title: str) -> Figure:
    """The title below the labels: with a legend below it, an axis sets its own among them."""
    return {
        "text": title,
        "x": 0.5,
        "y": 0,
        "xref": "paper",
        "yref": "paper",
        "yanchor": "top",
        "yshift": -26,
        "showarrow": False,
        "font": {"size": 14},
    }


def _grid_axis(grid: Mapping[str, Any]) -> Figure:
    """An axis of grid indices with their values as labels, thinned, the last one always there."""
    count = len(grid["texts"])
    step = -(-count // TICKS_MAX)
    shown = sorted(
        {*range(0, count, step), count - 1} - ({(count - 1) // step * step} if (count - 1) % step else set())
    )
    return {
        "automargin": True,
        "tickvals": shown,
        "ticktext": [parameter_tick(grid["name"], grid["texts"][index]) for index in shown],
        "range": [-0.5, count - 0.5],
        "showgrid": False,
        "zeroline": False,
    }


def _map_marks(document: Document) -> list[Figure]:
    shown, plateau = document["landscape"], document["plateau"]
    if plateau is None or shown["judged_x"] is None:
        return []
    centre = (shown["judged_x"], shown["judged_y"])
    around = [one for one in plateau["neighbours"] if one["x"] is not None and (one["x"], one["y"]) != centre]
    counts = Counter((one["x"], one["y"]) for one in around)
    gains = Counter((one["x"], one["y"]) for one in around if _gains(one))
    neighbours = {
        "type": "scatter",
        "mode": "markers",
        "name": "Its neighbours",
        "x": [i for i, _ in counts],
        "y": [j for _, j in counts],
        "text": [f"{count} neighbours here, {gains[place]} gain" for place, count in counts.items()],
        "marker": {"symbol": "circle-open", "size": 11, "color": "@ink", "line": {"width": 2}},
        "hovertemplate": "%{text}<extra></extra>",
    }
    star = {
        "type": "scatter",
        "mode": "markers",
        "name": f"{judged_label(document)}, trial {plateau['number']:,}",
        "x": [centre[0]],
        "y": [centre[1]],
        "marker": {"symbol": "star", "size": 17, "color": "@ink", "line": {"color": "@paper", "width": 1}},
        "hoverinfo": "name",
    }
    return [neighbours, star] if counts else [star]


def neighbours_plot(document: Document) -> Plot | None:
    """Every neighbour of the judged policy, by the parameter that was moved."""
    plateau = document["plateau"]
    if plateau is None:
        return None
    shown = [one for one in plateau["neighbours"] if one["ratio"] is not None]
    if not shown:
        return None
    rows = list(dict.fromkeys(one["parameter"] for one in shown))
    ratios = [one["ratio"] for one in shown]
    beyond = sum(ratio < SHOWN_FROM for ratio in ratios)
    looks = (("Gains", True, "circle", "@blue"), ("Loses, or outside a limit", False, "x", "@orange"))
    traces = [
        _strip([one for one in shown if _gains(one) is won], rows, name, symbol, c) for name, won, symbol, c in looks
    ]
    median = plateau["median_ratio"]
    layout = {
        "xaxis": axis(
            "Objective, share of the judged one's",
            tickformat=".0%",
            zeroline=True,
            range=[max(SHOWN_FROM, min(0.0, *ratios)) - 0.05, max(1.0, *ratios) + 0.05],
        ),
        "yaxis": rows_axis(rows),
        "height": 130 + 34 * len(rows),
    }
    marks = [_upright("The judged policy itself", 1.0, len(rows), "solid")]
    if median is not None:
        marks.append(_upright(f"Median of its neighbours, {percent(median)}", median, len(rows), "dash"))
    return Plot(
        name="neighbours",
        title=f"One step aside: the neighbours of trial {plateau['number']:,}",
        note="Each mark is a neighbour on the grid, in the row of the parameter that was moved; 100% is the judged "
        "policy itself. On a plateau the marks stay close to it; marks far left show a parameter that must be hit "
        f"exactly.{f' {beyond} lie farther left than this plot.' if beyond else ''}",
        figure={"data": [*marks, *(trace for trace in traces if trace["x"])], "layout": layout},
    )


def _strip(some: Sequence[Mapping[str, Any]], rows: Sequence[str], name: str, symbol: str, colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [round(one["ratio"], 4) for one in some],
        "y": [round(rows.index(one["parameter"]) + shaken(one["number"], 0.5), 3) for one in some],
        "text": [f"trial {one['number']:,}: {one['moved']}" for one in some],
        "marker": {"symbol": symbol, "size": 8, "color": colour, "opacity": 0.75},
        "hovertemplate": "%{text}<br>%{x:.0%}<extra></extra>",
    }


def _upright(name: str, at: float, rows_count: int, dash: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [at, at],
        "y": [-0.6, rows_count - 0.45],
        "line": {"color": "@ink", "width": 1.5, "dash": dash},
        "hoverinfo": "name",
    }


def _gains(neighbour: Mapping[str, Any]) -> bool:
    return neighbour["status"] == "complete" and (neighbour["net_pnl_usdt"] or 0) > 0
