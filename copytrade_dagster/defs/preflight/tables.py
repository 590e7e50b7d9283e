"""A preflight as tables of a materialisation: named scenarios, and how often each fault struck in each state."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from copytrade_dagster.tables import table


def scenarios_table(payload: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """One row per named scenario."""
    rows = [
        (row["name"], row["face"], "pass" if row["passed"] else "fail", "; ".join(row["unmet"]))
        for row in payload["scenarios"]
    ]
    return table(("scenario", "venue", "result", "what did not come out"), rows)


def coverage_table(payload: Mapping[str, Any]) -> dg.MarkdownMetadataValue:
    """One row per fault, call and state that was required or struck."""
    rows = [
        (cell["call"], cell["fault"], cell["state"], str(cell["count"]), "yes" if cell["required"] else "")
        for cell in payload["grid"]
    ]
    return table(("call", "fault", "state", "struck", "required"), rows)
