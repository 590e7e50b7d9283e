"""The controls of a session as files in its runtime directory: a file that is there is set, whatever is in it.

Read anew before every submit; a directory that cannot be read counts as STOP_NEW_ORDERS. What a control means for an
order is decided in `risk` and `session`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec
from typing_extensions import override

from copytrade_core.edges.atomic_files import read_if_present, store_faults, sync_folder, write_whole
from copytrade_core.model.controls import Controls
from copytrade_core.model.errors import StoreFault
from copytrade_core.session.ports import ControlPanel

SCHEMA_VERSION = 1
SESSION = "session"
"""Who a control is from when the session itself has set it."""


class Control(StrEnum):
    """A control, named as its file is."""

    STOP_NEW_ORDERS = "STOP_NEW_ORDERS"
    KILL = "KILL"
    HOT_STOP = "HOT_STOP"


class ControlNote(msgspec.Struct, frozen=True, kw_only=True):
    """Who set a control, why, and when (epoch ms)."""

    schema_version: int
    control: Control
    who: str
    why: str
    at_ms: int


def set_control(folder: Path, control: Control, *, who: str, why: str, at_ms: int) -> bool:
    """Sets a control, durable on return; one that is set already keeps its first note.

    Returns:
        False when it was set already.

    Raises:
        StoreFault: the directory is not there or not writable; a control that was not set is not set now.
    """
    path = folder / control.value
    with store_faults(path, "set the control"):
        if not folder.is_dir():
            raise NotADirectoryError(0, "there is no such runtime directory")
        if os.path.lexists(path):
            return False
    note = ControlNote(schema_version=SCHEMA_VERSION, control=control, who=who, why=why, at_ms=at_ms)
    write_whole(path, msgspec.json.encode(note) + b"\n", tmp=folder)
    return True


def clear_control(folder: Path, control: Control) -> bool:
    """Takes a control back, durable on return.

    Returns:
        False when it was not set.

    Raises:
        StoreFault: the directory is not there or not writable; the control is still set.
    """
    path = folder / control.value
    with store_faults(path, "clear the control"):
        if not folder.is_dir():
            raise NotADirectoryError(0, "there is no such runtime directory")
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(folder)
    return True


def note_of(folder: Path, control: Control) -> ControlNote | None:
    """The note of a control; None when it is not set, or was set without one (`touch KILL` is enough).

    Raises:
        StoreFault: it is there and cannot be read.
    """
    content = read_if_present(folder / control.value)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=ControlNote)
    except msgspec.DecodeError:
        return None


class ControlFiles(ControlPanel):
    """The controls of one runtime directory.

    Args:
        folder: the runtime directory.
        now_ms: our time, for the note of a control that the session sets itself.
        deadline_ms: from when on nothing opens; None without one.
        approval_valid: None where no approval is needed.
    """

    def __init__(
        self, folder: Path, *, now_ms: Callable[[], int], deadline_ms: int | None, approval_valid: bool | None
    ) -> None:
        self.folder = folder
        self._now_ms = now_ms
        self._deadline_ms = deadline_ms
        self._approval_valid = approval_valid
        # Text once: joining paths would cost more than the look itself.
        self._stop, self._kill, self._hot_stop = (
            str(folder / control.value) for control in (Control.STOP_NEW_ORDERS, Control.KILL, Control.HOT_STOP)
        )
        self._unwritten: str | None = None

    @override
    def read(self) -> Controls:
        if self._unwritten is not None:
            self.stop_new_orders(self._unwritten)
        kill = stop = hot_stop = False
        try:
            # A folder that is gone would look like one without controls.
            self.folder.stat()
            kill = _is_there(self._kill)
            hot_stop = _is_there(self._hot_stop)
            stop = _is_there(self._stop)
        except OSError:
            stop = True
        return Controls(
            kill=kill,
            stop_new_orders=stop or self._unwritten is not None,
            hot_stop=hot_stop,
            deadline_ms=self._deadline_ms,
            approval_valid=self._approval_valid,
        )

    @override
    def stop_new_orders(self, reason: str) -> None:
        """Set STOP_NEW_ORDERS. A file that cannot be written now is tried again at every look, and counts meanwhile."""
        self._unwritten = reason
        try:
            set_control(self.folder, Control.STOP_NEW_ORDERS, who=SESSION, why=reason, at_ms=self._now_ms())
        except StoreFault:
            return
        self._unwritten = None


def _is_there(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True
