"""The plots of a search report as Plotly figures: how it went, whether train tells validation, and two of luck.

Parameters are drawn in `search_report_coordinates.py` and `search_report_ground.py`. Colours are names of the palette
(`@blue`), resolved in the page for light and dark. No number is computed here but places on the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_figure import Figure, Plot, axis
from copytrade_core.edges.reports.report_text import Document
from copytrade_core.edges.reports.search_report_coordinates import coordinates_plot
from copytrade_core.edges.reports.search_report_ground import map_plot, neighbours_plot
from copytrade_core.edges.reports.search_report_text import ORIGINS, judged_label, objective_name, probability, said

ORIGIN_COLOURS = {
    "qmc": "@blue",
    "grid": "@blue",
    "random": "@blue",
    "cma_es": "@orange",
    "tpe": "@green",
    "neighbour": "@purple",
    "manual": "@ink",
}
RANKS = (0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99)
"""Where the axis of ranks is labelled."""


def search_plots(document: Document) -> tuple[Plot, ...]:
    """All plots that this report has data for, in reading order."""
    candidates = (
        _history(document),
        coordinates_plot(document),
        map_plot(document),
        neighbours_plot(document),
        _train_and_validation(document),
        _sharpes(document),
        _logits(document),
    )
    return tuple(plot for plot in candidates if plot is not None)


def _history(document: Document) -> Plot | None:
    history = document["history"]
    if not history["numbers"]:
        return None
    shorter = _marks(document, "halved", None, "Left behind on a shorter train span", "circle-open", "@grey")
    outside = _marks(document, "pruned", None, "Outside a hard limit", "x-thin-open", "@grey")
    origins = list(dict.fromkeys(history["origins"]))
    through = [
        _marks(document, "complete", origin, said(ORIGINS, origin), "circle", ORIGIN_COLOURS.get(origin, "@ink"))
        for origin in origins
    ]
    best = {
        "type": "scatter",
        "mode": "lines",
        "name": "Best so far",
        "x": history["best_numbers"],
        "y": history["best_objectives"],
        "line": {"color": "@ink", "width": 2, "shape": "hv"},
        "hovertemplate": "best so far %{y:.3~g}<extra></extra>",
    }
    traces = [trace for trace in (shorter, outside, *through, best) if trace["x"]]
    top = max((*history["best_objectives"], *history["objectives"]))
    bottom = min(history["shown_from"], top)
    room, last = (top - bottom) * 0.06 or 0.5, max(history["best_numbers"] or history["numbers"]) or 1
    below = f" {history['below_count']:,} worse ones lie under the axis." if history["below_count"] else ""
    layout = {
        "xaxis": axis("Trial, in the order tried", range=[-0.01 * last, 1.01 * last], showgrid=False, zeroline=False),
        "yaxis": axis(f"Objective on train: {objective_name(document)}", range=[bottom - room, top + room]),
        "height": 460,
    }
    return Plot(
        name="history",
        title="How the search went",
        note=f"Each dot is a trial: {len(history['numbers']):,} shown of {history['total_count']:,}, evenly drawn from "
        "each kind. Colours: who proposed it. Grey ones were given up early, on fewer signals or outside a limit, so "
        f"their height is not comparable.{below} A line that rises late means the samplers still found better.",
        figure={"data": traces, "layout": layout},
    )


def _marks(document: Document, status: str, origin: str | None, name: str, symbol: str, colour: str) -> Figure:
    history = document["history"]
    rows = zip(history["numbers"], history["objectives"], history["origins"], history["statuses"], strict=True)
    shown = [(x, y) for x, y, by, end in rows if end == status and origin in (None, by)]
    faint = status != "complete"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x for x, _ in shown],
        "y": [y for _, y in shown],
        "marker": {"symbol": symbol, "size": 5 if faint else 4, "color": colour, "opacity": 0.5 if faint else 0.7},
        "hovertemplate": "trial %{x:,}: %{y:.3~g}<extra>" + name + "</extra>",
    }


def _train_and_validation(document: Document) -> Plot | None:
    both = document["validation"]
    if not both["points"]:
        return None
    correlation = both["rank_correlation"]
    order = (
        "too few to say whether the order holds"
        if correlation is None
        else f"rank correlation of the draw {correlation:+.2f} (1 = the same order on both, 0 = none)"
    )
    return Plot(
        name="train validation",
        title="Does train tell anything about validation?",
        note=f"Right: better on train. Up: better on validation. Skill makes the cloud rise to the right; a flat or "
        f"falling cloud says that being best on train is luck: {order}. The draw is shown for this picture "
        "only; nothing was chosen by it.",
        figure={
            "data": _part_traces(both),
            "layout": {
                "xaxis": axis("Sharpe ratio per round trip, train", zeroline=True),
                "yaxis": axis("Sharpe ratio per round trip, validation", zeroline=True),
                "height": 460,
            },
        },
    )


def _part_traces(both: Mapping[str, Any]) -> list[Figure]:
    points: Sequence[Mapping[str, Any]] = both["points"]
    looks = (
        ("draw", f"Drawn from all trials ({both['drawn_count']:,})", "circle", 5, "@grey", 0.45),
        ("struck_off", "Finalist, struck off", "x", 9, "@orange", 1),
        ("passed", "Finalist, nothing against it", "circle", 9, "@blue", 1),
        ("champion", "Champion", "star", 15, "@green", 1),
    )
    xs = [point["train_sharpe"] for point in points]
    ys = [point["validation_sharpe"] for point in points]
    low, high = max(min(xs), min(ys)), min(max(xs), max(ys))
    same = {
        "type": "scatter",
        "mode": "lines",
        "name": "Same on both",
        "x": [low, high],
        "y": [low, high],
        "line": {"color": "@grey", "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }
    traces = [same] if low < high else []
    for kind, name, symbol, diameter, colour, opacity in looks:
        shown = [point for point in points if point["kind"] == kind]
        if shown:
            traces.append(_part_marks(shown, name, symbol, diameter, colour, opacity))
    return traces


def _part_marks(
    shown: Sequence[Mapping[str, Any]], name: str, symbol: str, diameter: int, colour: str, opacity: float
) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [point["train_sharpe"] for point in shown],
        "y": [point["validation_sharpe"] for point in shown],
        "text": [
            f"trial {point['number']:,}: {point['train_net_usdt']:+,.2f} USDT on train, "
            f"{point['validation_net_usdt']:+,.2f} in {point['validation_trades_count']} on validation"
            for point in shown
        ],
        "marker": {"symbol": symbol, "size": diameter, "color": colour, "opacity": opacity},
        "hovertemplate": "%{text}<extra></extra>",
    }


def _sharpes(document: Document) -> Plot | None:
    spread = document["sharpes"]
    if spread is None:
        return None
    bins = spread["bins"]
    top = max(bins["counts"])
    bars = {**_bars(bins), "name": "Trials", "marker": {"color": "@blue", "opacity": 0.55}}
    bars["hovertemplate"] = "Sharpe ratio %{x:.2f}: %{y:,} trials<extra></extra>"
    label = judged_label(document)
    marks = [
        _mark(spread["judged"], top, f"{label}: {_two(spread['judged'])}", "@ink", "solid"),
        _mark(
            spread["expected_maximum"], top, f"Luck's best (SR0): {_two(spread['expected_maximum'])}", "@orange", "dash"
        ),
    ]
    left_out = bins["below_count"] + bins["above_count"]
    beyond = (
        f" {left_out:,} extreme ones ({_two(spread['lowest'])} to {_two(spread['highest'])}) are not drawn, but they "
        "widen the spread that the dashed line is made from."
        if left_out
        else ""
    )
    return Plot(
        name="sharpes",
        title="Everything that was tried, and the best that luck would give",
        note=f"Sharpe ratios of {spread['trials_count']:,} trials on this data, of all searches; those left behind "
        "early have that of their shorter span. The dashed line is what the best of so many tries without any skill is "
        f"expected to show: left of it, a policy is no better than luck.{beyond}",
        figure={
            "data": [bars, *(mark for mark in marks if mark is not None)],
            "layout": {
                "xaxis": axis("Sharpe ratio per round trip"),
                "yaxis": axis("Trials", rangemode="tozero"),
                "bargap": 0,
                "height": 360,
            },
        },
    )


def _logits(document: Document) -> Plot | None:
    spread = document["logits"]
    if spread is None:
        return None
    bins = spread["bins"]
    colours = ["@orange" if edge <= 0 else "@blue" for edge in bins["edges"][1:]]
    bars = {**_bars(bins), "marker": {"color": colours, "line": {"color": "@paper", "width": 1}}}
    bars["customdata"] = [
        f"{_rank(left)} to {_rank(right)}" for left, right in zip(bins["edges"], bins["edges"][1:], strict=False)
    ]
    bars["hovertemplate"] = "beats %{customdata} of the candidates: %{y:,} splits<extra></extra>"
    reach = bins["edges"][-1]
    ticks = [rank for rank in RANKS if abs(math.log(rank / (1 - rank))) <= reach]
    return Plot(
        name="logits",
        title=f"What became of the best of one half in the other: PBO {probability(spread['overfitting_ratio'])}",
        note=f"The train signals are cut into {spread['blocks_count']} blocks. In {spread['combinations_count']:,} "
        f"splits half of them choose the best of {spread['candidates_count']:,} candidates, the other half ranks it. "
        "Orange: there it was in the worse half, so choosing did not help; their share is the probability of backtest "
        "overfitting (PBO).",
        figure={
            "data": [bars],
            "layout": {
                "xaxis": axis(
                    "Beats this share in the other half",
                    tickvals=[round(math.log(rank / (1 - rank)), 4) for rank in ticks],
                    ticktext=[f"{rank:.0%}" for rank in ticks],
                    range=[bins["edges"][0], reach],
                ),
                "yaxis": axis("Splits", rangemode="tozero"),
                "showlegend": False,
                "bargap": 0,
                "height": 340,
            },
        },
    )


def _bars(bins: Mapping[str, Any]) -> Figure:
    pairs = list(zip(bins["edges"], bins["edges"][1:], strict=False))
    return {
        "type": "bar",
        "x": [round((left + right) / 2, 5) for left, right in pairs],
        "width": [round(right - left, 5) for left, right in pairs],
        "y": bins["counts"],
    }


def _mark(at: float | None, top: float, name: str, colour: str, dash: str) -> Figure | None:
    if at is None:
        return None
    line = {"color": colour, "width": 2.5, "dash": dash}
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [at, at],
        "y": [0, top],
        "line": line,
        "hoverinfo": "name",
    }


def _rank(logit: float) -> str:
    return f"{1 / (1 + math.exp(-logit)):.0%}"


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
