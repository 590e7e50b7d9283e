"""Words of a search report: parameters, samplers, statuses and figures as a reader sees them.

Tables and plots are elsewhere; no number is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from copytrade_core.edges.reports.report_text import NONE, Document, number, plain_usdt

ANSWERS = {"champion": "One survived", "none": "None survived"}

OBJECTIVE_NAMES = {
    "t_statistic": "t-statistic",
    "sharpe": "Sharpe ratio",
    "net_usdt": "net, USDT",
    "net_over_drawdown": "net over deepest fall",
}
ORIGINS = {
    "qmc": "Even spread (QMC)",
    "cma_es": "Evolution (CMA-ES)",
    "tpe": "Learned guess (TPE)",
    "grid": "Grid",
    "random": "Random",
    "neighbour": "Neighbours of finalists",
    "manual": "By hand",
}
STATUSES = {
    "complete": "Came through the whole train part",
    "halved": "Left behind on a shorter train span",
    "pruned": "Outside a hard limit",
    "aborted": "Could not be evaluated",
}
SAMPLERS = {
    "qmc": "QMC",
    "cma_es": "CMA-ES",
    "tpe": "TPE",
    "grid": "grid",
    "random": "random",
    "neighbour": "neighbour",
    "manual": "by hand",
}
"""Short, for columns."""
PARTS = {"train": "Train", "validation": "Validation", "holdout": "Holdout"}
PARAMETERS = {
    "ladder.target_frac": "Target, share of the strategy's",
    "ladder.base_frac": "Base leg, share of target",
    "ladder.dca_count": "Rungs",
    "ladder.step_1": "First step",
    "ladder.step_growth": "Step growth",
    "ladder.weight_1": "First rung, x base leg",
    "ladder.weight_growth": "Weight growth",
    "exit.tp": "Take-profit",
    "exit.sl": "Stop-loss",
    "exit.trailing_callback": "Trailing callback",
    "exit.ttl_hours": "Time limit, hours",
    "signal.side": "Side",
    "signal.signal_age_s_max": "Oldest signal, s",
    "signal.entry_drift_bps_max": "Largest drift at entry, bps",
}
"""A parameter that is not here is shown by its own name."""
AS_PERCENT = frozenset({"ladder.step_1", "exit.tp", "exit.sl", "exit.trailing_callback"})


def said(names: Mapping[str, str], name: str) -> str:
    """A name in words; one that is not known as it is."""
    return names.get(name, name)


def parameter_name(name: str) -> str:
    """A parameter in words."""
    return said(PARAMETERS, name)


def parameter_value(name: str, text: str | None) -> str:
    """A parameter's value: distances as per cent, "none" as it is."""
    if text is None:
        return NONE
    if name not in AS_PERCENT or text == "none":
        return text
    # Six decimals of a ratio are four of a per cent: nothing is rounded away, trailing zeros go.
    return f"{float(text) * 100:.4f}".rstrip("0").rstrip(".") + "%"


def parameter_tick(name: str, text: str) -> str:
    """The same with three digits, for axes and marks: how finely a value is meant does not belong there."""
    if name not in AS_PERCENT or text == "none":
        return text
    return f"{float(text) * 100:.3g}%"


def objective_name(document: Document) -> str:
    """What the search maximised, short, for axes and column heads."""
    return said(OBJECTIVE_NAMES, document["search"]["objective"])


def probability(value: float | None) -> str:
    """A probability as per cent; never 0 % or 100 % of something that is only nearly so."""
    if value is None:
        return NONE
    if 0 < value < 0.001:
        return "under 0.1%"
    return "over 99.9%" if 0.999 < value < 1 else f"{value * 100:.1f}%"


def luck_value(kind: str, value: float | None) -> str:
    """A figure about luck in its unit."""
    if value is None:
        return NONE
    if kind == "probability":
        return probability(value)
    if kind == "usdt":
        return f"{plain_usdt(value)} USDT"
    return f"{value:,.0f}" if kind == "count" else number(value)


def luck_meaning(row: Mapping[str, Any]) -> str:
    """What a figure about luck means, and why it is missing when it is."""
    return row["meaning"] if row["reason"] is None else f"Cannot be computed: {row['reason']}. {row['meaning']}"


def day(at_ms: int | None) -> str:
    """An instant as a UTC day and minute."""
    return NONE if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, tz=UTC):%Y-%m-%d %H:%M}"


def judged_label(document: Document) -> str:
    """What the figures about one policy are about: the champion, or the best finalist when there is none."""
    return "Champion" if document["conclusion"]["answer"] == "champion" else "Best finalist"
