"""One paper session as a row for people and machines: how it ended, what it did, and its parity with replay."""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.edges.stages.canary_leads import lead_rows
from copytrade_core.edges.stages.canary_parity import compare_session
from copytrade_core.edges.stages.canary_plan import is_group
from copytrade_core.edges.stages.canary_store import PARITY, SESSION, load_session, session_facts
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.session_checks import check_session
from copytrade_core.model.units import MONEY_SCALE, money_to_float

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


def session_row(place: Workplace, key: str) -> Row:
    """A stored paper session with its comparison with replay, made and stored here where it is not yet.

    Raises:
        NotStored: no such session, or what a comparison needs is gone.
        StoreFault: stored bytes were changed.
    """
    record, head = load_session(place, key), place.lake.require(SESSION, key)
    facts = session_facts(record)
    compared = place.lake.head(PARITY, key)
    # Replay has one account for one lead, so there is nothing to compare a group's shared account with.
    alone = not is_group(record.lead)
    if alone and (compared is None or head.digest not in compared.parents.values()):
        _ = compare_session(place, key)
    folder = place.settings.data_dir / str(head.metadata.get("folder"))
    return {
        "day": record.day,
        "ended": record.ended or "not ended",
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
        "folder": str(folder),
        "parity": _parity(place, key) if alone else None,
        "leads": [] if alone else lead_rows(record, folder),
        "caps_over_all": {} if alone else _caps_over_all(record.caps),
    }


def _caps_over_all(caps: Mapping[str, int]) -> Row:
    money = ("notional_gross", "notional_one_side", "daily_loss")
    return {
        **{f"{name}_usdt": caps[f"{name}_max"] / MONEY_SCALE for name in money},
        "orders_per_hour": caps["orders_per_hour_max"],
    }


def _parity(place: Workplace, key: str) -> Row:
    document = place.lake.document_as(PARITY, key, dict[str, object])
    facts, rows = document["gate_facts"], document["rows"]
    assert isinstance(facts, dict), "a parity document has facts"
    assert isinstance(rows, list), "a parity document has rows"
    return {
        **{name: facts[name] for name in ("compared_count", "difference_bps_mean", "residual_bps_max", "missed")},
        "episodes_not_comparable": document["episodes_not_comparable"],
        "has_shadow": document.get("shadow_summary") is not None,
        "rows": [_line(row) for row in rows],
    }


def _line(row: Row) -> Row:
    line: Row = {
        "episode": str(row["episode_id"]).rpartition("|")[2],
        "intent": f"{row['kind']} {row['leg']}",
        "market": row["market"],
        "replay_price": row["replay_price"],
        "paper_price": row["paper_price"],
        "shadow_price": row.get("shadow_price"),
    }
    return {
        **line,
        "total_bps": row["total_bps"],
        "causes_bps": _causes(row, ""),
        "shadow_total_bps": row.get("shadow_total_bps"),
        "shadow_causes_bps": _causes(row, "shadow_"),
    }


def _causes(row: Row, path: str) -> Row:
    """What differs on one path, by cause; nothing where that path has no such intent."""
    causes = {cause: row.get(f"{path}{cause}_bps") for cause in CAUSES}
    return {name: bps for name, bps in causes.items() if bps}
