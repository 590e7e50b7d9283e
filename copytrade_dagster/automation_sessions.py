"""When sessions run: the sensor that starts paper canaries, the monitor's, and what follows a run that ended.

Everything is stopped until a person starts it. Nothing here starts shadow or live, and a session that a person stopped
is not started again. Whether one is wanted is decided in `edges.stages.canary_start`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_due import due_comparisons
from copytrade_core.edges.stages.canary_place import live_folder, runtime_folders, standing_of
from copytrade_core.edges.stages.canary_start import PAPER, NotNow, Start, next_session, not_yet
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadInput
from copytrade_dagster.resources import PLACE
from copytrade_dagster.session_runs import (
    JOB_ASSETS,
    LEAD_TAG,
    PARTITION_LEAD,
    SESSION_S_MAX,
    SESSION_TAG,
    SLACK_S,
    STEP,
    STEP_TAG,
    STRATEGY_TAG,
    assets_of,
    attempt,
    busy,
    is_asked_for,
    is_of_its_own_day,
)
from copytrade_dagster.ticks import ask_each, leads_of

WHY_LENGTH_MAX = 300
NO_LEAD = "No lead is tracked."
COMPARED = "every session is compared as far as it can be"
LIVE = {"ops": {"paper_session": {"config": {"live": True}}}}
"""Asked for before midnight and started after it, a session must not become one of a past day."""

paper_canary = dg.define_asset_job(
    "paper_canary",
    dg.AssetSelection.assets(*sorted(JOB_ASSETS["paper_canary"])),
    executor_def=dg.in_process_executor,
    tags={MAX_RUNTIME_SECONDS_TAG: str(SESSION_S_MAX), STEP_TAG: STEP},
    description="One bounded paper session of a lead and day, and its parity with replay. Past days: from the archive.",
)
shadow_canary = dg.define_asset_job(
    "shadow_canary",
    dg.AssetSelection.assets(*sorted(JOB_ASSETS["shadow_canary"])),
    executor_def=dg.in_process_executor,
    tags={MAX_RUNTIME_SECONDS_TAG: str(SESSION_S_MAX), STEP_TAG: STEP},
    description="One bounded shadow session of a lead and day; started by a person only, and submits nothing.",
)
compare_canary = dg.define_asset_job(
    "compare_canary",
    dg.AssetSelection.assets(*sorted(JOB_ASSETS["compare_canary"])),
    description="Compares a stored paper session with replay once more, when bars and history have grown over it.",
)
gather_canary = dg.define_asset_job(
    "gather_canary",
    dg.AssetSelection.assets("paper_record", "promotion_evidence"),
    description="Gathers the sessions of a lead for the gates, and asks every gate again.",
)
monitor_lead = dg.define_asset_job(
    "monitor_lead",
    dg.AssetSelection.assets("monitor_incidents"),
    description="One look of the monitor at a lead's sessions; tells a person once per incident.",
)
SESSION_JOBS = [paper_canary, shadow_canary, compare_canary, gather_canary, monitor_lead]


def _place(context: dg.SensorEvaluationContext) -> Workplace:
    place = context.resources.place
    assert isinstance(place, Workplace), "the resource `place` is a workplace"
    return place


@dg.sensor(
    job=paper_canary,
    required_resource_keys={PLACE},
    minimum_interval_seconds=30,
    description="A lead whose replay gates pass gets one paper session for each day and each change of its positions.",
)
def paper_canary_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Never while a control is set or a session of the lead runs; a killed session is gone on with."""
    place = _place(context)
    return ask_each(context, lambda lead_id: _session_request(context.instance, place, lead_id), nothing=NO_LEAD)


def _session_request(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> list[dg.RunRequest] | str:
    """What costs little is asked first: gates read all evidence of a lead, and most ticks end before them."""
    standing = standing_of(live_folder(place.settings, lead_id, PAPER))
    if why := busy(instance, lead_id, standing, now=place.now()):
        return why
    wanted = next_session(place, lead_id)
    if isinstance(wanted, NotNow):
        return wanted.why
    number = attempt(instance, wanted.key, standing)
    if isinstance(number, str):
        return number
    if (barred := not_yet(place, lead_id)) is not None:
        return barred.why
    return [_request(place, wanted, lead_id, number)]


def _request(place: Workplace, wanted: Start, lead_id: str, number: int) -> dg.RunRequest:
    """A run key counts for ever, so another attempt says which one it is."""
    settings = place.settings
    return dg.RunRequest(
        run_key=wanted.key if number == 1 else f"{wanted.key}:{number}",
        partition_key=dg.MultiPartitionKey({"day": wanted.day, "lead": lead_id}),
        run_config=LIVE,
        tags={
            SESSION_TAG: wanted.key,
            LEAD_TAG: lead_id,
            STRATEGY_TAG: settings.main_policy,
            MAX_RUNTIME_SECONDS_TAG: str(settings.canary.deadline_s + SLACK_S),
        },
    )


@dg.sensor(
    job=monitor_lead,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="Looks at every session once a minute; a run follows only where an incident opens, ends or is told.",
)
def monitor_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The look costs milliseconds and writes nothing: the run does."""
    place = _place(context)
    return ask_each(context, lambda lead_id: _look_request(context.instance, place, lead_id), nothing=NO_LEAD)


def _look_request(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> list[dg.RunRequest] | str:
    """One look at a time: those that wait in the queue would find what the first of them has told."""
    from copytrade_core.edges.stages.canary_monitor import pending_changes

    changes = pending_changes(place, lead_id)
    if not changes:
        return "nothing new"
    if is_asked_for(instance, monitor_lead.name, lead_id, now=place.now()):
        return "a run that looks at it has not finished"
    # Incidents open again after they were over, so the minute is part of what makes a look a new one.
    digest = digest_of({"changes": changes, "minute": f"{place.now():%Y-%m-%dT%H:%M}"})
    tags = {LEAD_TAG: lead_id, STEP_TAG: "monitor"}
    return [dg.RunRequest(run_key=f"{lead_id}:{digest[:16]}", partition_key=lead_id, tags=tags)]


@dg.sensor(
    job=compare_canary,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="A session that could not be compared in full is compared again once what it lacked is stored.",
)
def paper_parity_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Bars of a session's last hours and the history of its positions come after its end."""
    place = _place(context)
    return ask_each(context, lambda lead_id: _comparisons(place, lead_id), nothing=NO_LEAD)


def _comparisons(place: Workplace, lead_id: str) -> list[dg.RunRequest] | str:
    tags = {LEAD_TAG: lead_id, STEP_TAG: "parity"}
    due = due_comparisons(place, lead_id)
    return [dg.RunRequest(run_key=one.run_key, partition_key=one.key, tags=tags) for one in due] or COMPARED


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    request_job=gather_canary,
    minimum_interval_seconds=30,
    description="A session that ended or was compared is gathered into its lead's record, and the gates are asked.",
)
def session_ended(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Once per run, of our jobs or of assets chosen in the UI."""
    lead_id = _lead_of(context)
    if lead_id is None or not assets_of(context.dagster_run) & {"paper_session", "paper_parity"}:
        return _nobodys(context)
    return _follow(context, lead_id, gather_canary.name, "paper")


@dg.run_failure_sensor(
    request_jobs=[monitor_lead, gather_canary],
    minimum_interval_seconds=30,
    description="A session's run that failed becomes an incident, told at once; what it stored is gathered for gates.",
)
def session_failed(context: dg.RunFailureSensorContext) -> dg.SensorResult | dg.SkipReason:
    """Once per run. A session with a broken check is a failed run, and the gates must hear of it.

    A past day that could not be told from the archive is nobody's emergency: whoever asked for it sees it.
    """
    lead_id, run, requests = _lead_of(context), context.dagster_run, list[dg.RunRequest]()
    made = assets_of(run)
    if lead_id is None or not made & {"paper_session", "shadow_orders"}:
        return _nobodys(context)
    record = context.instance.get_run_record_by_id(run.run_id)
    if record is not None and is_of_its_own_day(record):
        began = record.start_time or record.create_timestamp.timestamp()
        mode = "paper" if "paper_session" in made else "shadow"
        why = f"Dagster run {run.run_id[:8]} failed: {context.failure_event.message}"[:WHY_LENGTH_MAX]
        failed = {"failed_run": run.run_id, "mode": mode, "began_ms": round(began * 1000), "why": why}
        config = {"ops": {"monitor_incidents": {"config": failed}}}
        requests.append(_follow(context, lead_id, monitor_lead.name, "monitor", config))
    if "paper_session" in made:
        requests.append(_follow(context, lead_id, gather_canary.name, "paper"))
    return dg.SensorResult(run_requests=requests)


def _lead_of(context: dg.RunStatusSensorContext) -> str | None:
    return context.dagster_run.tags.get(PARTITION_LEAD)


def _nobodys(context: dg.RunStatusSensorContext) -> dg.SkipReason:
    return dg.SkipReason(f"Run {context.dagster_run.run_id} is no session of a lead.")


def _follow(
    context: dg.RunStatusSensorContext,
    lead_id: str,
    job_name: str,
    step: str,
    run_config: Mapping[str, object] | None = None,
) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{job_name}:{context.dagster_run.run_id}",
        job_name=job_name,
        partition_key=lead_id,
        run_config=run_config,
        tags={LEAD_TAG: lead_id, STEP_TAG: step},
    )


@dg.schedule(
    job=monitor_lead,
    cron_schedule="*/15 * * * *",
    description="The monitor looks at every lead that has a session, so that its silence can be told from its absence.",
)
def regular_look(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per lead with a session; a partition that is no lead's keeps no other from being looked at."""
    settings = load_settings()
    for lead_id in leads_of(context.instance):
        with suppress(BadInput):
            if runtime_folders(settings, lead_id):
                yield dg.RunRequest(partition_key=lead_id, tags={LEAD_TAG: lead_id, STEP_TAG: "monitor"})


SESSION_SCHEDULES = [regular_look]
SESSION_SENSORS = [paper_canary_sensor, paper_parity_sensor, monitor_sensor, session_ended, session_failed]
