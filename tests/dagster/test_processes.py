"""Real processes: Dagster's command line and webserver, a killed run, two backfills at once."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

BIN = Path(sys.executable).parent
REFUSED = "Live is refused."
REST = (
    "closed_positions",
    "unusable_rows",
    "episodes",
    "split_manifest",
    "round_trips",
    "equity",
    "evidence_report",
    "promotion_evidence",
)
LAUNCH = """
mutation($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
STATE = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@pytest.fixture
def home(project, project_root):
    return project.make_home(project_root)


@pytest.fixture
def unqueued(project, home):
    """An instance whose runs start at once: the queue needs the daemon, which these tests do not start."""
    text = (home / "dagster.yaml").read_text()
    before, after = text.split("concurrency:", 1)
    coordinator = "run_coordinator:\n  module: dagster._core.run_coordinator\n  class: DefaultRunCoordinator\n\n"
    (home / "dagster.yaml").write_text(before + coordinator + after[after.index("run_monitoring:") :])
    return home


def dagster(project, *arguments: str, timeout: int = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "dagster"), *arguments],
        env=project.environment,
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def materialise(select: str, lead: str, module: str = "copytrade_dagster.definitions") -> list[str]:
    asked = ["asset", "materialize", "-m", module, "--select", select, "--partition", lead]
    if select == "source_pages":
        asked += ["--config-json", json.dumps({"ops": {"source_pages": {"config": {"poll": False}}}})]
    return asked


def start(project, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(BIN / "dagster"), *arguments],
        env=project.environment,
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def heads(project) -> dict[str, str]:
    lake = project.place().lake
    return {asset: head.digest for asset in lake.assets() if (head := lake.head(asset, project.lead))}


def test_launching_live_alone_from_the_command_line_is_refused(project, home):
    done = dagster(project, *materialise("live_canary", project.lead, "copytrade_dagster.definitions_live"))
    assert done.returncode != 0
    assert REFUSED in done.stderr + done.stdout
    assert "is not stored" in done.stderr + done.stdout


def test_live_cannot_be_named_where_the_graph_is(project, home):
    done = dagster(project, *materialise("live_canary", project.lead))
    assert done.returncode != 0


@pytest.mark.soak
def test_a_killed_materialisation_leaves_a_readable_store_and_a_rerun_is_equal(project, home, derive):
    _ = derive(asset_selection=[dg.AssetKey("source_pages")])
    untouched = project.root.with_name("untouched")
    shutil.copytree(project.root, untouched)
    for pause_s in (0.3, 1.2):
        run = start(project, *materialise(",".join(REST), project.lead))
        _wait((project.root / "data" / "heads" / "closed_positions").exists, run)
        time.sleep(pause_s)
        os.killpg(run.pid, signal.SIGKILL)
        _ = run.wait()
        for asset, digest in heads(project).items():
            assert project.place().lake.verified_bytes(asset, project.lead, digest)
    _ = derive()
    found = heads(project)
    assert {"promotion_evidence", "equity", "study"} <= set(found)
    shutil.rmtree(project.root)
    shutil.move(untouched, project.root)
    _ = derive()
    assert heads(project) == found, "a store that was never interrupted is the same"


def _wait(ready, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not ready() and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.soak
def test_two_backfills_at_once_neither_lock_nor_corrupt_each_other(project, unqueued):
    asked = ["job", "backfill", "-m", "copytrade_dagster.definitions", "-j", "derive_lead", "--noprompt"]
    backfills = [start(project, *asked, "--partitions", project.lead) for _ in range(2)]
    assert [backfill.wait(timeout=180) for backfill in backfills] == [0, 0]
    with dg.DagsterInstance.from_config(str(unqueued)) as instance:
        _until(lambda: len(_finished(instance)) == 2)
        records: Any = instance.fetch_materializations(dg.AssetKey("promotion_evidence"), limit=10).records
        said = {record.asset_materialization.metadata["digest"].value for record in records}
    found = heads(project)
    assert len(records) == 2
    assert said == {found["promotion_evidence"]}
    for asset, digest in found.items():
        assert project.place().lake.verified_bytes(asset, project.lead, digest)


def _finished(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    return [run for run in instance.get_runs() if run.is_finished]


def _until(ready) -> None:
    deadline = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.25)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def webserver(project, unqueued, project_root):
    port = free_port()
    process = subprocess.Popen(
        [
            str(BIN / "dagster-webserver"),
            "-w",
            str(project_root / "workspace.yaml"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
        ],
        env=project.environment,
        cwd=project_root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                _ = urllib.request.urlopen(f"{base}/server_info", timeout=2).read()
                break
            except OSError:
                assert process.poll() is None, "the webserver ended"
                time.sleep(0.25)
        yield base
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        _ = process.wait(timeout=30)


def ask(base: str, query: str, variables: dict[str, object]) -> Any:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{base}/graphql", data=body, headers={"content-type": "application/json"})
    answer = json.loads(urllib.request.urlopen(request, timeout=30).read())
    assert "errors" not in answer, answer
    return answer["data"]


def test_launching_live_alone_over_graphql_is_refused_and_a_forged_check_does_not_help(project, home, webserver):
    for gate in ("drawdown", "human_approval"):
        query = urllib.parse.urlencode({"check_name": gate, "passed": "true"})
        forged = urllib.request.Request(f"{webserver}/report_asset_check/promotion_evidence?{query}", method="POST")
        assert urllib.request.urlopen(forged, timeout=30).status == 200
    params = {
        "selector": {
            "repositoryLocationName": "copytrade_live",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": ["live_canary"]}],
            "assetCheckSelection": [],
        },
        "runConfigData": {},
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": project.lead}]},
    }
    launched = ask(webserver, LAUNCH, {"params": params})["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    _until(lambda: ask(webserver, STATE, {"id": run_id})["runOrError"]["status"] in {"FAILURE", "SUCCESS", "CANCELED"})
    assert ask(webserver, STATE, {"id": run_id})["runOrError"]["status"] == "FAILURE"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        failures: list[Any] = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.is_dagster_event]
        said = [event.step_failure_data.user_failure_data for event in failures if event.is_step_failure]
        assert next(one.description for one in said if one).startswith(REFUSED)
        assert not [event for event in failures if event.is_step_materialization]
