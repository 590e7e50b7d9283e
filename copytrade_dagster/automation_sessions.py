"""When sessions run: the sensor that starts paper canaries, the monitor's, and what follows a run that ended.

Everything is stopped until a person starts it. Nothing here starts shadow or live, and a session that a person stopped
is not started again. Whether one is wanted is decided in `edges.stages.canary_start`.
"""

from collections.abc import Iterator, Mapping

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.canary_due import due_comparisons
from copytrade_core.edges.stages.canary_place import live_folder, runtime_folders, standing_of
from copytrade_core.edges.stages.canary_start import PAPER, NotNow, Start, next_session, not_yet
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import CopytradeError
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE
from copytrade_dagster.session_runs import (
    LEAD_TAG,
    PARTITION_LEAD,
    SESSION_TAG,
    STRATEGY_TAG,
    attempt,
    busy,
    is_of_its_own_day,
)

SLACK_S = 900
"""Beyond the deadline: exits of what is still held, and the start of the process."""
SESSION_S_MAX = 86_400 + SLACK_S
WHY_LENGTH_MAX = 300
LIVE = {"ops": {"paper_session": {"config": {"live": True}}}}
"""Asked for before midnight and started after it, a session must not become one of a past day."""

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
compare_canary = dg.define_asset_job(
    "compare_canary",
    dg.AssetSelection.assets("paper_parity"),
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
    place, requests, reasons = _place(context), list[dg.RunRequest](), list[str]()
    for lead_id in _leads(context.instance):
        try:
            asked = _session_request(context.instance, place, lead_id)
        except CopytradeError as error:
            asked = str(error)
        if isinstance(asked, str):
            reasons.append(f"{lead_id}: {asked}")
        else:
            requests.append(asked)
    # A tick either asks or says why not: what it says beside requests goes to its log.
    yield from requests
    if not requests:
        yield dg.SkipReason("; ".join(reasons) or "No lead is tracked.")
    elif reasons:
        context.log.info("not started: %s", "; ".join(reasons))


def _session_request(instance: dg.DagsterInstance, place: Workplace, lead_id: str) -> dg.RunRequest | str:
    """What costs little is asked first: gates read all evidence of a lead, and most ticks end before them."""
    standing = standing_of(live_folder(place.settings, lead_id, PAPER))
    if why := busy(instance, paper_canary.name, lead_id, standing, now=place.now()):
        return why
    wanted = next_session(place, lead_id)
    if isinstance(wanted, NotNow):
        return wanted.why
    number = attempt(instance, wanted.key, standing)
    if isinstance(number, str):
        return number
    if (barred := not_yet(place, lead_id)) is not None:
        return barred.why
    return _request(place, wanted, lead_id, number)


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


@dg.sensor(
    job=compare_canary,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="A session that could not be compared in full is compared again once what it lacked is stored.",
)
def paper_parity_sensor(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Bars of a session's last hours and the history of its positions come after its end."""
    place, quiet = _place(context), True
    for lead_id in _leads(context.instance):
        try:
            due = due_comparisons(place, lead_id)
        except CopytradeError as error:
            context.log.warning("%s: %s", lead_id, error)
            continue
        for one in due:
            quiet = False
            yield dg.RunRequest(run_key=one.run_key, partition_key=one.key, tags={LEAD_TAG: lead_id, "step": "parity"})
    if quiet:
        yield dg.SkipReason("Every session is compared as far as it can be.")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[paper_canary, compare_canary],
    request_job=gather_canary,
    minimum_interval_seconds=30,
    description="A session that ended or was compared is gathered into its lead's record, and the gates are asked.",
)
def session_ended(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
    """Once per run."""
    lead_id = _lead_of(context)
    return _nobodys(context) if lead_id is None else _follow(context, lead_id, gather_canary.name, "paper")


@dg.run_failure_sensor(
    monitored_jobs=[paper_canary, shadow_canary],
    request_jobs=[monitor_lead, gather_canary],
    minimum_interval_seconds=30,
    description="A session's run that failed becomes an incident, told at once; what it stored is gathered for gates.",
)
def session_failed(context: dg.RunFailureSensorContext) -> dg.SensorResult | dg.SkipReason:
    """Once per run. A session with a broken check is a failed run, and the gates must hear of it.

    A past day that could not be told from the archive is nobody's emergency: whoever asked for it sees it.
    """
    lead_id = _lead_of(context)
    if lead_id is None:
        return _nobodys(context)
    run, requests = context.dagster_run, list[dg.RunRequest]()
    record = context.instance.get_run_record_by_id(run.run_id)
    if record is not None and is_of_its_own_day(record):
        began = record.start_time or record.create_timestamp.timestamp()
        mode = "paper" if run.job_name == paper_canary.name else "shadow"
        why = f"Dagster run {run.run_id[:8]} failed: {context.failure_event.message}"[:WHY_LENGTH_MAX]
        failed = {"failed_run": run.run_id, "mode": mode, "began_ms": round(began * 1000), "why": why}
        config = {"ops": {"monitor_incidents": {"config": failed}}}
        requests.append(_follow(context, lead_id, monitor_lead.name, "monitor", config))
    if run.job_name == paper_canary.name:
        requests.append(_follow(context, lead_id, gather_canary.name, "paper"))
    return dg.SensorResult(run_requests=requests)


def _lead_of(context: dg.RunStatusSensorContext) -> str | None:
    return context.dagster_run.tags.get(PARTITION_LEAD)


def _nobodys(context: dg.RunStatusSensorContext) -> dg.SkipReason:
    return dg.SkipReason(f"Run {context.dagster_run.run_id} is of no lead.")


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
        tags={LEAD_TAG: lead_id, "step": step},
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
SESSION_SENSORS = [paper_canary_sensor, paper_parity_sensor, monitor_sensor, session_ended, session_failed]
