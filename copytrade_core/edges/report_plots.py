"""The plots of a report as Plotly figures (plain dicts), from the report document.

Colours are names of the palette (`@blue`), resolved in the page for light and dark. No number is computed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from copytrade_core.edges.report_tables import Document, main_strategy, span

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LOSS_TO_GAIN = [[0, "@orange"], [0.5, "@middle"], [1, "@blue"]]
Figure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure with its heading and one sentence on how to read it."""

    name: str
    title: str
    note: str
    figure: Figure


def plots(document: Document) -> tuple[Plot, ...]:
    """All plots that this report has data for, in reading order."""
    if not document["round_trips"]:
        return ()
    return (
        _waterfall(document),
        _equity(document),
        *(_positions(prices) for prices in document["prices"]),
        _monthly(document),
        _excursions(document),
        _surface(document),
        _holding(document),
    )


def figures_json(shown: Sequence[Plot]) -> str:
    """The figures by name as JSON that may stand inside a script element."""
    text = json.dumps({plot.name: plot.figure for plot in shown}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _axis(title: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"title": {"text": title}, "automargin": True, **more}


def _waterfall(document: Document) -> Plot:
    measured = main_strategy(document)["measures"]
    # Adding zero turns -0.0 into 0.0.
    costs = [0.0 - measured[name] + 0.0 for name in ("fees_usdt", "slippage_usdt", "funding_usdt")]
    steps = [measured["gross_pnl_usdt"], *costs]
    left_out = any(finding["code"] == "funding_missing" for finding in document["findings"])
    net = measured["net_pnl_usdt"]
    trace = {
        "type": "waterfall",
        "x": ["Raw prices", "Fees", "Slippage", "Funding<br>(left out)" if left_out else "Funding", "Net"],
        "measure": ["absolute", "relative", "relative", "relative", "total"],
        "y": [*steps, net],
        "text": [f"{value:+,.2f}" for value in [*steps, net]],
        "textposition": "outside",
        "cliponaxis": False,
        "increasing": {"marker": {"color": "@blue"}},
        "decreasing": {"marker": {"color": "@orange"}},
        "totals": {"marker": {"color": "@grey"}},
        "connector": {"line": {"color": "@grey", "width": 1}},
        "hovertemplate": "%{x}: %{text} USDT<extra></extra>",
    }
    return Plot(
        name="waterfall",
        title="What costs take, USDT",
        note="From the result at raw prices to the net that is left.",
        figure={"data": [trace], "layout": {"yaxis": _axis("USDT", zeroline=True), "showlegend": False, "height": 340}},
    )


def _equity(document: Document) -> Plot:
    series = document["equity"]
    marked = {
        "type": "scatter",
        "mode": "lines",
        "name": "Marked at bar closes",
        "x": series["marked_at_ms"],
        "y": series["marked_usdt"],
        "line": {"color": "@blue", "width": 1.3},
        "hovertemplate": "%{x}<br>marked %{y:,.2f} USDT<extra></extra>",
    }
    realised = {
        "type": "scatter",
        "mode": "lines",
        "name": "Realised",
        "x": series["realised_at_ms"],
        "y": series["realised_usdt"],
        "line": {"color": "@ink", "width": 1.8, "shape": "hv"},
        "hovertemplate": "%{x}<br>realised %{y:,.2f} USDT<extra></extra>",
    }
    drawdown = {
        "type": "scatter",
        "mode": "lines",
        "name": "Drawdown, marked",
        "x": series["marked_at_ms"],
        "y": series["drawdown_ratio"],
        "yaxis": "y2",
        "fill": "tozeroy",
        "line": {"color": "@orange", "width": 1},
        "hovertemplate": "%{x}<br>drawdown %{y:.2%}<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": _axis("Equity, USDT", domain=[0.36, 1]),
        "yaxis2": _axis("Drawdown", domain=[0, 0.28], tickformat=".0%", rangemode="tozero"),
        "height": 460,
        "hovermode": "x",
    }
    return Plot(
        name="equity",
        title="Equity, and how far it fell from its peak",
        note="Realised equity moves when a trade ends; marked equity shows what was open in between.",
        figure={"data": [marked, realised, drawdown], "layout": layout},
    )


def _positions(prices: Mapping[str, Any]) -> Plot:
    market: str = prices["market"]
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Close",
        "x": prices["at_ms"],
        "y": prices["close"],
        "line": {"color": "@grey", "width": 1},
        "hoverinfo": "skip",
    }
    traces = [line, *_held_lines(prices["fills"]), *_fill_marks(prices["fills"])]
    layout = {"xaxis": {"type": "date"}, "yaxis": _axis(f"Price, {market.partition('/')[2].partition(':')[0]}")}
    return Plot(
        name=f"positions {market}",
        title=f"Our positions on {market}",
        note="Each line joins a trade's first entry to its exit.",
        figure={"data": traces, "layout": {**layout, "height": 460}},
    )


def _held_lines(fills: Sequence[Mapping[str, Any]]) -> list[Figure]:
    traces: list[Figure] = []
    for side, colour in (("long", "@blue"), ("short", "@orange")):
        at: list[int | None] = []
        price: list[float | None] = []
        first: dict[str, Mapping[str, Any]] = {}
        for fill in fills:
            if fill["side"] != side:
                continue
            if fill["kind"] == "open":
                first[fill["episode_id"]] = fill
            elif fill["kind"] == "close" and (entry := first.pop(fill["episode_id"], None)) is not None:
                at += [entry["at_ms"], fill["at_ms"], None]
                price += [entry["price"], fill["price"], None]
        if at:
            style = {"color": colour, "width": 1.5, "dash": "dot"}
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "x": at,
                    "y": price,
                    "line": style,
                    "showlegend": False,
                    "hoverinfo": "skip",
                }
            )
    return traces


def _fill_marks(fills: Sequence[Mapping[str, Any]]) -> list[Figure]:
    looks = (
        ("Long entry", "long", ("open",), "triangle-up", 10, "@blue"),
        ("Short entry", "short", ("open",), "triangle-down", 10, "@orange"),
        ("Add", None, ("add",), "circle-open", 6, "@green"),
        ("Exit", None, ("close", "reduce"), "x", 8, "@ink"),
    )
    traces: list[Figure] = []
    for name, side, kinds, symbol, diameter, colour in looks:
        shown = [fill for fill in fills if fill["kind"] in kinds and side in (None, fill["side"])]
        if shown:
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": [fill["at_ms"] for fill in shown],
                    "y": [fill["price"] for fill in shown],
                    "text": [f"{fill['side']} {fill['kind']} {fill['leg']}" for fill in shown],
                    "marker": {"symbol": symbol, "size": diameter, "color": colour},
                    "hovertemplate": "%{text}<br>%{x}<br>%{y:,.4~f}<extra></extra>",
                }
            )
    return traces


def _monthly(document: Document) -> Plot:
    months: Sequence[Mapping[str, Any]] = document["monthly"]
    years = sorted({row["year"] for row in months})
    numbers = range(1, 13) if len(years) > 1 else range(months[0]["month"], months[-1]["month"] + 1)
    nets = {(row["year"], row["month"]): row["net_pnl_usdt"] for row in months}
    # Months down, years across: twelve columns would not fit a phone.
    grid = [[nets.get((year, month)) for year in years] for month in numbers]
    layout = {
        "xaxis": {"type": "category", "showgrid": False, "side": "top"},
        "yaxis": {"type": "category", "showgrid": False, "autorange": "reversed"},
        "height": 90 + 30 * len(grid),
    }
    hover = "%{y} %{x}: %{text} USDT<extra></extra>"
    trace = _heatmap([str(year) for year in years], [MONTHS[month - 1] for month in numbers], grid, hover)
    return Plot(
        name="monthly",
        title="Net by month, USDT",
        note="Trades count in the month they ended in (UTC).",
        figure={"data": [trace], "layout": layout},
    )


def _heatmap(x: Sequence[str], y: Sequence[str], grid: Sequence[Sequence[float | None]], hover: str) -> Figure:
    return {
        "type": "heatmap",
        "x": list(x),
        "y": list(y),
        "z": grid,
        "text": [["" if net is None else f"{net:+.1f}" for net in row] for row in grid],
        "texttemplate": "%{text}",
        "colorscale": LOSS_TO_GAIN,
        "zmid": 0,
        "xgap": 2,
        "ygap": 2,
        "showscale": False,
        "hovertemplate": hover,
    }


def _excursions(document: Document) -> Plot:
    traces: list[Figure] = []
    for name, won, symbol, colour in (("Winners", True, "circle", "@blue"), ("Losers", False, "x", "@orange")):
        rows = [row for row in document["round_trips"] if (row["pnl_usdt"] > 0) is won]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [row["mae_usdt"] for row in rows],
                "y": [row["mfe_usdt"] for row in rows],
                "text": [f"{row['market']} {row['side']}, net {row['pnl_usdt']:+.2f} USDT" for row in rows],
                "marker": {"symbol": symbol, "size": 9, "color": colour, "opacity": 0.85},
                "hovertemplate": "%{text}<br>MAE %{x:.2f}, MFE %{y:.2f} USDT<extra></extra>",
            }
        )
    layout = {
        "xaxis": _axis("MAE: deepest open loss, USDT"),
        "yaxis": _axis("MFE: highest open profit, USDT"),
        "height": 420,
    }
    return Plot(
        name="excursions",
        title="How far each trade went against us and for us (MAE, MFE)",
        note="Losers far up had a profit that was not taken; winners far left were nearly not winners.",
        figure={"data": traces, "layout": layout},
    )


def _surface(document: Document) -> Plot:
    cells = {(row["delay_s"], row["slippage_multiple"]): row["net_pnl_usdt"] for row in document["sensitivity"]}
    delays, multiples = sorted({delay for delay, _ in cells}), sorted({multiple for _, multiple in cells})
    grid = [[cells.get((delay, multiple)) for multiple in multiples] for delay in delays]
    hover = "delay %{y}, slippage %{x}: %{text} USDT<extra></extra>"
    trace = _heatmap([f"x{multiple:g}" for multiple in multiples], [span(delay) for delay in delays], grid, hover)
    layout = {
        "xaxis": _axis("Slippage, multiple of the assumed", type="category", showgrid=False),
        "yaxis": _axis("Delay", type="category", showgrid=False),
        "height": 340,
    }
    return Plot(
        name="surface",
        title="Net by delay and slippage, USDT",
        note="A result that lives only in the lower left corner is not ours to have.",
        figure={"data": [trace], "layout": layout},
    )


def _holding(document: Document) -> Plot:
    hours = [row["holding_time_s"] / 3600 for row in document["round_trips"]]
    trace = {
        "type": "histogram",
        "x": hours,
        "nbinsx": 30,
        "marker": {"color": "@blue", "line": {"color": "@paper", "width": 1}},
        "hovertemplate": "%{x} h: %{y} trades<extra></extra>",
    }
    layout = {
        "xaxis": _axis("Holding time, hours", rangemode="tozero"),
        "yaxis": _axis("Trades"),
        "showlegend": False,
        "height": 320,
    }
    return Plot(
        name="holding",
        title="How long trades were held, hours",
        note="From the first fill to the last.",
        figure={"data": [trace], "layout": layout},
    )
