"""Monitor: what went wrong in a lead's sessions, and who was told. Watching from second to second is the CLI's."""

import dagster as dg

from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE, place_of


class WatchConfig(dg.Config):
    """Which run failed, where that is why the monitor looks: of paper or shadow, since when it ran, and why it did."""

    failed_run: str | None = None
    mode: str = "paper"
    began_ms: int = 0
    why: str = "its run failed"


@dg.asset(
    group_name="monitor",
    partitions_def=LEADS,
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="One look of the monitor at every session of the lead, and its incidents so far; alerts once for each.",
)
def monitor_incidents(context: dg.AssetExecutionContext, config: WatchConfig) -> dg.MaterializeResult:
    """Looks, tells a person what is new, and stores what is known."""
    from copytrade_core.edges.stages.canary_failure import FailedRun
    from copytrade_core.edges.stages.canary_monitor import watch_lead
    from copytrade_dagster.defs.monitor.tables import incident_table

    failed = None
    if config.failed_run is not None:
        failed = FailedRun(run_id=config.failed_run, mode=config.mode, began_ms=config.began_ms, why=config.why)
    with explained():
        outcome = watch_lead(place_of(context), context.partition_key, failed=failed)
        shown = {"incidents": incident_table(place_of(context), context.partition_key)}
    return materialised(outcome.head("monitor_incidents"), outcome.metadata, shown=shown)
