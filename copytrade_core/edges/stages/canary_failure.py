"""A failed run of a session as something a person hears of once: noted beside the session, unless it is told already.

Looking and telling are `canary_monitor`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.monitoring.failed_runs import note_failed_run
from copytrade_core.edges.monitoring.incident_db import INCIDENTS_FILE
from copytrade_core.edges.monitoring.monitor_record import read_record
from copytrade_core.edges.stages.canary_place import live_folder, standing_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.session_end import Ended
from copytrade_core.monitor.facts import FailedRunFact
from copytrade_core.monitor.finding import Rule

TELLING = {Rule.PROCESS_MISSING, Rule.SESSION_FAILED}
"""What the monitor sees by itself of a session that broke off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """One run that failed: of which path's live session, since when it ran, and why as far as its starter knows."""

    run_id: str
    mode: str
    began_ms: int
    why: str


def note_failure(place: Workplace, lead_id: str, failed: FailedRun) -> None:
    """Notes it where no incident tells of it, so that one failure is one incident, whoever saw it first.

    Raises:
        BadInput: not a portfolio id.
        StoreFault: a history cannot be read, or the note not written.
    """
    folder = live_folder(place.settings, lead_id, failed.mode)
    standing = standing_of(folder)
    says_so = standing.is_gone or (standing.run_id == failed.run_id and standing.ended is Ended.ERROR)
    if says_so or _is_told(folder, failed):
        return
    note_failed_run(folder, FailedRunFact(run_id=failed.run_id, why=failed.why, at_ms=epoch_ms(place.now())))


def _is_told(folder: Path, failed: FailedRun) -> bool:
    if not (folder / INCIDENTS_FILE).exists():
        return False
    told = (one for one in read_record(folder).incidents if one.rule in TELLING and not one.is_baseline)
    return any(one.subject == failed.run_id or one.first_at_ms >= failed.began_ms for one in told)
