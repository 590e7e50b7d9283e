"""The state of this machine for sessions: how each of them stands, who watches it, and whether anybody can be told.

Nothing is mended here; every finding says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from copytrade_core.edges.alert_address import ALERT_URL, address
from copytrade_core.edges.incident_db import INCIDENTS_FILE
from copytrade_core.edges.monitor_record import read_record
from copytrade_core.edges.runtime_look import Standing, look
from copytrade_core.edges.runtime_place import runtime_directories

UNWATCHED_INTERVALS = 3
"""A monitor that has missed so many of its own intervals is not watching."""
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


def watched(data_dir: Path, now: datetime, *, interval_s: float) -> SessionFinding:
    """Whether a monitor looks at every session that runs.

    Raises:
        StoreFault: a monitor's history cannot be read.
    """
    running = [each for each in runtime_directories(data_dir) if look(each, now=now).standing is Standing.RUNNING]
    for folder in running:
        last_ms = read_record(folder).last_pass_ms if (folder / INCIDENTS_FILE).exists() else None
        age_s = None if last_ms is None else now.timestamp() - last_ms / 1000
        if age_s is None or age_s > UNWATCHED_INTERVALS * interval_s:
            since = "yet" if age_s is None else f"for {age_s:.0f} s"
            return SessionFinding(
                found=f"nobody has looked at {folder} {since}", next_step=f"copytrade monitor {folder}"
            )
    return SessionFinding(
        found=f"{len(running)} running sessions are watched" if running else "no session runs", next_step=""
    )


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
