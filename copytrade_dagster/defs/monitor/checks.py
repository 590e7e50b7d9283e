"""The gate over the monitor's record of a lead."""

import dagster as dg

from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.defs.monitor.assets import monitor_incidents
from copytrade_dagster.defs.paper.checks import gate_answer
from copytrade_dagster.partitioned_checks import telling_check
from copytrade_dagster.partitions import LEADS


@telling_check(
    monitor_incidents,
    LEADS,
    "The monitor looked lately, nothing is open or critical. If not: docs/runbook.md says what to do for each.",
)
def monitor_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Asked of the stored incidents."""
    return gate_answer(context, Gate.MONITOR_CLEAN, context.partition_key)


MONITOR_CHECKS = [monitor_clean]
