"""The controls, the status and the monitor of a session that follows a lead live, from the terminal beside it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

from tests.live_runtime import live_session, row, status_of, until

HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rows_of(folder, query):
    with closing(sqlite3.connect(f"file:{folder / 'session.sqlite'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def refused(folder):
    return rows_of(folder, "SELECT reason, at_ms FROM decisions WHERE decision = 'refused'")


def test_a_stop_holds_within_a_second_and_every_verb_says_what_is_so(copytrade, environment, tmp_path, project_root):
    """The lead opens one second after `copytrade stop` has returned: the issue's bound. Then resume, and a hot stop."""
    environment["COPYTRADE_MONITOR__CLEAR_S"] = "0"
    opens_at = now_ms() + 7_000
    with live_session(tmp_path / "live", project_root, row(opens_at, opens_at + HOUR_MS)) as folder:
        until(lambda: status_of(folder)["last_poll"]["ok"], what="a first poll")
        well = copytrade("status", str(folder))
        assert (well.code, "● running" in well.out, "look at  nothing" in well.out) == (0, True, True), well.out
        assert copytrade("monitor", str(folder), "--once").code == 0
        time.sleep(max(0, opens_at - 1_500 - now_ms()) / 1000)

        assert copytrade("stop", str(folder), "--why", "an odd price").code == 0
        assert now_ms() <= opens_at, "the machine was too slow to measure anything"
        watched = copytrade("monitor", str(folder), "--once", "--json")
        assert (watched.code, watched.json["opened"]) == (1, ["control_active-1"])
        until(lambda: refused(folder), what="the refusal")
        (reason, at_ms) = refused(folder)[0]
        assert reason == "stop_new_orders"
        assert at_ms >= opens_at
        assert rows_of(folder, "SELECT * FROM orders") == []
        shown = copytrade("status", str(folder))
        assert "STOP_NEW_ORDERS" in shown.out
        assert "an odd price" in shown.out

        assert copytrade("resume", str(folder), "--why", "seen").code == 0
        watched = copytrade("monitor", str(folder), "--once", "--json")
        assert (watched.code, watched.json["resolved"]) == (0, ["control_active-1"])

        assert copytrade("hot-stop", str(folder), "--why", "a new version").code == 0
        until(lambda: status_of(folder)["ended"], what="the end")
        ended = copytrade("status", str(folder), "--json")
        assert (ended.code, ended.json["standing"], status_of(folder)["ended"]) == (0, "ended", "hot_stop")
        # The session lived in this process, which does not end with it.
        (folder / "session.sqlite.lock").write_text('{"pid":1,"boot_id":"another boot"}')
        back = copytrade("resume", str(folder), "--why", "goes on", "--json")
        assert (back.code, back.json["from_snapshot"]) == (0, True), back.err
