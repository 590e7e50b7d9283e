"""Sessions as tables and pictures of a materialisation. Imported where it runs."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from copytrade_core.edges.runtime.session_equity import session_equity
from copytrade_core.edges.stages.canary_store import RECORD, SESSION, Gathered, load_session
from copytrade_core.edges.stages.canary_summary import session_row
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.session_checks import check_session
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.model.units import money_to_float
from copytrade_dagster.tables import line_plot, table

ROWS_MAX = 200
"""Rows that a page of the UI still shows at once; the document has all."""


def session_tables(place: Workplace, key: str) -> Mapping[str, dg.MetadataValue]:
    """Equity, fills, checks and refusals of one session."""
    record, head = load_session(place, key), place.lake.require(SESSION, key)
    curve = session_equity(place.settings.data_dir / str(head.metadata["folder"]), record.run_ids)
    checks = [(one.name, "holds" if one.holds else "broken", one.says) for one in check_session(record)]
    return {
        "equity": line_plot("Equity of the session at marks", "USDT", [usdt for _, usdt in curve]),
        "posted_fills": _fills(record),
        "checks": table(("check", "answer", "why"), checks),
        "refused": table(("entries refused because of", "count"), sorted(record.refused.items())),
    }


def _fills(record: SessionRecord) -> dg.MarkdownMetadataValue:
    """The narrow columns first: a page shows no more than it is wide."""
    rows = [
        (
            f"{datetime.fromtimestamp(fill.at_ms / 1000, tz=UTC):%m-%d %H:%M:%S}",
            f"{'enters' if fill.is_entry else 'leaves'} {fill.side.value}",
            fill.market.partition(":")[0],
            f"{money_to_float(fill.notional):.2f}",
            f"{money_to_float(fill.fee):.4f}",
            fill.episode_id.rpartition("|")[2],
        )
        for fill in record.fills[-ROWS_MAX:]
    ]
    return table(("UTC", "fill", "market", "USDT", "fee USDT", "episode"), rows)


def parity_table(place: Workplace, key: str) -> dg.MarkdownMetadataValue:
    """One row per intent: the price on each path, what differs from replay, and what that is made of."""
    parity = session_row(place, key)["parity"]
    assert isinstance(parity, dict), "a session that was compared has its comparison"
    beside = parity["has_shadow"]
    rows = [
        (
            line["intent"],
            line["market"].partition(":")[0],
            line["replay_price"],
            line["paper_price"],
            *_difference(line["total_bps"], line["causes_bps"]),
            *(
                (line["shadow_price"], *_difference(line["shadow_total_bps"], line["shadow_causes_bps"]))
                if beside
                else ()
            ),
            line["episode"],
        )
        for line in parity["rows"][:ROWS_MAX]
    ]
    shadow = ("shadow", "shadow worse by bps", "because of (bps)") if beside else ()
    columns = ("intent", "market", "replay", "paper", "paper worse by bps", "because of (bps)", *shadow, "episode")
    return table(columns, rows)


def _difference(total_bps: float | None, causes_bps: Mapping[str, float]) -> tuple[str, str]:
    """By how much a path did worse than replay, and why."""
    worse = "–" if total_bps is None else f"{total_bps:.2f}"
    return worse, ", ".join(f"{name} {bps:.2f}" for name, bps in causes_bps.items()) or "–"


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
