"""Sessions as tables of a materialisation. Imported where it runs."""

from collections.abc import Mapping

import dagster as dg

from copytrade_core.edges.stages.canary_store import PARITY, RECORD, Gathered, load_session
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.session_checks import check_session
from copytrade_dagster.tables import table

ROWS_MAX = 200
"""Rows that a page of the UI still shows at once; the document has all."""


def session_tables(place: Workplace, key: str) -> Mapping[str, dg.MetadataValue]:
    """Fills, checks and refusals of one session."""
    record = load_session(place, key)
    fills = [
        (fill.at_ms, fill.episode_id, "entry" if fill.is_entry else "exit", fill.side.value, f"{fill.notional / 1e8:g}")
        for fill in record.fills[-ROWS_MAX:]
    ]
    checks = [(one.name, "holds" if one.holds else "broken", one.says) for one in check_session(record)]
    return {
        "fills": table(("at_ms", "episode", "kind", "side", "notional_usdt"), fills),
        "session_checks": table(("check", "answer", "why"), checks),
        "refused_entries": table(("reason", "count"), sorted(record.refused.items())),
    }


def parity_table(place: Workplace, key: str) -> dg.MarkdownMetadataValue:
    """One row per intent, as the document has them."""
    document = place.lake.document_as(PARITY, key, dict[str, object])
    rows = document.get("rows")
    assert isinstance(rows, list), "a parity document has rows"
    columns = list(rows[0]) if rows else ["intent"]
    return table(columns, [[row[name] for name in columns] for row in rows[:ROWS_MAX]])


def record_table(place: Workplace, lead_id: str) -> dg.MarkdownMetadataValue:
    """One row per session of a lead."""
    found = place.lake.document_as(RECORD, lead_id, Gathered)
    columns = ("session", "observed", "ended", "entries", "exits", "failed polls", "broken", "alerts")
    rows = [
        (
            one.key,
            "yes" if one.is_observed else "no",
            one.ended or "not ended",
            one.entries_count,
            one.exits_count,
            f"{one.failed_polls_count} of {one.polls_count}",
            "; ".join(one.broken) or "none",
            "; ".join(one.alerts) or "none",
        )
        for one in found.sessions[-ROWS_MAX:]
    ]
    return table(columns, rows)
