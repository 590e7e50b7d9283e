"""When anything runs: jobs, schedules and sensors. Nothing here ever starts live.

Everything is stopped until a person starts it in the UI or with `dagster schedule start`.
"""

from collections.abc import Iterator

import dagster as dg

from copytrade_core.edges.stages.market_data import missing_months
from copytrade_core.edges.stages.sources import lead_page_sets
from copytrade_core.edges.stages.workplace import Workplace, utc_now
from copytrade_dagster.partitions import LEADS, MARKETS
from copytrade_dagster.resources import PLACE

POLLED = dg.AssetSelection.assets("lead_details", "source_pages")
DERIVED = dg.AssetSelection.assets(
    "source_pages",
    "closed_positions",
    "unusable_rows",
    "episodes",
    "split_manifest",
    "round_trips",
    "equity",
    "evidence_report",
    "promotion_evidence",
)
SEARCHED = dg.AssetSelection.assets("trials", "search_report", "champion_policy", "holdout_result")

WITHOUT_POLL = {"ops": {"source_pages": {"config": {"poll": False}}}}
"""Run config that lists what is archived and asks nobody."""

poll_history = dg.define_asset_job(
    "poll_history", POLLED, description="Asks the source about one lead and archives every answer."
)
derive_lead = dg.define_asset_job(
    "derive_lead",
    DERIVED,
    config=WITHOUT_POLL,
    description="From the archived pages of one lead to its gates; asks the source only when its config says so.",
)
search_lead = dg.define_asset_job(
    "search_lead",
    SEARCHED,
    description="Tries policies on one lead and judges the best; started by a person only, and opens no holdout.",
)
preflight_lead = dg.define_asset_job(
    "preflight_lead",
    dg.AssetSelection.assets("preflight_result"),
    description="Rehearses a lead's orders against a stand-in of the venue on loopback; started by a person only.",
)
certify_venue = dg.define_asset_job(
    "certify_venue",
    dg.AssetSelection.assets("venue_certificate"),
    description="Writes a venue's certificate for the installed client, against a stand-in on loopback.",
)
fetch_market_month = dg.define_asset_job(
    "fetch_market_month",
    dg.AssetSelection.assets("bars", "funding"),
    description="Bars and funding of one market and month.",
)
read_lead_lists = dg.define_asset_job(
    "read_lead_lists", dg.AssetSelection.assets("lead_lists"), description="The public lead lists of today."
)
JOBS = [
    poll_history,
    derive_lead,
    search_lead,
    preflight_lead,
    certify_venue,
    fetch_market_month,
    read_lead_lists,
]


def _keys(instance: dg.DagsterInstance, name: str | None) -> list[str]:
    assert name is not None, "dynamic partitions are named"
    return sorted(instance.get_dynamic_partitions(name))


@dg.schedule(job=poll_history, cron_schedule="0 * * * *", description="Polls every tracked lead, hourly.")
def hourly_poll(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per lead."""
    for lead_id in _keys(context.instance, LEADS.name):
        yield dg.RunRequest(partition_key=lead_id, tags={"lead": lead_id, "step": "sources"})


@dg.schedule(
    job=fetch_market_month, cron_schedule="15 0 * * *", description="Yesterday's and today's month of every market."
)
def daily_bars(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per market and month; on the first of a month the one that just ended is completed."""
    now = context.scheduled_execution_time
    months = sorted({f"{now:%Y-%m}", f"{now.fromtimestamp(now.timestamp() - 86_400, tz=now.tzinfo):%Y-%m}"})
    for market in _keys(context.instance, MARKETS.name):
        for month in months:
            yield dg.RunRequest(partition_key=f"{market}|{month}", tags={"market": market, "step": "market"})


@dg.schedule(job=read_lead_lists, cron_schedule="30 0 * * *", description="Snapshots the public lead lists, daily.")
def daily_lead_lists(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """The list of the day that has just begun."""
    return dg.RunRequest(partition_key=f"{context.scheduled_execution_time:%Y-%m-%d}", tags={"step": "leads"})


@dg.schedule(
    job=derive_lead,
    cron_schedule="0 2 * * *",
    description="Replays, reports and judges every lead again, daily: new bars count, and old evidence expires.",
)
def daily_reports(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per lead, after the day's bars; asks no source."""
    for lead_id in _keys(context.instance, LEADS.name):
        yield dg.RunRequest(partition_key=lead_id, run_config=WITHOUT_POLL, tags={"lead": lead_id, "step": "replay"})


@dg.sensor(
    job=derive_lead,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="A lead whose archived pages changed is normalised, replayed and judged again, once per page set.",
)
def new_pages(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The run key is lead and digest of the page set: the same pages are never derived twice."""
    place = context.resources.place
    assert isinstance(place, Workplace), "the resource `place` is a workplace"
    found = lead_page_sets(place)
    if not found:
        yield dg.SkipReason("No page is archived.")
    for lead_id, digest in found.items():
        context.instance.add_dynamic_partitions(str(LEADS.name), [lead_id])
        yield dg.RunRequest(
            run_key=f"{lead_id}:{digest}",
            partition_key=lead_id,
            run_config=WITHOUT_POLL,
            tags={"lead": lead_id, "step": "replay"},
        )


@dg.sensor(
    job=fetch_market_month,
    required_resource_keys={PLACE},
    minimum_interval_seconds=60,
    description="Months of markets that a lead traded in and that have no bars are fetched, each asked for once a day.",
)
def missing_bars(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The markets of a lead decide which months are needed."""
    place = context.resources.place
    assert isinstance(place, Workplace), "the resource `place` is a workplace"
    needed = missing_months(place)
    if not needed:
        yield dg.SkipReason("Every month that a lead needs has bars.")
    context.instance.add_dynamic_partitions(str(MARKETS.name), sorted({need.market for need in needed}))
    for need in needed:
        key = f"{need.market}|{need.month}"
        yield dg.RunRequest(
            run_key=f"{key}:{utc_now():%Y-%m-%d}",
            partition_key=key,
            tags={"market": need.market, "step": "market"},
        )


SCHEDULES = [hourly_poll, daily_bars, daily_lead_lists, daily_reports]
SENSORS = [new_pages, missing_bars]
