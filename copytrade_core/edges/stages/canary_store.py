"""What sessions left behind, in the store: one document per day and lead, and one per lead that gathers them.

Nothing is judged here; runtime directories are read in `edges/runtime/session_evidence.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from copytrade_core.edges.runtime.session_addresses import addresses_of
from copytrade_core.edges.stages.data_checks import DataCheck
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.evidence.session_checks import CHECKS, check_session, close_delay_s
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.promotion.facts_canary import CanaryFacts, IncidentFacts, ParityFacts, SessionFacts, ShadowFacts

SESSION, PARITY, SHADOW = "paper_session", "paper_parity", "shadow_orders"
SHADOW_SESSION = "shadow_session"
"""Assets by day and lead; the last is the record of a shadow session, as SESSION is a paper session's."""
RECORD, INCIDENTS = "paper_record", "monitor_incidents"
"""Assets by lead."""
FACTS = "gate_facts"
Facts = TypeVar("Facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All paper sessions of a lead: the document behind `paper_record`."""

    sessions: tuple[SessionFacts, ...]
    parities: tuple[ParityFacts, ...]


def session_key(day: str, lead_id: str) -> str:
    """Partition of one session, as the orchestrator writes two dimensions: `2026-11-02|LEAD`."""
    return f"{day}|{lead_id}"


def day_and_lead(key: str) -> tuple[str, str]:
    """The two parts of a session's partition.

    Raises:
        BadInput: not of that form.
    """
    day, bar, lead_id = key.partition("|")
    try:
        _ = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        bar = ""
    if not bar or not lead_id:
        raise BadInput(f"{key!r} is not a day and a lead", where=Where(field="partition"), next_step="2026-11-02|LEAD")
    return day, lead_id


def store_session(place: Workplace, record: SessionRecord, *, folder: Path) -> StageOutcome:
    """Stores one session's record under its day and lead; `folder` is its runtime directory.

    Raises:
        StoreFault: the store cannot be written.
    """
    key = session_key(record.day, record.lead)
    answers = check_session(record)
    root = place.settings.data_dir
    metadata: dict[str, object] = {
        "folder": str(folder.relative_to(root) if folder.is_relative_to(root) else folder),
        "ended": record.ended or "not ended",
        "observed": record.is_observed,
        "orders": len(record.orders),
        "fills": len(record.fills),
        "equity_usdt": record.equity / 1e8,
        "cash_usdt": record.cash / 1e8,
        "refused": dict(record.refused),
        "alerts": len(record.alerts),
        "checks": {answer.name: "holds" if answer.holds else answer.says for answer in answers},
    }
    asset = SESSION if record.mode == "paper" else f"{record.mode}_session"
    return store_document(place, asset, key, record, read={}, metadata=metadata)


def store_document(
    place: Workplace, asset: str, key: str, document: object, *, read: Mapping[str, str], metadata: dict[str, object]
) -> StageOutcome:
    """Stores one document of this module's assets."""
    stored = place.lake.put_document(
        asset,
        key,
        msgspec.to_builtins(document),
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents=dict(read),
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def load_session(place: Workplace, key: str, *, asset: str = SESSION) -> SessionRecord:
    """The record of one session.

    Raises:
        NotStored: there is none.
        StoreFault: stored bytes were changed, or have another shape.
    """
    return place.lake.document_as(asset, key, SessionRecord)


def session_check(place: Workplace, key: str, name: str) -> DataCheck:
    """One check of a stored session, computed again from its rows."""
    digest = place.lake.require(SESSION, key).digest
    answer = CHECKS[name](load_session(place, key))
    return DataCheck(passed=answer.holds, digest=digest, says=answer.says, seen=dict(answer.numbers))


def session_facts(record: SessionRecord) -> SessionFacts:
    """What the gates read of one session: what happened from its start to its end, in the books of all its days."""
    fills = [fill for fill in record.fills if record.started_at_ms <= fill.at_ms <= record.ended_at_ms]
    alerts = [alert for alert in record.alerts if record.started_at_ms <= alert.at_ms <= record.ended_at_ms]
    return SessionFacts(
        key=session_key(record.day, record.lead),
        mode=record.mode,
        policy_digest=record.policy_digest,
        code_version=record.code_version,
        is_observed=record.is_observed,
        started_at=_instant(record.started_at_ms),
        ended_at=_instant(record.ended_at_ms),
        ended=record.ended,
        polls_count=record.polls_count,
        failed_polls_count=record.failed_polls_count,
        entries_count=sum(fill.is_entry for fill in fills),
        exits_count=sum(not fill.is_entry for fill in fills),
        broken=tuple(f"{answer.name}: {answer.says}" for answer in check_session(record) if not answer.holds),
        alerts=tuple(f"{alert.kind} {alert.subject}" for alert in alerts),
        unknown=record.unknown_orders,
        close_delay_s=close_delay_s(record),
        read_at=record.read_at,
    )


def gather(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores `paper_record`: the facts of every stored paper session of a lead and of its parity with replay.

    Raises:
        StoreFault: stored bytes were changed.
    """
    keys = {asset: session_keys(place, asset, lead_id) for asset in (SESSION, PARITY)}
    found = Gathered(
        sessions=tuple(session_facts(load_session(place, key)) for key in keys[SESSION]),
        parities=tuple(_facts(place, PARITY, key, ParityFacts) for key in keys[PARITY]),
    )
    heads = [place.lake.require(asset, key) for asset, some in keys.items() for key in some]
    metadata: dict[str, object] = {
        "sessions": len(found.sessions),
        "observed_sessions": sum(one.is_observed for one in found.sessions),
        "intents_compared": sum(one.compared_count for one in found.parities),
    }
    return store_document(place, RECORD, lead_id, found, read=parents(*heads), metadata=metadata)


def session_keys(place: Workplace, asset: str, lead_id: str) -> list[str]:
    """Stored partitions of a lead, oldest day first."""
    return [key for key in place.lake.partitions(asset) if key.endswith(f"|{lead_id}")]


def _facts(place: Workplace, asset: str, key: str, shape: type[Facts]) -> Facts:
    document = place.lake.document_as(asset, key, dict[str, object])
    try:
        return msgspec.convert(document.get(FACTS), type=shape)
    except msgspec.ValidationError as error:
        where = Where(file=f"{asset}/{key}", field=FACTS)
        raise StoreFault(f"{asset} {key} has no facts for gates: {error}", where=where) from error


def canary_facts(place: Workplace, lead_id: str, *, policy_digest: str) -> CanaryFacts:
    """What the gates about canaries read: the gathered record, shadow sessions and incidents, as stored now.

    Raises:
        StoreFault: stored bytes were changed, or have another shape.
    """
    empty = Gathered(sessions=(), parities=())
    is_stored = place.lake.head(RECORD, lead_id) is not None
    found = place.lake.document_as(RECORD, lead_id, Gathered) if is_stored else empty
    watched = place.lake.head(INCIDENTS, lead_id) is not None
    return CanaryFacts(
        lead_id=lead_id,
        venue=place.settings.preflight.venue,
        policy_digest=policy_digest,
        code_version=place.code_version,
        read_at=addresses_of(place.settings, with_venue=True),
        sessions=found.sessions,
        parities=found.parities,
        shadows=tuple(_facts(place, SHADOW, key, ShadowFacts) for key in session_keys(place, SHADOW, lead_id)),
        incidents=_facts(place, INCIDENTS, lead_id, IncidentFacts) if watched else None,
    )


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
