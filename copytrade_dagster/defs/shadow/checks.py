"""The gate over a lead's shadow sessions."""

import dagster as dg

from copytrade_core.edges.stages.canary_gates import canary_gate
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_dagster.defs.promotion.checks import gate_check_result
from copytrade_dagster.defs.shadow.assets import shadow_orders
from copytrade_dagster.faults import explained
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import SESSIONS
from copytrade_dagster.resources import place_of


@blocking_check(
    shadow_orders,
    SESSIONS,
    "Every desired order was one that the venue takes. If not: correct what the first invalid field says.",
)
def shadow_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Asked of all shadow sessions of the lead. Too few orders yet is a warning: this session did not go wrong."""
    lead_id = context.partition_key.split("|")[1]
    with explained():
        result, digest = canary_gate(place_of(context), lead_id, Gate.SHADOW_CLEAN)
        is_open = result.verdict is GateVerdict.INCONCLUSIVE
        answer = gate_check_result(result, digest=digest)
        return answer._replace(severity=dg.AssetCheckSeverity.WARN) if is_open else answer


SHADOW_CHECKS = [shadow_clean]
