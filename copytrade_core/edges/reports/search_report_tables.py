"""The tables of a search report: who was judged and how, in reading order.

No number is computed here; units and words only. What was counted and assumed is in `search_report_details.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_text import NONE, Document, Table, count, number, percent, plain_usdt, usdt
from copytrade_core.edges.reports.search_report_text import (
    SAMPLERS,
    judged_label,
    luck_meaning,
    luck_value,
    objective_name,
    parameter_name,
    parameter_value,
    said,
)

MAIN_LUCK_ROWS = 6
"""Figures about luck in the main table; the others are among the details."""

Metrics = Mapping[str, Any] | None


def judged_table(document: Document) -> Table | None:
    """The judged policy beside the strategy the search began from, on train and on validation."""
    finalists, base = document["finalists"], document["base"]
    judged = _judged(document)
    if judged is None:
        return None
    columns: list[tuple[str, Metrics]] = [
        (f"{judged_label(document)}, train", judged["trial"]["metrics"]),
        (f"{judged_label(document)}, validation", judged["validation"]),
        ("As it was, train", base["train"]),
        ("As it was, validation", base["validation"]),
    ]
    rows: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
        ("Net after all costs, USDT", "net_pnl_usdt", usdt),
        ("Round trips", "trades_count", count),
        ("Sharpe ratio, per round trip", "sharpe", number),
        ("Profit factor", "profit_factor", number),
        ("Deepest fall, marked at closes", "drawdown_marked_ratio", percent),
        ("Most held at once, USDT", "peak_gross_usdt", plain_usdt),
        (f"Objective: {objective_name(document)}", "objective", number),
    )
    return Table(
        title=f"Trial {judged['trial']['number']:,} beside the strategy it began from",
        note=f"The search varied {document['search']['strategy'].replace('/', ' / ')}; the last two columns are that "
        f"strategy untouched. Validation chose nobody: it only struck off some of {len(finalists)} finalists.",
        columns=("", *(name for name, _ in columns)),
        rows=tuple((label, *(_cell(metrics, field, form) for _, metrics in columns)) for label, field, form in rows),
    )


def luck_table(document: Document) -> Table:
    """The figures about luck with their meaning, or the reason why one is missing."""
    return Table(
        title="Could it be luck?",
        note=f"About the {judged_label(document).lower()} on the train part, which chose it. The first two decide.",
        columns=("", "Value", "Asked", "Passes?", "What it means"),
        rows=tuple(
            (
                row["name"],
                luck_value(row["kind"], row["value"]),
                row["limit"] or NONE,
                NONE if row["is_met"] is None else "yes" if row["is_met"] else "no",
                luck_meaning(row),
            )
            for row in document["luck"][:MAIN_LUCK_ROWS]
        ),
    )


def finalists_table(document: Document) -> Table:
    """Everyone who went to validation, and why they were struck off."""
    return Table(
        title="Finalists",
        note="The best sampled trials on train, more than a grid step apart, best first. The first against whom "
        "nothing speaks is taken; validation ranks nobody.",
        columns=(
            "Trial",
            f"Train {objective_name(document)}",
            "Train net, USDT",
            "Validation net, USDT",
            "Validation round trips",
            "Neighbours",
            "of them gain",
            "Their median, of its objective",
            "Verdict",
        ),
        rows=tuple(
            (
                f"{row['trial']['number']:,}",
                _cell(row["trial"]["metrics"], "objective", number),
                _cell(row["trial"]["metrics"], "net_pnl_usdt", usdt),
                _cell(row["validation"], "net_pnl_usdt", usdt),
                _cell(row["validation"], "trades_count", count),
                count(row["neighbours_count"]),
                percent(row["profitable_ratio"]),
                number(row["median_ratio"]),
                _verdict(row),
            )
            for row in document["finalists"]
        ),
    )


def best_table(document: Document) -> Table:
    """The best trials on train with all their parameters."""
    best: Sequence[Mapping[str, Any]] = document["best"]
    names = list(dict.fromkeys(name for row in best for name in row["parameters"]))
    return Table(
        title=f"The best {len(best)} trials on train",
        note="Being best of many is what luck looks like too: read the figures about luck before these. Neighbours of "
        "finalists are among them and cannot be chosen.",
        columns=(
            "Trial",
            "Found by",
            objective_name(document).capitalize(),
            "Net, USDT",
            "Round trips",
            "Sharpe per trip",
            "Profit factor",
            "Deepest fall",
            *(parameter_name(name) for name in names),
        ),
        rows=tuple(
            (
                f"{row['number']:,}",
                said(SAMPLERS, row["origin"]),
                _cell(row["metrics"], "objective", number),
                _cell(row["metrics"], "net_pnl_usdt", usdt),
                _cell(row["metrics"], "trades_count", count),
                _cell(row["metrics"], "sharpe", number),
                _cell(row["metrics"], "profit_factor", number),
                _cell(row["metrics"], "drawdown_marked_ratio", percent),
                *(parameter_value(name, row["parameters"].get(name)) for name in names),
            )
            for row in best
        ),
    )


def parameters_table(document: Document) -> Table:
    """What each parameter is worth, and where the best stand on it."""
    return Table(
        title="Which parameters matter",
        note="Explains: the share of the differences in the objective that lies between this parameter's values, "
        "taken alone; small for all of them means that only combinations matter, or nothing does.",
        columns=("", "In the space's file", "Explains", judged_label(document), "Best 20 use", "Space", "At its end?"),
        rows=tuple(
            (
                parameter_name(row["parameter"]),
                row["parameter"],
                percent(row["explained_ratio"]),
                parameter_value(row["parameter"], row["judged_value"]),
                _range(row, "best_low", "best_high"),
                _range(row, "grid_low", "grid_high"),
                "yes" if row["is_at_edge"] else "no",
            )
            for row in document["parameters"]
        ),
    )


def _judged(document: Document) -> Mapping[str, Any] | None:
    finalists: Sequence[Mapping[str, Any]] = document["finalists"]
    return next((row for row in finalists if row["is_champion"]), finalists[0] if finalists else None)


def _verdict(row: Mapping[str, Any]) -> str:
    if row["is_champion"]:
        return "champion"
    return "; ".join(row["reasons"]) or "nothing against it"


def _cell(metrics: Metrics, field: str, form: Callable[[Any], str]) -> str:
    return NONE if metrics is None else form(metrics[field])


def _range(row: Mapping[str, Any], low: str, high: str) -> str:
    ends = [parameter_value(row["parameter"], row[end]) for end in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
