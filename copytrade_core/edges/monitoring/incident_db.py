"""Incidents on SQLite, beside the session that they are about: `monitor.sqlite` of a runtime directory.

Tables: `incidents` (one row each, never deleted), `watermarks` (rows of the journal that are history, and rows that a
pass has judged), `messages` (what left, and what could not), `passes` (when the monitor looked: without them silence
could not be told from peace). What an incident goes through is decided in `monitor`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import filelock
import msgspec

from copytrade_core.edges.monitoring.incident_schema import prepare
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.monitor.facts import NOTHING_SEEN, Watermark
from copytrade_core.monitor.incidents import Incident

INCIDENTS_FILE = "monitor.sqlite"
LOCK_TIMEOUT_S = 120.0
"""A pass of another monitor may be trying to send a message, several times, to a service that hangs."""
BUSY_TIMEOUT_S = 5.0
NEXT_STEP = "Move monitor.sqlite away to start a new history; the session itself is not touched by it"


class MessageKind(StrEnum):
    """Why a message left."""

    INCIDENTS = "incidents"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class PassRow:
    """One look at the session. `run_id` is None while its status cannot be read."""

    at_ms: int
    run_id: str | None
    opened_count: int
    resolved_count: int
    active_count: int
    blind_count: int


_COLUMNS = tuple(field.name for field in fields(Incident))
_PUT = (
    f"INSERT INTO incidents ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    f"ON CONFLICT (number) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM incidents"  # noqa: S608


class IncidentDb:
    """The history of one runtime directory's monitor; one process works on it at a time.

    Made by `open`, closed by `close` or as a context manager.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: filelock.BaseFileLock | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Opens or creates the history, alone: another monitor waits until this one closes it.

        Raises:
            StoreFault: another monitor holds it for too long; it cannot be read or written, is damaged, or is
                something else.
        """
        path = folder / INCIDENTS_FILE
        lock = filelock.FileLock(folder / f"{INCIDENTS_FILE}.lock", timeout=LOCK_TIMEOUT_S)
        with _faults(path, "open"):
            try:
                lock.acquire()
            except filelock.Timeout as error:
                raise StoreFault(
                    "another monitor works on this directory and does not let go",
                    where=Where(file=str(path)),
                    next_step="Wait, or stop it; two monitors alert no faster than one",
                ) from error
            try:
                return cls(path, _connected(path), lock)
            except BaseException:
                lock.release()
                raise

    @classmethod
    def snapshot(cls, folder: Path) -> Self:
        """A copy in memory of the history as it is, empty when there is none: what is done to it is forgotten.

        Raises:
            StoreFault: it cannot be read, is damaged, or is something else.
        """
        path = folder / INCIDENTS_FILE
        copy = sqlite3.connect(":memory:", isolation_level=None)
        with _faults(path, "read"):
            if path.exists():
                source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
                try:
                    source.backup(copy)
                finally:
                    source.close()
            prepare(copy)
        return cls(path, copy, None)

    def close(self) -> None:
        """Closes the file and lets others in; closing twice is harmless."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All or nothing of what is written inside.

        Raises:
            StoreFault: it cannot be written; nothing was.
        """
        with _faults(self.path, "write"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def active(self) -> tuple[Incident, ...]:
        """Incidents that are not over, oldest first."""
        return self._incidents("WHERE state <> 'resolved' ORDER BY number")

    def pending(self) -> tuple[Incident, ...]:
        """Incidents of whose beginning or end nobody has been told yet, oldest first; some may be over."""
        return self._incidents("WHERE delivery = 'pending' OR over = 'pending' ORDER BY number")

    def all(self) -> tuple[Incident, ...]:
        """Every incident, oldest first."""
        return self._incidents("ORDER BY number")

    def next_number(self) -> int:
        """The number of the next new incident."""
        return int(self._one("SELECT coalesce(max(number), 0) + 1 FROM incidents"))

    def put(self, incidents: Iterable[Incident]) -> None:
        """Writes incidents as they are now."""
        with _faults(self.path, "write"):
            self._connection.executemany(_PUT, [_values(each) for each in incidents])

    def watermark(self, name: str) -> Watermark:
        """A watermark by name (`baseline`, `processed`); nothing seen when there is none."""
        names = [field.name for field in fields(Watermark)]
        select = f"SELECT {', '.join(names)} FROM watermarks WHERE name = ?"  # noqa: S608 (names of our fields)
        with _faults(self.path, "read"):
            found = self._connection.execute(select, (name,)).fetchone()
        return NOTHING_SEEN if found is None else Watermark(**dict(zip(names, found, strict=True)))

    def put_watermark(self, name: str, mark: Watermark, *, at_ms: int) -> None:
        """Moves a watermark."""
        values = (name, at_ms, mark.orders, mark.rejects, mark.fills, mark.alerts, mark.closes, mark.slippages)
        with _faults(self.path, "write"):
            self._connection.execute("INSERT OR REPLACE INTO watermarks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def sent_ms(self, *, since_ms: int) -> tuple[int, ...]:
        """When messages about incidents left, from an instant on."""
        select = "SELECT at_ms FROM messages WHERE kind = ? AND failure IS NULL AND at_ms >= ?"
        with _faults(self.path, "read"):
            return tuple(at for (at,) in self._connection.execute(select, (MessageKind.INCIDENTS.value, since_ms)))

    def last_heartbeat_ms(self) -> int | None:
        """When the monitor last said that it lives."""
        return self._one(
            f"SELECT at_ms FROM messages WHERE kind = '{MessageKind.HEARTBEAT}' AND failure IS NULL "  # noqa: S608
            "ORDER BY number DESC LIMIT 1"
        )

    def add_message(self, kind: MessageKind, *, at_ms: int, incidents_count: int, failure: str | None) -> None:
        """Notes a message that left, or why it could not."""
        insert = "INSERT INTO messages (at_ms, kind, incidents_count, failure) VALUES (?, ?, ?, ?)"
        with _faults(self.path, "write"):
            self._connection.execute(insert, (at_ms, kind.value, incidents_count, failure))

    def add_pass(self, row: PassRow) -> None:
        """Notes that the monitor has looked."""
        insert = """INSERT INTO passes (at_ms, run_id, opened_count, resolved_count, active_count, blind_count)
            VALUES (?, ?, ?, ?, ?, ?)"""
        values = (row.at_ms, row.run_id, row.opened_count, row.resolved_count, row.active_count, row.blind_count)
        with _faults(self.path, "write"):
            self._connection.execute(insert, values)

    def last_pass_ms(self) -> int | None:
        """When the monitor last looked."""
        return self._one("SELECT at_ms FROM passes ORDER BY number DESC LIMIT 1")

    def passes(self) -> tuple[PassRow, ...]:
        """Every look, oldest first."""
        select = "SELECT at_ms, run_id, opened_count, resolved_count, active_count, blind_count FROM passes"
        with _faults(self.path, "read"):
            found = self._connection.execute(f"{select} ORDER BY number").fetchall()
        names = [field.name for field in fields(PassRow)]
        return tuple(PassRow(**dict(zip(names, row, strict=True))) for row in found)

    def _incidents(self, rest: str) -> tuple[Incident, ...]:
        with _faults(self.path, "read"):
            found = self._connection.execute(f"{_SELECT} {rest}").fetchall()
            return tuple(_incident(dict(zip(_COLUMNS, row, strict=True))) for row in found)

    def _one(self, select: str) -> Any:  # noqa: ANN401 (whatever the column holds)
        with _faults(self.path, "read"):
            found = self._connection.execute(select).fetchone()
        return None if found is None else found[0]


@contextmanager
def _faults(path: Path, doing: str) -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, msgspec.DecodeError) as error:
        raise StoreFault(
            f"Cannot {doing} the monitor's history: {error}", where=Where(file=str(path)), next_step=NEXT_STEP
        ) from error


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        prepare(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _values(incident: Incident) -> tuple[str | int | None, ...]:
    plain: dict[str, Any] = {name: getattr(incident, name) for name in _COLUMNS}
    plain["numbers"] = msgspec.json.encode(incident.numbers).decode()
    return tuple(each.value if isinstance(each, StrEnum) else each for each in plain.values())


def _incident(row: Mapping[str, Any]) -> Incident:
    decoded = {"numbers": msgspec.json.decode(row["numbers"]), "is_baseline": bool(row["is_baseline"])}
    return msgspec.convert({**row, **decoded}, type=Incident)
