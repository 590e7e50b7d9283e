"""A runtime directory in SQL: its tables and files, in units, without rows of anybody else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from copytrade_core.edges.runtime.runtime_files import EQUITY_FILE, EVENTS_JSONL, SESSION_FILE
from copytrade_core.edges.runtime.runtime_stamp import stamp_of
from copytrade_core.edges.runtime.runtime_views import connect_runtime
from copytrade_core.model.errors import NotStored, StoreFault
from copytrade_core.session.feed import BarEnded
from tests.runtime_floor import FACTS, Kept
from tests.trading_floor import bar


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    session = Kept(tmp_path)
    session.files.params({"policy": "follow"})
    session.open()
    session.hear([BarEnded(bar=bar(100_000, 100_100, 99_900, 100_050))])
    session.show()
    session.close()
    session.show()
    return session


def asked(folder: Path, query: str) -> list[tuple]:
    connection = connect_runtime(folder)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_tables_and_files_are_there_while_the_session_runs(kept: Kept) -> None:
    names = {name for (name,) in asked(kept.folder, "SHOW TABLES")}
    assert {
        "runs",
        "source_events",
        "intents",
        "orders",
        "fills",
        "positions",
        "equity",
        "slippage_observations",
        "comparisons",
        "decisions",
        "config_snapshots",
        "live_equity",
        "live_candles",
        "live_chart_events",
        "run_telemetry",
        "run_status",
        "shadow_orders",
        "instruments",
        "foreign_rows",
    } <= names
    assert asked(kept.folder, "SELECT count(*) FROM live_equity") == [(2,)]
    assert asked(kept.folder, "SELECT close FROM live_candles") == [(100_050.0,)]
    assert asked(kept.folder, "SELECT count(*) FROM foreign_rows") == [(0,)]


def test_fills_are_shown_in_units_and_kept_in_ticks(kept: Kept) -> None:
    ticks = asked(kept.folder, "SELECT price, quantity FROM fills ORDER BY number")
    units = asked(kept.folder, "SELECT price, quantity, notional_usdt FROM fills_in_units ORDER BY number")
    for (price, steps), (shown, quantity, notional) in zip(ticks, units, strict=True):
        assert (shown, quantity) == (price, pytest.approx(steps / 100_000))
        assert notional == pytest.approx(price * steps / 100_000)
    kinds = asked(kept.folder, "SELECT kind, fills FROM latency ORDER BY kind")
    assert kinds == [("close", 1), ("open", 1)]


def test_rows_of_another_session_are_named_and_counted_nowhere(kept: Kept) -> None:
    stranger = {**replace(stamp_of(FACTS), venue="gate").words(), "event_id": "fill:99"}
    with (kept.folder / EVENTS_JSONL).open("a") as file:
        file.write(json.dumps(stranger) + "\nnonsense\n")
    equity = (kept.folder / EQUITY_FILE).read_text().splitlines()
    with (kept.folder / EQUITY_FILE).open("a") as file:
        file.write(equity[-1].replace("digest", "another") + "\n" + equity[-1][:40] + "\n")
    events = asked(kept.folder, "SELECT event_id FROM live_chart_events")
    assert ("fill:99",) not in events
    assert asked(kept.folder, "SELECT count(*) FROM live_equity") == [(2,)]
    named = asked(kept.folder, "SELECT file, field, found FROM foreign_rows ORDER BY file, row")
    assert named == [
        (EVENTS_JSONL, "venue", "gate"),
        (EVENTS_JSONL, "schema_version", "nothing"),
        (EQUITY_FILE, "policy_digest", "another"),
        (EQUITY_FILE, "schema_version", "nothing"),
    ]


def test_sql_reads_nothing_but_the_session(kept: Kept) -> None:
    connection = connect_runtime(kept.folder)
    for query in (
        "SELECT * FROM read_csv('/etc/passwd')",
        f"COPY runs TO '{kept.folder}/x.csv'",
        "SET enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(query)
    connection.close()


def test_a_session_without_files_still_has_its_journal(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    assert asked(tmp_path, "SELECT count(*) FROM fills_in_units") == [(1,)]
    assert asked(tmp_path, "SELECT count(*) FROM live_equity") == [(0,)]


def test_no_session_and_a_damaged_journal_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotStored):
        connect_runtime(tmp_path)
    (tmp_path / SESSION_FILE).write_text("no database at all, but long enough to be looked at")
    with pytest.raises(StoreFault):
        connect_runtime(tmp_path)
