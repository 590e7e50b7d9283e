"""Replay: the exact engine over the lead's episodes, every scenario of the study. No rule of trading is here."""

from collections.abc import Iterator

import dagster as dg

from copytrade_core.edges.stages.replay import replay_lead
from copytrade_dagster.defs.described import CODE_VERSION, OWNERS, TABLE
from copytrade_dagster.defs.evidence.assets import split_manifest
from copytrade_dagster.defs.evidence.plots import equity_plot, scenario_table
from copytrade_dagster.defs.market.assets import bars, funding
from copytrade_dagster.defs.sources.assets import episodes
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE, place_of

MARKET_DATA = [dg.AssetDep(asset, partition_mapping=dg.AllPartitionMapping()) for asset in (bars, funding)]
"""A lead reads the months of the markets it traded; which ones is only known from its episodes."""


@dg.multi_asset(
    group_name="replay",
    partitions_def=LEADS,
    required_resource_keys={PLACE},
    specs=[
        dg.AssetSpec(
            name,
            deps=[episodes, split_manifest, *MARKET_DATA],
            owners=OWNERS,
            kinds=TABLE,
            code_version=CODE_VERSION,
            description=description,
        )
        for name, description in (
            ("round_trips", "Every trade of every scenario: times, fees, slippage, funding, net result, why it ended."),
            ("equity", "Equity at every bar end while anything is held, with the adverse extreme inside the bar."),
        )
    ],
)
def replayed(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Replays the study of one lead on the open parts of its split; what is not traded is skipped with a reason."""
    place, lead_id = place_of(context), context.partition_key
    with explained():
        outcome = replay_lead(place, lead_id)
        shown = {"scenarios": scenario_table(place, lead_id), "equity_plot": equity_plot(place, lead_id)}
    yield materialised(outcome.head("round_trips"), outcome.metadata, shown={"scenarios": shown["scenarios"]})
    yield materialised(outcome.head("equity"), outcome.metadata, shown={"equity_plot": shown["equity_plot"]})
