"""The sessions of a lead and day compared with replay: the same episodes, the same assumptions, intent by intent.

The comparison and its waterfall belong to `evidence.parity`, reading both paths to `canary_paths`; here the answer is
stored. The paper session is judged; a shadow session of the same day stands beside it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.stages.canary_due import comparison_inputs
from copytrade_core.edges.stages.canary_paths import Comparison, StoredSession, against_replay
from copytrade_core.edges.stages.canary_plan import plan_of
from copytrade_core.edges.stages.canary_store import (
    FACTS,
    PARITY,
    SESSION,
    SHADOW_SESSION,
    day_and_lead,
    load_session,
    store_document,
)
from copytrade_core.edges.stages.parity_table import store_parity_rows
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace, parents
from copytrade_core.evidence.parity import ParityTable, TradePath
from copytrade_core.evidence.parity_rows import parity_rows, parity_summary
from copytrade_core.model.errors import NotStored
from copytrade_core.model.session_record import SessionRecord
from copytrade_core.promotion.facts_canary import ParityFacts

FOLDER = "folder"
"""Metadata of a session's head: its runtime directory below the data folder."""


def compare_session(place: Workplace, key: str) -> StageOutcome:
    """Replays what a stored paper session was told and stores `paper_parity`, beside it the day's shadow session.

    Raises:
        NotStored: no such session, its runtime directory is gone, or its episodes are not derived.
        StoreFault: stored bytes were changed, or a journal cannot be read.
    """
    head, session = place.lake.require(SESSION, key), _session(place, key, TradePath.PAPER)
    shadow_head = place.lake.head(SHADOW_SESSION, key)
    paper = against_replay(place, session)
    shadow, shadow_lacking = None, "no shadow session of this day is stored"
    if shadow_head is not None:
        shadow, shadow_lacking = _shadow(place, key, session.record)
    facts = _facts(key, session.record, paper.table, shadow, made_at=place.now())
    tables = [paper.table] if shadow is None else [paper.table, shadow.table]
    instruments = {**paper.instruments, **({} if shadow is None else shadow.instruments)}
    rows = [row for row in parity_rows(tables, instruments) if row["notional_e8"]]
    metadata: dict[str, object] = {
        "intents_compared": facts.compared_count,
        "missed": list(facts.missed),
        "residual_bps_max": facts.residual_bps_max,
        "difference_bps_mean": facts.difference_bps_mean,
        "episodes_not_comparable": dict(paper.skipped),
        "shadow": shadow_lacking or "compared too",
    }
    document = {
        "key": key,
        "told": list(paper.told),
        "inputs": comparison_inputs(place, session.record.lead, paper.told),
        FACTS: msgspec.to_builtins(facts),
        "summary": parity_summary(paper.table),
        "shadow_summary": None if shadow is None else parity_summary(shadow.table),
        "shadow_lacking": shadow_lacking,
        "episodes_not_comparable": dict(paper.skipped),
        "rows": rows,
    }
    read = parents(head) if shadow_head is None else parents(head, shadow_head)
    store_parity_rows(place, key, rows, read=read)
    return store_document(place, PARITY, key, document, read=read, metadata=metadata)


def _session(place: Workplace, key: str, path: TradePath) -> StoredSession:
    asset = SHADOW_SESSION if path is TradePath.SHADOW else SESSION
    named, (_, lead_id) = place.lake.require(asset, key).metadata.get(FOLDER), day_and_lead(key)
    folder: Path = place.settings.data_dir / str(named)
    if not named or not (folder / SESSION_FILE).exists():
        lead_step = f"Run the session again: copytrade canary {path} --lead {lead_id}"
        raise NotStored(f"the runtime directory of {path} session {key} is gone", next_step=lead_step)
    record = load_session(place, key, asset=asset)
    return StoredSession(path=path, plan=plan_of(place, lead_id), record=record, folder=folder)


def _shadow(place: Workplace, key: str, paper: SessionRecord) -> tuple[Comparison | None, str | None]:
    """The day's shadow session, or why it cannot stand beside the paper session, which it never holds back."""
    try:
        session = _session(place, key, TradePath.SHADOW)
    except NotStored as gone:
        return None, str(gone)
    if session.record.policy_digest != paper.policy_digest:
        return None, "the shadow session traded another policy"
    return against_replay(place, session), None


def _facts(
    key: str, record: SessionRecord, table: ParityTable, shadow: Comparison | None, *, made_at: datetime
) -> ParityFacts:
    """What the gate reads of the paper session; what nothing explains counts on every path.

    Intents of which nothing was filled on either path (a limit that was never reached) are no difference.
    """
    rows = [row for row in table.rows if row.notional]
    beside = () if shadow is None else shadow.table.rows
    residual = max((abs(row.bps(row.residual)) for row in (*rows, *beside)), default=None)
    return ParityFacts(
        key=key,
        policy_digest=record.policy_digest,
        code_version=record.code_version,
        is_observed=record.is_observed,
        made_at=made_at,
        compared_count=sum(not row.is_missed for row in rows),
        residual_bps_max=None if residual is None else float(residual),
        difference_bps_mean=float(sum(row.bps(row.total) for row in rows) / len(rows)) if rows else None,
        missed=tuple(
            f"{row.pair.key.kind} {row.pair.key.leg} of {row.pair.key.episode_id}" for row in rows if row.is_missed
        ),
        read_at=record.read_at,
    )
