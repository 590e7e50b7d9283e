"""Sources: raw pages, rows and episodes of one lead. What a row means is decided in `copytrade_core.sources`."""

from collections.abc import Iterator
from dataclasses import asdict

import dagster as dg

from copytrade_core.edges.stages.episodes import derive_episodes
from copytrade_core.edges.stages.sources import list_source_pages, normalise_lead, poll_lead
from copytrade_dagster.defs.described import CODE_VERSION, HTTP, OWNERS, TABLE
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised, outcome_results
from copytrade_dagster.partitions import LEADS, MARKETS
from copytrade_dagster.resources import PLACE, place_of
from copytrade_dagster.tables import counts


class PollConfig(dg.Config):
    """Whether the source is asked, or only what is archived already is listed (imported pages, a backfill)."""

    poll: bool = True


@dg.asset(
    group_name="sources",
    partitions_def=LEADS,
    owners=OWNERS,
    kinds=HTTP,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Every answer about the lead exactly as received; asks the source unless config says poll: false.",
)
def source_pages(context: dg.AssetExecutionContext, config: PollConfig) -> dg.MaterializeResult:
    """The set of archived pages; its digest changes only when a page is new."""
    place, lead_id = place_of(context), context.partition_key
    with explained():
        polled = asdict(poll_lead(place, lead_id)) if config.poll else {}
        outcome = list_source_pages(place, lead_id)
    pages = outcome.metadata["pages"]
    assert isinstance(pages, dict), "pages are counted by endpoint"
    shown = {"pages_by_endpoint": counts("endpoint", pages)}
    return materialised(outcome.head("source_pages"), {**outcome.metadata, "poll": polled}, shown=shown)


@dg.multi_asset(
    group_name="sources",
    partitions_def=LEADS,
    required_resource_keys={PLACE},
    specs=[
        dg.AssetSpec(
            name,
            deps=[source_pages],
            owners=OWNERS,
            kinds=TABLE,
            code_version=CODE_VERSION,
            description=description,
        )
        for name, description in (
            ("closed_positions", "Usable rows of the closed history, typed and exact. Prices are the lead's averages."),
            ("unusable_rows", "Rows that could not be used, each with its page, place, field and reason."),
        )
    ],
)
def normalised_rows(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """One pass over the pages gives both tables; every row is in exactly one of them or a duplicate."""
    with explained():
        outcome = normalise_lead(place_of(context), context.partition_key)
    rejected = outcome.metadata["rejected"]
    assert isinstance(rejected, dict), "rejects are counted by reason"
    shown = {"rejected_by_reason": counts("reason", rejected)}
    for name in ("closed_positions", "unusable_rows"):
        yield materialised(outcome.head(name), outcome.metadata, shown=shown)


@dg.asset(
    group_name="sources",
    partitions_def=LEADS,
    deps=["closed_positions"],
    owners=OWNERS,
    kinds=TABLE,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="One life of a position each, from first seen to confirmed closed, with how we came to know it.",
)
def episodes(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Episodes of one lead; their markets become partitions of bars and funding."""
    with explained():
        outcome = derive_episodes(place_of(context), context.partition_key)
    markets = outcome.metadata["markets"]
    assert isinstance(markets, list), "markets are listed"
    name = MARKETS.name
    assert name is not None, "the dynamic partitions of markets are named"
    context.instance.add_dynamic_partitions(name, [str(market) for market in markets])
    return outcome_results(outcome, ["episodes"])[0]
