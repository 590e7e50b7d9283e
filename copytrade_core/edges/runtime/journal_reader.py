"""The journal's rows as facts for the monitor: read only, typed columns, beside a session that writes.

What a row means is decided in `monitor`; the journal itself is `session_db`.
"""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from copytrade_core.edges.runtime.runtime_files import PARAMS_FILE, SESSION_FILE
from copytrade_core.edges.runtime.session_reader import reading
from copytrade_core.model.book import Book
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.monitor.facts import (
    AlertFact,
    FillFact,
    HoldingFact,
    JournalFact,
    OrderFact,
    RejectFact,
    RunFact,
    SessionWords,
    SlippageFact,
    SourceCloseFact,
    Unreadable,
)
from copytrade_core.session.snapshot import decode_state


class _Grid(msgspec.Struct, frozen=True):
    market: str
    tick_size: Decimal
    step_size: Decimal


class _Params(msgspec.Struct, frozen=True):
    instruments: tuple[_Grid, ...]


_CLOSES = "number, episode_id, entry_deviation_ratio, at_ms"
_SLIPPAGES = "number, client_order_id, market, signed_bps, at_ms"


def read_journal(folder: Path) -> JournalFact | Unreadable | None:
    """The journal of a runtime directory as one consistent read; None when there is none."""
    path = folder / SESSION_FILE
    if not path.exists():
        return None
    try:
        with reading(path) as connection:
            return _fact(connection, _grid(folder))
    except StoreFault as error:
        return Unreadable(what=error.what)
    except (BadInput, ValueError, TypeError) as error:
        return Unreadable(what=f"{SESSION_FILE} cannot be read: {error}")


def _grid(folder: Path) -> dict[str, _Grid]:
    """Tick and step of every market as the session wrote them; empty where that cannot be read: rules need no units."""
    try:
        params = msgspec.json.decode((folder / PARAMS_FILE).read_bytes(), type=_Params)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {each.market: each for each in params.instruments}


def _fact(connection: sqlite3.Connection, grid: dict[str, _Grid]) -> JournalFact:
    book, state_ms = _book(connection)
    held = () if book is None else book.holdings.values()
    closes = _rows(connection, "source_events", _CLOSES, "WHERE kind = 'closed' ORDER BY number")
    slippages = _rows(connection, "slippage_observations", _SLIPPAGES, "ORDER BY number")
    return JournalFact(
        runs=_runs(connection),
        orders=_orders(connection),
        rejects=tuple(
            RejectFact(number=number, client_order_id=order_id, at_ms=at_ms)
            for number, order_id, at_ms in connection.execute(
                "SELECT number, client_order_id, at_ms FROM order_history WHERE state = 'rejected' ORDER BY number"
            )
        ),
        fills=_fills(connection, grid),
        alerts=tuple(
            AlertFact(number=number, kind=kind, subject=subject, what=what, at_ms=at_ms)
            for number, kind, subject, what, at_ms in connection.execute(
                "SELECT number, kind, subject, what, at_ms FROM alerts ORDER BY number"
            )
        ),
        cash=None if book is None else book.cash,
        holdings=tuple(HoldingFact(episode_id=each.episode_id, market=each.market, cost=each.cost) for each in held),
        state_ms=state_ms,
        closes=None if closes is None else tuple(_close(*row) for row in closes),
        slippages=None if slippages is None else tuple(_slippage(*row) for row in slippages),
        close_wished_ms=dict(
            connection.execute("SELECT episode_id, min(at_ms) FROM intents WHERE kind = 'close' GROUP BY episode_id")
        ),
    )


def _runs(connection: sqlite3.Connection) -> tuple[RunFact, ...]:
    columns = "run_id, lead, strategy, policy_digest, venue, account"
    return tuple(
        RunFact(
            run_id=row[0],
            words=SessionWords(lead=row[1], strategy=row[2], policy_digest=row[3], venue=row[4], account=row[5]),
        )
        for row in connection.execute(f"SELECT {columns} FROM runs ORDER BY run")  # noqa: S608 (names above)
    )


def _orders(connection: sqlite3.Connection) -> tuple[OrderFact, ...]:
    columns = "sequence, client_order_id, kind, episode_id, market, leg, state, filled, sent_at_ms, changed_at_ms"
    return tuple(
        OrderFact(
            # From 1, as other tables are numbered: 0 means that nothing was looked at.
            number=row[0] + 1,
            client_order_id=row[1],
            kind=IntentKind(row[2]),
            episode_id=row[3],
            market=row[4],
            leg=row[5],
            state=OrderState(row[6]),
            filled=row[7],
            sent_ms=row[8],
            changed_ms=row[9],
        )
        for row in connection.execute(f"SELECT {columns} FROM orders ORDER BY sequence")  # noqa: S608
    )


def _fills(connection: sqlite3.Connection, grid: dict[str, _Grid]) -> tuple[FillFact, ...]:
    columns = "number, client_order_id, kind, episode_id, market, side, price, quantity, at_ms"
    return tuple(
        FillFact(
            number=row[0],
            client_order_id=row[1],
            kind=IntentKind(row[2]),
            episode_id=row[3],
            market=row[4],
            side=row[5],
            price=row[6],
            quantity=row[7],
            said=_said(grid.get(row[4]), price=row[6], quantity=row[7]),
            at_ms=row[8],
        )
        for row in connection.execute(f"SELECT {columns} FROM fills ORDER BY number")  # noqa: S608
    )


def _said(grid: _Grid | None, *, price: int, quantity: int) -> str:
    if grid is None:
        return f"{quantity} steps at {price} ticks"
    return f"{quantity * grid.step_size:f} at {price * grid.tick_size:f}"


def _book(connection: sqlite3.Connection) -> tuple[Book | None, int | None]:
    found = connection.execute("SELECT body, at_ms FROM state").fetchone()
    if found is None or found[0] is None:
        return None, None
    return decode_state(found[0].encode()).book, found[1]


def _rows(connection: sqlite3.Connection, table: str, columns: str, rest: str) -> list[tuple[Any, ...]] | None:
    """The rows of a table of a later schema; None when this journal is older."""
    exists = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if exists is None:
        return None
    return connection.execute(f"SELECT {columns} FROM {table} {rest}").fetchall()  # noqa: S608 (names above)


def _close(number: int, episode_id: str, deviation: float | None, at_ms: int) -> SourceCloseFact:
    return SourceCloseFact(number=number, episode_id=episode_id, deviation_ratio=deviation, at_ms=at_ms)


def _slippage(number: int, client_order_id: str, market: str, signed_bps: float, at_ms: int) -> SlippageFact:
    return SlippageFact(
        number=number, client_order_id=client_order_id, market=market, signed_bps=signed_bps, at_ms=at_ms
    )
