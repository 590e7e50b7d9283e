"""Live: the canary with real orders. No automation condition, schedule or sensor may ever name it."""

import dagster as dg

from copytrade_core.promotion.chain import Permit
from copytrade_dagster.defs.described import CODE_VERSION, OWNERS
from copytrade_dagster.lineage import EVIDENCE_KEY
from copytrade_dagster.partitions import LEADS

GATE = "promotion_gate"
"""Key of the input manager that stands before the permit."""


@dg.asset(
    group_name="live",
    partitions_def=LEADS,
    owners=OWNERS,
    kinds={"live"},
    code_version=CODE_VERSION,
    ins={"permit": dg.AssetIn(key=EVIDENCE_KEY, input_manager_key=GATE)},
    description="The live canary of one lead. Verifies the whole promotion chain itself and refuses with the reasons.",
)
def live_canary(context: dg.AssetExecutionContext, permit: Permit) -> None:
    """Never runs today: some gates and the approval do not exist yet, so no permit can be given."""
    context.log.error("No venue broker exists; nothing was sent.")
    raise dg.Failure(
        description=(
            f"A permit for {permit.step} of lead {permit.lead_id} was given, but there is no venue broker yet: "
            "no order can be sent, and none was."
        ),
        allow_retries=False,
    )
