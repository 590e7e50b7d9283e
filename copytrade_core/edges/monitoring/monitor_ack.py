"""A person has seen an incident. What that changes for it is decided in `monitor`; here it is kept."""

from __future__ import annotations

from pathlib import Path

from copytrade_core.edges.monitoring.incident_db import IncidentDb
from copytrade_core.edges.monitoring.monitor_facts import check_directory
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.monitor.incidents import Incident, acknowledged


def acknowledge(folder: Path, incident_id: str, *, by: str, now_ms: int) -> Incident:
    """Marks an incident as seen by a person: it is heard no more, and armed again once it is over.

    Raises:
        BadInput: no active incident has this id.
        StoreFault: the history cannot be read or written.
        NotStored: there is no such runtime directory.
    """
    check_directory(folder)
    with IncidentDb.open(folder) as history:
        active = history.active()
        found = next((each for each in active if each.incident_id == incident_id), None)
        if found is None:
            known = ", ".join(each.incident_id for each in active) or "none"
            raise BadInput(
                f"no active incident is called {incident_id}",
                where=Where(file=str(history.path), field="ID"),
                next_step=f"Active incidents: {known}",
            )
        seen = acknowledged(found, by=by, now_ms=now_ms)
        with history.transaction():
            history.put([seen])
        return seen
