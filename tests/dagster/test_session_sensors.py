"""When a paper session starts by itself: once for a day and source, never beside another, never under a control."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG
from dagster._core.test_utils import create_run_for_test

from copytrade_core.edges.runtime.control_files import Control, clear_control, set_control
from copytrade_core.edges.runtime.session_lease import SessionLease
from copytrade_core.edges.stages.canary_place import live_folder, standing_of
from copytrade_core.edges.stages.canary_plan import canary_policy_digest
from copytrade_core.edges.stages.canary_start import NotNow, Start, next_session, not_yet
from copytrade_core.edges.stages.workplace import open_workplace, utc_now
from copytrade_dagster.automation_sessions import (
    SLACK_S,
    monitor_sensor,
    paper_canary,
    paper_canary_sensor,
    regular_look,
    session_ended,
    session_failed,
)
from copytrade_dagster.definitions import defs
from copytrade_dagster.session_runs import ATTEMPTS_MAX, LOST_AFTER, PARTITION_DAY, PARTITION_LEAD, SESSION_TAG
from tests.status_words import status_words
from tests.utc_day import leave_room_before_midnight

pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
NOW = utc_now()


@pytest.fixture(autouse=True)
def one_day():
    """A session is one of the day on which it is asked for, so no day ends within a test."""
    leave_room_before_midnight()


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


def ran(instance, project, key, status, *, day=None):
    """A run of the session as the instance remembers it."""
    tags = {SESSION_TAG: key, PARTITION_LEAD: project.lead, PARTITION_DAY: day or f"{utc_now():%Y-%m-%d}"}
    return create_run_for_test(instance, job_name=paper_canary.name, status=status, tags=tags)


def chosen(instance, project, asset, status, *, day=None):
    """A run that somebody started from an asset's page, or a backfill from there: of no job of ours."""
    tags = {PARTITION_LEAD: project.lead, PARTITION_DAY: day or f"{utc_now():%Y-%m-%d}"}
    selection = frozenset({dg.AssetKey(asset)})
    return create_run_for_test(instance, job_name="__ASSET_JOB", status=status, tags=tags, asset_selection=selection)


def sessions(instance):
    """How the runs of sessions stand; the run that derived the lead is none."""
    return [run.status for run in instance.get_runs(dg.RunsFilter(job_name=paper_canary.name))]


@pytest.fixture
def folder(project, derived):
    """The runtime directory of the lead's live sessions."""
    del derived
    made = live_folder(project.place().settings, project.lead, "paper")
    made.mkdir(parents=True)
    return made


def wanted_session(place, lead) -> Start | NotNow:
    """What the sensor finds when no session of the lead has run yet."""
    coming = next_session(place, lead)
    return coming if isinstance(coming, NotNow) else not_yet(place, lead) or coming


def leave_status(project, folder, *, run_id, ended):
    policy = canary_policy_digest(project.place(), project.lead)
    left = status_words(
        written_ms=NOW.timestamp() * 1000, lead=project.lead, policy_digest=policy, run_id=run_id, ended=ended
    )
    (folder / "RUN_STATUS.json").write_text(json.dumps(left))


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
    settings = project.place().settings
    today = wanted_session(open_workplace(settings, now=lambda: NOW), project.lead)
    assert isinstance(today, Start)
    tomorrow = wanted_session(open_workplace(settings, now=lambda: NOW + timedelta(days=1)), project.lead)
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


def test_a_session_that_is_over_is_not_run_again_because_a_check_of_it_failed(project, instance, folder):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    run = ran(instance, project, wanted.key, dg.DagsterRunStatus.FAILURE)
    leave_status(project, folder, run_id=run.run_id, ended="deadline")
    tick = asked(paper_canary_sensor, place, instance)
    assert not tick.run_requests
    assert run.run_id in tick.skip_message
    leave_status(project, folder, run_id=run.run_id, ended="error")
    assert [one.run_key for one in asked(paper_canary_sensor, place, instance).run_requests] == [f"{wanted.key}:2"]


@pytest.mark.parametrize(("ended", "goes_on"), [("hot_stop", True), ("kill", True), ("deadline", False)])
def test_what_a_control_ended_goes_on_once_a_person_takes_the_control_back(project, instance, folder, ended, goes_on):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    run = ran(instance, project, wanted.key, dg.DagsterRunStatus.SUCCESS)
    leave_status(project, folder, run_id=run.run_id, ended=ended)
    set_control(folder, Control.HOT_STOP, who="test", why="to see", at_ms=0)
    assert not asked(paper_canary_sensor, place, instance).run_requests
    clear_control(folder, Control.HOT_STOP)
    requests = asked(paper_canary_sensor, place, instance).run_requests
    assert [one.run_key for one in requests] == ([f"{wanted.key}:2"] if goes_on else [])


@pytest.mark.usefixtures("folder")
def test_one_lead_that_must_wait_keeps_no_other_from_its_session(project, instance):
    instance.add_dynamic_partitions("lead", ["1", "9"])
    (request,) = asked(paper_canary_sensor, project.place(), instance).run_requests
    assert request.partition_key.endswith(project.lead)


@pytest.mark.usefixtures("folder")
def test_a_run_says_whose_it_is_ends_by_its_deadline_and_never_becomes_one_of_a_past_day(project, instance):
    place = project.place()
    (request,) = asked(paper_canary_sensor, place, instance).run_requests
    assert request.tags["lead"] == project.lead
    assert request.tags["strategy"] == "short"
    assert (paper_canary.tags or {})["step"] == "session"
    assert int(request.tags[MAX_RUNTIME_SECONDS_TAG]) == place.settings.canary.deadline_s + SLACK_S
    assert request.run_config == {"ops": {"paper_session": {"config": {"live": True}}}}


@pytest.mark.usefixtures("folder")
def test_a_run_that_died_before_its_session_began_keeps_the_lead_waiting_for_minutes_not_for_a_day(project, instance):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    run = ran(instance, project, wanted.key, dg.DagsterRunStatus.STARTING)
    instance.report_dagster_event(begun(run), run_id=run.run_id)
    tick = asked(paper_canary_sensor, place, instance)
    assert run.run_id in tick.skip_message, "it may be importing"
    later = open_workplace(place.settings, now=lambda: utc_now() + LOST_AFTER + timedelta(seconds=5))
    (request,) = asked(paper_canary_sensor, later, instance).run_requests
    assert request.run_key.endswith(":2") or f"{later.now():%d}" != wanted.day[-2:]
    assert sessions(instance) == [dg.DagsterRunStatus.FAILURE]


def begun(run):
    return dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_START.value, job_name=run.job_name)


def followed(sensor, instance, run, event_type) -> list[Any]:
    """What a sensor on runs asks for after a run."""
    event = dg.DagsterEvent(event_type_value=event_type.value, job_name=run.job_name, message="it fell over")
    context = dg.build_run_status_sensor_context(
        sensor_name=sensor.name, dagster_instance=instance, dagster_run=run, dagster_event=event
    )
    asked_for = sensor(context.for_run_failure() if sensor is session_failed else context)
    return list(asked_for.run_requests or ()) if isinstance(asked_for, dg.SensorResult) else [asked_for]


def told_of(project, instance, request):
    """Rules and sessions of the incidents that a monitor's run leaves."""
    job = defs.resolve_job_def(request.job_name)
    _ = job.execute_in_process(
        instance=instance,
        partition_key=request.partition_key,
        run_config=request.run_config,
        raise_on_error=False,
    )
    stored = project.place().lake.document_as("monitor_incidents", project.lead, dict[str, Any])
    return [(one["incident"].rpartition("-")[0], one["session"]) for one in stored["incidents"]]


def test_a_session_that_ended_is_gathered_and_one_that_failed_is_looked_at_too(project, instance):
    run = ran(instance, project, "key", dg.DagsterRunStatus.SUCCESS)
    (gathered,) = followed(session_ended, instance, run, dg.DagsterEventType.RUN_SUCCESS)
    assert (gathered.job_name, gathered.partition_key) == ("gather_canary", project.lead)
    asked_for = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    assert [one.job_name for one in asked_for] == ["monitor_lead", "gather_canary"]
    assert {one.partition_key for one in asked_for} == {project.lead}
    again = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    assert [one.run_key for one in again] == [one.run_key for one in asked_for], "once per run"


def test_a_past_day_that_cannot_be_told_is_nobodys_emergency(project, instance):
    run = ran(instance, project, "key", dg.DagsterRunStatus.FAILURE, day="2026-01-03")
    asked_for = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    assert [one.job_name for one in asked_for] == ["gather_canary"]


@pytest.mark.parametrize("asset", ["paper_session", "paper_parity"])
def test_a_session_from_an_assets_page_is_gathered_too(project, instance, asset):
    run = chosen(instance, project, asset, dg.DagsterRunStatus.SUCCESS)
    (gathered,) = followed(session_ended, instance, run, dg.DagsterEventType.RUN_SUCCESS)
    assert (gathered.job_name, gathered.partition_key) == ("gather_canary", project.lead)


@pytest.mark.parametrize(
    ("asset", "jobs", "mode"),
    [
        ("paper_session", ["monitor_lead", "gather_canary"], "paper"),
        ("shadow_orders", ["monitor_lead"], "shadow"),
        ("paper_parity", [], None),
        ("episodes", [], None),
    ],
)
def test_a_session_from_an_assets_page_that_failed_is_told_and_what_is_no_session_is_not(
    project, instance, asset, jobs, mode
):
    run = chosen(instance, project, asset, dg.DagsterRunStatus.FAILURE)
    asked_for = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    requests = [one for one in asked_for if isinstance(one, dg.RunRequest)]
    assert [one.job_name for one in requests] == jobs
    if mode is not None:
        assert requests[0].run_config["ops"]["monitor_incidents"]["config"]["mode"] == mode


@pytest.mark.usefixtures("folder")
def test_no_session_starts_beside_one_from_an_assets_page_and_past_days_keep_nobody_waiting(project, instance):
    place = project.place()
    _ = ran(instance, project, "key", dg.DagsterRunStatus.STARTED, day="2026-01-03")
    _ = chosen(instance, project, "paper_session", dg.DagsterRunStatus.STARTED, day="2026-01-03")
    _ = chosen(instance, project, "paper_parity", dg.DagsterRunStatus.STARTED)
    assert asked(paper_canary_sensor, place, instance).run_requests
    run = chosen(instance, project, "paper_session", dg.DagsterRunStatus.STARTING)
    tick = asked(paper_canary_sensor, place, instance)
    assert not tick.run_requests
    assert run.run_id in tick.skip_message


@pytest.mark.usefixtures("derived")
def test_a_run_that_failed_before_any_session_began_is_one_incident_however_often_it_is_told(project, instance):
    run = ran(instance, project, "key", dg.DagsterRunStatus.FAILURE)
    look, _ = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    assert told_of(project, instance, look) == [("session_failed", "paper")]
    assert told_of(project, instance, look) == [("session_failed", "paper")]
    assert not asked(monitor_sensor, project.place(), instance).run_requests


def test_a_run_that_was_killed_and_gone_on_with_is_one_incident_of_its_own_folder(project, instance, folder):
    shadow = live_folder(project.place().settings, project.lead, "shadow")
    shadow.mkdir()
    for each in (folder, shadow):
        leave_status(project, each, run_id="the next one", ended="deadline")
    run = ran(instance, project, "key", dg.DagsterRunStatus.FAILURE)
    look, _ = followed(session_failed, instance, run, dg.DagsterEventType.RUN_FAILURE)
    assert [one for one in told_of(project, instance, look) if one[0] != "journal_unreadable"] == [
        ("session_failed", "paper")
    ]


def test_a_run_whose_process_is_gone_is_failed_and_gone_on_with(project, instance, folder):
    place = project.place()
    wanted = wanted_session(place, project.lead)
    assert isinstance(wanted, Start)
    run = ran(instance, project, wanted.key, dg.DagsterRunStatus.STARTED)
    leave_status(project, folder, run_id=run.run_id, ended=None)
    code = "import os, signal; from pathlib import Path; "
    code += "from copytrade_core.edges.runtime.session_lease import SessionLease; "
    code += f"kept = SessionLease.take(Path({str(folder / 'session.sqlite')!r})); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert standing_of(folder).is_gone
    (request,) = asked(paper_canary_sensor, place, instance).run_requests
    assert request.run_key == f"{wanted.key}:2"
    assert sessions(instance) == [dg.DagsterRunStatus.FAILURE]


def test_beside_a_session_that_lives_nothing_starts_whoever_started_it(project, instance, folder):
    lease = SessionLease.take(folder / "session.sqlite")
    try:
        tick = asked(paper_canary_sensor, project.place(), instance)
        assert not tick.run_requests
        assert "runs" in tick.skip_message
        assert standing_of(folder).is_alive, os.getpid()
    finally:
        lease.release()


def test_a_monitor_that_cannot_look_says_so_and_does_not_say_that_all_is_quiet(project, instance, folder, monkeypatch):
    leave_status(project, folder, run_id="r1", ended=None)
    monkeypatch.setenv("COPYTRADE_ALERT_URL", "nosuchservice://hunter22")
    tick = asked(monitor_sensor, project.place(), instance)
    assert not tick.run_requests
    assert "COPYTRADE_ALERT_URL" in tick.skip_message
    assert "hunter22" not in tick.skip_message


def test_a_look_that_has_not_finished_is_not_asked_for_again_and_one_that_is_lost_is(project, instance, folder):
    leave_status(project, folder, run_id="r1", ended=None)
    place = project.place()
    (request,) = asked(monitor_sensor, place, instance).run_requests
    waiting = create_run_for_test(
        instance,
        job_name=request.job_name or "monitor_lead",
        status=dg.DagsterRunStatus.STARTING,
        tags={**request.tags, "dagster/partition": request.partition_key},
    )
    assert "has not finished" in asked(monitor_sensor, place, instance).skip_message
    later = open_workplace(place.settings, now=lambda: utc_now() + LOST_AFTER + timedelta(seconds=5))
    assert asked(monitor_sensor, later, instance).run_requests
    instance.report_run_failed(waiting)
    assert asked(monitor_sensor, place, instance).run_requests


def test_the_monitor_asks_for_a_run_only_where_something_changed(project, instance, folder):
    assert not asked(monitor_sensor, project.place(), instance).run_requests
    leave_status(project, folder, run_id="r1", ended=None)
    (request,) = asked(monitor_sensor, project.place(), instance).run_requests
    assert request.partition_key == project.lead
    # Anybody can add a partition in the UI; one that is no lead's keeps no other from being looked at.
    instance.add_dynamic_partitions("lead", ["../x", "hello"])
    assert asked(monitor_sensor, project.place(), instance).run_requests
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
