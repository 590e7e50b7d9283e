"""What a session observes beside its orders, in SQL: quotes before fills, funding, latency; old, busy journals."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.runtime_views import connect_runtime
from copytrade_core.edges.runtime.session_schema import MIGRATIONS, migrate
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.units import Money, Ticks
from copytrade_core.session.feed import QuoteSeen
from tests.runtime_floor import Kept
from tests.trading_floor import BTC, START_MS


def asked(folder: Path, query: str) -> list[tuple]:
    with closing(connect_runtime(folder)) as connection:
        return connection.execute(query).fetchall()


def test_a_fill_is_kept_with_the_quote_before_it_and_not_with_a_later_one(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.files.params({})

    def quote(bid: int, time_ms: int) -> QuoteSeen:
        mark = Ticks(bid + 5)
        return QuoteSeen(market=BTC, bid=Ticks(bid), ask=Ticks(bid + 20), mark=mark, time_ms=time_ms, age_ms=0)

    kept.hear([quote(99_990, START_MS - 1), quote(90_000, START_MS + 9_000_000)])
    kept.open()
    kept.show()
    found = asked(tmp_path, "SELECT mark_before, quote_before, bid_before, ask_before FROM slippage_observations")
    assert found == [(99_995, 100_010, 99_990, 100_010)]


def test_a_fill_without_any_quote_says_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    kept.show()
    found = asked(tmp_path, "SELECT mark_before, bid_before, ask_before FROM slippage_observations")
    assert found == [(100_000, None, None)]


def test_funding_is_kept_once_in_the_transaction_that_took_it_from_the_cash(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    before = kept.session.runner.state.book.cash
    paid = FundingPaid(episode_id=kept.session.episode.episode_id, market=BTC, cost=Money(700), time_ms=START_MS + 5)
    kept.session.runner.fund(paid)
    kept.session.runner.fund(paid)
    assert kept.session.runner.state.book.cash == before - 700
    assert asked(tmp_path, "SELECT episode_id, cost, time_ms FROM funding") == [(paid.episode_id, 700, START_MS + 5)]
    assert asked(tmp_path, "SELECT cost_usdt FROM funding_in_units") == [(pytest.approx(7e-6),)]


def test_latency_is_told_stage_by_stage_and_the_stages_make_the_whole(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    kept.show()
    stages = asked(tmp_path, "SELECT stage, fills, p50_ms, p99_ms FROM session_latency")
    assert [stage for stage, *_ in stages] == [
        "source_to_seen",
        "seen_to_intent",
        "intent_to_submitted",
        "submitted_to_filled",
        "source_to_filled",
    ]
    assert {fills for _, fills, _, _ in stages} == {1}
    assert sum(p50 for _, _, p50, _ in stages[:-1]) == stages[-1][2]


def test_a_journal_of_each_older_schema_is_brought_up_with_its_rows(tmp_path: Path) -> None:
    for version in range(1, len(MIGRATIONS)):
        path = tmp_path / f"{version}.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as old:
            migrate(old, now_ms=1, migrations=MIGRATIONS[:version])
            old.execute("INSERT INTO runs VALUES (1, 'r', 'lead', 's', 'd', 'v', 'a', 5)")
            migrate(old, now_ms=2)
            numbers = old.execute("SELECT number, applied_at_ms FROM migrations ORDER BY number").fetchall()
            assert numbers == [(n, 1 if n <= version else 2) for n in range(1, len(MIGRATIONS) + 1)]
            assert old.execute("SELECT run_id, started_at_ms FROM runs").fetchall() == [("r", 5)]
            assert old.execute("SELECT bid_before FROM slippage_observations").fetchall() == []
            assert old.execute("SELECT cost FROM funding").fetchall() == []


def test_the_reference_page_names_every_table_and_every_file_of_a_real_directory(tmp_path: Path, project_root) -> None:
    kept = Kept(tmp_path)
    kept.files.params({})
    kept.open()
    kept.show()
    page = (project_root / "docs/reference/runtime-directory.md").read_text()
    named = set(re.findall(r"`([^`\n]+)`", page))
    tables = {name for (name,) in asked(tmp_path, "SHOW TABLES")}
    internal = {"migrations", "state", "fill_ids", "instruments", "run_status", "run_telemetry"}
    files_as_tables = {"live_equity", "live_candles", "live_chart_events", "shadow_orders_file"}
    assert tables - named - internal - files_as_tables == set()
    # SQLite's own companions and the lease are no files for readers.
    files = {path.name.replace(f"_{kept.facts.run_id}.", "_<run>.") for path in tmp_path.iterdir()}
    known = named | {"live_chart_events.csv"}
    assert {name for name in files if not name.startswith(SESSION_FILE)} - known == set()


def test_sql_reads_whole_moments_while_another_process_writes(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    path = tmp_path / SESSION_FILE
    writer = f"""
import sqlite3, sys
c = sqlite3.connect({str(path)!r}, isolation_level=None, timeout=30)
print("writing", flush=True)
for n in range(300):
    c.execute("BEGIN IMMEDIATE")
    for cash in (n, -n):
        c.execute("INSERT INTO equity (run, at_ms, cash, equity, day_result, positions_count, gross_notional)"
                  " VALUES (1, ?, ?, 0, 0, 0, 0)", (n, cash))
    c.execute("COMMIT")
"""
    with subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        for _ in range(5):
            ((rows, cash),) = asked(tmp_path, "SELECT count(*), coalesce(sum(cash), 0) FROM equity")
            assert (rows % 2, cash) == (0, 0)
        assert process.wait(timeout=60) == 0
    assert asked(tmp_path, "SELECT count(*) FROM equity") == [(600,)]
