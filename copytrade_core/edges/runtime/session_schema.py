"""The tables of `session.sqlite`, and the numbered steps from an older file to this version's.

Plain tables and types, to be read with DuckDB (`ATTACH 'session.sqlite' (TYPE sqlite)`) or any SQLite reader. Instants
are epoch milliseconds, money is 1e-8 quote, prices are ticks and quantities steps of the market's instrument.

- `runs`: one row per start of the session: lead, strategy, policy digest, venue, account alias. Every other row names
  its run.
- `state`: one row: the flow's state after the last step (JSON) and how far the feed was told. `done_trades`: the
  strategy's trades that are over, each written when it ended (JSON); one that `state` has too is as it is there.
- `orders`: one row per order; `sequence` is the order of planning, `body` the whole row (JSON), the other columns are
  there to be read. A final order never changes and no order is ever deleted.
- `order_history`: every change of an order's state or filled quantity.
- `fill_ids`: the venue's trade ids that were posted, each once for ever. `fills`: what was posted.
- `intents`: wishes that became orders (`ordered`) or did not (`refused`).
- `decisions`: holds, syncs, holdings written off, and one row for each rule that a refused intent failed, with the
  numbers compared. `alerts`: what a person was to hear of. `config_snapshots`: settings in force.
- `source_events`: what the leads were seen to do, each once. `positions` and `equity`: how things stood at a look.
- `slippage_observations`: one row per fill, held against the price at which it could first happen, after our delay:
  `quote_before` is the side of the quote, or the bar's price, that was traded and `expected` the same, or what was
  wished where nobody saw it. `signed_bps` is from there to `filled`, `delay_bps` from what was wished (a resting
  order's own price, or what the decision saw) to the middle of that quote, `spread_bps` from its middle to its side:
  all of `expected`, positive when worse, None where a price is not known. `bid_before` and `ask_before` are None where
  bars were traded. `comparisons`: one row per fill: source, decision, sending and fill with their times, prices
  and lags. `shadow_orders`: what a venue would have been sent.
- `funding`: what each holding paid (negative: received), in the transaction that took it from the cash.
- `migrations`: which numbered step made the tables, and when.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

APPLICATION_ID = 0x43545331
"""Says that a SQLite file is a session journal of ours ("CTS1")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema; its number is its place in the list, from 1."""

    name: str
    statements: tuple[str, ...]


class SchemaRefused(Exception):
    """The file is not a journal that this version may write; says why."""


_RUN = "run INTEGER NOT NULL REFERENCES runs(run)"
_NUMBER = "number INTEGER PRIMARY KEY"

FIRST = Migration(
    name="journal",
    statements=(
        """CREATE TABLE migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL,
            applied_at_ms INTEGER NOT NULL) STRICT""",
        """CREATE TABLE runs (run INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, lead TEXT NOT NULL,
            strategy TEXT NOT NULL, policy_digest TEXT NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,
            started_at_ms INTEGER NOT NULL) STRICT""",
        f"""CREATE TABLE state (slot INTEGER PRIMARY KEY CHECK (slot = 1), {_RUN}, at_ms INTEGER NOT NULL, body TEXT,
            cursor TEXT) STRICT""",
        f"""CREATE TABLE orders (client_order_id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE, {_RUN},
            intent_digest TEXT NOT NULL, kind TEXT NOT NULL, episode_id TEXT NOT NULL, market TEXT NOT NULL,
            side TEXT NOT NULL, leg TEXT NOT NULL, buys INTEGER NOT NULL, reduce_only INTEGER NOT NULL,
            quantity INTEGER NOT NULL, planned_at_ms INTEGER NOT NULL, state TEXT NOT NULL, is_final INTEGER NOT NULL,
            filled INTEGER NOT NULL, sent_at_ms INTEGER, deadline_ms INTEGER, venue_order_id TEXT,
            changed_at_ms INTEGER NOT NULL, why TEXT NOT NULL, body TEXT NOT NULL) STRICT""",
        """CREATE TRIGGER orders_final BEFORE UPDATE ON orders WHEN OLD.is_final
            BEGIN SELECT RAISE(ABORT, 'a final order never changes'); END""",
        """CREATE TRIGGER orders_kept BEFORE DELETE ON orders
            BEGIN SELECT RAISE(ABORT, 'an order is never deleted'); END""",
        f"""CREATE TABLE order_history ({_NUMBER}, {_RUN},
            client_order_id TEXT NOT NULL REFERENCES orders(client_order_id), state TEXT NOT NULL,
            filled INTEGER NOT NULL, at_ms INTEGER NOT NULL, why TEXT NOT NULL) STRICT""",
        f"CREATE TABLE fill_ids (fill_id TEXT PRIMARY KEY, {_RUN}, at_ms INTEGER NOT NULL) STRICT",
        """CREATE TRIGGER fill_ids_kept BEFORE DELETE ON fill_ids
            BEGIN SELECT RAISE(ABORT, 'a fill id is never forgotten'); END""",
        f"""CREATE TABLE fills ({_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL, client_order_id TEXT NOT NULL,
            kind TEXT NOT NULL, episode_id TEXT NOT NULL, market TEXT NOT NULL, side TEXT NOT NULL, leg TEXT NOT NULL,
            buys INTEGER NOT NULL, time_ms INTEGER NOT NULL, raw_price INTEGER NOT NULL, price INTEGER NOT NULL,
            quantity INTEGER NOT NULL, fee INTEGER NOT NULL, slippage INTEGER NOT NULL, model TEXT NOT NULL,
            reason TEXT NOT NULL) STRICT""",
        f"""CREATE TABLE intents ({_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
            episode_id TEXT NOT NULL, market TEXT NOT NULL, side TEXT NOT NULL, leg TEXT NOT NULL,
            outcome TEXT NOT NULL, reason TEXT NOT NULL, client_order_id TEXT, body TEXT NOT NULL) STRICT""",
        f"""CREATE TABLE decisions ({_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL, decision TEXT NOT NULL,
            episode_id TEXT NOT NULL, leg TEXT, reason TEXT NOT NULL, numbers TEXT NOT NULL,
            detail TEXT NOT NULL) STRICT""",
        f"""CREATE TABLE alerts ({_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
            what TEXT NOT NULL) STRICT""",
        f"""CREATE TABLE config_snapshots ({_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL, digest TEXT NOT NULL,
            body TEXT NOT NULL) STRICT""",
    ),
)

_AT = f"{_NUMBER}, {_RUN}, at_ms INTEGER NOT NULL"
_FILL = "fill INTEGER NOT NULL UNIQUE REFERENCES fills(number)"

SECOND = Migration(
    name="observations",
    statements=(
        f"""CREATE TABLE source_events ({_AT}, kind TEXT NOT NULL, episode_id TEXT NOT NULL, lead TEXT NOT NULL,
            market TEXT NOT NULL, side TEXT NOT NULL, change TEXT NOT NULL, happened_at_ms INTEGER NOT NULL,
            known_at_ms INTEGER NOT NULL, price TEXT, quantity TEXT, entry_deviation_ratio REAL,
            missing_polls_count INTEGER, UNIQUE (episode_id, kind, change, happened_at_ms, known_at_ms)) STRICT""",
        f"""CREATE TABLE positions ({_AT}, episode_id TEXT NOT NULL, market TEXT NOT NULL, side TEXT NOT NULL,
            quantity INTEGER NOT NULL, entry_price INTEGER NOT NULL, mark INTEGER, notional INTEGER NOT NULL,
            unrealised INTEGER, opened_at_ms INTEGER NOT NULL, source_state TEXT NOT NULL) STRICT""",
        f"""CREATE TABLE equity ({_AT}, cash INTEGER NOT NULL, equity INTEGER NOT NULL, day_result INTEGER NOT NULL,
            positions_count INTEGER NOT NULL, gross_notional INTEGER NOT NULL) STRICT""",
        f"""CREATE TABLE slippage_observations ({_AT}, {_FILL}, client_order_id TEXT NOT NULL, market TEXT NOT NULL,
            side TEXT NOT NULL, buys INTEGER NOT NULL, mark_before INTEGER, quote_before INTEGER,
            expected INTEGER NOT NULL, filled INTEGER NOT NULL, quantity INTEGER NOT NULL,
            signed_bps REAL NOT NULL) STRICT""",
        f"""CREATE TABLE comparisons ({_AT}, {_FILL}, client_order_id TEXT NOT NULL, episode_id TEXT NOT NULL,
            market TEXT NOT NULL, kind TEXT NOT NULL, leg TEXT NOT NULL,
            source_event INTEGER REFERENCES source_events(number), source_at_ms INTEGER, source_price TEXT,
            seen_at_ms INTEGER, decided_at_ms INTEGER, decided_price INTEGER, sent_at_ms INTEGER,
            filled_at_ms INTEGER NOT NULL, fill_price INTEGER NOT NULL, source_lag_ms INTEGER,
            decision_lag_ms INTEGER, sending_lag_ms INTEGER, fill_lag_ms INTEGER, total_lag_ms INTEGER,
            decided_to_fill_bps REAL, source_to_fill_bps REAL) STRICT""",
        f"""CREATE TABLE shadow_orders ({_AT}, client_order_id TEXT NOT NULL UNIQUE, episode_id TEXT NOT NULL,
            market TEXT NOT NULL, kind TEXT NOT NULL, leg TEXT NOT NULL, fault_kind TEXT, fault_field TEXT,
            fault_detail TEXT, request TEXT) STRICT""",
    ),
)

THIRD = Migration(
    name="funding and quotes",
    statements=(
        f"""CREATE TABLE funding ({_AT}, episode_id TEXT NOT NULL, market TEXT NOT NULL, cost INTEGER NOT NULL,
            time_ms INTEGER NOT NULL, UNIQUE (episode_id, time_ms)) STRICT""",
        "ALTER TABLE slippage_observations ADD COLUMN bid_before INTEGER",
        "ALTER TABLE slippage_observations ADD COLUMN ask_before INTEGER",
    ),
)

FOURTH = Migration(
    name="slippage apart from delay",
    statements=(
        "ALTER TABLE slippage_observations ADD COLUMN delay_bps REAL",
        "ALTER TABLE slippage_observations ADD COLUMN spread_bps REAL",
        # Older rows held a fill against what the decision saw: the market's move meanwhile counted as slippage.
        """UPDATE slippage_observations SET expected = quote_before,
            signed_bps = (CASE WHEN buys THEN 1e4 ELSE -1e4 END) * (filled - quote_before) / quote_before
            WHERE quote_before > 0""",
    ),
)

FIFTH = Migration(
    name="done trades",
    statements=(
        f"""CREATE TABLE done_trades (episode_id TEXT PRIMARY KEY, {_RUN}, at_ms INTEGER NOT NULL,
            body TEXT NOT NULL) STRICT""",
    ),
)

MIGRATIONS: tuple[Migration, ...] = (FIRST, SECOND, THIRD, FOURTH, FIFTH)


def check_ours(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The schema version of an open file, 0 for an empty one. Reads only.

    Raises:
        SchemaRefused: a SQLite file of something else, or of a newer version.
        sqlite3.Error: no SQLite file, or damaged.
    """
    application_id, version = _pragma(connection, "application_id"), _pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application_id != APPLICATION_ID and (tables or application_id or version):
        raise SchemaRefused("it is a SQLite file of something else")
    if version > len(migrations):
        raise SchemaRefused(f"it has schema {version}, this version reads up to {len(migrations)}")
    return version


def migrate(connection: sqlite3.Connection, *, now_ms: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Brings the file to the newest schema: every missing step, in one transaction.

    Raises:
        SchemaRefused: see `check_ours`.
        sqlite3.Error: it cannot be written; it is as it was.
    """
    if check_ours(connection, migrations) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Anew under the lock.
        version = check_ours(connection, migrations)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for number, migration in enumerate(migrations[version:], start=version + 1):
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?)", (number, migration.name, now_ms))
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
