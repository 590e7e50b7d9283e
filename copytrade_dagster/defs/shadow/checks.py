"""The gate over a lead's shadow sessions."""

import dagster as dg

from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.defs.paper.checks import gate_answer
from copytrade_dagster.defs.shadow.assets import shadow_orders
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import SESSIONS


@blocking_check(
    shadow_orders,
    SESSIONS,
    "Every desired order was one that the venue takes. If not: correct what the first invalid field says.",
)
def shadow_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Asked of all shadow sessions of the lead."""
    return gate_answer(context, Gate.SHADOW_CLEAN, context.partition_key.split("|")[1])


SHADOW_CHECKS = [shadow_clean]
