"""Paper: bounded sessions of a lead's strategy with fills on paper, their parity with replay, and the record of all.

A session is path-dependent, so it is one asset around the session loop; where it waits and trades is not known here. No
venue's client is loaded: a paper process cannot send an order.
"""

import dagster as dg

from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS, SESSIONS
from copytrade_dagster.resources import PLACE, place_of
from copytrade_dagster.session_runs import mark


class SessionConfig(dg.Config):
    """How a session runs: `live` polls the lead (only for today), else it is told the archived pages of its day.

    Left out, today is live and a past day archived. `deadline_s` is when a live session ends at the latest.
    """

    live: bool | None = None
    deadline_s: int | None = None


@dg.asset(
    group_name="paper",
    partitions_def=SESSIONS,
    owners=OWNERS,
    kinds={"json", "paper"},
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=["round_trips", "preflight_result"],
    description="One bounded paper session: strategy, caps and controls as live, fills on paper, no order path.",
)
def paper_session(context: dg.AssetExecutionContext, config: SessionConfig) -> dg.MaterializeResult:
    """Runs until the deadline, the end of the archive or a person ends it; killed and started again, it goes on."""
    from copytrade_core.edges.stages.canary import run_canary
    from copytrade_core.edges.stages.canary_request import CanaryRequest
    from copytrade_dagster.defs.paper.tables import session_tables

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
        outcome = run_canary(place_of(context), request, listen=None)
        shown = session_tables(place_of(context), str(context.partition_key))
    return materialised(outcome.head("paper_session"), outcome.metadata, shown=shown)


@dg.asset(
    group_name="paper",
    partitions_def=SESSIONS,
    deps=[paper_session],
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Each intent of the session against what replay does on the same inputs: a waterfall in basis points.",
)
def paper_parity(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Replays what the session was told and compares intent by intent."""
    from copytrade_core.edges.stages.canary_parity import compare_session
    from copytrade_dagster.defs.paper.tables import parity_table

    with explained():
        outcome = compare_session(place_of(context), str(context.partition_key))
        shown = {"intents": parity_table(place_of(context), str(context.partition_key))}
    return materialised(outcome.head("paper_parity"), outcome.metadata, shown=shown)


@dg.asset(
    group_name="paper",
    partitions_def=LEADS,
    deps=[paper_session, paper_parity],
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Every paper session of a lead with its parity, gathered for the gates: days are inside the data.",
)
def paper_record(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Gathers what is stored; runs nothing."""
    from copytrade_core.edges.stages.canary_store import gather
    from copytrade_dagster.defs.paper.tables import record_table

    with explained():
        outcome = gather(place_of(context), context.partition_key)
        shown = {"sessions": record_table(place_of(context), context.partition_key)}
    return materialised(outcome.head("paper_record"), outcome.metadata, shown=shown)
