from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.model.errors import BadInput, StoreFault
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.history_walk import HistoryWalk

LEAD = LeadId("4751838302089254401")
T0 = datetime(2026, 5, 19, 8, 0, 0, 123456, tzinfo=UTC)


def page(body: bytes, *, number: int = 1, second: float = 0, status: int = 200, lead: LeadId = LEAD) -> SourcePage:
    return SourcePage(
        lead_id=lead,
        endpoint=Endpoint.POSITION_HISTORY,
        page=number,
        url_path="/bapi/x",
        request=f'{{"pageNumber":{number}}}',
        status=status,
        headers=(("content-type", "application/json"),),
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        received_at=T0 + timedelta(seconds=second),
    )


def test_an_answer_comes_back_exactly(tmp_path: Path) -> None:
    archive = PageArchive(tmp_path)
    original = page(b'\xff\x00{"a":1}\r\n')
    assert archive.append(original)
    assert list(PageArchive(tmp_path).pages(LEAD)) == [original]
    assert archive.leads() == (LEAD,)


def test_an_unchanged_poll_is_an_observation_and_no_second_copy(tmp_path: Path) -> None:
    archive = PageArchive(tmp_path)
    assert [archive.append(page(b"{}", second=n)) for n in range(3)] == [True, False, False]
    assert len(list(archive.observations(LEAD))) == 3
    assert [one.received_at for one in archive.pages(LEAD)] == [T0]
    assert len(list((tmp_path / LEAD / "position_history" / "bodies").iterdir())) == 1
    replayed = [archive.answer(LEAD, observation) for observation in archive.observations(LEAD)]
    assert replayed == [page(b"{}", second=n) for n in range(3)]


def test_the_digest_is_that_of_the_set_of_good_answers(tmp_path: Path) -> None:
    one, two = PageArchive(tmp_path / "1"), PageArchive(tmp_path / "2")
    a, b = page(b"a"), page(b"b", number=2, second=5)
    for first in (a, b, a):
        _ = one.append(first)
    for second in (page(b"b", number=2), page(b"a", second=90), page(b"wait", status=429)):
        _ = two.append(second)
    assert one.digest(LEAD) == two.digest(LEAD)
    _ = two.append(page(b"c", number=3))
    assert one.digest(LEAD) != two.digest(LEAD)


def test_the_newest_complete_walk_is_found_again(tmp_path: Path) -> None:
    archive = PageArchive(tmp_path)
    old, new, broken = page(b"old"), page(b"new"), page(b"broken", number=2)
    for one in (old, new, broken):
        _ = archive.append(one)

    def walk(one: SourcePage, distinct: int, minute: int) -> None:
        made = HistoryWalk(lead_id=LEAD, total_count=2, distinct_count=distinct, restarts_count=0, pages=(one,))
        archive.append_walk(made, finished_at=T0 + timedelta(minutes=minute))

    assert archive.newest_complete_walk(LEAD) is None
    walk(old, 2, 1)
    walk(new, 2, 2)
    walk(broken, 1, 3)
    found = archive.newest_complete_walk(LEAD)
    assert found is not None
    assert found.pages == (new,)
    with pytest.raises(BadInput):
        walk(page(b"never archived"), 2, 4)


def test_a_torn_tail_is_reported_and_the_next_answer_is_not_lost(tmp_path: Path) -> None:
    archive = PageArchive(tmp_path)
    _ = archive.append(page(b"a"))
    log = tmp_path / LEAD / "position_history" / "observations.jsonl"
    with log.open("ab") as file:
        _ = file.write(b'{"endpoint":"position_hi')
    assert [damage.line for damage in archive.damage(LEAD)] == [2]
    assert len(list(archive.pages(LEAD))) == 1
    _ = archive.append(page(b"b"))
    assert [one.body for one in archive.pages(LEAD)] == [b"a", b"b"]
    assert [damage.line for damage in archive.damage(LEAD)] == [2]


def test_changed_bytes_are_found(tmp_path: Path) -> None:
    archive = PageArchive(tmp_path)
    one = page(b"a")
    _ = archive.append(one)
    _ = (tmp_path / LEAD / "position_history" / "bodies" / one.sha256).write_bytes(b"b")
    with pytest.raises(StoreFault, match="changed"):
        _ = list(archive.pages(LEAD))


@pytest.mark.parametrize("lead", ["../up", "", "a/b", "x" * 65, "a.b"])
def test_a_lead_id_is_never_a_path(tmp_path: Path, lead: str) -> None:
    with pytest.raises(BadInput):
        _ = PageArchive(tmp_path).append(page(b"a", lead=LeadId(lead)))


def test_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        _ = PageArchive(tmp_path).append(replace(page(b"a"), body=b"b"))


def test_an_unwritable_archive_says_which_folder(tmp_path: Path) -> None:
    blocker = tmp_path / "raw"
    _ = blocker.write_bytes(b"a file in the way")
    with pytest.raises(StoreFault, match="raw"):
        _ = PageArchive(blocker).append(page(b"a"))


def _write_many(root: Path, writer: int) -> None:
    archive = PageArchive(root)
    for n in range(15):
        _ = archive.append(page(f"{writer}-{n}".encode(), number=n, second=writer))
        _ = archive.append(page(b"shared", number=99, second=writer))


def test_parallel_processes_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(tmp_path, n)) for n in range(3)]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
        assert one.exitcode == 0
    archive = PageArchive(tmp_path)
    assert len(list(archive.observations(LEAD))) == 3 * 30
    assert len(list(archive.pages(LEAD))) == 3 * 15 + 1
    assert archive.damage(LEAD) == ()


ENDLESS = """
import hashlib, sys
from datetime import UTC, datetime
from pathlib import Path
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
archive = PageArchive(Path(sys.argv[1]))
n = 0
while True:
    body = b"%d" % n * 2000
    archive.append(SourcePage(lead_id=LeadId("4751838302089254401"), endpoint=Endpoint.POSITION_HISTORY, page=n,
        url_path="/x", request=str(n), status=200, headers=(), body=body, sha256=hashlib.sha256(body).hexdigest(),
        received_at=datetime.now(UTC)))
    print(n, flush=True)
    n += 1
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is POSIX")
def test_kill_9_loses_no_acknowledged_answer(tmp_path: Path) -> None:
    for attempt in range(4):
        root = tmp_path / str(attempt)
        with subprocess.Popen([sys.executable, "-c", ENDLESS, str(root)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            _ = writer.stdout.readline()
            time.sleep(0.03 * (attempt + 1))
            writer.send_signal(signal.SIGKILL)
            acknowledged = 1 + len([line for line in writer.stdout.read().split(b"\n")[:-1] if line])
        archive = PageArchive(root)
        stored = list(archive.pages(LEAD))
        assert len(stored) >= acknowledged
        assert archive.append(page(b"after the crash", number=1000))
        assert len(list(archive.pages(LEAD))) == len(stored) + 1
