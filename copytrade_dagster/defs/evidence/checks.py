"""Checks of the report. The promotion gates are checks of `promotion_evidence`, the last asset before a person."""

import dagster as dg

from copytrade_core.edges.stages import data_checks
from copytrade_dagster.check_results import asked
from copytrade_dagster.defs.evidence.assets import evidence_report
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import place_of


@blocking_check(
    evidence_report,
    LEADS,
    "Fill models, costs with sources, delay and origin are stated. If not: fill in [costs], [replay].",
)
def assumptions_stated(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Reads the stored study and its report."""
    return asked(data_checks.assumptions_stated, place_of(context), context.partition_key)
