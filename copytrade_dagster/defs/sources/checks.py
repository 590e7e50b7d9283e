"""Checks of the sources. Each is blocking: what fails here must not be replayed."""

import dagster as dg

from copytrade_core.edges.stages import data_checks
from copytrade_dagster.check_results import asked
from copytrade_dagster.defs.sources.assets import normalised_rows, source_pages
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import place_of


@blocking_check(
    source_pages,
    LEADS,
    "The newest history page is fresh. If not: poll the lead (copytrade poll --lead ID --once).",
)
def pages_fresh(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Asks the clock and the archive."""
    return asked(data_checks.pages_fresh, place_of(context), context.partition_key)


@blocking_check(
    source_pages,
    LEADS,
    "No field we rely on is missing or retyped. If one is: compare the page with sources/schema_drift.py.",
)
def no_schema_drift(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compares every archived answer with the documented fields."""
    return asked(data_checks.no_schema_drift, place_of(context), context.partition_key)


@blocking_check(
    dg.AssetKey("closed_positions"),
    LEADS,
    "Rows in = usable + unusable + duplicates. If not: a row was lost; do not use this lead, report it.",
)
def rows_accounted(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Counts again from the stored tables."""
    assert dg.AssetKey("closed_positions") in normalised_rows.keys  # the check above names a real asset
    return asked(data_checks.rows_accounted, place_of(context), context.partition_key)


@blocking_check(
    dg.AssetKey("closed_positions"),
    LEADS,
    "Closed rows agree with themselves. If not: the source changed what its fields mean; compare the rows named here.",
)
def rows_consistent(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Compares published profit with prices and volume, close with update time, and every position with the others."""
    return asked(data_checks.rows_consistent, place_of(context), context.partition_key)
