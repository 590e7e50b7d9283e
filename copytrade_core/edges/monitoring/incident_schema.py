"""The tables of a monitor's history, and how one of an earlier version is brought forward.

What is in them is written and read by `incident_db`.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x43544D31
"""Says that a SQLite file is a monitor's history of ours ("CTM1")."""
SCHEMA_VERSION = 2
_SCHEMA = (
    """CREATE TABLE incidents (number INTEGER PRIMARY KEY, rule TEXT NOT NULL, subject TEXT NOT NULL,
        severity TEXT NOT NULL, state TEXT NOT NULL, is_baseline INTEGER NOT NULL, first_at_ms INTEGER NOT NULL,
        last_at_ms INTEGER NOT NULL, count INTEGER NOT NULL, what TEXT NOT NULL, numbers TEXT NOT NULL,
        absent_since_ms INTEGER, acknowledged_at_ms INTEGER, acknowledged_by TEXT, resolved_at_ms INTEGER,
        delivery TEXT NOT NULL, attempts_count INTEGER NOT NULL, next_attempt_ms INTEGER NOT NULL, sent_at_ms INTEGER,
        failure TEXT, stop TEXT NOT NULL) STRICT""",
    "CREATE UNIQUE INDEX incidents_active ON incidents (rule, subject) WHERE state <> 'resolved'",
    "CREATE INDEX incidents_pending ON incidents (delivery) WHERE delivery = 'pending'",
    """CREATE TRIGGER incidents_kept BEFORE DELETE ON incidents
        BEGIN SELECT RAISE(ABORT, 'an incident is never deleted'); END""",
    """CREATE TABLE watermarks (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, orders INTEGER NOT NULL,
        rejects INTEGER NOT NULL, fills INTEGER NOT NULL, alerts INTEGER NOT NULL, closes INTEGER NOT NULL,
        slippages INTEGER NOT NULL) STRICT""",
    """CREATE TABLE messages (number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
        incidents_count INTEGER NOT NULL, failure TEXT) STRICT""",
    """CREATE TABLE passes (number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, run_id TEXT,
        opened_count INTEGER NOT NULL, resolved_count INTEGER NOT NULL,
        active_count INTEGER NOT NULL, blind_count INTEGER NOT NULL) STRICT""",
)


_MIGRATIONS = {
    1: (
        "ALTER TABLE incidents ADD COLUMN over TEXT NOT NULL DEFAULT 'none'",
        "DROP INDEX incidents_pending",
        "CREATE INDEX incidents_pending ON incidents (number) WHERE delivery = 'pending' OR over = 'pending'",
    )
}
"""By the version they start from, numbered without a gap; a new history goes the same way."""


def prepare(connection: sqlite3.Connection) -> None:
    """An empty file gets the tables; anything that is not ours is refused before it is changed."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not (application_id or version or tables):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in _SCHEMA:
            connection.execute(statement)
        _migrate(connection, 1)
        connection.execute("COMMIT")
        return
    if application_id != APPLICATION_ID:
        raise ValueError("it is a SQLite file of something else")
    if not 1 <= version <= SCHEMA_VERSION:
        raise ValueError(f"it has schema {version}, this version reads {SCHEMA_VERSION}")
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(f"it is damaged: {verdict}")
    if version < SCHEMA_VERSION:
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, version)
        connection.execute("COMMIT")


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for start in range(version, SCHEMA_VERSION):
        for statement in _MIGRATIONS[start]:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
