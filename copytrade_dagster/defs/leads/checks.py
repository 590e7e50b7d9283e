"""Checks of the lead lists. A ranking over a part of the leads would look like one over all of them."""

import dagster as dg

from copytrade_core.edges.stages import data_checks
from copytrade_dagster.check_results import asked
from copytrade_dagster.defs.leads.assets import lead_lists
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import DAYS
from copytrade_dagster.resources import place_of


@blocking_check(
    lead_lists,
    DAYS,
    "Every list was read to its end and has all the leads it claims. If not: materialise lead_lists again today.",
)
def universe_complete(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Counts the stored ids of each list against its claim."""
    return asked(data_checks.universe_complete, place_of(context), context.partition_key)
