"""When sessions run: the sensor that starts paper canaries, the monitor's, and what follows a run that ended.

Everything is stopped until a person starts it. Nothing here starts shadow or live, and a session that a person stopped
is not started again. Whether one is wanted is decided in `edges.stages.canary_start`.
"""

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_place import live_folder, runtime_folders, standing_of
from copytrade_core.edges.stages.canary_start import PAPER, NotNow, Start, wanted_session
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import CopytradeError
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE

SESSION_TAG, LEAD_TAG = "copytrade/session", "lead"
PARTITION_LEAD = "dagster/partition/lead"
"""Set by Dagster on every run of a two-dimensional partition."""
ATTEMPTS_MAX = 3
"""Runs of one session: a killed one is gone on with, one that keeps failing waits for a person."""
SLACK_S = 900
"""Beyond the deadline: exits of what is still held, and the start of the process."""
SESSION_S_MAX = 86_400 + SLACK_S
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

paper_canary = dg.define_asset_job(
    "paper_canary",
    dg.AssetSelection.assets("paper_session", "paper_parity"),
    executor_def=dg.in_process_executor,
    tags={MAX_RUNTIME_SECONDS_TAG: str(SESSION_S_MAX), "step": "session"},
    description="One bounded paper session of a lead and day, and its parity with replay. Past days: from the archive.",
)
shadow_canary = dg.define_asset_job(
    "shadow_canary",
    dg.AssetSelection.assets("shadow_orders"),
    executor_def=dg.in_process_executor,
    tags={MAX_RUNTIME_SECONDS_TAG: str(SESSION_S_MAX), "step": "session"},
    description="One bounded shadow session of a lead and day; started by a person only, and submits nothing.",
)
gather_canary = dg.define_asset_job(
    "gather_canary",
    dg.AssetSelection.assets("paper_record"),
    description="Gathers the sessions of a lead for the gates.",
)
monitor_lead = dg.define_asset_job(
    "monitor_lead",
    dg.AssetSelection.assets("monitor_incidents"),
    description="One look of the monitor at a lead's sessions; tells a person once per incident.",
)
SESSION_JOBS = [paper_canary, shadow_canary, gather_canary, monitor_lead]


def _place(context: dg.SensorEvaluationContext) -> Workplace:
    place = context.resources.place
    assert isinstance(place, Workplace), "the resource `place` is a workplace"
    return place


def _leads(instance: dg.DagsterInstance) -> list[str]:
    assert LEADS.name is not None, "dynamic partitions are named"
    return sorted(instance.get_dynamic_partitions(LEADS.name))


@dg.sensor(
    job=paper_canary,
    required_resource_keys={PLACE},
    minimum_interval_seconds=30,
    description="A lead whose replay gates pass gets one paper session for each day and each change of its positions.",
)
def paper_canary_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Never while a control is set or a session of the lead runs; a killed session is gone on with."""
    place, reasons = _place(context), list[str]()
    for lead_id in _leads(context.instance):
        try:
            asked = _session_request(context, place, lead_id)
        except CopytradeError as error:
            asked = str(error)
        if isinstance(asked, str):
            reasons.append(f"{lead_id}: {asked}")
        else:
            yield asked
    if reasons or not _leads(context.instance):
        yield dg.SkipReason("; ".join(reasons) or "No lead is tracked.")


def _session_request(context: dg.SensorEvaluationContext, place: Workplace, lead_id: str) -> dg.RunRequest | str:
    if busy := _busy(context.instance, place, lead_id):
        return busy
    wanted = wanted_session(place, lead_id)
    if isinstance(wanted, NotNow):
        return wanted.why
    earlier = context.instance.get_runs(dg.RunsFilter(tags={SESSION_TAG: wanted.key}))
    if not earlier:
        return _request(wanted, lead_id, attempt=1)
    newest = earlier[0].status
    if newest is not dg.DagsterRunStatus.FAILURE:
        return f"the session of this day and source was run ({newest.value.lower()})"
    if len(earlier) >= ATTEMPTS_MAX:
        return f"{len(earlier)} runs of this session failed; look at them, then start it yourself"
    return _request(wanted, lead_id, attempt=len(earlier) + 1)


def _request(wanted: Start, lead_id: str, *, attempt: int) -> dg.RunRequest:
    """A run key counts for ever, so another attempt says which one it is."""
    return dg.RunRequest(
        run_key=wanted.key if attempt == 1 else f"{wanted.key}:{attempt}",
        partition_key=dg.MultiPartitionKey({"day": wanted.day, "lead": lead_id}),
        tags={SESSION_TAG: wanted.key, LEAD_TAG: lead_id},
    )


def _busy(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> str | None:
    """Why no session may start: one runs. A run whose process is gone is failed here, so that another goes on."""
    standing = standing_of(live_folder(place.settings, lead_id, PAPER))
    if standing.is_alive:
        return "its session runs"
    filters = dg.RunsFilter(job_name=paper_canary.name, tags={PARTITION_LEAD: lead_id}, statuses=UNFINISHED)
    for run in instance.get_runs(filters):
        if not (standing.is_gone and standing.run_id == run.run_id):
            return f"run {run.run_id} has not finished"
        instance.report_run_failed(run, "The session's process is gone; the next run goes on where it was.")
    return None


@dg.sensor(
    job=monitor_lead,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="Looks at every session once a minute; a run follows only where an incident opens, ends or is told.",
)
def monitor_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The look costs milliseconds and writes nothing: the run does."""
    from copytrade_core.edges.stages.canary_monitor import pending_changes

    place, quiet = _place(context), True
    for lead_id in _leads(context.instance):
        try:
            changes = pending_changes(place, lead_id)
        except CopytradeError as error:
            context.log.warning("%s: %s", lead_id, error)
            continue
        if changes:
            quiet = False
            # Incidents open again after they were over, so the minute is part of what makes a look a new one.
            digest = digest_of({"changes": changes, "minute": f"{place.now():%Y-%m-%dT%H:%M}"})
            yield dg.RunRequest(
                run_key=f"{lead_id}:{digest[:16]}", partition_key=lead_id, tags={LEAD_TAG: lead_id, "step": "monitor"}
            )
    if quiet:
        yield dg.SkipReason("Nothing new in any session.")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[paper_canary],
    request_job=gather_canary,
    minimum_interval_seconds=30,
    description="A session that ended is gathered into its lead's record.",
)
def session_ended(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Once per run."""
    return _follow(context, "gather")


@dg.run_failure_sensor(
    monitored_jobs=[paper_canary, shadow_canary],
    request_job=monitor_lead,
    minimum_interval_seconds=30,
    description="A session's run that failed becomes an incident: the monitor looks at once and tells a person.",
)
def session_failed(context: dg.RunFailureSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Once per run."""
    return _follow(context, "failed")


def _follow(context: dg.RunStatusSensorContext, why: str) -> dg.RunRequest | dg.SkipReason:
    run = context.dagster_run
    lead_id = run.tags.get(PARTITION_LEAD)
    if lead_id is None:
        return dg.SkipReason(f"Run {run.run_id} is of no lead.")
    return dg.RunRequest(
        run_key=f"{why}:{run.run_id}", partition_key=lead_id, tags={LEAD_TAG: lead_id, "step": "monitor"}
    )


@dg.schedule(
    job=monitor_lead,
    cron_schedule="*/15 * * * *",
    description="The monitor looks at every lead that has a session, so that its silence can be told from its absence.",
)
def regular_look(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per lead with a session."""
    settings = load_settings()
    for lead_id in _leads(context.instance):
        if runtime_folders(settings, lead_id):
            yield dg.RunRequest(partition_key=lead_id, tags={LEAD_TAG: lead_id, "step": "monitor"})


SESSION_SCHEDULES = [regular_look]
SESSION_SENSORS = [paper_canary_sensor, monitor_sensor, session_ended, session_failed]
