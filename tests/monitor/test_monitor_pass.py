"""The monitor when things around it fail: files that are damaged, messages that do not arrive, a second monitor."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.monitoring.alerts import AlertChannel
from copytrade_core.edges.monitoring.incident_db import INCIDENTS_FILE, IncidentDb
from copytrade_core.edges.monitoring.monitor_ack import acknowledge
from copytrade_core.edges.monitoring.monitor_pass import Monitor
from copytrade_core.edges.monitoring.monitor_record import read_record
from copytrade_core.edges.runtime.control_files import Control, clear_control, note_of
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.edges.stages.canary_monitor import incident_facts, pending_changes, watch_lead
from copytrade_core.edges.stages.canary_place import live_folder
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.errors import BadInput, NotStored, StoreFault
from copytrade_core.model.order_row import OrderState
from copytrade_core.monitor.delivery import Wait
from copytrade_core.monitor.finding import Rule
from copytrade_core.monitor.incidents import Delivery, IncidentState, Stop
from tests.alert_services import AlertServices, alert_services
from tests.journal_steps import EPISODE, IDENTITY
from tests.monitor_floor import Runtime, dead_pid, iso, settings

LEAD = IDENTITY.lead
CHOSEN = settings(alerts__message_interval_s=0, alerts__retry_wait_s=0, alerts__backoff_initial_s=60)
STOPPING = settings(monitor__on_breach="stop", alerts__message_interval_s=0)


@pytest.fixture
def services() -> Iterator[AlertServices]:
    with alert_services() as made:
        yield made


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(tmp_path / "runtime")
    yield made
    made.close()


def watching(runtime: Runtime, services: AlertServices, chosen=CHOSEN) -> Monitor:
    return Monitor(
        runtime.folder, chosen, alerts=AlertChannel(SecretStr(services.hook), chosen.alerts, variable="TEST")
    )


def rules(found) -> list[Rule]:
    return [each.rule for each in found]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"schema_version": 2}',
        b'{"schema_version": 1}',
        b'{"schema_version": "one"}',
    ],
)
def test_a_damaged_status_is_missing_and_ends_no_other_incident(content, runtime, services) -> None:
    runtime.status["ended"] = "error"
    monitor = watching(runtime, services)
    assert rules(runtime.look(monitor).active) == [Rule.SESSION_FAILED]
    runtime.writes_status = False
    runtime.status_file.write_bytes(content)
    for _ in range(2):
        runtime.later(1_000)
        runtime.look(monitor)
    found = runtime.look(monitor)
    assert rules(found.active) == [Rule.SESSION_FAILED, Rule.STATUS_MISSING]
    assert Rule.PROCESS_MISSING in found.blind


@pytest.mark.parametrize(
    "damage",
    [
        {"written_at": "2026-01-05T10:00:00"},
        {"interval_s": "soon"},
        {"positions": [{"episode_id": EPISODE}]},
        {"ended": "tired"},
        {"limits": [{"name": "daily_loss", "value": True, "limit": 1, "unit": "usdt"}]},
    ],
)
def test_a_field_that_cannot_be_read_is_a_missing_status_that_names_it(damage, runtime, services) -> None:
    runtime.writes_status = False
    runtime.status_file.write_text(json.dumps(runtime.status | damage))
    (found,) = runtime.look(watching(runtime, services)).active
    assert found.rule is Rule.STATUS_MISSING
    assert "damaged" in found.what


def test_a_number_that_is_none_is_a_damaged_status(runtime, services) -> None:
    runtime.status["positions"] = [runtime.position(quantity="NaN")]
    (found,) = runtime.look(watching(runtime, services)).active
    assert found.rule is Rule.STATUS_MISSING


def test_a_status_from_the_future_says_that_a_clock_went_backwards(runtime, services) -> None:
    monitor = watching(runtime, services)
    runtime.look(monitor)
    runtime.writes_status = False
    runtime.later(-86_400)
    found = runtime.look(monitor)
    assert rules(found.active) == [Rule.STATUS_STALE]
    assert "backwards" in found.active[0].what
    runtime.writes_status = True
    runtime.look(monitor)
    runtime.later(130)
    assert runtime.look(monitor).active == ()


def test_a_journal_that_is_damaged_blinds_what_reads_it_and_status_speaks_for_unknown_orders(runtime, services) -> None:
    monitor = watching(runtime, services)
    runtime.alert(AlertKind.AUTHENTICATION)
    runtime.look(monitor)
    runtime.journal.close()
    for file in runtime.folder.glob("session.sqlite-*"):
        file.unlink()
    (runtime.folder / "session.sqlite").write_bytes(b"not a database at all" * 100)
    unknown = {"client_order_id": "c1", "market": "BTC", "since": iso(runtime.now_ms - 61_000), "why": "lost"}
    runtime.status["unknown_orders"] = [unknown]
    runtime.later(9_000)
    found = runtime.look(monitor)
    runtime.later(9_000)
    found = runtime.look(monitor)
    assert set(rules(found.active)) == {Rule.SESSION_ALERT, Rule.JOURNAL_UNREADABLE, Rule.UNKNOWN_ORDER}
    assert Rule.ORDER_FILLED in found.blind


def test_a_page_of_the_journal_that_is_torn_is_noticed_or_the_rest_is_read(runtime, services) -> None:
    for _ in range(50):
        runtime.order(OrderState.JOURNALLED)
    runtime.journal.close()
    path = runtime.folder / "session.sqlite"
    content = bytearray(path.read_bytes())
    content[4096 : len(content) - 4096 : 7] = b"\xff" * len(content[4096 : len(content) - 4096 : 7])
    path.write_bytes(bytes(content))
    assert Rule.JOURNAL_UNREADABLE in rules(runtime.look(watching(runtime, services)).active)


def test_a_new_journal_in_the_place_of_the_old_has_no_history(runtime, services) -> None:
    monitor = watching(runtime, services)
    for _ in range(3):
        runtime.fill()
    runtime.look(monitor, as_baseline=True)
    runtime.close()
    for file in runtime.folder.glob("session.sqlite*"):
        file.unlink()
    anew = Runtime(runtime.folder)
    anew.fill()
    assert rules(anew.look(monitor).opened) == [Rule.ORDER_FILLED]
    anew.close()


def test_a_message_that_does_not_arrive_is_kept_and_arrives_later(runtime, services) -> None:
    monitor = watching(runtime, services)
    (runtime.folder / "KILL").touch()
    services.failures = [500] * 6
    found = runtime.look(monitor)
    assert found.failure is not None
    assert found.active[0].delivery is Delivery.PENDING
    assert runtime.look(monitor).waits is Wait.RETRY
    runtime.later(60)
    assert runtime.look(monitor).failure is not None
    (runtime.folder / "KILL").unlink()
    runtime.later(200)
    runtime.look(monitor)
    runtime.later(200)
    assert runtime.look(monitor).active == ()
    begun, over = [each["message"] for each in services.taken]
    assert "WARNING control_active-1" in begun
    assert over.startswith("OVER control_active-1 KILL: ")


def test_an_incident_that_was_over_before_anybody_could_be_told_is_told_still(runtime, services) -> None:
    runtime.look(Monitor(runtime.folder, CHOSEN, alerts=None))
    (runtime.folder / "KILL").touch()
    unheard = Monitor(runtime.folder, CHOSEN, alerts=None)
    assert runtime.look(unheard).failure == "no alert address is set"
    (runtime.folder / "KILL").unlink()
    for _ in range(2):
        runtime.later(130)
        assert runtime.look(unheard).pending_count == 1
    runtime.look(watching(runtime, services))
    assert "(over by now)" in services.taken[0]["message"]


def test_a_baseline_silences_what_was_over_and_not_yet_told(runtime, services) -> None:
    unheard = Monitor(runtime.folder, CHOSEN, alerts=None)
    (runtime.folder / "KILL").touch()
    runtime.look(unheard)
    (runtime.folder / "KILL").unlink()
    for _ in range(2):
        runtime.later(130)
        runtime.look(unheard)
    assert runtime.look(watching(runtime, services), as_baseline=True).pending_count == 0
    assert services.taken == []
    assert read_record(runtime.folder).unheard == ()


def test_an_acknowledged_incident_is_quiet_until_it_is_over_and_comes_back(runtime, services) -> None:
    monitor = watching(runtime, services)
    (runtime.folder / "KILL").touch()
    runtime.look(monitor)
    seen = acknowledge(runtime.folder, "control_active-1", by="me", now_ms=runtime.now_ms)
    assert seen.state is IncidentState.ACKNOWLEDGED
    assert runtime.look(monitor).unacknowledged == ()
    with pytest.raises(BadInput, match="no active incident") as caught:
        acknowledge(runtime.folder, "control_active-9", by="me", now_ms=runtime.now_ms)
    assert "control_active-1" in (caught.value.next_step or "")
    (runtime.folder / "KILL").unlink()
    for _ in range(2):
        runtime.later(130)
        runtime.look(monitor)
    (runtime.folder / "KILL").touch()
    assert [each.incident_id for each in runtime.look(monitor).opened] == ["control_active-2"]
    told = [each["message"].split()[:2] for each in services.taken]
    assert told == [["WARNING", "control_active-1"], ["OVER", "control_active-1"], ["WARNING", "control_active-2"]]


def test_an_end_that_could_not_be_told_is_told_later(runtime, services) -> None:
    monitor = watching(runtime, services)
    (runtime.folder / "KILL").touch()
    runtime.look(monitor)
    (runtime.folder / "KILL").unlink()
    runtime.look(monitor)
    services.failures = [500] * 3
    runtime.later(130)
    found = runtime.look(monitor)
    assert (found.failure is None, found.pending_count) == (False, 1)
    assert read_record(runtime.folder).unheard == (), "what began was told"
    runtime.later(60)
    assert runtime.look(monitor).pending_count == 0
    assert [each["title"].split(" (")[0] for each in services.taken] == ["copytrade: 1 warning", "copytrade: 1 over"]


def test_a_history_of_the_first_schema_is_brought_forward_and_keeps_everything(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    runtime.look(watching(runtime, services))
    path = runtime.folder / INCIDENTS_FILE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP INDEX incidents_pending")
        connection.execute("ALTER TABLE incidents DROP COLUMN over")
        connection.execute("CREATE INDEX incidents_pending ON incidents (delivery) WHERE delivery = 'pending'")
        connection.execute("PRAGMA user_version = 1")
    assert read_record(runtime.folder).active == ("control_active-1",), "a reader works on a copy"
    assert runtime.look(watching(runtime, services)).opened == ()
    (runtime.folder / "KILL").unlink()
    for _ in range(2):
        runtime.later(130)
        runtime.look(watching(runtime, services))
    assert "OVER control_active-1" in services.taken[-1]["message"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 3")
    with pytest.raises(StoreFault, match="schema 3"):
        runtime.look(watching(runtime, services))


def test_a_breach_stops_new_orders_once_and_a_person_may_resume(runtime, services) -> None:
    monitor = watching(runtime, services, STOPPING)
    runtime.alert(AlertKind.LEDGER_MISMATCH)
    found = runtime.look(monitor)
    assert found.stopped
    note = note_of(runtime.folder, Control.STOP_NEW_ORDERS)
    assert note is not None
    assert (note.who, note.why) == ("monitor", "position_mismatch-1")
    assert rules(found.active) == [Rule.POSITION_MISMATCH]
    runtime.later(10)
    assert rules(runtime.look(monitor).active) == [Rule.POSITION_MISMATCH], "what we set ourselves was told already"
    assert clear_control(runtime.folder, Control.STOP_NEW_ORDERS)
    runtime.later(10)
    assert not runtime.look(monitor).stopped
    assert not (runtime.folder / "STOP_NEW_ORDERS").exists()


def test_nothing_stops_by_itself_unless_it_was_configured(runtime, services) -> None:
    runtime.alert(AlertKind.LEDGER_MISMATCH)
    assert not runtime.look(watching(runtime, services)).stopped
    assert not (runtime.folder / "STOP_NEW_ORDERS").exists()


def test_a_stop_that_was_not_written_is_wanted_still(runtime, services) -> None:
    """A kill between the incident and the control, or a disk that was full: the next pass writes it."""
    monitor = watching(runtime, services, STOPPING)
    runtime.alert(AlertKind.LEDGER_MISMATCH)
    runtime.look(monitor)
    (runtime.folder / "STOP_NEW_ORDERS").unlink()
    with IncidentDb.open(runtime.folder) as history, history.transaction():
        history.put(replace(each, stop=Stop.WANTED) for each in history.active())
    assert runtime.look(monitor).stopped
    assert not runtime.look(monitor).stopped


def test_a_dry_run_says_everything_and_changes_nothing(runtime, services) -> None:
    runtime.alert(AlertKind.LEDGER_MISMATCH)
    chosen = STOPPING
    channel = AlertChannel(SecretStr(services.hook), chosen.alerts, variable="TEST")
    dry = Monitor(runtime.folder, chosen, alerts=channel, is_dry_run=True)
    found = runtime.look(dry)
    assert found.message is not None
    assert "position_mismatch-1" in found.message.body
    assert services.taken == []
    names = {file.name for file in runtime.folder.iterdir()}
    assert not any(name.startswith("monitor") for name in names)
    assert "STOP_NEW_ORDERS" not in names
    runtime.look(watching(runtime, services))
    before = (runtime.folder / INCIDENTS_FILE).read_bytes()
    runtime.order(OrderState.JOURNALLED, OrderState.REJECTED)
    runtime.later(61)
    runtime.look(dry)
    assert (runtime.folder / INCIDENTS_FILE).read_bytes() == before


def test_two_monitors_at_once_tell_once(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    runtime.write_status()
    start = threading.Barrier(4)
    faults: list[BaseException] = []

    def look() -> None:
        try:
            monitor = watching(runtime, services)
            start.wait()
            for _ in range(5):
                monitor.look(now_ms=runtime.now_ms)
        except BaseException as error:  # noqa: BLE001 (shown below)
            faults.append(error)

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(services.taken) == 1
    assert read_record(runtime.folder).active == ("control_active-1",)


def test_a_monitor_that_is_killed_loses_nothing(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    runtime.write_status()
    services.failures = [500] * 100_000
    script = """
import sys
from pathlib import Path
from pydantic import SecretStr
from copytrade_core.edges.monitoring.alerts import AlertChannel
from copytrade_core.edges.monitoring.monitor_pass import Monitor
from tests.monitor_floor import settings
chosen = settings(alerts__backoff_initial_s=0, alerts__retry_wait_s=0, alerts__message_interval_s=0)
channel = AlertChannel(SecretStr(sys.argv[2]), chosen.alerts, variable="TEST")
monitor = Monitor(Path(sys.argv[1]), chosen, alerts=channel)
while True:
    monitor.look(now_ms=int(sys.argv[3]))
    print("looked", flush=True)
"""
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", script, str(runtime.folder), services.hook, str(runtime.now_ms)]
    with subprocess.Popen(
        command, cwd=root, env={**os.environ, "PYTHONPATH": root}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "looked\n"
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    services.failures = []
    runtime.later(1_000)
    found = runtime.look(watching(runtime, services))
    assert [each.delivery for each in found.active if each.rule is Rule.CONTROL_ACTIVE] == [Delivery.SENT]
    assert sum("control_active-1" in each["message"] for each in services.taken) == 1


def test_a_sign_of_life_is_sent_by_its_interval_and_again_when_it_failed(runtime, services) -> None:
    chosen = settings(alerts__heartbeat_interval_s=3_600, alerts__attempts_max=1)
    monitor = watching(runtime, services, chosen)
    services.failures = [500]
    assert runtime.look(monitor).heartbeat_failure is not None
    for _ in range(3):
        runtime.later(60)
        assert runtime.look(monitor).heartbeat_failure is None
    (taken,) = services.taken
    assert "the monitor lives" in taken["title"]
    runtime.later(3_600)
    runtime.look(monitor)
    assert len(services.taken) == 2


def test_a_sensor_that_looks_only_at_news_does_not_forget_the_sign_of_life(tmp_path, services, monkeypatch) -> None:
    """A quiet session changes nothing, and its silence must not be taken for a monitor that is dead."""
    monkeypatch.setenv("COPYTRADE_ALERT_URL", services.hook)
    chosen = settings(data_dir=str(tmp_path), alerts__heartbeat_interval_s=3_600)
    place = open_workplace(chosen)
    runtime = Runtime(live_folder(chosen, LEAD, "paper"))
    runtime.now_ms = time.time_ns() // 1_000_000
    runtime.write_status(written_at=iso(runtime.now_ms), deadline_at=iso(runtime.now_ms + 86_400_000))
    assert pending_changes(place, LEAD) == ["paper the sign of life"]
    assert services.taken == [], "asking sends nothing"
    _ = watch_lead(place, LEAD)
    assert [each["title"].split(" (")[0] for each in services.taken] == ["copytrade: the monitor lives"]
    assert pending_changes(place, LEAD) == []
    runtime.close()


def test_a_full_disk_is_said_and_loses_no_incident(runtime, services) -> None:
    """No file of the process may grow: as on a disk that is full."""
    monitor = watching(runtime, services)
    (runtime.folder / "KILL").touch()
    runtime.look(monitor)
    runtime.write_status(written_at=iso(runtime.now_ms))
    script = """
import resource, signal, sys
from pathlib import Path
from copytrade_core.edges.monitoring.monitor_pass import Monitor
from copytrade_core.model.errors import StoreFault
from tests.monitor_floor import settings
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    Monitor(Path(sys.argv[1]), settings(), alerts=None).look(now_ms=int(sys.argv[2]))
except StoreFault as error:
    print("refused:", error)
"""
    (runtime.folder / "STOP_NEW_ORDERS").touch()
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", script, str(runtime.folder), str(runtime.now_ms)]
    said = subprocess.run(
        command, cwd=root, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("refused: Cannot"), said.stdout + said.stderr
    assert "monitor.sqlite" in said.stdout
    found = runtime.look(monitor)
    assert [each.incident_id for each in found.active] == ["control_active-1", "control_active-2"]
    assert [each.incident_id for each in found.opened] == ["control_active-2"]


def test_a_history_that_is_damaged_or_not_ours_is_refused_and_not_changed(runtime, services) -> None:
    path = runtime.folder / INCIDENTS_FILE
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    for content in (path.read_bytes(), b"garbage" * 500):
        path.write_bytes(content)
        with pytest.raises(StoreFault, match="history") as caught:
            runtime.look(watching(runtime, services))
        assert "monitor.sqlite" in (caught.value.next_step or "")
        assert path.read_bytes() == content


def test_an_incident_is_never_deleted(runtime, services) -> None:
    (runtime.folder / "KILL").touch()
    runtime.look(watching(runtime, services))
    with sqlite3.connect(runtime.folder / INCIDENTS_FILE) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM incidents")
    connection.close()


def test_a_directory_that_is_not_there_is_named(tmp_path, services) -> None:
    monitor = Monitor(tmp_path / "nowhere", CHOSEN, alerts=None)
    with pytest.raises(NotStored, match="no such runtime directory"):
        monitor.look(now_ms=0)
    assert not (tmp_path / "nowhere").exists()


def test_the_record_says_who_looked_and_what_was_found(runtime, services) -> None:
    with pytest.raises(NotStored, match="no monitor has looked"):
        read_record(runtime.folder)
    monitor = watching(runtime, services)
    (runtime.folder / "HOT_STOP").touch()
    runtime.look(monitor, as_baseline=True)
    runtime.later(60)
    runtime.alert(AlertKind.LEDGER_MISMATCH)
    runtime.fill()
    services.failures = [500] * 3
    runtime.look(monitor)
    runtime.later(600)
    runtime.look(monitor)
    found = read_record(runtime.folder)
    assert (found.passes_count, found.gap_s_max) == (3, 600.0)
    assert found.last_pass_ms == runtime.now_ms
    assert found.run_ids == ("run 1",)
    assert found.critical == found.active == ("position_mismatch-2",)
    assert found.unheard == ()
    assert found.counts == {"critical": 1, "info": 1}
    assert len(found.incidents) == 3


def test_a_fill_that_nobody_was_told_of_is_no_trouble_for_the_gate(runtime) -> None:
    """Information that waits (no address, quiet hours) would otherwise hold the gate shut for ever."""
    unheard = Monitor(runtime.folder, CHOSEN, alerts=None)
    runtime.fill()
    runtime.look(unheard)
    since = datetime.fromtimestamp(0, tz=UTC)
    facts = incident_facts([read_record(runtime.folder)], since=since)
    assert (facts.active, facts.critical, facts.unheard) == ((), (), ())
    runtime.alert(AlertKind.AUTHENTICATION)
    runtime.look(unheard)
    facts = incident_facts([read_record(runtime.folder)], since=since)
    assert facts.active == facts.critical == facts.unheard == ("session_alert-2",)


def test_the_process_behind_a_lease_is_alive_dead_or_of_another_boot(runtime) -> None:
    journal = runtime.folder / "session.sqlite"
    assert session_process(journal).is_alive is True
    runtime.write_lock(pid=dead_pid(), boot=runtime.status["boot_id"])
    assert session_process(journal).is_alive is False
    runtime.write_lock(pid=os.getpid(), boot="another boot")
    assert session_process(journal).is_alive is False
    runtime.write_lock(pid=os.getpid(), boot="")
    assert session_process(journal).is_alive is None
    (runtime.folder / "session.sqlite.lock").write_text("{")
    assert session_process(journal).is_alive is None
    (runtime.folder / "session.sqlite.lock").unlink()
    assert session_process(journal).is_alive is False


def test_a_pid_that_another_process_has_now_is_no_living_session(runtime, services) -> None:
    """A container that is started again gives the same small numbers, under the same boot id."""
    lock = runtime.folder / "session.sqlite.lock"
    ours = json.loads(lock.read_bytes())
    assert ours["started_ticks"] > 0
    runtime.write_lock(pid=os.getpid(), boot=ours["boot_id"], started_ticks=ours["started_ticks"])
    assert session_process(runtime.folder / "session.sqlite").is_alive is True
    runtime.write_lock(pid=os.getpid(), boot=ours["boot_id"], started_ticks=ours["started_ticks"] - 1)
    assert session_process(runtime.folder / "session.sqlite").is_alive is False
    assert rules(runtime.look(watching(runtime, services)).active) == [Rule.PROCESS_MISSING]
    runtime.write_lock(pid=os.getpid(), boot=ours["boot_id"])
    assert session_process(runtime.folder / "session.sqlite").is_alive is True, "a lease of an earlier version"


def test_a_zombie_is_dead(runtime) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    try:
        runtime.write_lock(pid=process.pid, boot=runtime.status["boot_id"])
        deadline = time.monotonic() + 10
        while session_process(runtime.folder / "session.sqlite").is_alive and time.monotonic() < deadline:
            time.sleep(0.02)
        assert session_process(runtime.folder / "session.sqlite").is_alive is False
    finally:
        process.wait()
