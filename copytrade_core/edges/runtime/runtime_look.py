"""One look at a runtime directory for a person: its status, how far that can be believed, its controls and process.

What the numbers mean for trading is not judged here; rules about them are the monitor's.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import cast

import msgspec

from copytrade_core.edges.runtime.control_files import Control, ControlNote, note_of
from copytrade_core.edges.runtime.runtime_files import SESSION_FILE, STATUS_FILE
from copytrade_core.edges.runtime.runtime_stamp import SCHEMA_VERSION
from copytrade_core.edges.runtime.session_process import session_process
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


class LimitLine(msgspec.Struct, frozen=True):
    """One limit with its value."""

    name: str
    value: float | None
    limit: float
    unit: str


class PositionLine(msgspec.Struct, frozen=True):
    """One open position; numbers are decimal text."""

    episode_id: str
    market: str
    side: str
    quantity: str
    entry_price: str
    mark_price: str | None
    notional_usdt: str
    unrealised_usdt: str | None
    opened_at: datetime
    source_state: str


class UnknownLine(msgspec.Struct, frozen=True):
    """An order of unknown fate."""

    client_order_id: str
    market: str
    since: datetime
    why: str


class BackoffLine(msgspec.Struct, frozen=True):
    """Whether entries wait after failures."""

    failures: int
    until: datetime | None


class LeadPollLine(msgspec.Struct, frozen=True):
    """One lead's polls: how many failed in a row, and when it is asked again."""

    lead: str
    failures: int
    age_s: float | None
    next_at: datetime | None


class PollLine(msgspec.Struct, frozen=True):
    """The newest poll of the source."""

    ok: bool
    at: datetime | None
    reading: str
    leads: tuple[LeadPollLine, ...] = ()


class AlertLine(msgspec.Struct, frozen=True):
    """What a person was to hear of."""

    kind: str
    subject: str
    at: datetime
    what: str


class StatusLines(msgspec.Struct, frozen=True):
    """`RUN_STATUS.json` as it is shown."""

    run_id: str
    lead: str
    leads: list[str]
    strategy: str
    policy_digest: str
    venue: str
    account: str
    mode: str
    pid: int
    started_at: datetime
    written_at: datetime
    interval_s: float
    deadline_at: datetime | None
    ended: str | None
    limits: list[LimitLine]
    positions: list[PositionLine]
    cash_usdt: str
    equity_usdt: str
    day_result_usdt: str
    working_orders: int
    unknown_orders: list[UnknownLine]
    backoff: BackoffLine
    input_ages_s: dict[str, float | None]
    last_poll: PollLine
    counters: dict[str, int]
    alerts: list[AlertLine]
    last_error: str | None
    versions: dict[str, str | int]
    wall_at: datetime | None = None


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
    status: StatusLines | None
    document: dict[str, object] | None
    age_s: float | None
    controls: tuple[SetControl, ...]
    is_alive: bool | None

    @property
    def is_virtual(self) -> bool:
        """Whether the session's clock is not the machine's."""
        found = self.status
        if found is None or found.wall_at is None:
            return False
        return abs((found.wall_at - found.written_at).total_seconds()) > STALE_S_MAX

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
    status, document, fault = _status(folder)
    is_alive = session_process(folder / SESSION_FILE).is_alive
    age_s = None if status is None else max(0.0, (now - (status.wall_at or status.written_at)).total_seconds())
    return RuntimeLook(
        folder=folder,
        standing=_standing(folder, status, age_s=age_s, is_alive=is_alive),
        fault=fault,
        status=status,
        document=document,
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


def _status(folder: Path) -> tuple[StatusLines | None, dict[str, object] | None, str | None]:
    try:
        content = (folder / STATUS_FILE).read_bytes()
    except FileNotFoundError:
        where = "there is no such directory" if not folder.is_dir() else f"it has no {STATUS_FILE}"
        return None, None, where
    except OSError as error:
        return None, None, f"{STATUS_FILE} cannot be read: {error.strerror or type(error).__name__}"
    try:
        document = cast("object", msgspec.json.decode(content))
        if not isinstance(document, dict):
            return None, None, f"{STATUS_FILE} is damaged: it is no object"
        plain = cast("dict[str, object]", document)
        version = plain.get("schema_version")
        if version != SCHEMA_VERSION:
            return None, plain, f"{STATUS_FILE} has schema {version}, this version reads {SCHEMA_VERSION}"
        return msgspec.convert(plain, type=StatusLines), plain, None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, None, f"{STATUS_FILE} is damaged: {error}"


def _standing(folder: Path, status: StatusLines | None, *, age_s: float | None, is_alive: bool | None) -> Standing:
    if status is None:
        return Standing.CORRUPTED if (folder / STATUS_FILE).exists() else Standing.MISSING
    if status.ended is not None:
        return Standing.ENDED
    if is_alive is False:
        return Standing.GONE
    if age_s is not None and age_s > min(STALE_S_MAX, STALE_INTERVALS * status.interval_s):
        return Standing.STALE
    return Standing.RUNNING
