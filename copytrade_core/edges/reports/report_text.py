"""Numbers and labels of a report as text, and what a table is. Every rendering writes them the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NONE = "–"
SIMULATED = "The market in this report is **simulated**. No number says anything about real money."

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, a sentence on it (may be empty), column heads and rows of text; the first column is a label."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def usdt(value: float | None) -> str:
    """Money with a sign and two decimals."""
    return NONE if value is None else f"{value:+,.2f}"


def plain_usdt(value: float | None) -> str:
    """Money without a forced sign."""
    return NONE if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    """A ratio as per cent."""
    return NONE if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """A plain number."""
    return NONE if value is None else f"{value:,.2f}"


def count(value: int | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{value:,}"


def span(seconds: float | None) -> str:
    """A time span in the largest unit that fits."""
    if seconds is None:
        return NONE
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} d"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def wrapped(policy: str) -> str:
    """A policy's name with spaces around the slashes, so that it can break into lines."""
    return policy.replace("/", " / ")


def delay_label(document: Document, delay_s: float) -> str:
    """A delay of the sweep with how many trades it left: each delay takes and skips signals of its own."""
    counts = sorted({row["trades_count"] for row in document["sensitivity"] if row["delay_s"] == delay_s})
    said = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{span(delay_s)}, {said} trades"
