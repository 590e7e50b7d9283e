"""Evidence: the split of signals in time, and the report. Verdicts belong to promotion."""

import dagster as dg

from copytrade_core.edges.lead_study import render_report
from copytrade_core.edges.stages.evidence import report_lead
from copytrade_core.edges.stages.split import split_lead
from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS
from copytrade_dagster.defs.sources.assets import episodes
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE, place_of
from copytrade_dagster.tables import counts


@dg.asset(
    group_name="evidence",
    partitions_def=LEADS,
    deps=[episodes],
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Signals in time order cut into train, validation and a holdout that stays closed, with an embargo.",
)
def split_manifest(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The split of one lead's signals for the strategy that gates judge."""
    with explained():
        outcome = split_lead(place_of(context), context.partition_key)
    signals = outcome.metadata["signals"]
    assert isinstance(signals, dict), "signals are counted by part"
    return materialised(
        outcome.head("split_manifest"), outcome.metadata, shown={"signals_by_part": counts("part", signals)}
    )


@dg.asset(
    group_name="evidence",
    partitions_def=LEADS,
    deps=["round_trips", "equity", split_manifest],
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="What copying this lead would have done, conclusion first: measures, baselines, doubts, assumptions.",
)
def evidence_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Builds, stores and renders the report of one lead."""
    place, lead_id = place_of(context), context.partition_key
    with explained():
        outcome = report_lead(place, lead_id)
        paths = render_report(place, lead_id, None)
    return materialised(
        outcome.head("evidence_report"), outcome.metadata, shown={"html": dg.MetadataValue.path(str(paths.html))}
    )
