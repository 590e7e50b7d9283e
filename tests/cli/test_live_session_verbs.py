"""The controls, the status and the monitor of a session that follows a lead live, from the terminal beside it."""

from __future__ import annotations

from tests.live_floor import live, row

OLD = row(-90_000, -80_000)
REFUSED = "SELECT reason FROM decisions WHERE decision = 'refused'"


def test_a_stop_holds_once_the_verb_has_returned_and_every_verb_says_what_is_so(
    copytrade, environment, tmp_path, project_root
):
    """The lead opens when `copytrade stop` has just returned: no second of grace. Then resume, and a hot stop."""
    environment["COPYTRADE_MONITOR__CLEAR_S"] = "0"
    with live(tmp_path / "live", project_root, [OLD, row(10, 9000)]) as lead:
        # A status is stale after three of its intervals: seconds, so that a slow machine is no incident.
        lead.start(deadline_s=86_400, status_every_ms=2_000)
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        folder = str(lead.folder)
        well = copytrade("status", folder)
        assert (well.code, "● running" in well.out, "to check  nothing" in well.out) == (0, True, True), well.out
        assert copytrade("monitor", folder, "--once").code == 0

        assert copytrade("stop", folder, "--why", "an odd price").code == 0
        lead.at(15)
        watched = copytrade("monitor", folder, "--once", "--json")
        assert (watched.code, watched.json["opened"]) == (1, ["control_active-1"])
        lead.until(lambda: lead.ask(REFUSED), "the refusal")
        assert lead.ask(REFUSED)[0] == ("stop_new_orders",)
        assert lead.ask("SELECT * FROM orders") == []
        lead.until(lambda: lead.status["controls"]["stop_new_orders"], "the stop in its status")
        shown = copytrade("status", folder)
        assert "STOP_NEW_ORDERS" in shown.out
        assert "an odd price" in shown.out

        assert copytrade("resume", folder, "--why", "seen").code == 0
        watched = copytrade("monitor", folder, "--once", "--json")
        assert (watched.code, watched.json["resolved"]) == (0, ["control_active-1"])

        assert copytrade("hot-stop", folder, "--why", "a new version").code == 0
        lead.join()
        ended = copytrade("status", folder, "--json")
        assert (ended.code, ended.json["standing"], lead.status["ended"]) == (0, "ended", "hot_stop")
        # The session lived in this process, which does not end with it.
        (lead.folder / "session.sqlite.lock").write_text('{"pid":1,"boot_id":"another boot"}')
        back = copytrade("resume", folder, "--why", "goes on", "--json")
        assert (back.code, back.json["from_snapshot"]) == (0, True), back.err
