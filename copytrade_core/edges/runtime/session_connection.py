"""Connections to a journal: checked, written ahead, synced in full, of the newest schema. Its rows are unknown here."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from copytrade_core.edges.atomic_files import sync_folder
from copytrade_core.edges.runtime.session_schema import SchemaRefused, check_ours, migrate

BUSY_TIMEOUT_S = 5.0
"""A reader may hold the file for a moment; a second writer is kept out by the lease."""
LOG_PAGES_MAX = 8_000
"""At 4 KiB each: the log is emptied between steps; only one that has grown so long is emptied within a step."""


def connect_in_memory(now_ms: int) -> sqlite3.Connection:
    """A fresh journal without a file."""
    connection = _connection(":memory:")
    migrate(connection, now_ms=now_ms)
    return connection


def connect_file(path: Path, now_ms: int) -> sqlite3.Connection:
    """An open journal of the newest schema; the file is changed only once it is known to be ours and whole.

    Raises:
        SchemaRefused: something else, of a newer schema, damaged, or on a file system without a write-ahead log.
        sqlite3.Error: no SQLite file, damaged, or not writable.
        StoreFault: its folder cannot be synced.
    """
    is_new = not path.exists()
    connection = _connection(str(path))
    try:
        check_ours(connection)
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise SchemaRefused(f"it is damaged: {verdict}")
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise SchemaRefused(f"its file system allows no write-ahead log (journal mode {mode})")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES_MAX}")
        migrate(connection, now_ms=now_ms)
        if is_new:
            sync_folder(path.parent)
    except BaseException:
        connection.close()
        raise
    return connection


def _connection(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
