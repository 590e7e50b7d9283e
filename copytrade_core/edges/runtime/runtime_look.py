"""One look at a runtime directory for a person: its status, how far that can be believed, its controls and process.

What the numbers mean for trading is not judged here; rules about them are the monitor's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from copytrade_core.edges.runtime.control_files import Control, ControlNote, note_of
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.edges.runtime.status_file import NoStatus, RunStatus, StatusFault, read_document, status_of
from copytrade_core.model.errors import StoreFault

STALE_INTERVALS = 3
STALE_S_MAX = 600.0


class Standing(StrEnum):
    """How far a status can be believed."""

    RUNNING = "running"
    ENDED = "ended"
    STALE = "stale"
    """It should have been written again by now."""
    GONE = "gone"
    """Its process is not there any more, and it did not end."""
    MISSING = "missing"
    CORRUPTED = "corrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetControl:
    """A control that is set; `note` None when it was set without one."""

    control: Control
    note: ControlNote | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeLook:
    """One look. `status` is None when there is none that can be shown, then `fault` says why.

    `age_s` is how old the status is on the machine's clock, whatever the session's own clock says.
    """

    folder: Path
    standing: Standing
    fault: str | None
    status: RunStatus | None
    document: dict[str, object] | None
    age_s: float | None
    controls: tuple[SetControl, ...]
    is_alive: bool | None

    @property
    def is_virtual(self) -> bool:
        """Whether the session's clock is not the machine's."""
        found = self.status
        return found is not None and abs((found.wall_at - found.written_at).total_seconds()) > STALE_S_MAX

    @property
    def deadline_in_s(self) -> float | None:
        """Until the deadline: counted on while the status ages, and at a stand on a virtual clock."""
        found = self.status
        if found is None or found.deadline_at is None:
            return None
        left_s = (found.deadline_at - found.written_at).total_seconds()
        return left_s if self.is_virtual or found.ended is not None else left_s - (self.age_s or 0)


def look(folder: Path, *, now: datetime) -> RuntimeLook:
    """What a runtime directory says; never raises for what is in it."""
    document = read_document(folder)
    found = document if isinstance(document, NoStatus) else status_of(document)
    status = None if isinstance(found, NoStatus) else found
    is_alive = session_process(folder / SESSION_FILE).is_alive
    age_s = None if status is None else max(0.0, (now - status.wall_at).total_seconds())
    return RuntimeLook(
        folder=folder,
        standing=_standing(found, age_s=age_s, is_alive=is_alive),
        fault=found.what if isinstance(found, NoStatus) else None,
        status=status,
        document=None if isinstance(document, NoStatus) else document,
        age_s=age_s,
        controls=set_controls(folder),
        is_alive=is_alive,
    )


def set_controls(folder: Path) -> tuple[SetControl, ...]:
    """The controls that are set in a runtime directory, with who set them."""
    found: list[SetControl] = []
    for control in Control:
        if os.path.lexists(folder / control.value):
            try:
                note = note_of(folder, control)
            except StoreFault:
                note = None
            found.append(SetControl(control=control, note=note))
    return tuple(found)


def _standing(status: RunStatus | NoStatus, *, age_s: float | None, is_alive: bool | None) -> Standing:
    if isinstance(status, NoStatus):
        return Standing.MISSING if status.fault is StatusFault.MISSING else Standing.CORRUPTED
    if status.ended is not None:
        return Standing.ENDED
    if is_alive is False:
        return Standing.GONE
    if age_s is not None and age_s > min(STALE_S_MAX, STALE_INTERVALS * status.interval_s):
        return Standing.STALE
    return Standing.RUNNING
