"""The state of this machine for sessions: how each of them stands, who watches it, and whether anybody can be told.

Nothing is mended here; every finding says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from copytrade_core.edges.monitoring.alert_address import ALERT_URL, address
from copytrade_core.edges.monitoring.incident_db import INCIDENTS_FILE
from copytrade_core.edges.monitoring.monitor_record import read_record
from copytrade_core.edges.runtime.runtime_look import Standing, look
from copytrade_core.edges.runtime.runtime_place import runtime_directories

HEALTHY = (Standing.RUNNING, Standing.ENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFinding:
    """What was found, and what to do about it; `next_step` is empty when it is fine."""

    found: str
    next_step: str


def sessions(data_dir: Path, now: datetime) -> SessionFinding:
    """How every session stands; the first that is not well is named."""
    standings = {folder: look(folder, now=now).standing for folder in runtime_directories(data_dir)}
    running = sum(each is Standing.RUNNING for each in standings.values())
    said = f"{len(standings)} runtime directories, {running} running"
    for folder, standing in standings.items():
        if standing not in HEALTHY:
            return SessionFinding(found=f"{said}; {folder} is {standing}", next_step=f"copytrade status {folder}")
    return SessionFinding(found=said, next_step="")


def watched(data_dir: Path, now: datetime) -> SessionFinding:
    """Whether a monitor has ever looked at every session that runs.

    How long ago is not judged: a sensor that finds nothing new writes nothing.

    Raises:
        StoreFault: a monitor's history cannot be read.
    """
    running = [each for each in runtime_directories(data_dir) if look(each, now=now).standing is Standing.RUNNING]
    for folder in running:
        if not (folder / INCIDENTS_FILE).exists() or not read_record(folder).passes_count:
            return SessionFinding(found=f"nobody has looked at {folder}", next_step=f"copytrade monitor {folder}")
    found = f"{len(running)} running sessions have been looked at" if running else "no session runs"
    return SessionFinding(found=found, next_step="")


def told(data_dir: Path, now: datetime, environ: Mapping[str, str]) -> SessionFinding:
    """Whether a person can be told; asked for only while a session runs.

    Raises:
        BadConfig: the address is there and cannot be used.
    """
    if address(environ, ALERT_URL) is not None:
        return SessionFinding(found="an alert address is set; copytrade monitor DIR --test tries it", next_step="")
    runs = any(look(each, now=now).standing is Standing.RUNNING for each in runtime_directories(data_dir))
    step = f"export {ALERT_URL}=tgram://TOKEN/CHAT (docs/how-to/alerts.md)" if runs else ""
    return SessionFinding(found="no alert address is set: nobody is told", next_step=step)
