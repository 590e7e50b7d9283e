"""DuckDB over one runtime directory: its journal, status and files as tables, in memory and read-only.

SQLite is read with the standard library and files by their own readers, so no DuckDB extension is needed and nothing of
a running session is locked. Rows of another session are in `foreign_rows` and nowhere else.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import polars as pl

from copytrade_core.edges.runtime.row_files import numbered_rows
from copytrade_core.edges.runtime.runtime_files import (
    CANDLES_FILE,
    EQUITY_FILE,
    EVENTS_JSONL,
    PARAMS_FILE,
    SESSION_FILE,
    SHADOW_FILE,
)
from copytrade_core.edges.runtime.runtime_stamp import STAMP_FIELDS, ForeignRow, RuntimeStamp, foreign
from copytrade_core.edges.runtime.session_reader import reading
from copytrade_core.edges.runtime.status_file import STATUS_FILE
from copytrade_core.model.errors import NotStored, StoreFault, Where

Rows = list[dict[str, Any]]
_TYPES = {"INTEGER": pl.Int64, "REAL": pl.Float64, "TEXT": pl.String}
_FOREIGN = {"file": pl.String, "row": pl.Int64, "field": pl.String, "found": pl.String, "wanted": pl.String}
_NUMBERS = ("_usdt", "_count", "_s", "open", "high", "low", "close")
_ROW_FILES = {"live_equity": EQUITY_FILE, "live_candles": CANDLES_FILE}
_LINE_FILES = {"live_chart_events": EVENTS_JSONL, "shadow_orders_file": SHADOW_FILE}
VIEWS = """
CREATE VIEW orders_in_units AS SELECT o.* EXCLUDE (quantity, filled, body),
    o.quantity * i.step_size AS quantity, o.filled * i.step_size AS filled
    FROM orders o LEFT JOIN instruments i USING (market);
CREATE VIEW fills_in_units AS SELECT f.* EXCLUDE (raw_price, price, quantity, fee, slippage),
    f.raw_price * i.tick_size AS raw_price, f.price * i.tick_size AS price, f.quantity * i.step_size AS quantity,
    f.price * i.tick_size * f.quantity * i.step_size AS notional_usdt, f.fee / 1e8 AS fee_usdt,
    f.slippage / 1e8 AS slippage_usdt, make_timestamp(f.time_ms * 1000) AS filled_at
    FROM fills f LEFT JOIN instruments i USING (market);
CREATE VIEW funding_in_units AS SELECT * EXCLUDE (cost), cost / 1e8 AS cost_usdt, make_timestamp(time_ms * 1000) AS at
    FROM funding;
CREATE VIEW session_latency AS SELECT stage, count(lag_ms) AS fills, quantile_cont(lag_ms, 0.5) AS p50_ms,
    quantile_cont(lag_ms, 0.99) AS p99_ms, max(lag_ms) AS max_ms FROM (
        SELECT unnest(['source_to_seen', 'seen_to_intent', 'intent_to_submitted', 'submitted_to_filled',
            'source_to_filled']) AS stage, unnest([source_lag_ms, decision_lag_ms, sending_lag_ms, fill_lag_ms,
            total_lag_ms]) AS lag_ms, unnest([1, 2, 3, 4, 5]) AS place FROM comparisons)
    GROUP BY stage ORDER BY any_value(place);
CREATE VIEW latency AS SELECT kind, count(*) AS fills, avg(source_lag_ms) AS source_lag_ms,
    avg(decision_lag_ms) AS decision_lag_ms, avg(sending_lag_ms) AS sending_lag_ms, avg(fill_lag_ms) AS fill_lag_ms,
    quantile_cont(total_lag_ms, 0.99) AS total_lag_ms_p99 FROM comparisons GROUP BY kind;
"""
"""Prices and quantities in quote and base units; ticks and steps stay exact in the tables below them."""


def connect_runtime(folder: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with a table for each table of `session.sqlite` and each file, and views over them.

    `live_equity`, `live_candles`, `live_chart_events`, `run_telemetry` and `shadow_orders_file` are files; `run_status`
    and `instruments` come from documents. They show this moment: connect again to see later ones.

    Raises:
        NotStored: no session was ever in that folder.
        StoreFault: its journal is damaged or of a newer schema, or a file cannot be read.
    """
    if not (folder / SESSION_FILE).exists():
        raise NotStored(
            f"{folder} holds no session",
            where=Where(file=str(folder / SESSION_FILE)),
            next_step="Run `copytrade status` to see the sessions there are",
        )
    tables, stamp = _journal(folder / SESSION_FILE)
    strangers: list[ForeignRow] = []
    tables |= _files(folder, stamp, strangers)
    told = [{name: getattr(each, name) for name in _FOREIGN} for each in strangers]
    tables["foreign_rows"] = pl.DataFrame(told, schema=_FOREIGN)
    return _connection(tables)


def _connection(tables: Mapping[str, pl.DataFrame]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in tables.items():
            connection.register("arriving", table.to_arrow())
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")  # noqa: S608 (names of ours)
            connection.unregister("arriving")
        connection.execute(VIEWS)
        # From here SQL can read these tables and nothing else, and cannot undo that.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def _journal(path: Path) -> tuple[dict[str, pl.DataFrame], RuntimeStamp]:
    """Every table of the journal in one consistent read, and whose it is."""
    with reading(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
        tables = {str(name): _table(connection, str(name)) for (name,) in names}
    runs = tables["runs"].to_dicts()
    if not runs:
        raise StoreFault(f"The journal {path} has no run", where=Where(file=str(path)))
    newest = runs[-1]
    words = {name: str(newest[name]) for name in ("run_id", "lead", "strategy", "policy_digest", "venue", "account")}
    return tables, RuntimeStamp(mode="", **words)


def _table(connection: sqlite3.Connection, name: str) -> pl.DataFrame:
    columns = connection.execute(f"PRAGMA table_info('{name}')").fetchall()
    rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()  # noqa: S608 (a name of the schema)
    schema = {str(column[1]): _TYPES[str(column[2])] for column in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _files(folder: Path, stamp: RuntimeStamp, strangers: list[ForeignRow]) -> dict[str, pl.DataFrame]:
    mode = _mode(folder)
    ours = RuntimeStamp(
        run_id=stamp.run_id,
        mode=mode,
        lead=stamp.lead,
        strategy=stamp.strategy,
        policy_digest=stamp.policy_digest,
        venue=stamp.venue,
        account=stamp.account,
    )
    found: dict[str, Rows] = {}
    for table, name in _ROW_FILES.items():
        found[table] = _own(_csv_rows(folder / name), ours, strangers, file=name)
    for table, name in _LINE_FILES.items():
        found[table] = _own(_json_rows(folder / name), ours, strangers, file=name)
    found["run_telemetry"] = []
    for path in sorted(folder.glob("run_telemetry_*.jsonl")):
        found["run_telemetry"] += _own(_json_rows(path), ours, strangers, file=path.name)
    found["run_status"] = _own(_documents(folder / STATUS_FILE), ours, strangers, file=STATUS_FILE)
    params = _own(_documents(folder / PARAMS_FILE), ours, strangers, file=PARAMS_FILE)
    grid = [_numbers(each) for row in params for each in row.get("instruments", [])]
    tables = {name: _frame(rows) for name, rows in found.items()}
    return tables | {"instruments": _instruments(grid)}


def _mode(folder: Path) -> str:
    """The path of the session as its parameters or its status say; without either nothing in the files is its own."""
    for name in (PARAMS_FILE, STATUS_FILE):
        for _, row in _documents(folder / name):
            if isinstance(row.get("mode"), str):
                return str(row["mode"])
    return ""


def _own(
    rows: Sequence[tuple[int, dict[str, Any]]], ours: RuntimeStamp, strangers: list[ForeignRow], *, file: str
) -> Rows:
    kept: Rows = []
    for number, row in rows:
        stranger = foreign(row, ours, file=file, number=number)
        if stranger is None:
            kept.append(row)
        else:
            strangers.append(stranger)
    return kept


def _csv_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    lines = numbered_rows(path, has_header=False)
    if not lines:
        return []
    header = lines[0][1].decode(errors="replace").split(",")
    found: list[tuple[int, dict[str, Any]]] = []
    for number, line in lines[1:]:
        cells = next(csv.reader(io.StringIO(line.decode(errors="replace"))), [])
        row = dict(zip(header, cells, strict=False)) if len(cells) == len(header) else {}
        found.append((number, _numbers(row)))
    return found


def _json_rows(path: Path) -> list[tuple[int, dict[str, Any]]]:
    return [(number, _object(line)) for number, line in numbered_rows(path, has_header=False)]


def _documents(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        return [(1, _object(path.read_bytes()))]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreFault(f"Cannot read {path}: {error.strerror}", where=Where(file=str(path))) from error


def _object(content: bytes) -> dict[str, Any]:
    """One JSON object; what is none has no stamp, so it is foreign."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Decimal text as numbers: to be looked at; exact amounts are in the journal."""
    return {
        name: float(value)
        if name not in STAMP_FIELDS and name.endswith((*_NUMBERS, "_size", "_quantity")) and value not in ("", None)
        else value
        for name, value in row.items()
    }


def _instruments(grid: Rows) -> pl.DataFrame:
    names = ("tick_size", "step_size", "min_quantity", "min_notional_usdt")
    schema = {"market": pl.String, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in grid], schema=schema)


def _frame(rows: Rows) -> pl.DataFrame:
    """Columns in the order of their first appearance; what is nested is kept as JSON text."""
    names = list(dict.fromkeys(name for row in rows for name in row)) or list(STAMP_FIELDS)
    return pl.DataFrame([_column(name, [_plain(row.get(name)) for row in rows]) for name in names])


def _plain(value: object) -> object:
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value


def _column(name: str, values: list[object]) -> pl.Series:
    """One type for a column: whole numbers, numbers or truth values where all are; text otherwise."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds and kinds <= {int, float}:
        return pl.Series(name, values, dtype=pl.Int64 if kinds == {int} else pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
