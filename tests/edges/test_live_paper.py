"""A lead followed live on loopback: seen opening, growing, missing, closing; hidden, blocked, gone for a while."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from copytrade_core.cli.status_screen import screen
from copytrade_core.edges.runtime.runtime_look import look
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.standins.faults import FaultKind
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.session_end import Ended
from copytrade_core.model.source import Endpoint, LeadId
from tests.live_floor import DETAIL, HISTORY, LEAD, POSITIONS, Live, broken, live, row

OLD = row(-3000, -2000)
SEEDED = row(-100, 9000, is_long=False)
UNAVAILABLE = FaultKind.SERVER_ERROR


def test_a_position_is_followed_once_through_growth_absence_and_return(tmp_path, project_root):
    rows = [OLD, SEEDED, row(10, 40), row(20, 40, amount=0.02), row(50, 9000)]
    with live(tmp_path, project_root, rows) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        assert (lead.told, lead.fills) == ([], []), "what is already open is never traded"
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        lead.at(25)
        lead.until(lambda: lead.told == ["opened", "changed"], "the growth")
        lead.faults(broken(UNAVAILABLE, HISTORY))
        lead.at(41)
        lead.until(lambda: lead.told.count("missing") >= 3, "the gap")
        assert lead.fills == ["open"], "no history row, no close"
        positions = lead.status["positions"]
        assert [each["source_state"] for each in positions] == ["missing"]
        lead.faults()
        lead.until(lambda: lead.fills == ["open", "close"], "the exit")
        lead.at(55)
        lead.until(lambda: lead.fills == ["open", "close", "open"], "the second entry")
        outcome = lead.stop()
        episodes = lead.ask("SELECT DISTINCT episode_id FROM fills")
        assert len(episodes) == 2, "what comes back is another episode"
        assert outcome.status.last_poll.seen_after_ms is not None
        assert outcome.status.ended is Ended.KILL


def test_a_close_that_matches_no_history_row_stays_missing_with_its_reason(tmp_path, project_root):
    half = row(10, 40, status="Partially Closed")
    with live(tmp_path, project_root, [OLD, SEEDED, half]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        lead.at(41)
        lead.until(lambda: lead.told.count("missing") >= 2, "the gap")
        history = lead.calls(HISTORY)
        began = time.monotonic()
        lead.polled(4)
        took_s = time.monotonic() - began
        assert lead.calls(HISTORY) - history <= 6, "the history is asked with the polls, not without a pause"
        assert took_s > 0.25, "what stays missing makes no poll come sooner"
        assert lead.fills == ["open"]
        assert "not_fully_closed" in str(lead.ask("SELECT * FROM source_events WHERE kind = 'missing'"))
        _ = lead.stop()


SILENT = [
    broken(FaultKind.HIDDEN_PORTFOLIO, ""),
    broken(FaultKind.HIDDEN_POSITIONS_NULL, ""),
    broken(FaultKind.RETIRED_LEAD, ""),
    broken(FaultKind.WAF_FORBIDDEN),
    broken(FaultKind.WAF_HTML),
    broken(FaultKind.WAF_EMPTY),
    broken(FaultKind.THROTTLED, retry_after_s=0),
    broken(FaultKind.THROTTLED_CODE),
    broken(FaultKind.BANNED, retry_after_s=0),
    broken(FaultKind.SERVER_ERROR),
    broken(FaultKind.UNKNOWN_CODE),
    broken(FaultKind.DATA_NULL),
    broken(FaultKind.EMPTY_PAGE),
    broken(FaultKind.TRUNCATED_JSON),
    broken(FaultKind.TRUNCATED_BODY),
    broken(FaultKind.CONNECTION_RESET),
    broken(FaultKind.WAF_FORBIDDEN, DETAIL),
]
NO_BYTES = {FaultKind.TRUNCATED_BODY, FaultKind.CONNECTION_RESET}


def test_an_answer_that_says_nothing_changes_nothing_and_is_kept(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 9000)]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        for fault in SILENT:
            endpoint = Endpoint.LEAD_DETAIL if fault.path == DETAIL else Endpoint.OPEN_POSITIONS
            kept = len(list(lead.place.archive.observations(LeadId(LEAD), endpoint)))
            lead.faults(fault)
            lead.until(lambda: not lead.lead()["ok"], f"{fault.kind} is told")
            said = lead.lead()
            assert said["reading"], fault.kind
            if fault.kind not in NO_BYTES and fault.kind is not FaultKind.RETIRED_LEAD:
                found = len(list(lead.place.archive.observations(LeadId(LEAD), endpoint)))
                assert found > kept, f"{fault.kind} is archived before it is read"
            lead.faults()
            lead.until(lambda: lead.lead()["ok"], f"information after {fault.kind}")
            assert lead.lead()["failures"] == 0
        assert lead.told == ["opened"], "no word of the lead"
        assert lead.fills == ["open"]
        _ = lead.stop()


def screen_of(lead: Live) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(screen(look(lead.folder, now=datetime.now(UTC)), width=200))
    return console.export_text()


@pytest.mark.soak
def test_failures_wait_longer_and_longer_but_no_longer_than_the_cap_and_are_shown(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 9000)]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.faults(broken(FaultKind.SLOW, delay_s=11, last_call=1), broken(UNAVAILABLE, POSITIONS, first_call=2))
        lead.until(lambda: lead.lead()["failures"] >= 4, "four failures")
        shown = lead.status
        assert shown["last_poll"]["leads"][0]["next_at"] is not None
        assert "failed polls in a row, asked again" in screen_of(lead)
        assert shown["input_ages_s"]["source"] >= 1.0, "what is known grows old"
        lead.faults()
        lead.until(lambda: lead.lead()["ok"] and lead.lead()["failures"] == 0, "an answer")
        assert lead.lead()["age_s"] < 1.0
        _ = lead.stop()


def test_everything_gone_at_once_is_no_information(tmp_path, project_root):
    rows = [OLD, row(10, 40), row(11, 41, is_long=False)]
    with live(tmp_path, project_root, rows) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(15)
        lead.until(lambda: lead.told == ["opened", "opened"], "both")
        lead.faults(broken(UNAVAILABLE, HISTORY))
        lead.at(45)
        lead.until(lambda: lead.lead()["reading"] == "suspiciously_empty", "the suspicion")
        assert "missing" not in lead.told
        _ = lead.stop()


def test_of_two_leads_one_hides_and_the_other_is_followed(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 9000)], [OLD, row(10, 9000)]) as lead:
        lead.faults(broken(FaultKind.HIDDEN_PORTFOLIO, "", lead_id=lead.leads[0]))
        lead.start()
        lead.until(lambda: lead.status and lead.lead(1)["ok"], "the open one")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        hidden, shown = lead.lead(0), lead.lead(1)
        assert (hidden["ok"], hidden["reading"], shown["ok"]) == (False, "hidden", True)
        assert hidden["age_s"] > shown["age_s"]
        assert lead.leads[0] in lead.status["last_poll"]["reading"]
        assert lead.ask("SELECT DISTINCT substr(episode_id, 1, 19) FROM fills") == [(lead.leads[1],)]
        _ = lead.stop()


def test_a_market_without_marks_lets_an_exit_go(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, SEEDED, row(10, 40)]) as lead:
        lead.start()
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        lead.faults(broken(UNAVAILABLE, "/premiumIndex"))
        lead.at(41)
        lead.until(lambda: lead.fills == ["open", "close"], "the exit")
        _ = lead.stop()


def test_kill_is_heard_at_once_and_a_second_session_is_refused(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD]) as lead:
        lead.faults(broken(FaultKind.SLOW, "", delay_s=0.9))
        lead.start()
        lead.until(lambda: lead.status, "a status")
        with pytest.raises(StoreFault, match="already"):
            run_live_paper_session(lead.place, lead.plan(), folder=tmp_path / "other", run_id="r2", deadline_s=5)
        began = time.monotonic()
        outcome = lead.stop()
        assert time.monotonic() - began < 5, (
            "the issue: a control is heard within a second, and requests are left behind"
        )
        assert outcome.status.ended is Ended.KILL
