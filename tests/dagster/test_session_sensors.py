"""When a paper session starts by itself: once for a day and source, never beside another, never under a control."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.test_utils import create_run_for_test

from copytrade_core.edges.control_files import Control, clear_control, set_control
from copytrade_core.edges.session_lease import SessionLease
from copytrade_core.edges.stages.canary_place import live_folder, standing_of
from copytrade_core.edges.stages.canary_start import NotNow, Start, wanted_session
from copytrade_core.edges.stages.workplace import open_workplace, utc_now
from copytrade_dagster.automation_sessions import (
    ATTEMPTS_MAX,
    PARTITION_LEAD,
    SESSION_TAG,
    monitor_sensor,
    paper_canary,
    paper_canary_sensor,
    regular_look,
)
from copytrade_dagster.definitions import defs

pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
NOW = utc_now()


def asked(sensor, place, instance) -> Any:
    repository = defs.get_repository_def()
    with (
        dg.build_sensor_context(
            instance=instance, resources={"place": place}, repository_def=repository, sensor_name=sensor.name
        ) as context,
        partition_loading_context(dynamic_partitions_store=instance),
    ):
        return sensor.evaluate_tick(context)


def ticked(schedule, context) -> Any:
    return schedule(context)


def ran(instance, project, key, status):
    """A run of the session as the instance remembers it."""
    tags = {SESSION_TAG: key, PARTITION_LEAD: project.lead}
    return create_run_for_test(instance, job_name=paper_canary.name, status=status, tags=tags)


@pytest.fixture
def folder(project, derived):
    """The runtime directory of the lead's live sessions."""
    del derived
    made = live_folder(project.place().settings, project.lead, "paper")
    made.mkdir(parents=True)
    return made


def leave_status(folder, *, run_id, ended):
    ended = "null" if ended is None else f'"{ended}"'
    (folder / "RUN_STATUS.json").write_text(f'{{"schema_version": 1, "run_id": "{run_id}", "ended": {ended}}}')


@pytest.mark.usefixtures("folder")
def test_a_lead_whose_gates_pass_gets_one_session_for_the_day_and_the_same_key_again(project, instance):
    place = project.place()
    (request,) = asked(paper_canary_sensor, place, instance).run_requests
    assert request.partition_key == f"{place.now():%Y-%m-%d}|{project.lead}"
    assert request.run_key.startswith(f"{project.lead}:")
    (again,) = asked(paper_canary_sensor, place, instance).run_requests
    assert again.run_key == request.run_key, "the daemon drops what it has launched before"


@pytest.mark.usefixtures("folder")
def test_another_day_or_source_is_another_session(project, instance):
    place = project.place()
    today = wanted_session(place, project.lead)
    assert isinstance(today, Start)
    soon = open_workplace(place.settings, now=lambda: NOW + timedelta(hours=23, minutes=59))
    tomorrow = wanted_session(soon, project.lead)
    assert isinstance(tomorrow, Start)
    assert (tomorrow.day, tomorrow.key) != (today.day, today.key)


@pytest.mark.parametrize("control", list(Control))
def test_no_session_starts_while_a_control_is_set(project, instance, folder, control):
    set_control(folder, control, who="test", why="to see", at_ms=0)
    tick = asked(paper_canary_sensor, project.place(), instance)
    assert not tick.run_requests
    assert control.value in tick.skip_message
    clear_control(folder, control)
    assert asked(paper_canary_sensor, project.place(), instance).run_requests


@pytest.mark.usefixtures("folder")
def test_gates_that_do_not_pass_are_named(project, instance):
    contract = project.root / "settings" / "promotion.toml"
    lines = contract.read_text().splitlines()
    strict = [
        line.replace("value = 1,", "value = 100000,") if line.startswith("trades_count_min") else line for line in lines
    ]
    contract.write_text("\n".join(strict) + "\n")
    tick = asked(paper_canary_sensor, project.place(), instance)
    assert not tick.run_requests
    assert "sample_size" in tick.skip_message


def test_without_evidence_nothing_starts(project, instance):
    tick = asked(paper_canary_sensor, project.place(), instance)
    assert not tick.run_requests
    assert "nothing is known" in tick.skip_message
    assert isinstance(wanted_session(project.place(), project.lead), NotNow)


@pytest.mark.parametrize(
    ("statuses", "attempt"),
    [
        ([dg.DagsterRunStatus.SUCCESS], None),
        ([dg.DagsterRunStatus.CANCELED], None),
        ([dg.DagsterRunStatus.FAILURE], 2),
        ([dg.DagsterRunStatus.FAILURE] * 2, 3),
        ([dg.DagsterRunStatus.FAILURE] * ATTEMPTS_MAX, None),
        ([dg.DagsterRunStatus.STARTED], None),
        ([dg.DagsterRunStatus.STARTING], None),
    ],
)
@pytest.mark.usefixtures("folder")
def test_a_failed_run_is_tried_again_under_a_key_that_says_so_and_nothing_else_is(project, instance, statuses, attempt):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    for status in statuses:
        _ = ran(instance, project, wanted.key, status)
    requests = asked(paper_canary_sensor, place, instance).run_requests
    assert [one.run_key for one in requests] == ([] if attempt is None else [f"{wanted.key}:{attempt}"])


def test_a_run_whose_process_is_gone_is_failed_and_gone_on_with(project, instance, folder):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    run = ran(instance, project, wanted.key, dg.DagsterRunStatus.STARTED)
    leave_status(folder, run_id=run.run_id, ended=None)
    code = "import os, signal; from pathlib import Path; from copytrade_core.edges.session_lease import SessionLease; "
    code += f"kept = SessionLease.take(Path({str(folder / 'session.sqlite')!r})); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert standing_of(folder).is_gone
    (request,) = asked(paper_canary_sensor, place, instance).run_requests
    assert request.run_key == f"{wanted.key}:2"
    sessions = instance.get_runs(dg.RunsFilter(job_name=paper_canary.name))
    assert [one.status for one in sessions] == [dg.DagsterRunStatus.FAILURE]


def test_beside_a_session_that_lives_nothing_starts_whoever_started_it(project, instance, folder):
    lease = SessionLease.take(folder / "session.sqlite")
    try:
        tick = asked(paper_canary_sensor, project.place(), instance)
        assert not tick.run_requests
        assert "runs" in tick.skip_message
        assert standing_of(folder).is_alive, os.getpid()
    finally:
        lease.release()


def test_the_monitor_asks_for_a_run_only_where_something_changed(project, instance, folder):
    assert not asked(monitor_sensor, project.place(), instance).run_requests
    leave_status(folder, run_id="r1", ended=None)
    (request,) = asked(monitor_sensor, project.place(), instance).run_requests
    assert request.partition_key == project.lead
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=NOW)
    assert [one.partition_key for one in ticked(regular_look, context)] == [project.lead]
    done = defs.resolve_job_def("monitor_lead").execute_in_process(
        instance=instance, partition_key=project.lead, raise_on_error=False
    )
    (check,) = done.get_asset_check_evaluations()
    assert check.check_name == "monitor_clean"
    assert not check.passed
    stored = project.place().lake.document_as("monitor_incidents", project.lead, dict[str, object])
    assert stored["incidents"]
    assert not asked(monitor_sensor, project.place(), instance).run_requests, "told once"
