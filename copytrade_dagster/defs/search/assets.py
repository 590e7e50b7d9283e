"""Search: trials of policies on a lead, their report, the champion, and what the holdout's ledger says.

How a search is run is decided in `copytrade_core.search`. It is imported where it runs: it brings a compiler.
"""

import dagster as dg

from copytrade_core.edges.stages.holdout import store_holdout_result
from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS, TABLE
from copytrade_dagster.defs.evidence.assets import split_manifest
from copytrade_dagster.defs.replay.assets import MARKET_DATA
from copytrade_dagster.defs.search.tables import counts_of, finalists_table
from copytrade_dagster.defs.sources.assets import episodes
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import PLACE, place_of


class SearchConfig(dg.Config):
    """What is searched; what is left out comes from copytrade.toml (the first of [policies], section [search])."""

    strategy: str | None = None
    space: str | None = None
    trials: int | None = None
    seed: int | None = None
    sampler: str = "phases"


@dg.asset(
    group_name="search",
    partitions_def=LEADS,
    owners=OWNERS,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=[episodes, split_manifest, "round_trips", *MARKET_DATA],
    kinds=TABLE,
    description="Every policy that the search tried on the train signals; the registry keeps them for ever. Resumable.",
)
def trials(context: dg.AssetExecutionContext, config: SearchConfig) -> dg.MaterializeResult:
    """Samples batch after batch; a run that was killed goes on after its last whole batch."""
    from copytrade_core.edges.stages.search import make_trials
    from copytrade_dagster.defs.search.request import logged, request_of

    with explained():
        request = request_of(context.partition_key, **config.model_dump())
        outcome = make_trials(place_of(context), request, logged(context.log.info))
    shown = {"by_origin": counts_of(outcome, "by_origin"), "by_status": counts_of(outcome, "by_status")}
    metadata = {name: value for name, value in outcome.metadata.items() if name not in {"batches", *shown}}
    return materialised(outcome.head("trials"), metadata, shown=shown)


@dg.asset(
    group_name="search",
    partitions_def=LEADS,
    owners=OWNERS,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=[trials],
    kinds=DOCUMENT,
    description="The search judged: finalists on validation, neighbours, both engines, luck; champion or reasons.",
)
def search_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Judges, stores and renders the newest search of one lead."""
    from copytrade_core.edges.lead_search import render_search
    from copytrade_core.edges.stages.search import make_report

    place, lead_id = place_of(context), context.partition_key
    with explained():
        outcome = make_report(place, lead_id)
        paths = render_search(place, lead_id)
    shown = {"finalists": finalists_table(place, lead_id), "html": dg.MetadataValue.path(str(paths.html))}
    return materialised(outcome.head("search_report"), outcome.metadata, shown=shown)


@dg.asset(
    group_name="search",
    partitions_def=LEADS,
    owners=OWNERS,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=[search_report],
    kinds=DOCUMENT,
    description="The policy that survived everything but the holdout, as a policy file, or why there is none.",
)
def champion_policy(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Names the champion of the stored report."""
    from copytrade_core.edges.stages.search import make_champion

    with explained():
        outcome = make_champion(place_of(context), context.partition_key)
    return materialised(outcome.head("champion_policy"), outcome.metadata)


@dg.asset(
    group_name="search",
    partitions_def=LEADS,
    owners=OWNERS,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=[champion_policy],
    kinds=DOCUMENT,
    description="What the ledger says of this lead's holdout. It opens nothing: `copytrade holdout open` does.",
)
def holdout_result(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Closed, opened or spent, with every opening of this lead."""
    with explained():
        outcome = store_holdout_result(place_of(context), context.partition_key)
    return materialised(outcome.head("holdout_result"), outcome.metadata)
