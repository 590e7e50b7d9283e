"""Incidents as a table of a materialisation. Imported where it runs."""

import dagster as dg

from copytrade_core.edges.stages.canary_store import INCIDENTS
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_dagster.tables import table

ROWS_MAX = 200
COLUMNS = ("incident", "severity", "state", "session", "subject", "what", "delivery")


def incident_table(place: Workplace, lead_id: str) -> dg.MarkdownMetadataValue:
    """One row per incident, the newest last."""
    document = place.lake.document_as(INCIDENTS, lead_id, dict[str, object])
    rows = document.get("incidents")
    assert isinstance(rows, list), "the document lists incidents"
    return table(COLUMNS, [[row[name] for name in COLUMNS] for row in rows[-ROWS_MAX:]])
