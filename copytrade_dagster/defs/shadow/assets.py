"""Shadow: the orders that a session would have sent to a venue, validated to the last field and never submitted.

The venue's client is imported where it runs: only read-only calls exist in what is imported.
"""

import dagster as dg

from copytrade_dagster.defs.described import CODE_VERSION, OWNERS
from copytrade_dagster.defs.paper.assets import SessionConfig
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import SESSIONS
from copytrade_dagster.resources import PLACE, place_of
from copytrade_dagster.session_runs import mark


@dg.asset(
    group_name="shadow",
    partitions_def=SESSIONS,
    owners=OWNERS,
    kinds={"json", "shadow"},
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=["paper_record", "preflight_result"],
    description="Orders that would have been sent, each validated against the venue's real rules, none submitted.",
)
def shadow_orders(context: dg.AssetExecutionContext, config: SessionConfig) -> dg.MaterializeResult:
    """One bounded shadow session of a lead."""
    from copytrade_core.edges.stages.canary_request import CanaryRequest
    from copytrade_core.edges.stages.canary_shadow import run_shadow
    from copytrade_dagster.defs.shadow.tables import desired_table

    day, lead_id = context.partition_key.split("|")
    mark(context, lead_id)
    with explained():
        request = CanaryRequest(
            lead_id=lead_id,
            day=day,
            is_live=config.live,
            run_id=context.run.run_id,
            deadline_s=config.deadline_s,
        )
        outcome = run_shadow(place_of(context), request, listen=None)
        shown = {
            "desired_orders": desired_table(place_of(context), str(context.partition_key)),
            "dagster/row_count": dg.MetadataValue.int(int(str(outcome.metadata["orders"]))),
        }
    return materialised(outcome.head("shadow_orders"), outcome.metadata, shown=shown)
