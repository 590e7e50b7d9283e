"""The plots over time: equity with its drawdown, and positions on price. No number is computed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_figure import Figure, Plot, axis
from copytrade_core.edges.reports.report_text import Document


def equity_plot(document: Document) -> Plot:
    """Equity, realised and marked, with its drawdown under it."""
    series = document["equity"]
    marked = {
        **_line("Marked at bar closes", series["marked_at_ms"], series["marked_usdt"], color="@blue", width=1.3),
        "hovertemplate": "%{x}<br>marked %{y:,.2f} USDT<extra></extra>",
    }
    realised = {
        **_line("Realised", series["realised_at_ms"], series["realised_usdt"], color="@ink", width=1.8, shape="hv"),
        "hovertemplate": "%{x}<br>realised %{y:,.2f} USDT<extra></extra>",
    }
    drawdown = {
        **_line("Drawdown, marked", series["marked_at_ms"], series["drawdown_ratio"], color="@orange", width=1),
        "yaxis": "y2",
        "fill": "tozeroy",
        "hovertemplate": "%{x}<br>drawdown %{y:.2%}<extra></extra>",
    }
    layout = {
        "xaxis": {"type": "date", "anchor": "y2"},
        "yaxis": axis("Equity, USDT", domain=[0.36, 1]),
        "yaxis2": axis("Drawdown", domain=[0, 0.28], tickformat=".0%", rangemode="tozero"),
        "height": 460,
        "hovermode": "x",
    }
    return Plot(
        name="equity",
        title="Equity, and how far it fell from its peak",
        note="Realised equity moves when a trade ends; marked equity shows what was open in between.",
        figure={"data": [marked, realised, drawdown], "layout": layout},
    )


def positions_plot(prices: Mapping[str, Any]) -> Plot:
    """One market's price with our entries, adds and exits on it."""
    market: str = prices["market"]
    line = {**_line("Close", prices["at_ms"], prices["close"], color="@grey", width=1), "hoverinfo": "skip"}
    traces = [line, *_held_lines(prices["fills"]), *_fill_marks(prices["fills"])]
    layout = {"xaxis": {"type": "date"}, "yaxis": axis(f"Price, {market.partition('/')[2].partition(':')[0]}")}
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


def _line(name: str, x: Sequence[int], y: Sequence[float], **style: str | float) -> Figure:
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y, "line": style}
