"""Checks of a preflight: the two gates about orders, asked of the stored result alone.

The same gates are asked again of `promotion_evidence`; what they demand is in `copytrade_core.promotion`.
"""

import dagster as dg

from copytrade_core.edges.stages.preflight_facts import rehearsal_gate
from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.defs.preflight.assets import preflight_result
from copytrade_dagster.defs.promotion.checks import gate_check_result
from copytrade_dagster.faults import explained
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import place_of


def _asked(context: dg.AssetCheckExecutionContext, gate: Gate) -> dg.AssetCheckResult:
    place, lead_id = place_of(context), context.partition_key
    with explained():
        digest = place.lake.require("preflight_result", lead_id).digest
        return gate_check_result(rehearsal_gate(place, lead_id, gate), digest=digest)


@blocking_check(
    preflight_result,
    LEADS,
    "All scenarios and enough seeds kept every invariant. If not: run the replay command that it names.",
)
def preflight_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Reads the stored result and compares it with the policy, venue and code of today."""
    return _asked(context, Gate.PREFLIGHT_CLEAN)


@blocking_check(
    preflight_result,
    LEADS,
    "Killed at enough points, the session went on as if not, without an order twice. If not: run more seeds, or mend.",
)
def restart_clean(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Reads the stored result and compares it with the policy, venue and code of today."""
    return _asked(context, Gate.RESTART_CLEAN)


PREFLIGHT_CHECKS = [preflight_clean, restart_clean]
