"""The journal under several processes and under kill -9."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from copytrade_core.edges.runtime.session_lease import SessionLease, boot_id
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.order_row import OrderState
from tests.journal_steps import opened, order, row, whole_step
from tests.trading_floor import START_MS

WRITER = """
import sys
from pathlib import Path
from tests.journal_steps import opened, whole_step

with opened(Path(sys.argv[1])) as journal:
    cursor = journal.load().cursor
    print("ready", flush=True)
    if sys.argv[2] == "wait":
        sys.stdin.read()
    for number in range(0 if cursor is None else int(cursor) + 1, 10**9):
        print("try", number, flush=True)
        journal.commit(whole_step(number))
        print("done", number, flush=True)
"""


class Writer:
    """A process that commits whole steps, one after the other, and says so before and after each."""

    def __init__(self, path: Path, root: Path, does: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), does],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=root,
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> tuple[int, int]:
        """Ends it without a word: the last step it began, and the last that it was told is kept (-1: none)."""
        self.process.kill()
        out, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == -9
        lines = [line.split() for line in out.decode().splitlines(keepends=True) if line.endswith("\n")]
        numbers = {word: int(number) for word, number in lines}
        return numbers.get("try", -1), numbers.get("done", -1)


@pytest.fixture
def start(tmp_path: Path, project_root: Path) -> Iterator:
    started: list[Writer] = []

    def begin(does: str) -> Writer:
        started.append(Writer(tmp_path / "session.sqlite", project_root, does))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=30)


def test_after_kills_at_random_moments_the_last_acknowledged_step_is_there_and_none_is_torn(
    tmp_path: Path, start
) -> None:
    path = tmp_path / "session.sqlite"
    moments = random.Random(11)
    kept = -1
    for _attempt in range(6):
        writer = start("write")
        writer.wait_until_ready()
        time.sleep(moments.uniform(0.0, 0.05))
        tried, done = writer.kill()
        with opened(path, run_id="judge") as journal:
            stored = journal.load()
            found = -1 if stored.cursor is None else int(stored.cursor)
            assert max(kept, done) <= found <= max(kept, tried)
            assert_whole(journal, found)
            kept = found
    assert kept > 10, "the writers came to write"


def assert_whole(journal, last: int) -> None:
    """Every table ends with the same step."""
    stored = journal.load()
    if last < 0:
        assert stored.rows == ()
        return
    assert stored.state == b'{"step":%d}' % last
    assert stored.fill_ids == {f"trade {number}" for number in range(last + 1)}
    filled = [row(number, OrderState.FILLED, filled=10) for number in range(last + 1)]
    assert stored.rows == (*filled, row(last + 1))
    execute = journal._connection.execute
    for table in ("fills", "alerts", "decisions", "intents"):
        assert execute(f"SELECT count(*) FROM {table}").fetchone() == (last + 1,), table
    assert execute("SELECT client_order_id FROM fills ORDER BY number DESC").fetchone() == (
        order(last).client_order_id,
    )
    assert execute("SELECT max(at_ms) FROM order_history").fetchone() == (START_MS + last,)
    assert execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_second_process_is_refused_by_the_pid_of_the_first(tmp_path: Path, start) -> None:
    first = start("wait")
    first.wait_until_ready()
    second = start("write")
    out, err = second.process.communicate(timeout=30)
    assert second.process.returncode == 1
    assert out == b"", "it was refused before anything else"
    assert f"process {first.process.pid} (boot {boot_id()}) works on this journal already" in err.decode()
    assert str(tmp_path / "session.sqlite") in err.decode()
    with pytest.raises(StoreFault, match=f"process {first.process.pid} "):
        opened(tmp_path / "session.sqlite")


def test_the_lease_of_a_killed_process_is_free(tmp_path: Path, start) -> None:
    first = start("wait")
    first.wait_until_ready()
    lock = tmp_path / "session.sqlite.lock"
    holder = msgspec.json.decode(lock.read_bytes())
    assert (holder["pid"], holder["boot_id"]) == (first.process.pid, boot_id())
    first.kill()
    with opened(tmp_path / "session.sqlite") as journal:
        assert msgspec.json.decode(lock.read_bytes())["pid"] == os.getpid()
        journal.commit(whole_step(1))


def test_of_four_processes_at_once_one_works(tmp_path: Path, start) -> None:
    writers = [start("wait") for _ in range(4)]
    refused = 0
    for writer in writers:
        assert writer.process.stdout is not None
        refused += writer.process.stdout.readline() == b""
    assert refused == 3


def test_a_process_is_refused_by_itself_until_it_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    with opened(path), pytest.raises(StoreFault, match="this process works on this journal already"):
        opened(path)
    opened(path).close()


def test_a_forked_child_does_not_keep_the_lease_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    lease = SessionLease.take(path)
    told, say = os.pipe()
    go, wait = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(wait)
        os.write(say, b"here")
        os.read(go, 1)
        os._exit(0)
    try:
        assert os.read(told, 4) == b"here"
        with pytest.raises(StoreFault):
            SessionLease.take(path)
        lease.release()
        SessionLease.take(path).release()
    finally:
        for end in (wait, go, told, say):
            os.close(end)
        os.waitpid(child, 0)


def test_a_lock_file_with_nonsense_in_it_is_no_obstacle_and_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "session.sqlite"
    (tmp_path / "session.sqlite.lock").write_bytes(b"\xff\x00 not a holder")
    with opened(path):
        (tmp_path / "session.sqlite.lock").write_bytes(b"torn")
        with pytest.raises(StoreFault, match="another process works on this journal already"):
            opened(path)
