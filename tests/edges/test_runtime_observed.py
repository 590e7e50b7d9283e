"""What a session observes beside its orders, in SQL: quotes before fills, funding, latency; old, busy journals."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.runtime.runtime_files import SESSION_FILE
from copytrade_core.edges.runtime.runtime_views import connect_runtime
from copytrade_core.edges.runtime.seen_fills import SeenFill, Style, Wish
from copytrade_core.edges.runtime.seen_quotes import SeenQuotes
from copytrade_core.edges.runtime.session_notes import observations
from copytrade_core.edges.runtime.session_schema import MIGRATIONS, migrate
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.fill import FillModel
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
    ((expected, filled, *bps),) = asked(
        tmp_path, "SELECT expected, filled, signed_bps, delay_bps, spread_bps FROM slippage_observations"
    )
    # The decision saw 100,000, which is the middle of the quote; its side is 10 ticks further.
    assert expected == 100_010
    assert bps == pytest.approx([(filled - 100_010) / 10.001, 0, 10 / 10.001])


def test_a_fill_without_any_quote_says_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.open()
    kept.show()
    columns = "mark_before, quote_before, bid_before, ask_before, expected, delay_bps, spread_bps"
    found = asked(tmp_path, f"SELECT {columns} FROM slippage_observations")
    assert found == [(100_000, None, None, None, 100_000, None, None)], "held against what was wished"


FILLS = st.builds(
    SeenFill,
    number=st.just(1), at_ms=st.just(1), client_order_id=st.just("c"), episode_id=st.just("e"), market=st.just(BTC),
    side=st.just("long"), kind=st.just("open"), leg=st.just("base"), buys=st.integers(0, 1), time_ms=st.just(5),
    raw_price=st.integers(90_000, 110_000), price=st.integers(90_000, 110_000), quantity=st.just(3),
    model=st.sampled_from(FillModel), sent_at_ms=st.just(1), wish=st.builds(
        Wish,
        style=st.builds(Style, price=st.none() | st.integers(90_000, 110_000)),
        reference_price=st.integers(90_000, 110_000),
        decided_at_ms=st.just(1),
    ),
)  # fmt: skip
QUOTES = st.builds(
    QuoteSeen,
    market=st.just(BTC), bid=st.integers(90_000, 100_000), ask=st.integers(100_001, 110_000), mark=st.just(100_000),
    time_ms=st.integers(1, 9), age_ms=st.just(0),
)  # fmt: skip


@given(FILLS, st.none() | QUOTES)
def test_delay_spread_and_slippage_are_apart_and_together_the_way_from_the_wish_to_the_fill(fill, quote) -> None:
    quotes = SeenQuotes()
    if quote is not None:
        quotes.saw(quote)
    (insert, values), _ = observations([fill], lambda _query, _values: [], {}, quotes)
    names = re.findall(r"\w+", insert.partition("(")[2].partition(")")[0])
    assert names.pop(0) == "run", "which the journal fills in"
    row = dict(zip(names, values, strict=True))
    then = quote if quote is not None and quote.time_ms <= fill.time_ms else None
    sign, wished = (1 if fill.buys else -1), fill.wished
    if fill.model == FillModel.VENUE:
        side = wished if then is None else then.ask if fill.buys else then.bid
        assert row["expected"] == side
    else:
        assert row["expected"] == fill.raw_price, "whatever the market did before"
    assert row["signed_bps"] == pytest.approx(sign * (fill.price - row["expected"]) / row["expected"] * 10_000)
    parts: list[Any] = [row["delay_bps"], row["spread_bps"]]
    knows_mid = then is not None or fill.model not in (FillModel.VENUE, FillModel.QUOTE_SNAPSHOT)
    assert (None in parts) is not knows_mid
    if knows_mid:
        whole = sign * (fill.price - wished) / row["expected"] * 10_000
        assert sum(parts) + cast("float", row["signed_bps"]) == pytest.approx(whole, abs=1e-6)
        assert row["spread_bps"] == 0 or fill.model in (FillModel.VENUE, FillModel.QUOTE_SNAPSHOT)


def test_slippage_that_an_older_journal_held_against_the_decision_is_held_against_the_moment(tmp_path: Path) -> None:
    row = "at_ms, fill, client_order_id, market, side, buys, mark_before, quote_before, expected, filled, quantity"
    with closing(sqlite3.connect(tmp_path / "old.sqlite", isolation_level=None)) as old:
        migrate(old, now_ms=1, migrations=MIGRATIONS[:3])
        old.execute("INSERT INTO runs VALUES (1, 'r', 'lead', 's', 'd', 'v', 'a', 5)")
        for number in (1, 2, 3):
            fill = (number, 1, 1, "c", "open", "e", "m", "long", "l", *(1,) * 7, "x", "")
            old.execute(f"INSERT INTO fills VALUES ({marks(fill)})", fill)
        for fill, buys, quote in ((1, 1, 100_500), (2, 0, 100_500), (3, 1, None)):
            values = (1, 1, fill, "c", "m", "long", buys, 100_000, quote, 100_000, 100_600, 3, 60.0)
            old.execute(f"INSERT INTO slippage_observations (run, {row}, signed_bps) VALUES ({marks(values)})", values)
        migrate(old, now_ms=2)
        query = "SELECT expected, signed_bps, delay_bps FROM slippage_observations ORDER BY fill"
        found = old.execute(query).fetchall()
    bps = pytest.approx(100 / 100_500 * 10_000)
    assert found == [(100_500, bps, None), (100_500, pytest.approx(-100 / 10.05), None), (100_000, 60.0, None)]


def marks(values: tuple) -> str:
    return ", ".join("?" * len(values))


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
    internal = {"migrations", "state", "done_trades", "fill_ids", "instruments", "run_status", "run_telemetry"}
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
