"""A journal that cannot be trusted or written is refused by the name of its file, and nothing is half-written."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.edges.runtime.session_schema import (
    APPLICATION_ID,
    MIGRATIONS,
    Migration,
    SchemaRefused,
    check_ours,
    migrate,
)
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.order_row import OrderState
from copytrade_core.session.ports import Journalled
from tests.journal_steps import in_memory, opened, row, step, whole_step
from tests.trading_floor import START_MS


def written(path: Path, *, steps: int = 30) -> Path:
    with opened(path) as journal:
        for number in range(steps):
            journal.commit(whole_step(number))
    return path


def refusal(path: Path, match: str) -> StoreFault:
    with pytest.raises(StoreFault, match=match) as caught:
        opened(path)
    assert caught.value.where.file == str(path)
    return caught.value


def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    path.write_bytes(b"time,equity\n1,30\n" * 100)
    refusal(path, "not a database")
    assert path.read_bytes() == b"time,equity\n1,30\n" * 100


def test_a_database_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE trades (id INTEGER)")
    other.close()
    content = path.read_bytes()
    refusal(path, "of something else")
    assert path.read_bytes() == content
    assert {each.name for each in tmp_path.iterdir()} == {"session.sqlite", "session.sqlite.lock"}


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = written(tmp_path / "session.sqlite")
    newer = sqlite3.connect(path)
    newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()
    content = path.read_bytes()
    refusal(path, f"schema {len(MIGRATIONS) + 1}, this version reads up to {len(MIGRATIONS)}")
    assert path.read_bytes() == content


def test_an_empty_file_is_a_fresh_journal(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    path.touch()
    with opened(path) as journal:
        assert journal.load().rows == ()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[bytes, Journalled]:
    """A closed journal's bytes, and what it holds."""
    path = written(tmp_path_factory.mktemp("whole") / "session.sqlite")
    with opened(path) as journal:
        stored = journal.load()
    return path.read_bytes(), stored


@settings(max_examples=40)
@given(seed=st.integers(min_value=0))
def test_damage_is_refused_or_has_hit_nothing_that_a_restart_needs(tmp_path_factory, whole, seed: int) -> None:
    bytes_, stored = whole
    dice, content = random.Random(seed), bytearray(bytes_)
    start = dice.randrange(1, len(content))
    if dice.random() < 0.5:
        del content[start:]
    else:
        content[start : start + 512] = dice.randbytes(len(content[start : start + 512]))
    path = tmp_path_factory.mktemp("damaged") / "session.sqlite"
    path.write_bytes(content)
    try:
        with opened(path) as journal:
            found = journal.load()
    except StoreFault as fault:
        found, named = stored, fault.where.file
        assert named == str(path)
    assert found == stored


def test_a_full_disk_is_a_fault_and_the_steps_before_stay(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    with opened(path) as journal:
        journal.commit(whole_step(1))
        stored = journal.load()
        (pages,) = journal._connection.execute("PRAGMA page_count").fetchone()
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")
        large = step(row(2, OrderState.PLANNED), state=b'"%s"' % (b"x" * 100_000), fill_ids=("t9",), cursor="9")
        with pytest.raises(StoreFault, match="full") as caught:
            journal.commit(large)
        assert caught.value.where.file == str(path)
        assert journal.load() == stored
        journal._connection.execute("PRAGMA max_page_count = 100000")
        journal.commit(large)
        assert journal.load().cursor == "9"
    with opened(path) as journal:
        assert journal.load().cursor == "9"


def test_no_room_for_a_new_journal_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreFault) as caught:
        opened(tmp_path / "file" / "session.sqlite")
    assert str(tmp_path / "file") in str(caught.value)


READ_ONLY = """
import os, sys
from pathlib import Path
from copytrade_core.model.errors import StoreFault
from copytrade_core.session.ports import Journalled
from tests.journal_steps import opened
if os.geteuid() == 0:
    os.setuid(65534)
try:
    opened(Path(sys.argv[1]))
except StoreFault as fault:
    print(fault)
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that another user may enter; pytest keeps its own closed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize("exists", [True, False], ids=["written before", "new"])
def test_a_read_only_directory_is_a_fault(reachable: Path, project_root: Path, exists: bool) -> None:
    # In a process of its own without root's rights: root may write everywhere.
    folder = reachable / "run"
    folder.mkdir()
    path = folder / "session.sqlite"
    if exists:
        written(path)
    for each in folder.iterdir():
        each.chmod(0o444)
    folder.chmod(0o555)
    content = {each.name: each.read_bytes() for each in folder.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(path)], capture_output=True, text=True, check=True, cwd=project_root
    )
    assert str(path) in done.stdout, done.stderr
    assert "Permission denied" in done.stdout
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == content
    folder.chmod(0o755)


def test_a_closed_journal_writes_nothing(tmp_path: Path) -> None:
    journal = opened(tmp_path / "session.sqlite")
    journal.close()
    journal.close()
    with pytest.raises(StoreFault):
        journal.commit(whole_step(1))


def test_a_forked_child_may_not_use_its_parents_journal(tmp_path: Path) -> None:
    with opened(tmp_path / "session.sqlite") as journal:
        child = os.fork()
        if child == 0:
            try:
                journal.commit(whole_step(1))
            except StoreFault:
                os._exit(7)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        assert journal.load().rows == ()


# -- numbered migrations --------------------------------------------------------------------------------------------

NEXT = Migration(
    name="a later one",
    statements=(
        "ALTER TABLE runs ADD COLUMN mode TEXT NOT NULL DEFAULT 'paper'",
        "CREATE TABLE later (at_ms INTEGER)",
    ),
)
BROKEN = Migration(name="a broken one", statements=("CREATE TABLE later (at_ms INTEGER)", "CREATE TABLE later (x)"))


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_an_older_journal_is_brought_up_to_date_with_all_its_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "session.sqlite")
    connection = sqlite3.connect(path, isolation_level=None)
    before = connection.execute("SELECT count(*), max(filled) FROM orders").fetchone()
    assert check_ours(connection, (*MIGRATIONS, NEXT)) == len(MIGRATIONS)
    migrate(connection, now_ms=START_MS, migrations=(*MIGRATIONS, NEXT))
    assert connection.execute("SELECT count(*), max(filled) FROM orders").fetchone() == before
    assert connection.execute("SELECT DISTINCT mode FROM runs").fetchall() == [("paper",)]
    assert connection.execute("SELECT number, name FROM migrations ORDER BY number").fetchall() == [
        *((number, each.name) for number, each in enumerate(MIGRATIONS, start=1)),
        (len(MIGRATIONS) + 1, "a later one"),
    ]
    migrate(connection, now_ms=START_MS, migrations=(*MIGRATIONS, NEXT))
    assert version(connection) == len(MIGRATIONS) + 1
    connection.close()
    refusal(path, "this version reads up to")


def test_a_migration_that_fails_leaves_the_older_journal(tmp_path: Path) -> None:
    path = written(tmp_path / "session.sqlite")
    connection = sqlite3.connect(path, isolation_level=None)
    dump = list(connection.iterdump())
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        migrate(connection, now_ms=START_MS, migrations=(*MIGRATIONS, NEXT, BROKEN))
    assert list(connection.iterdump()) == dump
    assert version(connection) == len(MIGRATIONS)
    connection.close()
    with opened(path) as journal:
        assert journal.load().rows


def test_a_journal_says_what_it_is() -> None:
    with in_memory() as journal:
        assert journal._connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        with pytest.raises(SchemaRefused, match="up to 0"):
            check_ours(journal._connection, ())
