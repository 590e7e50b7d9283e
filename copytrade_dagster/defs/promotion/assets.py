"""Promotion: the evidence a step rests on, with its lineage and one digest over all. Approving belongs to people."""

import dagster as dg

from copytrade_core.edges.stages.promotion import gate_results
from copytrade_core.edges.stages.promotion import promotion_evidence as store_promotion_evidence
from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS
from copytrade_dagster.defs.evidence.assets import evidence_report, split_manifest
from copytrade_dagster.defs.promotion.gate_table import gate_table
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE, place_of


@dg.asset(
    group_name="live",
    partitions_def=LEADS,
    deps=[
        evidence_report,
        split_manifest,
        "round_trips",
        "equity",
        "search_report",
        "holdout_result",
        "preflight_result",
        "paper_record",
        "shadow_orders",
        "monitor_incidents",
    ],
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Digests of everything a promotion rests on, the numbers that gates read, and their verdicts.",
)
def promotion_evidence(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The last thing before a person: the gates are checks of this asset."""
    place, lead_id = place_of(context), context.partition_key
    with explained():
        outcome = store_promotion_evidence(place, lead_id)
        shown = {"gate_table": gate_table(gate_results(place, lead_id).values())}
    return materialised(outcome.head("promotion_evidence"), outcome.metadata, shown=shown)
