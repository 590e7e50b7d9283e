"""A live session that is killed, whose clock goes back, whose disk is full, whose files were damaged."""

from __future__ import annotations

import signal
import time

import pytest

from copytrade_core.edges.feeds.wall_clock import WallClock
from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.standins.faults import FaultKind
from copytrade_core.model.errors import BadInput, StoreFault
from tests.edges.live_process import fill_the_disk, session_process
from tests.live_floor import DETAIL, PATIENCE_S, broken, live, now_ms, row

OLD = row(-3000, -2000)


def test_kill_nine_keeps_the_position_and_finds_what_happened_meanwhile(tmp_path, project_root):
    seeded = row(-100, 9000, is_long=False)
    with live(tmp_path, project_root, [OLD, seeded, row(5, 20), row(25, 9000)]) as lead:
        with session_process(lead, "r1"):
            lead.until_polled("r1")
            lead.at(10)
            lead.until(lambda: lead.fills == ["open"], "the entry")
        assert lead.status["ended"] is None
        lead.at(21)
        with session_process(lead, "r2"):
            lead.until(lambda: lead.fills == ["open", "close"], "the close that happened while it was dead")
        lead.at(30)
        with session_process(lead, "r3"):
            lead.until(lambda: lead.fills == ["open", "close", "open"], "the position that opened while it was dead")
            lead.polled(4)
            assert lead.fills == ["open", "close", "open"], "nothing twice"
            lead.until(lambda: lead.status["positions"], "a status of it")
            assert [each["side"] for each in lead.status["positions"]] == ["long"]
        assert "short" not in {side for (side,) in lead.ask("SELECT side FROM orders")}, "what was seeded is not traded"


@pytest.mark.soak
def test_news_that_the_session_died_before_telling_is_told_and_refused_when_old(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(5, 9000)]) as lead:
        with session_process(lead, "r1", source_age_s=1):
            lead.until_polled("r1")
        lead.at(10)
        _ = poll_lead(lead.place, lead.leads[0])
        lead.faults(broken(FaultKind.SERVER_ERROR))
        time.sleep(1.1)
        with session_process(lead, "r2", source_age_s=1):
            lead.until(lambda: lead.ask("SELECT 1 FROM decisions WHERE reason = 'source_stale'"), "the refusal")
            lead.until(
                lambda: lead.told == ["opened"], "the news, though the first run never had a place to go on from"
            )
            assert lead.fills == []


def test_a_full_disk_stops_new_orders_says_so_and_leaves_nothing_half_written(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(5, 9000)]) as lead:
        with session_process(lead, "r1") as process:
            lead.until_polled("r1")
            before = lead.status
            fill_the_disk(lead, process, 0)
            lead.at(10)
            asked = lead.calls(DETAIL)
            lead.until(lambda: lead.calls(DETAIL) >= asked + 3, "polls whose answers nobody can keep")
            assert lead.status["run_id"] == before["run_id"], "the last status is whole"
            assert process.poll() is None, "it goes on, for its exits"
            process.send_signal(signal.SIGUSR2)
            lead.until(lambda: lead.status["controls"]["stop_new_orders"], "the stop is shown")
            lead.until(lambda: lead.told == ["opened"], "the news after the disk has room again")
            lead.until(lambda: lead.ask("SELECT 1 FROM decisions WHERE reason = 'stop_new_orders'"), "the refusal")
            assert "cannot be" in lead.status["last_error"]
            assert lead.fills == []
            # Ended in order: a process killed in the middle of a write may leave its temporary file.
            set_control(lead.folder, Control.KILL, who="test", why="over", at_ms=now_ms())
            assert process.wait(timeout=PATIENCE_S) == 0
        assert list(lead.place.archive.damage(lead.place.archive.leads()[0])) == []
        assert not list((tmp_path / "data").rglob("*.part"))
        assert not list(lead.folder.rglob("*.part"))


def test_a_clock_that_goes_back_ends_the_session_with_its_reason_and_orders_nothing_twice(tmp_path, project_root):
    back_ms = [0]
    clock = WallClock(read_ms=lambda: now_ms() - back_ms[0])
    with live(tmp_path, project_root, [OLD, row(5, 9000)]) as lead:
        lead.start(clock=clock)
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(10)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        back_ms[0] = 60_000
        lead.join()
        assert isinstance(lead.error, BadInput)
        assert "clock went back" in str(lead.error)
        assert lead.status["ended"] == "error"
        assert "clock went back" in lead.status["last_error"]
        lead.start("r2", clock=WallClock(read_ms=lambda: now_ms() - 60_000))
        lead.join()
        assert "clock" in str(lead.error)
        assert "before" in str(lead.error)
        lead.start("r3")
        lead.until(lambda: lead.status["run_id"] == "r3" and lead.lead().get("ok"), "a poll of r3")
        lead.polled(3)
        assert lead.fills == ["open"]
        ages = lead.status["input_ages_s"]
        assert all(age >= 0 for age in ages.values())
        _ = lead.stop()


def test_a_small_step_back_of_the_clock_is_waited_for(tmp_path, project_root):
    back_ms = [0]
    with live(tmp_path, project_root, [OLD, row(5, 9000)]) as lead:
        lead.start(clock=WallClock(read_ms=lambda: now_ms() - back_ms[0]))
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        back_ms[0] = 500
        lead.at(10)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        assert all(age >= 0 for age in lead.status["input_ages_s"].values())
        _ = lead.stop()


def test_a_damaged_journal_is_refused_by_name_and_kept(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD]) as lead:
        lead.folder.mkdir()
        journal = lead.folder / "session.sqlite"
        _ = journal.write_bytes(b"not a journal at all" * 100)
        with pytest.raises(StoreFault, match=r"session\.sqlite") as caught:
            _ = run_live_paper_session(lead.place, lead.plan(), folder=lead.folder, run_id="r1", deadline_s=5)
        assert caught.value.next_step
        assert journal.read_bytes() == b"not a journal at all" * 100


def test_a_damaged_status_is_put_aside_and_costs_nothing_for_the_journal_has_it_all(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(5, 9000)]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(10)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        _ = lead.stop()
        _ = (lead.folder / "RUN_STATUS.json").write_text("{")
        aside = lead.folder / "RUN_STATUS.json.damaged"
        lead.start("r2")
        lead.until(aside.exists, "the damaged status beside the session")
        assert aside.read_text() == "{"
        lead.until_polled("r2")
        assert len(lead.status["positions"]) == 1
        assert lead.fills == ["open"]
        _ = lead.stop()
