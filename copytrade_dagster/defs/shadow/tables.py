"""Desired orders as a table of a materialisation. Imported where it runs."""

from datetime import datetime

import dagster as dg

from copytrade_core.edges.stages.shadow_summary import desired_lines
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_dagster.tables import table

ROWS_MAX = 200
"""Rows that a page of the UI still shows at once; the document has all."""
COLUMNS = ("UTC", "does", "market", "intent", "fault", "rounding bps", "request")
"""The narrow ones first: a page shows no more than it is wide."""


def desired_table(place: Workplace, key: str) -> dg.MarkdownMetadataValue:
    """One row per order that would have been sent: what it does, its fault, every field."""
    rows = [
        (
            f"{datetime.fromisoformat(str(line['at'])):%m-%d %H:%M:%S}",
            line["does"],
            str(line["market"]).partition(":")[0],
            line["intent"],
            line["fault"] or "none",
            "unknown" if line["rounding_bps"] is None else line["rounding_bps"],
            _fields(line["request"]),
        )
        for line in desired_lines(place, key)[-ROWS_MAX:]
    ]
    return table(COLUMNS, rows)


def _fields(request: object) -> str:
    """`symbol BTC-USDT, side BUY, …`: breaks where a page is narrow. An order that cannot be asked for has none."""
    if not isinstance(request, dict):
        return "none"
    return ", ".join(f"{name} {value}" for name, value in request.items()) or "none"
