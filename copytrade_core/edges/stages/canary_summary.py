"""One session as a row for people and machines: how it ended, what it did, and its parity with replay."""

from __future__ import annotations

from copytrade_core.edges.stages.canary import CanarySession
from copytrade_core.edges.stages.canary_parity import compare_session
from copytrade_core.edges.stages.canary_store import PARITY, load_session, session_facts, session_key
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.session_checks import check_session
from copytrade_core.model.units import money_to_float

Row = dict[str, object]
CAUSES = (
    "observation_delay",
    "decision",
    "spread",
    "slippage",
    "fee",
    "funding",
    "rounding",
    "skipped",
    "partial",
    "missed",
    "residual",
)


def session_row(place: Workplace, found: CanarySession, *, lead: str, day: str, mode: str) -> Row:
    """The session and, for one on paper, its comparison with replay, made and stored here."""
    key = session_key(day, lead)
    record = load_session(place, key, asset=found.outcome.heads[0].asset)
    facts = session_facts(record)
    row: Row = {
        "day": day,
        "ended": found.ended,
        "observed": record.is_observed,
        "entries": facts.entries_count,
        "exits": facts.exits_count,
        "refused": sum(record.refused.values()),
        "refused_by_reason": dict(record.refused),
        "result_usdt": money_to_float(record.cash - record.initial_equity),
        "equity_usdt": money_to_float(record.equity),
        "alerts": list(facts.alerts),
        "broken": list(facts.broken),
        "checks": {one.name: one.holds for one in check_session(record)},
        "folder": str(found.folder),
    }
    return {**row, "parity": parity_of(place, key)} if mode == "paper" else row


def parity_of(place: Workplace, key: str) -> Row:
    """The comparison of a stored session with replay, and one short line per intent."""
    _ = compare_session(place, key)
    document = place.lake.document_as(PARITY, key, dict[str, object])
    facts, rows = document["gate_facts"], document["rows"]
    assert isinstance(facts, dict), "a parity document has facts"
    assert isinstance(rows, list), "a parity document has rows"
    return {
        **{name: facts[name] for name in ("compared_count", "difference_bps_mean", "residual_bps_max", "missed")},
        "episodes_not_comparable": document["episodes_not_comparable"],
        "rows": [_line(row) for row in rows],
    }


def _line(row: Row) -> Row:
    line: Row = {
        "episode": str(row["episode_id"]).rpartition("|")[2],
        "intent": f"{row['kind']} {row['leg']}",
        "market": row["market"],
        "replay_price": row["replay_price"],
        "paper_price": row["paper_price"],
    }
    return {**line, "total": row["total_bps"], **{cause: row[f"{cause}_bps"] for cause in CAUSES}}
