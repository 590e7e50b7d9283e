"""What an instance remembers of a lead's sessions: whether one still runs, and which attempt a new run would be.

A run is known by the assets that it makes, since the UI's *Materialize* and its backfills run no job of ours. Whether a
session is wanted at all is decided in `edges.stages.canary_start`.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from copytrade_core.edges.stages.canary_place import SessionStanding
from copytrade_core.model.session_end import Ended

SESSION_TAG, LEAD_TAG, STRATEGY_TAG = "copytrade/session", "lead", "strategy"
PARTITION = "dagster/partition"
PARTITION_LEAD = "dagster/partition/lead"
PARTITION_DAY = "dagster/partition/day"
"""Set by Dagster on every run of a two-dimensional partition."""
STEP_TAG, STEP = "step", "session"
"""What the limits of runs at once count by."""
SLACK_S = 900
"""Beyond the deadline: exits of what is still held, and the start of the process."""
SESSION_S_MAX = 86_400 + SLACK_S
JOB_ASSETS = {
    "paper_canary": frozenset({"paper_session", "paper_parity"}),
    "shadow_canary": frozenset({"shadow_orders"}),
    "compare_canary": frozenset({"paper_parity"}),
}
"""What our jobs of sessions make."""
ATTEMPTS_MAX = 3
"""Failed runs of one session: a killed one is gone on with, one that keeps failing waits for a person."""
LOST_AFTER = timedelta(minutes=10)
"""A run without a session's process is importing, or checks and compares what the session left: seconds, a minute."""
TAKEN_BACK = (Ended.HOT_STOP, Ended.KILL)
"""A session that a control ended is wanted again once a person has taken the control back."""
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def assets_of(run: dg.DagsterRun) -> frozenset[str]:
    """Which assets a run makes, chosen in the UI or by a job of sessions; of any other job nothing."""
    if run.asset_selection:
        return frozenset(key.to_user_string() for key in run.asset_selection)
    return JOB_ASSETS.get(run.job_name, frozenset())


def mark(context: dg.AssetExecutionContext, lead_id: str) -> None:
    """A run of a session says what it is, however it was started: a job's tags are not on one from an asset's page.

    Without a limit of its own a session would be ended by the one of all runs, after two hours.
    """
    wanted = {STEP_TAG: STEP, LEAD_TAG: lead_id, MAX_RUNTIME_SECONDS_TAG: str(SESSION_S_MAX)}
    missing = {name: value for name, value in wanted.items() if name not in context.run.tags}
    if missing:
        context.instance.add_run_tags(context.run.run_id, missing)


def busy(instance: dg.DagsterInstance, lead_id: str, standing: SessionStanding, *, now: datetime) -> str | None:
    """Why no session may start: one runs. A run whose process is gone is failed here, so that another goes on.

    A past day told from the archive has a folder of its own and keeps nobody waiting.
    """
    if standing.is_alive:
        return "its session runs"
    filters = dg.RunsFilter(tags={PARTITION_LEAD: lead_id}, statuses=UNFINISHED)
    for record in instance.get_run_records(filters):
        run = record.dagster_run
        if "paper_session" not in assets_of(run) or not is_of_its_own_day(record):
            continue
        if not _is_lost(record, standing, now):
            return f"run {run.run_id} has not finished"
        instance.report_run_failed(run, "The session's process is gone; the next run goes on where it was.")
    return None


def is_asked_for(instance: dg.DagsterInstance, job_name: str, lead_id: str, *, now: datetime) -> bool:
    """Whether a run of a job of the lead has not finished; one that is older than a lost one keeps nobody waiting."""
    filters = dg.RunsFilter(
        job_name=job_name, tags={PARTITION: lead_id}, statuses=UNFINISHED, created_after=now - LOST_AFTER
    )
    return bool(instance.get_runs(filters, limit=1))


def _is_lost(record: dg.RunRecord, standing: SessionStanding, now: datetime) -> bool:
    """Nobody watches a local run's process, so a killed one would be "started" until its limit, for a day."""
    run = record.dagster_run
    is_its = standing.run_id == run.run_id
    if is_its and standing.is_gone:
        return True
    if run.status is not dg.DagsterRunStatus.STARTED or standing.is_alive is not False or record.start_time is None:
        return False
    heard = datetime.fromtimestamp(record.start_time, tz=UTC)
    if is_its and standing.written_at is not None:
        heard = max(heard, standing.written_at)
    return now - heard > LOST_AFTER


def attempt(instance: dg.DagsterInstance, key: str, standing: SessionStanding) -> int | str:
    """Which run of a session the next one would be, or why there is none: only what broke off is gone on with."""
    earlier = instance.get_runs(dg.RunsFilter(tags={SESSION_TAG: key}))
    if not earlier:
        return 1
    newest = earlier[0]
    ended = standing.ended if standing.run_id == newest.run_id else None
    if newest.status is dg.DagsterRunStatus.SUCCESS and ended in TAKEN_BACK:
        return len(earlier) + 1
    if newest.status is not dg.DagsterRunStatus.FAILURE:
        return f"the session of this day and source was run ({newest.status.value.lower()})"
    if ended not in (None, Ended.ERROR):
        return f"its session is over ({ended}), but a check or the comparison failed; look at run {newest.run_id}"
    failed = sum(run.status is dg.DagsterRunStatus.FAILURE for run in earlier)
    if failed >= ATTEMPTS_MAX:
        return f"{failed} runs of this session failed; look at them, then start it yourself"
    return len(earlier) + 1


def is_of_its_own_day(record: dg.RunRecord) -> bool:
    """Whether a run was for the day on which it was made: it followed a lead live, or should have."""
    made = (
        record.create_timestamp.replace(tzinfo=UTC)
        if record.create_timestamp.tzinfo is None
        else record.create_timestamp
    )
    return record.dagster_run.tags.get(PARTITION_DAY) == f"{made.astimezone(UTC):%Y-%m-%d}"
