"""The plots of a report as Plotly figures (plain dicts), from the report document.

Colours are names of the palette (`@blue`), resolved in the page for light and dark. No number is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_figure import Figure, Plot, axis
from copytrade_core.edges.reports.report_tables import main_strategy
from copytrade_core.edges.reports.report_text import Document, delay_label
from copytrade_core.edges.reports.report_time_plots import equity_plot, positions_plot

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LOSS_TO_GAIN = [[0, "@orange"], [0.5, "@middle"], [1, "@blue"]]


def plots(document: Document) -> tuple[Plot, ...]:
    """All plots that this report has data for, in reading order."""
    if not document["round_trips"]:
        return ()
    return (
        _waterfall(document),
        equity_plot(document),
        *(positions_plot(prices) for prices in document["prices"]),
        _monthly(document),
        _excursions(document),
        _surface(document),
        _holding(document),
    )


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
        figure={"data": [trace], "layout": {"yaxis": axis("USDT", zeroline=True), "showlegend": False, "height": 340}},
    )


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
        "xaxis": axis("MAE: deepest open loss, USDT"),
        "yaxis": axis("MFE: highest open profit, USDT"),
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
    labels = [delay_label(document, delay) for delay in delays]
    trace = _heatmap([f"x{multiple:g}" for multiple in multiples], labels, grid, hover)
    layout = {
        "xaxis": axis("Slippage, multiple of the assumed", type="category", showgrid=False),
        "yaxis": axis("", type="category", showgrid=False),
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
        "xaxis": axis("Holding time, hours", rangemode="tozero"),
        "yaxis": axis("Trades"),
        "showlegend": False,
        "height": 320,
    }
    return Plot(
        name="holding",
        title="How long trades were held, hours",
        note="From the first fill to the last.",
        figure={"data": [trace], "layout": layout},
    )
