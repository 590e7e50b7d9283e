"""The monitor over all live sessions of a lead: one look at each, and what is known of them, stored for the gate.

Rules and incidents belong to `monitor`; a look costs milliseconds, and a message to a person at most its time-out.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from copytrade_core.edges.monitoring.alert_address import ALERT_URL, HEARTBEAT_URL, address
from copytrade_core.edges.monitoring.alerts import AlertChannel
from copytrade_core.edges.monitoring.incident_db import INCIDENTS_FILE, IncidentDb
from copytrade_core.edges.monitoring.monitor_pass import Monitor, MonitorPass
from copytrade_core.edges.monitoring.monitor_record import MonitorRecord, read_record
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_monitor import delivery_settings
from copytrade_core.edges.stages.canary_failure import FailedRun, note_failure
from copytrade_core.edges.stages.canary_place import runtime_folders
from copytrade_core.edges.stages.canary_store import FACTS, INCIDENTS, store_document
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.errors import NotStored, Where
from copytrade_core.monitor.delivery import heartbeat_due
from copytrade_core.monitor.finding import Severity
from copytrade_core.monitor.incidents import Delivery, Incident, IncidentState
from copytrade_core.promotion.facts_canary import IncidentFacts
from copytrade_core.promotion.gate_result import Gate


def watch_lead(place: Workplace, lead_id: str, *, failed: FailedRun | None = None) -> StageOutcome:
    """Looks once at every session of the lead, tells a person what is new, and stores `monitor_incidents`.

    A run that `failed` is one incident, also where no session ever began.

    Raises:
        NotStored: the lead has no session yet.
        StoreFault: a history cannot be read or written.
    """
    if failed is not None:
        note_failure(place, lead_id, failed)
    folders = runtime_folders(place.settings, lead_id)
    if not folders:
        raise NotStored(
            f"lead {lead_id} has no session yet",
            where=Where(field="lead"),
            next_step=f"Run: copytrade canary paper --lead {lead_id} --live",
        )
    passes = {folder.name: look(place, folder, is_dry_run=False) for folder in folders}
    return _stored(place, lead_id, folders, passes)


def pending_changes(place: Workplace, lead_id: str) -> list[str]:
    """What a look would open or resolve now; nothing is written or sent.

    Raises:
        StoreFault: a history cannot be read.
    """
    changes: list[str] = []
    for folder in runtime_folders(place.settings, lead_id):
        seen = look(place, folder, is_dry_run=True)
        changes += [f"{folder.name} +{one.rule} {one.subject}" for one in seen.opened]
        changes += [f"{folder.name} -{one.incident_id}" for one in seen.resolved]
        if seen.message is not None and address(os.environ, ALERT_URL) is not None:
            changes.append(f"{folder.name} message: {seen.message.title}")
        if _must_say_that_it_lives(place, folder):
            changes.append(f"{folder.name} the sign of life")
    return changes


def _must_say_that_it_lives(place: Workplace, folder: Path) -> bool:
    """A quiet session must not silence the sign of life: that would be taken for a monitor that is dead."""
    settings = delivery_settings(place.settings.alerts)
    is_never = settings.heartbeat_interval_s <= 0
    if is_never or (address(os.environ, HEARTBEAT_URL) is None and address(os.environ, ALERT_URL) is None):
        return False
    with IncidentDb.snapshot(folder) as history:
        last_ms = history.last_heartbeat_ms()
    return heartbeat_due(last_ms, now_ms=round(place.now().timestamp() * 1000), settings=settings)


def look(place: Workplace, folder: Path, *, is_dry_run: bool) -> MonitorPass:
    """One look at one runtime directory."""
    settings = place.settings
    watching = Monitor(
        folder,
        settings,
        alerts=_channel(settings, ALERT_URL),
        heartbeats=_channel(settings, HEARTBEAT_URL),
        is_dry_run=is_dry_run,
    )
    return watching.look(now_ms=round(place.now().timestamp() * 1000))


def _channel(settings: Settings, variable: str) -> AlertChannel | None:
    url = address(os.environ, variable)
    return None if url is None else AlertChannel(url, settings.alerts, variable=variable)


def _stored(place: Workplace, lead_id: str, folders: list[Path], passes: dict[str, MonitorPass]) -> StageOutcome:
    records = {folder.name: read_record(folder) for folder in folders if (folder / INCIDENTS_FILE).exists()}
    age_s = float(place.contract().threshold(Gate.PAPER_CANARY_CLEAN, "canary_age_s_max").value)
    facts = incident_facts(list(records.values()), since=place.now() - timedelta(seconds=age_s))
    rows = [_row(session, one) for session, record in records.items() for one in record.incidents]
    metadata: dict[str, object] = {
        "opened": sum(len(one.opened) for one in passes.values()),
        "resolved": sum(len(one.resolved) for one in passes.values()),
        "active": len(facts.active),
        "unheard": len(facts.unheard),
        "told": [one.message.title for one in passes.values() if one.message is not None and one.failure is None],
        "not_told_because": [one.failure for one in passes.values() if one.failure is not None],
    }
    document = {"lead": lead_id, FACTS: msgspec.to_builtins(facts), "incidents": rows}
    return store_document(place, INCIDENTS, lead_id, document, read={}, metadata=metadata)


def incident_facts(records: list[MonitorRecord], *, since: datetime) -> IncidentFacts:
    """What the gate reads: history that was declared as seen is left out, and what is older than `since`, too.

    Information proves nothing either way: a fill that nobody was told of leaves a session as clean as it was.
    """
    since_ms = since.timestamp() * 1000
    incidents = [one for record in records for one in record.incidents if not one.is_baseline]
    recent = [one for one in incidents if one.last_at_ms >= since_ms]
    looked = [record.last_pass_ms for record in records if record.last_pass_ms is not None]
    # The session that was looked at longest ago: a monitor that lost one of two sessions is not watching.
    oldest = min(looked, default=None)
    return IncidentFacts(
        looked_at=None if oldest is None else datetime.fromtimestamp(oldest / 1000, tz=UTC),
        passes_count=min((record.passes_count for record in records), default=0),
        critical=tuple(one.incident_id for one in recent if one.severity is Severity.CRITICAL),
        active=tuple(one.incident_id for one in incidents if _is_trouble(one)),
        unheard=tuple(
            one.incident_id
            for one in incidents
            if one.delivery is Delivery.PENDING and one.severity is not Severity.INFO
        ),
    )


def _is_trouble(incident: Incident) -> bool:
    return incident.state is not IncidentState.RESOLVED and incident.severity is not Severity.INFO


def _row(session: str, incident: Incident) -> dict[str, object]:
    return {
        "incident": incident.incident_id,
        "severity": incident.severity.value,
        "state": incident.state.value,
        "session": session,
        "subject": incident.subject,
        "what": incident.what,
        "delivery": incident.delivery.value,
        "first_at_ms": incident.first_at_ms,
        "last_at_ms": incident.last_at_ms,
        "count": incident.count,
    }
