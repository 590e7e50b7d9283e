"""The session's journal on SQLite: WAL, `synchronous=FULL`, one transaction per step. Tables: `session_schema`.

What a step means is decided in `session` and `orders`; here it becomes durable whole, or not at all.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from typing_extensions import override

from copytrade_core.edges.runtime.session_connection import connect_file, connect_in_memory
from copytrade_core.edges.runtime.session_lease import SessionLease
from copytrade_core.edges.runtime.session_notes import source_event_row
from copytrade_core.edges.runtime.session_rows import (
    INSERT_ALERT,
    INSERT_FILL_ID,
    INSERT_HISTORY,
    INSERT_ORDER,
    PUT_DONE,
    PUT_STATE,
    TRADED,
    UPDATE_ORDER,
    Known,
    Values,
    alert_values,
    changed_order_values,
    changed_rows,
    history_values,
    new_order_values,
    record_rows,
    traded_of_row,
)
from copytrade_core.edges.runtime.session_schema import SchemaRefused
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput, StoreFault, Where
from copytrade_core.session.identity import SessionIdentity, same_session
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from copytrade_core.session.snapshot import decode_row

NEXT_STEP = "Check the folder's permissions and free space; what was committed before is unchanged"
IN_MEMORY = Path(":memory:")
_DONE = "SELECT episode_id, body FROM done_trades ORDER BY rowid"


class SessionDb(Journal):
    """One session's journal; made by `open` or `in_memory`, closed by `close` or as a context manager.

    Belongs to the process and thread that opened it: a forked child is refused.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], sqlite3.Connection],
        lease: SessionLease | None,
        *,
        identity: SessionIdentity,
        run_id: str,
        now_ms: int,
    ) -> None:
        self.path = path
        self._connect = connect
        self._lease = lease
        self._pid = os.getpid()
        self._known: Known | None = None
        self._state: bytes | None = None
        self._is_synced = True
        with self._faults("open"):
            self._connection = connect()
            try:
                self._run = self._begin_run(identity, run_id, now_ms)
            except BaseException:
                self._connection.close()
                raise

    @classmethod
    def open(cls, path: Path, *, identity: SessionIdentity, run_id: str, now_ms: int) -> Self:
        """Opens or creates the journal in a file and takes its lease, for as long as it is open.

        Args:
            path: `session.sqlite` of the runtime directory; its folder is created.
            identity: who writes; a journal of another session is refused.
            run_id: this start of the session; the same id after a crash goes on with that run.
            now_ms: epoch ms, noted for a new run or migration.

        Raises:
            StoreFault: another process holds it; it cannot be read or written; it is damaged, of a newer schema or of
                something else. Nothing was changed.
            BadInput: it belongs to another lead, strategy, policy digest, venue or account; names the field.
        """
        lease = SessionLease.take(path)
        try:
            return cls(path, lambda: connect_file(path, now_ms), lease, identity=identity, run_id=run_id, now_ms=now_ms)
        except BaseException:
            lease.release()
            raise

    @classmethod
    def in_memory(cls, *, identity: SessionIdentity, run_id: str, now_ms: int) -> Self:
        """The same journal without a file, for simulations; gone when closed."""
        connection = connect_in_memory(now_ms)
        return cls(IN_MEMORY, lambda: connection, None, identity=identity, run_id=run_id, now_ms=now_ms)

    @override
    def load(self) -> Journalled:
        with self._faults("read"):
            self._make_up()
            body, cursor = self._connection.execute("SELECT body, cursor FROM state").fetchone() or (None, None)
            return Journalled(
                state=None if body is None else body.encode(),
                done={episode_id: each.encode() for episode_id, each in self._connection.execute(_DONE)},
                rows=tuple(row for row, _ in self._rows().values()),
                fill_ids=frozenset(each for (each,) in self._connection.execute("SELECT fill_id FROM fill_ids")),
                traded=tuple(traded_of_row(each) for each in self._connection.execute(TRADED)),
                cursor=cursor,
            )

    @override
    def commit(self, step: JournalStep) -> None:
        with self._faults("write"):
            self._make_up()
            known = self._rows()
            state = None if step.state == self._state else step.state
            changed = changed_rows(step.rows, known)
            parts = (changed, step.done, step.records, step.fill_ids, step.alerts, state, step.heard, step.cursor)
            if not any(parts):
                return
            with self._transaction(needs_sync=step.needs_sync):
                self._write(step, state, changed, known)
            known.update(changed)
            self._state = state or self._state

    def record_config(self, body: str, *, at_ms: int) -> None:
        """Keeps the settings in force, once per run and content.

        Raises:
            StoreFault: it cannot be written.
        """
        digest = digest_of(body)
        select = "SELECT 1 FROM config_snapshots WHERE run = ? AND digest = ?"
        insert = "INSERT INTO config_snapshots (run, at_ms, digest, body) VALUES (?, ?, ?, ?)"
        with self._faults("write"), self._transaction():
            if self._connection.execute(select, (self._run, digest)).fetchone() is None:
                self._connection.execute(insert, (self._run, at_ms, digest, body))

    def note(self, rows: Iterable[tuple[str, Values]]) -> None:
        """Keeps observations beside the journal, all or none: statements whose first value is the run.

        It is called between steps, so what the log holds is moved to the tables here and no order waits for that.

        Raises:
            StoreFault: they cannot be written; nothing was changed.
        """
        with self._faults("write"), self._transaction():
            for statement, values in rows:
                self._connection.execute(statement, (self._run, *values))
        with self._faults("write"):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def ask(self, query: str, values: Values = ()) -> list[tuple[Any, ...]]:
        """The rows of one SELECT.

        Raises:
            StoreFault: it cannot be read.
        """
        with self._faults("read"):
            self._make_up()
            return self._connection.execute(query, values).fetchall()

    def reopen(self) -> None:
        """Forgets everything that was not committed, as a restart would; the lease stays.

        Raises:
            StoreFault: see `open`.
        """
        with self._faults("open"):
            self._forget()
            if self._lease is not None:
                self._connection.close()
            self._connection = self._connect()
            self._is_synced = True

    def close(self) -> None:
        """Closes the file and gives the lease back; closing twice is harmless."""
        if self._pid == os.getpid():
            self._connection.close()
        if self._lease is not None:
            self._lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, step: JournalStep, state: bytes | None, changed: Known, known: Known) -> None:
        execute, run, at_ms, sequence = self._connection.execute, self._run, step.at_ms, len(known)
        if state is not None or step.cursor is not None:
            execute(PUT_STATE, (run, at_ms, None if state is None else state.decode(), step.cursor))
        for episode_id, done in step.done.items():
            execute(PUT_DONE, (episode_id, run, at_ms, done.decode()))
        for order_id, (row, body) in changed.items():
            before = known[order_id][0] if order_id in known else None
            if before is None:
                values = new_order_values(row, body.decode(), sequence=sequence, run=run, at_ms=at_ms)
                execute(INSERT_ORDER, values)
                sequence += 1
            else:
                execute(UPDATE_ORDER, changed_order_values(row, body.decode(), at_ms=at_ms))
            if before is None or (before.state, before.filled) != (row.state, row.filled):
                execute(INSERT_HISTORY, history_values(row, run=run, at_ms=at_ms))
        for fill_id in step.fill_ids:
            execute(INSERT_FILL_ID, (fill_id, run, at_ms))
        for statement, values in record_rows(step.records, run=run, at_ms=at_ms):
            execute(statement, values)
        if step.heard is not None:
            statement, values = source_event_row(step.heard, at_ms=at_ms)
            execute(statement, (run, *values))
        for alert in step.alerts:
            execute(INSERT_ALERT, alert_values(alert, run=run))

    def _rows(self) -> Known:
        if self._known is None:
            found = self._connection.execute("SELECT client_order_id, body FROM orders ORDER BY sequence")
            bodies = {order_id: body.encode() for order_id, body in found}
            try:
                self._known = {order_id: (decode_row(body), body) for order_id, body in bodies.items()}
            except BadInput as error:
                where = Where(file=str(self.path), field=error.where.field)
                raise StoreFault(f"an order of the journal: {error.what}", where=where) from error
            state = self._connection.execute("SELECT body FROM state").fetchone()
            self._state = None if state is None or state[0] is None else state[0].encode()
        return self._known

    def _begin_run(self, identity: SessionIdentity, run_id: str, now_ms: int) -> int:
        columns = "lead, strategy, policy_digest, venue, account"
        ours = (identity.lead, identity.strategy, identity.policy_digest, identity.venue, identity.account)
        with self._transaction():
            for row in self._connection.execute(f"SELECT DISTINCT {columns} FROM runs"):  # noqa: S608 (names above)
                saved = SessionIdentity(
                    lead=row[0], strategy=row[1], policy_digest=row[2], venue=row[3], account=row[4]
                )
                same_session(saved, identity, what=f"the journal {self.path}")
            self._connection.execute(
                f"INSERT INTO runs (run_id, started_at_ms, {columns}) VALUES (?, ?, ?, ?, ?, ?, ?) "  # noqa: S608
                "ON CONFLICT (run_id) DO NOTHING",
                (run_id, now_ms, *ours),
            )
            (run,) = self._connection.execute("SELECT run FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return int(run)

    def _sync_commits(self, *, needs_sync: bool) -> None:
        """NORMAL writes a commit to the log and leaves its sync to the next one under FULL, which syncs all before."""
        if self._is_synced != needs_sync:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if needs_sync else 'NORMAL'}")
            self._is_synced = needs_sync

    def _make_up(self) -> None:
        """A rollback that failed is made up for before anything is read or written."""
        if self._connection.in_transaction:
            self._forget()

    @contextmanager
    def _transaction(self, *, needs_sync: bool = True) -> Generator[None, None, None]:
        self._make_up()
        self._sync_commits(needs_sync=needs_sync)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # Also after an interrupt between COMMIT and here: what is known is read anew.
            self._forget()
            raise

    def _forget(self) -> None:
        self._known = self._state = None
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @contextmanager
    def _faults(self, doing: str) -> Generator[None, None, None]:
        """SQLite's errors as ours, naming the file."""
        where = Where(file=str(self.path))
        if self._pid != os.getpid():
            raise StoreFault("a journal belongs to the process that opened it, not to its children", where=where)
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise BadInput(f"the journal refuses the step: {error}", where=where) from error
        except (sqlite3.Error, SchemaRefused, OSError) as error:
            raise StoreFault(
                f"Cannot {doing} the journal {self.path}: {error}", where=where, next_step=NEXT_STEP
            ) from error
