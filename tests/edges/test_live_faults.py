"""A live session whose source refuses connections, whose prices jump or vanish, one of whose stores is full."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from filelock import FileLock

from copytrade_core.model.source import Endpoint
from tests.edges.live_process import fill_the_disk, session_process
from tests.live_floor import MARKS, PATIENCE_S, POSITIONS, QUOTES, Live, live, prices_times, row

OLD = row(-3000, -2000)


def test_a_source_that_refuses_connections_changes_nothing_and_is_followed_again(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 40)]) as lead:
        lead.start()
        lead.until_polled("r1")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        lead.standin.shut()
        lead.until(lambda: lead.lead()["failures"] >= 3, "three refused polls in a row")
        said = lead.lead()
        assert (said["ok"], "refused" in said["reading"].lower()) == (False, True), said
        assert lead.told == ["opened"], "nobody who does not answer has closed"
        assert [each["source_state"] for each in lead.status["positions"]] == ["open"]
        assert lead.status["controls"]["stop_new_orders"] is False, "no fault of ours"
        lead.standin.open()
        lead.until(lambda: lead.lead()["ok"] and lead.lead()["failures"] == 0, "an answer")
        lead.at(41)
        lead.until(lambda: lead.fills == ["open", "close"], "the exit")
        _ = lead.stop()


def test_two_leads_of_one_session_share_the_pauses_between_requests(tmp_path, project_root):
    """No bound on the machine: the n-th request has waited for n pauses, however late it comes."""
    pause_s, requests = 0.1, 12
    pauses = {"source.request_interval_s": pause_s, "market.request_interval_s": pause_s}
    with live(tmp_path, project_root, [OLD], [OLD], settings=pauses) as lead:
        lead.until(lambda: lead.calls(POSITIONS) >= 2, "both were polled once")
        before, began_s = len(lead.standin.asked_s), time.monotonic()
        lead.start()
        lead.until(lambda: len(lead.standin.asked_s) >= before + requests, "requests")
        lead.until(lambda: lead.status and all(lead.lead(each)["ok"] for each in (0, 1)), "polls of both")
        asked_s = [at_s - began_s for at_s in lead.standin.asked_s[before:]]
        _ = lead.stop()
    early = [(number, at_s) for number, at_s in enumerate(asked_s) if at_s < number * pause_s - 0.001]
    assert early == []


def test_a_holding_without_a_mark_counts_as_a_loss_beyond_the_cap_and_its_exit_goes(tmp_path, project_root):
    ether: dict[str, Any] = {"symbol": "ETHUSDT", "cost": 3_000.0, "avgClosePrice": 3_010.0}
    rows = [OLD, row(-3000, -2000, **ether), row(10, 40), row(20, 9000, **ether)]
    with live(tmp_path, project_root, rows) as lead:
        lead.start()
        lead.until_polled("r1")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        _ = lead.stop()

        def without_btc(path: str, body: bytes) -> bytes:
            if not path.endswith(MARKS):
                return body
            return json.dumps([each for each in json.loads(body) if each["symbol"] != "BTCUSDT"]).encode()

        lead.standin.change = without_btc
        lead.start("r2")
        lead.until_polled("r2")
        lead.at(25)
        refusals = "SELECT reason, detail FROM decisions WHERE decision = 'refused' ORDER BY number"
        lead.until(lambda: lead.ask(refusals), "the refusal")
        assert lead.ask(refusals)[0] == ("daily_loss", "a mark is unknown")
        assert lead.fills == ["open"]
        lead.at(41)
        lead.until(lambda: lead.fills == ["open", "close"], "the exit, which no cap holds back")
        _ = lead.stop()


def test_a_paper_order_fills_at_the_first_quote_that_was_asked_for_after_the_delay(tmp_path, project_root):
    delay_ms = 60_000
    with live(tmp_path, project_root, [OLD, row(10, 9000)], settings={"canary.delay_ms": delay_ms}) as lead:
        lead.start()
        lead.until_polled("r1")
        lead.at(15)
        ((sent_ms,),) = lead.until(lambda: lead.ask("SELECT sent_at_ms FROM orders WHERE sent_at_ms"), "an order")
        quoted = lead.calls(QUOTES)
        lead.until(lambda: lead.calls(QUOTES) >= quoted + 3, "quotes that come too early")
        assert lead.fills == []
        lead.standin.change = prices_times("1.01")
        quoted = lead.calls(QUOTES)
        lead.until(lambda: lead.calls(QUOTES) >= quoted + 2, "the new price is out")
        lead.ahead_ms = delay_ms
        lead.until(lambda: lead.fills == ["open"], "the entry")
        ((time_ms, raw_ticks),) = lead.ask("SELECT time_ms, raw_price FROM fills")
        ((decided,),) = lead.ask("SELECT json_extract(body, '$.reference_price') FROM intents")
        assert time_ms >= sent_ms + delay_ms
        assert raw_ticks > 1.005 * decided
        _ = lead.stop()


# -- one store is full, the others are not -----------------------------------------------------------------------------

HELD_THEN_ONE_MORE = [OLD, row(10, 40), row(50, 9000)]
REFUSED = "SELECT reason FROM decisions WHERE decision = 'refused'"


def held(lead: Live) -> None:
    lead.until_polled("r1")
    lead.at(15)
    lead.until(lambda: lead.fills == ["open"], "the entry")


def stopped(lead: Live, why: str) -> None:
    """New orders are stopped and say why; what is held leaves all the same, and what comes is refused."""
    stop = lead.folder / "STOP_NEW_ORDERS"
    lead.until(stop.exists, "the stop")
    assert why in stop.read_text()


def exits_go_and_entries_do_not(lead: Live) -> None:
    lead.at(41)
    lead.until(lambda: lead.fills == ["open", "close"], "the exit")
    lead.at(51)
    lead.until(lambda: ("stop_new_orders",) in lead.ask(REFUSED), "the refusal")
    assert lead.fills == ["open", "close"]


def test_an_archive_that_is_full_stops_entries_and_what_could_not_be_kept_is_not_looked_at(tmp_path, project_root):
    with live(tmp_path, project_root, HELD_THEN_ONE_MORE) as lead:
        lead.start()
        held(lead)
        log = lead.place.archive.root / lead.leads[0] / Endpoint.OPEN_POSITIONS / "observations.jsonl"
        kept, lock = log.with_suffix(".kept"), FileLock(log.parent / ".lock")
        with lock:
            log.rename(kept)
            log.symlink_to("/dev/full")
        stopped(lead, "No space left on device")
        lead.at(41)
        lead.polled(3)
        assert (lead.told, lead.lead()["ok"]) == (["opened"], False), "nobody has looked at what was not kept"
        with lock:
            log.unlink()
            kept.rename(log)
        exits_go_and_entries_do_not(lead)
        assert "cannot be archived" in lead.status["last_error"]
        _ = lead.stop()


def test_a_status_that_cannot_be_written_stops_entries_and_exits_go_on(tmp_path, project_root):
    with live(tmp_path, project_root, HELD_THEN_ONE_MORE) as lead:
        lead.start()
        held(lead)
        status = lead.folder / "RUN_STATUS.json"
        while status.is_file():
            status.replace(tmp_path / "status before")
            with suppress(FileExistsError):  # The session was quicker.
                status.mkdir()
        stopped(lead, "the status cannot be written")
        exits_go_and_entries_do_not(lead)
        status.rmdir()
        lead.until(lambda: lead.status and lead.status["controls"]["stop_new_orders"], "a status again")
        _ = lead.stop()
    assert not list(lead.folder.glob("*.part"))


def test_a_journal_that_is_full_ends_the_session_which_goes_on_when_there_is_room(tmp_path, project_root):
    with live(tmp_path, project_root, HELD_THEN_ONE_MORE) as lead:
        with session_process(lead, "r1") as process:
            held(lead)
            # The journal's file alone is larger: whatever is smaller can be written.
            fill_the_disk(lead, process, 96 * 1024)
            stopped(lead, "Cannot write the journal")
            lead.at(41)
            assert process.wait(timeout=PATIENCE_S) == 2
            assert process.stdout is not None
            assert b"Cannot write the journal" in process.stdout.read()
        assert lead.status["ended"] == "error"
        assert "Cannot write the journal" in lead.status["last_error"]
        assert lead.fills == ["open"]
        assert list(lead.place.archive.damage(lead.place.archive.leads()[0])) == []
        lead.start("r2")
        exits_go_and_entries_do_not(lead)
        _ = lead.stop()
