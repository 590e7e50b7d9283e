"""The live code location: its own process and environment, the only one that may ever see keys.

It knows the promotion evidence of the other location only by name; what it reads it reads from store and instance.
"""

import dagster as dg

from copytrade_core.promotion.contract import Step
from copytrade_dagster.defs.live.assets import GATE, live_canary
from copytrade_dagster.defs.live.permit import PromotionGate
from copytrade_dagster.lineage import EVIDENCE_KEY
from copytrade_dagster.partitions import LEADS

defs = dg.Definitions(
    assets=[
        dg.AssetSpec(EVIDENCE_KEY, partitions_def=LEADS, group_name="live", description="Made by the other location."),
        live_canary,
    ],
    # A plain object, not a configurable resource: run configuration cannot reach it.
    resources={GATE: PromotionGate(Step.LIVE_SMALL)},
    executor=dg.in_process_executor,
)
