"""A session's journal read beside the session that writes it: checked, read-only, one moment. Knows no rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from copytrade_core.edges.runtime.session_connection import BUSY_TIMEOUT_S
from copytrade_core.edges.runtime.session_schema import SchemaRefused, check_ours
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.session.identity import SessionIdentity


@contextmanager
def reading(journal: Path) -> Generator[sqlite3.Connection]:
    """One consistent look at a journal, which is never locked and never changed.

    Raises:
        StoreFault: it cannot be read, is damaged, of a newer schema or of something else; also for what goes wrong with
            SQLite inside the block.
    """
    address = f"file:{quote(str(journal.resolve()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)) as connection:
            _ = check_ours(connection)
            connection.execute("BEGIN")
            yield connection
    except (sqlite3.Error, SchemaRefused) as error:
        raise StoreFault(
            f"{journal.name} cannot be read: {error}",
            where=Where(file=str(journal)),
            next_step="Check the folder's permissions; what was committed before is unchanged",
        ) from error


def owners(connection: sqlite3.Connection) -> list[SessionIdentity]:
    """Whose the runs of a journal are, oldest first."""
    query = "SELECT lead, strategy, policy_digest, venue, account FROM runs ORDER BY run"
    return [
        SessionIdentity(lead=row[0], strategy=row[1], policy_digest=row[2], venue=row[3], account=row[4])
        for row in connection.execute(query)
    ]
