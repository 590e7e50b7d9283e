"""`copytrade status` and the controls: what a person sees of a session, at 80 and 120 columns, whole or damaged."""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core.cli.status_screen import bar, lasting
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.session_end import Ended
from copytrade_core.model.units import Money
from copytrade_core.session.status import BackoffNow, LimitState, LimitUnit, UnknownOrder
from tests.runtime_floor import Kept
from tests.trading_floor import BTC, START_MS

LONG = "c" + "x" * 25


@pytest.fixture
def kept(tmp_path: Path):
    """A session in the data folder of the command line, shown now."""
    folder = tmp_path / "data" / "runtime" / "4751838302089254401" / "paper"
    session = Kept(folder)
    session.wall_ms = time.time_ns() // 1_000_000
    session.open()
    yield session
    session.journal.close()


def doubtful(kept: Kept) -> None:
    """A status in which everything that can be wrong is wrong."""
    status = kept.status()
    kept.files.show(
        replace(
            status,
            limits=(
                *status.limits,
                LimitState(name="notional_correlated", value=Money(95 * 10**8), limit=100 * 10**8, unit=LimitUnit.USDT),
                LimitState(name="daily_loss", value=Money(6 * 10**8), limit=5 * 10**8, unit=LimitUnit.USDT),
                LimitState(name="source_age", value=None, limit=60, unit=LimitUnit.SECONDS),
            ),
            unknown_orders=(UnknownOrder(client_order_id=LONG, market=BTC, since_ms=START_MS, why="timed out"),),
            backoff=BackoffNow(failures=3, until_ms=START_MS + 60_000),
            source_age_ms=None,
            alerts=(Alert(kind=AlertKind.SLIPPAGE, subject=LONG, at_ms=START_MS, what="12 bp worse than expected"),),
            last_error="the mark is unknown",
        )
    )


@pytest.mark.parametrize("width", [80, 120])
def test_everything_a_person_needs_is_on_the_screen_and_no_line_is_longer_than_it(
    kept: Kept, copytrade, environment, width: int
) -> None:
    environment["COLUMNS"] = str(width)
    doubtful(kept)
    said = copytrade("status", str(kept.folder))
    assert said.code == 0, said.err
    assert max(len(line) for line in said.out.splitlines()) <= width
    text = re.sub(r"\s+", " ", said.out)
    for expected in (
        "● running",
        "paper on a virtual clock",
        "controls none set",
        "to check daily loss is at its limit; source age is unknown; 1 unknown order; 1 alert; entries wait after",
        "6 of 5 USDT full",
        "95 of 100 USDT near",
        "notional correlated",
        "95 of 100 USDT",
        "unknown of 60 s",
        "BTC/USDT long",
        "unknown " + LONG,
        "timed out",
        "backoff failed entries in a row: 3",
        "source never seen",
        "alert slippage",
        "last error the mark is unknown",
    ):
        assert expected in text, (expected, said.out)


def test_a_screen_says_in_a_word_when_the_status_cannot_be_believed(kept: Kept, copytrade) -> None:
    status = kept.folder / "RUN_STATUS.json"
    assert copytrade("status", str(kept.folder)).code == 3, "nothing was shown yet"
    kept.show()
    whole = status.read_bytes()
    for damaged in (b"", b"{", b"[]", whole[: len(whole) // 2], whole.replace(b'"market"', b'"markt"'), b"\xff"):
        status.write_bytes(damaged)
        said = copytrade("status", str(kept.folder))
        assert (said.code, "● corrupted" in said.out) == (1, True), (damaged[:50], said.out)
    status.write_bytes(whole.replace(b'"schema_version": 1', b'"schema_version": 9'))
    assert "schema 9" in copytrade("status", str(kept.folder)).out
    status.write_bytes(whole)
    assert copytrade("status", str(kept.folder)).code == 0
    said = copytrade("status", str(kept.folder / "none"))
    assert (said.code, "no such directory" in said.out) == (3, True)


def test_a_status_that_is_not_written_any_more_is_stale_or_gone(kept: Kept, copytrade) -> None:
    kept.wall_ms -= 60_000
    kept.show()
    said = copytrade("status", str(kept.folder), "--json")
    assert (said.code, said.json["standing"]) == (1, "stale")
    assert said.json["age_s"] >= 60
    (kept.folder / "session.sqlite.lock").write_text('{"pid":1,"boot_id":"another boot"}')
    said = copytrade("status", str(kept.folder), "--json")
    assert (said.code, said.json["standing"]) == (1, "gone")
    kept.show(ended=Ended.DEADLINE)
    said = copytrade("status", str(kept.folder))
    assert (said.code, "ended by deadline" in said.out) == (0, True)


def test_a_lead_leads_to_its_newest_session(kept: Kept, copytrade) -> None:
    kept.show()
    said = copytrade("status", "--lead", "4751838302089254401", "--json")
    assert (said.code, said.json["directory"]) == (0, str(kept.folder))
    assert said.json["status"]["run_id"] == "run"
    assert copytrade("status", "--lead", "999").code == 3
    assert copytrade("status", str(kept.folder), "--lead", "1").code == 2
    assert str(kept.folder) in copytrade("status", "--json").json["sessions"]


def test_controls_are_set_told_and_taken_back(kept: Kept, copytrade) -> None:
    kept.show()
    for verb, name in (("stop", "STOP_NEW_ORDERS"), ("hot-stop", "HOT_STOP"), ("kill", "KILL")):
        assert copytrade(verb, str(kept.folder)).code == 2, "without a reason"
        assert copytrade(verb, str(kept.folder), "--why", "odd prices").code == 0
        assert (kept.folder / name).exists()
        again = copytrade(verb, str(kept.folder), "--why", "me too")
        assert (again.code, "was set already" in again.out) == (0, True)
        assert "odd prices" in again.out
    shown = copytrade("status", str(kept.folder))
    assert shown.out.count("odd prices") == 3
    assert copytrade("resume", str(kept.folder), "--why", "fine").code == 2, "KILL stays"
    refused = copytrade("resume", str(kept.folder), "--why", "fine", "--after-kill")
    assert (refused.code, "not ended yet" in refused.err) == (2, True)
    kept.journal.close()
    (kept.folder / "session.sqlite.lock").write_text('{"pid":1,"boot_id":"another boot"}')
    done = copytrade("resume", str(kept.folder), "--why", "fine", "--after-kill", "--json")
    assert done.code == 0, done.err
    assert [each["control"] for each in done.json["cleared"]] == ["STOP_NEW_ORDERS", "KILL", "HOT_STOP"]
    assert not (kept.folder / "KILL").exists()
    assert copytrade("stop", "/nowhere", "--why", "x").code == 3


def findings(copytrade) -> dict[str, tuple[bool, str]]:
    said = copytrade("doctor", "--json").json["findings"]
    return {each["subject"]: (each["is_fine"], each["next_step"]) for each in said}


def test_the_doctor_knows_how_sessions_stand_who_watches_them_and_whether_anybody_can_be_told(
    kept: Kept, copytrade, environment
) -> None:
    environment["COPYTRADE_ALERT_URL"] = ""
    before = findings(copytrade)
    assert before["sessions"] == (False, f"copytrade status {kept.folder}"), "a journal without a status"
    assert (before["monitor"], before["alerts"]) == ((True, ""), (True, "")), "nothing runs"
    kept.show()
    running = findings(copytrade)
    assert running["sessions"] == (True, "")
    assert running["monitor"] == (False, f"copytrade monitor {kept.folder}")
    assert running["alerts"][0] is False
    assert "COPYTRADE_ALERT_URL" in running["alerts"][1]
    _ = copytrade("monitor", str(kept.folder), "--once")
    environment["COPYTRADE_ALERT_URL"] = "tgram://not-used-here"
    watched = findings(copytrade)
    assert {name: watched[name] for name in ("sessions", "monitor", "alerts")} == {
        "sessions": (True, ""),
        "monitor": (True, ""),
        "alerts": (True, ""),
    }
    (kept.folder / "RUN_STATUS.json").write_bytes(b"{")
    assert findings(copytrade)["sessions"] == (False, f"copytrade status {kept.folder}")
    kept.wall_ms -= 600_000
    kept.show()
    assert findings(copytrade)["sessions"] == (False, f"copytrade status {kept.folder}")


def test_a_session_is_asked_in_sql(kept: Kept, copytrade) -> None:
    kept.show()
    said = copytrade("sql", "--session", str(kept.folder), "SELECT kind FROM fills", "--json")
    assert said.json == {"columns": ["kind"], "rows": [["open"]]}
    assert copytrade("sql", "--session", str(kept.folder / "none"), "SELECT 1").code == 3


def test_a_watched_status_follows_until_it_is_interrupted(kept: Kept, start) -> None:
    kept.show()
    process: subprocess.Popen = start("status", str(kept.folder), "--watch", "--json")
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        kept.show(ended=Ended.KILL)
        seen = [json.loads(process.stdout.readline()) for _ in range(3)]
    finally:
        process.send_signal(2)
        process.communicate(timeout=20)
    assert first["standing"] == "running"
    assert seen[-1]["status"]["ended"] == "kill"
    assert process.returncode == 130


def test_bars_and_lengths_of_time_can_be_read() -> None:
    assert bar(0).plain == "░" * 20
    assert bar(0.5).plain == "█" * 10 + "░" * 10
    assert bar(3).plain == "█" * 20
    assert bar(None).plain == "·" * 20
    assert [lasting(s) for s in (0, 59, 60, 3_599, 3_600, 86_399, 90_000)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
        "23 h 59 min",
        "1 d 1 h",
    ]
