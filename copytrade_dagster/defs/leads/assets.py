"""Leads: the public lists day by day, and each tracked lead's own page. Ranking does not belong here."""

import dagster as dg

from copytrade_core.edges.stages.leads import poll_lead_detail, poll_lead_lists
from copytrade_dagster.defs.described import CODE_VERSION, HTTP, OWNERS
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import outcome_results
from copytrade_dagster.partitions import DAYS, LEADS
from copytrade_dagster.resources import PLACE, place_of


@dg.asset(
    group_name="leads",
    partitions_def=DAYS,
    owners=OWNERS,
    kinds=HTTP,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="The public lead lists as they are today, kept for ever: a later ranking sees the leads that vanished.",
)
def lead_lists(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Only the day a list was read can be materialised: yesterday's list is gone."""
    place = place_of(context)
    with explained():
        if context.partition_key != f"{place.now():%Y-%m-%d}":
            raise dg.Failure(
                description=f"The public list has no past: {context.partition_key} can only be read on that day.",
                allow_retries=False,
            )
        return outcome_results(poll_lead_lists(place, context.partition_key), ["lead_lists"])[0]


@dg.asset(
    group_name="leads",
    partitions_def=LEADS,
    owners=OWNERS,
    kinds=HTTP,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="The lead's own page: still active, positions shown or hidden, margin balance, profit share.",
)
def lead_details(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Polls the detail page of one lead."""
    with explained():
        return outcome_results(poll_lead_detail(place_of(context), context.partition_key), ["lead_details"])[0]
