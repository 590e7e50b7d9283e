"""A runtime directory as facts for the rules: status, journal, process and controls in one look. Judges nothing."""

from __future__ import annotations

import os
from pathlib import Path

from copytrade_core.edges.monitoring.failed_runs import failed_runs
from copytrade_core.edges.runtime.control_files import Control, note_of
from copytrade_core.edges.runtime.journal_reader import read_journal
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.edges.runtime.status_facts import status_fact
from copytrade_core.model.errors import NotStored, StoreFault, Where
from copytrade_core.monitor.facts import ControlFact, MonitorFacts, Watermark

MONITOR = "monitor"
"""Who a control is from when a breach has set it."""


def read_facts(
    folder: Path, *, now_ms: int, baseline: Watermark, processed: Watermark, looked_ms: int | None
) -> MonitorFacts:
    """Everything one pass judges; `looked_ms` is when the last one did.

    Raises:
        NotStored: there is no such runtime directory.
        StoreFault: what is noted of failed runs cannot be read.
    """
    check_directory(folder)
    # The status first: a journal that is read later can only be ahead of it, which the rules know.
    status = status_fact(folder)
    return MonitorFacts(
        now_ms=now_ms,
        status=status,
        journal=read_journal(folder),
        process=session_process(folder / SESSION_FILE),
        controls=tuple(_control(folder, each) for each in Control if os.path.lexists(folder / each.value)),
        failed_runs=failed_runs(folder),
        baseline=baseline,
        processed=processed,
        looked_ms=looked_ms,
    )


def check_directory(folder: Path) -> None:
    """A runtime directory must be there before anybody looks into it.

    Raises:
        NotStored: it is not.
    """
    if not folder.is_dir():
        raise NotStored(
            "there is no such runtime directory",
            where=Where(file=str(folder)),
            next_step="Name the directory of a session: the one that holds RUN_STATUS.json",
        )


def _control(folder: Path, control: Control) -> ControlFact:
    try:
        note = note_of(folder, control)
    except StoreFault as error:
        return ControlFact(name=control.value, who="", why=error.what, by_monitor=False)
    if note is None:
        return ControlFact(name=control.value, who="", why="", by_monitor=False)
    return ControlFact(name=control.value, who=note.who, why=note.why, by_monitor=note.who == MONITOR)
