"""The whole way under `dagster dev`: the sensor starts one session; it trades once, is killed, goes on, and is stopped.

Takes four minutes of the clock, as the stand-in of Binance lives in real time: only `make soak` runs it.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from copytrade_core.edges.monitoring.monitor_record import read_record
from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.stages.canary_place import live_folder
from copytrade_core.edges.stages.canary_start import not_yet
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.monitor.finding import Rule
from copytrade_dagster.automation_sessions import paper_canary
from tests.made_lead import HOUR_MS, POLICY, closed_row, write_pages

pytestmark = pytest.mark.soak
SESSION_CHECKS = {"caps_held", "cash_balances", "ids_unique", "no_open_while_halted"}
BIN = Path(sys.executable).parent
FOLLOW = (
    POLICY.replace("contrarian_on_close", "follow_open")
    .replace('family = "autonomous"\nttl_s = 3600', 'family = "source_close_follows"')
    .replace("entry_drift_bps_max = 500", "entry_drift_bps_max = 5000")
)
START_SENSOR = """
mutation($name: String!) {
  startSensor(sensorSelector: {
    repositoryName: "__repository__", repositoryLocationName: "copytrade", sensorName: $name
  }) { __typename ... on PythonError { message } }
}
"""


def row(opened: int, closed: int, *, is_long: bool = True, amount: float = 0.01) -> dict[str, object]:
    made = closed_row(opened=opened, closed=closed, cost=90_000.0, leave=90_100.0, is_long=is_long, pnl=1.0)
    return {**made, "maxOpenInterest": amount, "closedVolume": amount}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def until(ready, *, within_s: float, what: str) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"{what} never came")


def sleep_until(at_ms: int) -> None:
    time.sleep(max(0, at_ms - now_ms()) / 1000)


def status_of(folder: Path) -> dict[str, Any]:
    path = folder / "RUN_STATUS.json"
    return json.loads(path.read_text()) if path.exists() else {}


def rows_of(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{folder / 'session.sqlite'}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


class Lead:
    """The stand-in of Binance on one port, in real time; what the lead did and will do may be told anew."""

    def __init__(self, folder: Path, lead: str) -> None:
        self._folder, self._lead, self._served = folder, lead, ExitStack()
        self.port = free_port()
        self.shown = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def show(self, *rows: dict[str, object]) -> None:
        """Serve these positions and an old one from now on."""
        self._served.close()
        self.shown += 1
        pages = self._folder / str(self.shown)
        begins = now_ms()
        write_pages(pages / self._lead, [row(begins - 90_000_000, begins - 80_000_000), *rows])
        records = records_from_directory(pages)
        config = StandinConfig(records=records, plan=USUAL_PLAN, port=self.port, as_of_ms=now_ms(), speed=1.0)
        _ = self._served.enter_context(running_standin(config))

    def leave(self) -> None:
        self._served.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lead(project, instance, derive, tmp_path, monkeypatch):
    """A derived project whose gates pass, and its lead on a stand-in in real time."""
    (project.root / "settings" / "short.toml").write_text(FOLLOW)
    _ = derive()
    assert not_yet(project.place(), project.lead) is None
    shown = Lead(tmp_path / "live", project.lead)
    shown.show()
    for section in ("SOURCE", "MARKET"):
        monkeypatch.setenv(f"COPYTRADE_{section}__BASE_URL", shown.base_url)
        monkeypatch.setenv(f"COPYTRADE_{section}__REQUEST_INTERVAL_S", "0")
        monkeypatch.setenv(f"COPYTRADE_{section}__ATTEMPTS_MAX", "1")
    yield shown
    shown.leave()


@pytest.fixture
def dev(project, project_root, lead):
    """`dagster dev` on the project's workspace, its sensors stopped as they come."""
    del lead
    home = project.make_home(project_root)
    addresses = {
        name: value for name, value in os.environ.items() if name.startswith(("COPYTRADE_SOURCE", "COPYTRADE_M"))
    }
    quick = {"COPYTRADE_CANARY__POLL_EVERY_S": "0.5", "COPYTRADE_CANARY__PRICE_EVERY_S": "0.3"}
    port = free_port()
    log = (project.root / "dev.log").open("wb")
    process = subprocess.Popen(
        [str(BIN / "dagster"), "dev", "-w", str(project_root / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)],
        env={**project.environment, **addresses, **quick, "PYTHONPATH": str(project_root)},
        cwd=project_root,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(base), within_s=120, what="the webserver")
        yield base, home
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _ = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            _ = process.wait(timeout=30)
        log.close()


def answers(base: str) -> bool:
    try:
        return urllib.request.urlopen(f"{base}/server_info", timeout=2).status == 200
    except OSError:
        return False


def start_sensor(base: str, name: str) -> None:
    body = json.dumps({"query": START_SENSOR, "variables": {"name": name}}).encode()
    request = urllib.request.Request(f"{base}/graphql", data=body, headers={"content-type": "application/json"})
    said = json.loads(urllib.request.urlopen(request, timeout=30).read())
    assert said["data"]["startSensor"]["__typename"] == "Sensor", said


@pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
def test_the_sensor_starts_one_session_that_trades_once_survives_a_kill_and_obeys_a_stop(project, lead, dev):
    base, home = dev
    folder = live_folder(project.place().settings, project.lead, "paper")
    for name in ("paper_canary_sensor", "session_failed", "session_ended"):
        start_sensor(base, name)
    first = until(lambda: status_of(folder).get("run_id"), within_s=120, what="the session")
    until(lambda: status_of(folder)["last_poll"]["ok"], within_s=20, what="a first poll")

    opened = now_ms() + 3_000
    lead.show(row(opened, opened + HOUR_MS))
    until(lambda: fills(folder) == ["open"], within_s=30, what="the entry")
    lead.show(row(opened, opened + HOUR_MS, amount=0.02))
    until(lambda: "changed" in told(folder), within_s=20, what="the lead's addition")
    assert fills(folder) == ["open"], "what the lead adds is not followed by this policy"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        until(lambda: len(ticks(instance)) > 3, within_s=150, what="a third look of the sensor at a running session")
        assert [run.run_id for run in sessions(instance)] == [first], "exactly one session"

    os.kill(int(status_of(folder)["pid"]), signal.SIGKILL)
    second = until(
        lambda: (found := status_of(folder).get("run_id")) != first and found, within_s=150, what="the next run"
    )
    assert len(status_of(folder)["positions"]) == 1, "it goes on with what it held"
    assert status_of(folder)["last_error"] is None
    look(base, f"runs/{second}")

    closed = now_ms() + 2_000
    lead.show(row(opened, closed, amount=0.02))
    until(lambda: fills(folder) == ["open", "close"], within_s=60, what="the exit")
    until(lambda: not status_of(folder)["positions"], within_s=10, what="an empty book")

    # On the other side: the same one a moment after a close is taken for an old copy of the page.
    again = now_ms() + 4_000
    lead.show(row(opened, closed, amount=0.02), row(again, again + HOUR_MS, is_long=False))
    sleep_until(again - 50)
    stopped = now_ms()
    set_control(folder, Control.STOP_NEW_ORDERS, who="test", why="enough", at_ms=stopped)
    until(lambda: "stop_new_orders" in refusals(folder), within_s=30, what="the refusal")
    # The bound: an entry that came within a second of the file was stopped by it.
    assert 0 <= refusals(folder)["stop_new_orders"] - stopped <= 1_000
    assert fills(folder) == ["open", "close"]
    assert told(folder)[:2] == ["opened", "changed"]
    assert {"missing", "closed"} <= set(told(folder))

    set_control(folder, Control.KILL, who="test", why="done", at_ms=now_ms())
    until(lambda: status_of(folder)["ended"] == "kill", within_s=10, what="the end")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        until(lambda: state(instance, second).is_finished, within_s=90, what="the end of the run")
        assert {run.run_id: run.status for run in sessions(instance)} == {
            first: dg.DagsterRunStatus.FAILURE,
            second: dg.DagsterRunStatus.SUCCESS,
        }, "one session, and one more run that went on with it"
        assert sorted(run_id for tick in ticks(instance) for run_id in tick.run_ids) == sorted([first, second])
        assert checks(instance, second) == dict.fromkeys(SESSION_CHECKS, True)
        for job in ("monitor_lead", "gather_canary"):
            until(lambda job=job: finished(instance, job), within_s=120, what=f"a run of {job}")
        look(base, "automation")
        look(base, f"assets/paper_session?view=partitions&partition={today()}%7C{project.lead}")
    assert rows_of(folder, "SELECT count(*), count(DISTINCT client_order_id) FROM orders")[0] == (2, 2)
    broke_off = [
        one for one in read_record(folder).incidents if one.rule in {Rule.PROCESS_MISSING, Rule.SESSION_FAILED}
    ]
    assert len(broke_off) == 1, "a kill is one incident"


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def sessions(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return list(instance.get_runs(dg.RunsFilter(job_name=paper_canary.name)))


def finished(instance: dg.DagsterInstance, job: str) -> bool:
    return any(run.is_finished for run in instance.get_runs(dg.RunsFilter(job_name=job)))


def ticks(instance: dg.DagsterInstance) -> list[Any]:
    """Every look of the sensor that starts sessions."""
    (sensor,) = (one for one in instance.all_instigator_state() if one.instigator_name == "paper_canary_sensor")
    return list(instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id))


def checks(instance: dg.DagsterInstance, run_id: str) -> dict[str, bool]:
    of_checks = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    found = instance.get_records_for_run(run_id, of_type=of_checks).records
    said = [
        event.asset_check_evaluation_data
        for event in (record.event_log_entry.dagster_event for record in found)
        if event is not None
    ]
    return {one.check_name: one.passed for one in said}


def state(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def fills(folder: Path) -> list[str]:
    return [kind for (kind,) in rows_of(folder, "SELECT kind FROM fills ORDER BY number")]


def told(folder: Path) -> list[str]:
    return [kind for (kind,) in rows_of(folder, "SELECT kind FROM source_events ORDER BY number")]


def refusals(folder: Path) -> dict[str, int]:
    """When an entry was first refused, by reason."""
    query = "SELECT reason, min(at_ms) FROM decisions WHERE decision = 'refused' GROUP BY reason"
    return dict(rows_of(folder, query))


def look(base: str, page: str) -> None:
    """Where SCREENSHOT_PROGRAM names a program that takes a picture of a page, it is taken."""
    program = os.environ.get("SCREENSHOT_PROGRAM")
    if program:
        _ = subprocess.run([program, f"{base}/{page}"], check=False, timeout=60)
