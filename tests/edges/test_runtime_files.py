"""The files of a runtime directory: whole, scoped, repaired after a crash, and honest about a full disk."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.runtime import runtime_files
from copytrade_core.edges.runtime.hot_restart import read_hot_restart
from copytrade_core.edges.runtime.row_files import RowFile
from copytrade_core.edges.runtime.runtime_stamp import STAMP_FIELDS, foreign, stamp_of
from copytrade_core.edges.runtime.session_schema import FIRST, MIGRATIONS, check_ours, migrate
from copytrade_core.edges.runtime.status_facts import status_fact
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.session_end import Ended
from copytrade_core.monitor.facts import StatusFact
from copytrade_core.session.feed import BarEnded
from copytrade_core.session.snapshot import HOT_RESTART_SCHEMA_VERSION, HotRestart, check_resume
from copytrade_core.session.unseen import StopWhenUnseen
from tests.runtime_floor import FACTS, Kept
from tests.session_floor import IDENTITY, Panel
from tests.trading_floor import BTC, START_MS, bar

OURS = {
    "schema_version": 1,
    "run_id": "run",
    "mode": "paper",
    "lead": "lead",
    "strategy": "follow",
    "policy_digest": "digest",
    "venue": "bingx",
    "account": "test",
}


def document(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_bytes())


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def cells(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / name).read_text())))


def table(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "session.sqlite") as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def told(kept: Kept) -> Kept:
    """A session that opened, saw a bar end, and closed."""
    kept.open()
    kept.hear([BarEnded(bar=bar(100_000, 100_100, 99_900, 100_050))])
    kept.show()
    kept.close()
    kept.show(ended=Ended.FEED_ENDED)
    return kept


def test_every_artefact_is_there_and_says_whose_it_is(kept: Kept) -> None:
    kept.files.params({"policy": "follow"})
    told(kept)
    kept.files.shadow_order({"client_order_id": "c1"})
    kept.files.leave(restart(kept))
    names = {
        "RUN_STATUS.json",
        "run_state_run.json",
        "run_telemetry_run.jsonl",
        "session.sqlite",
        "live_equity.csv",
        "live_candles.csv",
        "live_chart_events.jsonl",
        "live_chart_events.csv",
        "live_strategy_params.json",
        "shadow_orders.jsonl",
        "HOT_RESTART_SNAPSHOT.json",
    }
    assert names <= {each.name for each in kept.folder.iterdir()}
    assert not [each for each in kept.folder.iterdir() if each.suffix == ".part"]
    words = {name: str(value) for name, value in OURS.items()}
    for name in names - {"session.sqlite"}:
        if name.endswith(".csv"):
            rows: list[dict[str, Any]] = list(cells(kept.folder, name))
        elif name.endswith(".jsonl"):
            rows = lines(kept.folder, name)
        else:
            rows = [document(kept.folder, name)]
        assert rows, name
        for row in rows:
            assert {each: str(row[each]) for each in STAMP_FIELDS} == words, name


def test_the_status_says_what_the_monitor_reads(kept: Kept) -> None:
    kept.open()
    kept.session.watch.price = kept.session.engine.mark(BTC)
    status = kept.show()
    read = status_fact(kept.folder)
    assert isinstance(read, StatusFact)
    assert (read.run_id, read.words.venue, read.pid) == ("run", "bingx", os.getpid())
    assert read.written_ms == status.at_ms
    assert [each.episode_id for each in read.positions] == [kept.session.episode.episode_id]
    shown = document(kept.folder, "RUN_STATUS.json")
    (position,) = shown["positions"]
    assert position["quantity"] == f"{status.positions[0].quantity / 100_000:.5f}"
    assert {each["name"] for each in shown["limits"]} >= {"notional_gross", "daily_loss", "orders_per_hour"}
    assert (shown["paper_only"], shown["ended"], shown["interval_s"]) == (True, None, 5.0)
    assert shown["equity_usdt"] == f"{status.equity / 1e8:.8f}" or float(shown["equity_usdt"]) == status.equity / 1e8


def test_what_a_session_hears_and_does_is_in_its_tables(kept: Kept) -> None:
    told(kept)
    folder = kept.folder
    assert table(folder, "SELECT kind, missing_polls_count FROM source_events") == [("opened", None), ("closed", None)]
    assert table(folder, "SELECT count(*), min(positions_count), max(positions_count) FROM equity") == [(2, 0, 1)]
    assert table(folder, "SELECT source_state FROM positions") == [("open",)]
    fills = table(folder, "SELECT number, price, buys FROM fills ORDER BY number")
    assert len(fills) == 2
    observed = table(folder, "SELECT fill, expected, filled, mark_before, signed_bps FROM slippage_observations")
    assert [(row[0], row[2]) for row in observed] == [(number, price) for number, price, _ in fills]
    for (_, price, buys), (_, expected, _, mark, signed) in zip(fills, observed, strict=True):
        assert expected == mark == 100_000
        assert signed == pytest.approx((price - expected) / expected * 10_000 * (1 if buys else -1))
        assert signed > 0, "worse is positive on both sides"
    compared = table(
        folder,
        "SELECT c.kind, e.kind, c.source_lag_ms + c.decision_lag_ms + c.sending_lag_ms + c.fill_lag_ms, total_lag_ms"
        " FROM comparisons c JOIN source_events e ON e.number = c.source_event ORDER BY c.number",
    )
    assert [(row[0], row[1]) for row in compared] == [("open", "opened"), ("close", "closed")]
    assert all(total == parts for _, _, parts, total in compared)


def test_charts_get_each_event_once_also_after_a_restart(kept: Kept) -> None:
    kept.open()
    kept.show()
    kept.begin()
    kept.close()
    kept.show()
    kept.begin()
    kept.show()
    kinds = [row["kind"] for row in lines(kept.folder, "live_chart_events.jsonl")]
    assert sorted(kinds) == ["fill_close", "fill_open", "source_closed", "source_opened"]
    assert [row["kind"] for row in cells(kept.folder, "live_chart_events.csv")] == kinds


def test_a_candle_that_is_heard_again_after_a_restart_is_there_once(kept: Kept) -> None:
    ended = BarEnded(bar=bar(100_000, 100_100, 99_900, 100_050))
    kept.hear([ended])
    kept.show()
    kept.begin()
    kept.hear([ended, BarEnded(bar=bar(1, 2, 1, 2, minutes=5))])
    kept.show()
    assert [row["close"] for row in cells(kept.folder, "live_candles.csv")] == ["100050", "2"]


def test_a_source_event_that_is_heard_again_is_kept_once(kept: Kept) -> None:
    kept.open()
    kept.show()
    from copytrade_core.session.feed import SourceTold
    from tests.trading_floor import opened

    kept.told.items = [SourceTold(event=opened(kept.session.episode))]
    kept.feed.read(kept.session.now_ms(), frozenset())
    kept.show()
    assert table(kept.folder, "SELECT count(*) FROM source_events") == [(1,)]


def test_observations_that_a_crash_kept_back_are_made_up_for(kept: Kept) -> None:
    kept.open()
    kept.begin()  # the process died before any status
    assert table(kept.folder, "SELECT count(*) FROM slippage_observations") == [(0,)]
    kept.show()
    assert table(kept.folder, "SELECT count(*) FROM slippage_observations") == [(1,)]


def test_writes_keep_their_distance_on_the_machines_clock_and_lose_no_row(tmp_path: Path) -> None:
    kept = Kept(tmp_path, write_every_ms=1_000)
    kept.show()
    for _ in range(10):
        kept.session.let_pass(60, step_s=60)
        kept.show()
    assert len(cells(tmp_path, "live_equity.csv")) == 1
    kept.wall_ms += 1_000
    kept.show()
    assert len(cells(tmp_path, "live_equity.csv")) == 12
    assert table(tmp_path, "SELECT count(*) FROM equity") == [(12,)]
    kept.session.panel.set(kill=True)
    kept.show()
    assert document(tmp_path, "RUN_STATUS.json")["controls"]["kill"], "a control is shown at once"
    kept.show(ended=Ended.KILL)
    assert document(tmp_path, "RUN_STATUS.json")["ended"] == "kill"


# -- scope ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [name for name in STAMP_FIELDS if name != "run_id"])
def test_a_row_of_another_bot_venue_or_path_is_refused_by_name(field: str) -> None:
    stamp = stamp_of(FACTS)
    row = {**stamp.words(), field: "another"}
    found = foreign(row, stamp, file="live_equity.csv", number=7)
    assert found is not None
    assert (found.field, found.found, found.row) == (field, "another", 7)
    assert "live_equity.csv row 7" in found.what
    assert foreign({**stamp.words(), "run_id": "an earlier run"}, stamp, file="f", number=1) is None


# -- crashes and full disks --------------------------------------------------------------------------------------------


@given(cut=st.integers(min_value=0, max_value=60), rows=st.lists(st.integers(0, 9999), min_size=1, max_size=5))
def test_a_row_that_a_crash_cut_short_is_cut_off_and_whole_rows_stay(tmp_path_factory, cut: int, rows) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    RowFile(path, header=b"n").append([str(each).encode() for each in rows])
    whole = path.read_bytes()
    path.write_bytes(whole[: max(0, len(whole) - cut)])
    left = path.read_bytes()
    kept = [line for line in left[: left.rfind(b"\n") + 1].splitlines() if line][1:]
    RowFile(path, header=b"n").append([b"last"])
    assert RowFile(path, header=b"n").rows() == [*kept, b"last"]
    assert path.read_bytes().startswith(b"n\n")


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.runtime_floor import Kept
from copytrade_core.model.errors import StoreFault
kept = Kept(Path(sys.argv[1]))
kept.open()
kept.show()
ENDS = (".csv", ".jsonl", ".json")
def sizes():
    return {each.name: each.read_bytes() for each in kept.folder.iterdir() if each.suffix in ENDS}
before = sizes()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    for _ in range(200):
        kept.show()
    print('no fault')
except StoreFault as error:
    print('fault', error.what)
after = sizes()
for name in before:
    if name.endswith('.json'):
        import json; json.loads(after[name])
    else:
        assert after[name].startswith(before[name]) and after[name].endswith(b'\\n'), name
assert not [each for each in kept.folder.iterdir() if each.suffix == '.part']
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
kept.show()
print('goes on')
"""


@pytest.mark.parametrize("limit", [100, 1_000, 4_000, 20_000])
def test_a_full_disk_is_a_clear_fault_and_leaves_nothing_half_written(tmp_path: Path, limit: int) -> None:
    """The limit is on every file of the process: what would grow beyond it cannot be written."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "dir"), str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0].startswith("fault Cannot "), said
    assert said[1] == "goes on"


def test_a_session_that_cannot_be_seen_opens_nothing_more_and_goes_on(kept: Kept) -> None:
    panel = Panel()
    shown = StopWhenUnseen(kept.observer, panel)
    with limited_files(10):
        shown.show(kept.status())
    assert panel.read().stop_new_orders
    assert isinstance(shown.fault, StoreFault)
    assert len(panel.reasons) == 1
    shown.show(kept.status())
    assert shown.fault is None
    assert panel.read().stop_new_orders, "a person takes it back"


class limited_files:  # noqa: N801 (reads as a sentence)
    """No file of this process may grow beyond so many bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __enter__(self) -> None:
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._limit, self._before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


# -- hot restart ------------------------------------------------------------------------------------------------------


def restart(kept: Kept) -> HotRestart:
    return HotRestart(
        schema_version=HOT_RESTART_SCHEMA_VERSION,
        policy_digest=IDENTITY.policy_digest,
        strategy=IDENTITY.strategy,
        venue=IDENTITY.venue,
        account=IDENTITY.account,
        lead=IDENTITY.lead,
        taken_at_ms=START_MS,
        state=kept.session.runner.state,
    )


def test_a_restart_snapshot_comes_back_equal(kept: Kept) -> None:
    kept.open()
    assert read_hot_restart(kept.folder) is None
    snapshot = restart(kept)
    kept.files.leave(snapshot)
    found = read_hot_restart(kept.folder)
    assert found is not None
    assert found == snapshot
    check_resume(found, IDENTITY)


def damage(change: Callable[[dict[str, Any]], object], folder: Path) -> None:
    path = folder / runtime_files.SNAPSHOT_FILE
    content = json.loads(path.read_bytes())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda found: found.update(schema_version=2), "schema_version"),
        (lambda found: found["snapshot"].update(schema_version=9), "schema_version"),
        (lambda found: found.pop("snapshot"), "snapshot"),
    ],
    ids=["the file's schema", "the snapshot's schema", "no snapshot"],
)
def test_a_snapshot_of_another_schema_or_torn_is_refused(kept: Kept, change, field: str) -> None:
    kept.files.leave(restart(kept))
    damage(change, kept.folder)
    with pytest.raises(BadInput) as refused:
        read_hot_restart(kept.folder)
    assert refused.value.where.field == field


# -- the schema -------------------------------------------------------------------------------------------------------


def test_a_journal_of_the_first_schema_gets_the_tables_of_the_second(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "new")
    kept.open()
    old = tmp_path / "old.sqlite"
    connection = sqlite3.connect(old, isolation_level=None)
    migrate(connection, now_ms=START_MS, migrations=(FIRST,))
    connection.execute("INSERT INTO runs VALUES (1, 'r', 'lead', 'follow', 'digest', 'bingx', 'test', 1)")
    assert check_ours(connection) == 1
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert "source_events" not in tables
    migrate(connection, now_ms=START_MS)
    assert check_ours(connection) == len(MIGRATIONS)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert {"source_events", "positions", "equity", "slippage_observations", "comparisons", "shadow_orders"} < tables
    assert connection.execute("SELECT run_id FROM runs").fetchall() == [("r",)]
    connection.close()
