"""Market: trading rules, bars and funding, by market and month. Gaps stay gaps."""

import dagster as dg

from copytrade_core.edges.stages.instruments import fetch_instruments
from copytrade_core.edges.stages.market import fetch_bars, fetch_funding
from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS, TABLE
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import outcome_results
from copytrade_dagster.partitions import MARKET_MONTHS, MARKETS
from copytrade_dagster.resources import PLACE, place_of


def market_and_month(key: str) -> tuple[str, str]:
    """The two dimensions of a partition key `BTC/USDT:USDT|2026-01`."""
    market, _, month = key.rpartition("|")
    return market, month


@dg.asset(
    group_name="market",
    partitions_def=MARKETS,
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Tick, step and minimums of a market as the exchange states them today, with their as-of date.",
)
def instruments(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Asks the exchange for its present trading rules."""
    with explained():
        return outcome_results(fetch_instruments(place_of(context), context.partition_key), ["instruments"])[0]


@dg.asset(
    group_name="market",
    partitions_def=MARKET_MONTHS,
    owners=OWNERS,
    kinds=TABLE,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Closed bars of one market and month in integer ticks; only missing ones are fetched, gaps stay gaps.",
)
def bars(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Fetches what the store lacks of a month; imported bars are kept and never overwritten."""
    with explained():
        return outcome_results(fetch_bars(place_of(context), *market_and_month(context.partition_key)), ["bars"])[0]


@dg.asset(
    group_name="market",
    partitions_def=MARKET_MONTHS,
    owners=OWNERS,
    kinds=TABLE,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="Funding payments of one market and month, as published.",
)
def funding(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Fetches a month's funding."""
    with explained():
        return outcome_results(fetch_funding(place_of(context), *market_and_month(context.partition_key)), ["funding"])[
            0
        ]
