"""Desired orders as a table of a materialisation. Imported where it runs."""

import dagster as dg

from copytrade_core.edges.stages.shadow_summary import desired_lines
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_dagster.tables import table

ROWS_MAX = 200
"""Rows that a page of the UI still shows at once; the document has all."""


def desired_table(place: Workplace, key: str) -> dg.MarkdownMetadataValue:
    """One row per order that would have been sent: what it does, its fault, every field."""
    columns = ("at", "market", "intent", "does", "rounding_bps", "fault", "request")
    rows = [
        [
            *(line[name] for name in columns[:4]),
            "unknown" if line["rounding_bps"] is None else line["rounding_bps"],
            line["fault"] or "none",
            line["request"],
        ]
        for line in desired_lines(place, key)[-ROWS_MAX:]
    ]
    return table(columns, rows)
