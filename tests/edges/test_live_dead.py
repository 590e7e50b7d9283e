"""What a live session finds that was dead for a while: moved prices, funding, a deadline, files half written."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from copytrade_core.edges.runtime.paper_account_file import PAPER_ACCOUNT_FILE
from copytrade_core.edges.stages.paper import identity_of, opened_journal
from copytrade_core.model.errors import StoreFault
from copytrade_core.session.status import SessionFacts, SessionMode
from tests.edges.live_process import session_process
from tests.live_floor import DEADLINE_S, Live, live, now_ms, prices_times, row
from tests.made_lead import HOUR_MS

OLD = row(-3000, -2000)
DECIDED = "SELECT reason, numbers FROM decisions ORDER BY number"


def test_what_opened_while_the_session_was_dead_is_not_followed_when_its_price_has_gone(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 40), row(50, 9000)]) as lead:
        lead.start()
        lead.until_polled("r1")
        _ = lead.stop()
        lead.at(15)
        lead.standin.change = prices_times("1.06")
        lead.start("r2")
        lead.until(lambda: lead.ask(DECIDED), "the decision")
        lead.polled(3)
        ((reason, numbers),) = lead.ask(DECIDED)
        assert reason == "entry_drift"
        drift = dict(json.loads(numbers))
        assert 55_000 < int(drift["drift_ppm"]) < 65_000
        assert int(drift["drift_ppm_max"]) == 50_000
        assert lead.ask("SELECT * FROM orders") == []
        lead.standin.change = None
        lead.at(41)
        lead.until(lambda: lead.told[-1] == "closed", "the close of what was not followed")
        _ = lead.stop()
        lead.at(51)
        lead.start("r3")
        lead.until(lambda: lead.fills == ["open"], "the entry at a price that still stands")
        _ = lead.stop()


def funding_of(lead: Live) -> list[tuple[int, int]]:
    return lead.ask("SELECT time_ms, cost FROM funding ORDER BY time_ms")


def test_funding_that_fell_due_while_the_session_was_dead_is_paid_once_through_every_restart(tmp_path, project_root):
    """kill -9 while it holds, two funding instants, kill -9 again when both are paid, and a third start."""
    with live(tmp_path, project_root, [OLD, row(10, 90_000)]) as lead:
        with session_process(lead, "r1"):
            lead.until_polled("r1")
            lead.at(15)
            lead.until(lambda: lead.fills == ["open"], "the entry")
        eight = 8 * HOUR_MS
        due = [(lead.zero_ms // eight + number) * eight for number in (1, 2)]
        later_s = (due[-1] - lead.zero_ms) // 1000 + 700
        lead.ahead_ms = later_s * 1000 - (now_ms() - lead.zero_ms)
        lead.at(later_s)
        with session_process(lead, "r2"):
            lead.until(lambda: len(funding_of(lead)) == 2, "both payments")
        paid = funding_of(lead)
        assert [time_ms for time_ms, _ in paid] == due
        assert all(cost for _, cost in paid)
        lead.start("r3")
        lead.until_polled("r3")
        lead.polled(3)
        _ = lead.stop()
        assert funding_of(lead) == paid, "told again, and paid already"
        ((cash, fee),) = lead.ask("SELECT (SELECT cash FROM equity ORDER BY number DESC LIMIT 1), sum(fee) FROM fills")
        assert cash == 30 * 10**8 - fee - sum(cost for _, cost in paid)
        charged = [line for line in (lead.folder / PAPER_ACCOUNT_FILE).read_text().splitlines() if '"Charged"' in line]
        assert len(charged) == 2, "by the account, too"


def test_a_run_that_goes_on_after_its_deadline_ends_and_the_next_run_takes_over(tmp_path, project_root):
    with live(tmp_path, project_root, [OLD, row(10, 40)]) as lead:
        lead.start("r1")
        lead.until_polled("r1")
        lead.at(15)
        lead.until(lambda: lead.fills == ["open"], "the entry")
        _ = lead.stop()
        lead.at(41)
        lead.ahead_ms = (DEADLINE_S + 1) * 1000
        lead.start("r1")
        lead.join()
        assert lead.outcome is not None, lead.error
        assert lead.status["ended"] == "deadline"
        assert (lead.told, lead.fills) == (["opened"], ["open"]), "to have died earns no longer a session"
        assert [each["side"] for each in lead.status["positions"]] == ["long"], "and nothing is forgotten"
        lead.start("r2")
        lead.until(lambda: lead.fills == ["open", "close"], "what the lead has done meanwhile")
        _ = lead.stop()


WRITTEN_WHOLE = ("RUN_STATUS.json", "run_state_r1.json", "live_strategy_params.json", "HOT_RESTART_SNAPSHOT.json")


def test_what_a_killed_session_left_half_written_is_swept_by_who_holds_the_lease_and_by_nobody_else(
    tmp_path, project_root
):
    with live(tmp_path, project_root, [OLD]) as lead:
        lead.start("r1")
        lead.until_polled("r1")
        ours = {f"{name}.{uuid4().hex}.part" for name in WRITTEN_WHOLE}
        others = {f"KILL.{uuid4().hex}.part", "mine.part"}
        for name in ours | others:
            _ = (lead.folder / name).write_bytes(b'{"half')
        facts = SessionFacts(
            identity=identity_of(lead.plan()), run_id="r2", leads=lead.leads, mode=SessionMode.PAPER,
            started_at_ms=now_ms(), interval_ms=100, deadline_ms=None, is_reconstructed=False,
        )  # fmt: skip
        with pytest.raises(StoreFault, match="already"):
            _ = opened_journal(lead.folder, facts)
        assert ours | others <= {each.name for each in lead.folder.iterdir()}, "whoever holds the lease writes still"
        _ = lead.stop()
        lead.start("r2")
        lead.until_polled("r2")
        _ = lead.stop()
        assert {each.name for each in lead.folder.glob("*.part")} == others, "a control may be somebody's just now"
