"""One process per journal: a lock that the kernel gives back when its holder dies, however it dies.

The lock is on `<file>.lock`, which says who holds it and is never removed. It is as good as the file system's `flock`:
a folder that several machines share over a network is no place for a journal.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from contextlib import suppress
from pathlib import Path

import msgspec

from copytrade_core.edges.atomic_files import make_folder, store_faults
from copytrade_core.model.errors import StoreFault, Where

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
OWN_STAT = Path("/proc/self/stat")


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The process that holds a lease; `boot_id` tells whether the pid is one of this start of the machine.

    `started_ticks` tells it from a later process with the same pid, as each start of a container gives the same ones;
    None in a lease of an earlier version, or where the system does not say.
    """

    pid: int
    boot_id: str
    started_ticks: int | None = None


class SessionLease:
    """The right to write one journal, held by this process until it is released or the process ends."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle: int | None = handle
        _HELD.add(self)

    @classmethod
    def take(cls, journal: Path) -> SessionLease:
        """Takes the lease of a journal, or refuses at once; a dead holder's lease is free.

        Raises:
            StoreFault: another process, or this one, holds it (named by pid); or the lock file cannot be written.
        """
        path = journal.with_name(f"{journal.name}.lock")
        make_folder(path.parent)
        with store_faults(path, "lock"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _lock(handle, journal)
                _write_holder(handle)
            except BaseException:
                os.close(handle)
                raise
        return cls(path, handle)

    def release(self) -> None:
        """Gives the lease back; releasing twice is harmless."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


_HELD: weakref.WeakSet[SessionLease] = weakref.WeakSet()


def _let_go_in_child() -> None:
    """A forked child shares its parent's lock and would keep it after the parent's death."""
    for lease in _HELD:
        with suppress(OSError):
            lease.release()


os.register_at_fork(after_in_child=_let_go_in_child)


def boot_id() -> str:
    """The id of this start of the machine; empty where the system has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def started_ticks(stat: str) -> int | None:
    """When a process began, from its line in /proc: in ticks since the machine started."""
    # The name may hold spaces and brackets: what can be counted follows the last bracket, from the third field on.
    fields = stat.rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[19].isdigit() else None


def _own_start() -> int | None:
    try:
        return started_ticks(OWN_STAT.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None


def _lock(handle: int, journal: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreFault(
            f"{_who(handle)} works on this journal already",
            where=Where(file=str(journal)),
            next_step='See it with `copytrade status --lead ID`; end it with `copytrade hot-stop --lead ID --why "…"`',
        ) from error


def _who(handle: int) -> str:
    try:
        holder = msgspec.json.decode(os.pread(handle, 4096, 0), type=Holder)
    except (msgspec.DecodeError, OSError):
        return "another process"
    return "this process" if holder.pid == os.getpid() else f"process {holder.pid} (boot {holder.boot_id or 'unknown'})"


def _write_holder(handle: int) -> None:
    holder = Holder(pid=os.getpid(), boot_id=boot_id(), started_ticks=_own_start())
    content = msgspec.json.encode(holder) + b"\n"
    # Padded instead of truncated: a process that is refused meanwhile never reads an empty file.
    if os.pwrite(handle, content.ljust(256), 0) != 256:
        raise OSError(0, "only a part of the line could be written")
