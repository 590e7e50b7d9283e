"""Checks of market data: gaps and prices. A gap blocks and is never filled."""

import dagster as dg

from copytrade_core.edges.stages import data_checks
from copytrade_dagster.check_results import asked
from copytrade_dagster.defs.market.assets import bars, market_and_month
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import MARKET_MONTHS
from copytrade_dagster.resources import place_of


@blocking_check(
    bars,
    MARKET_MONTHS,
    "No bar is missing inside the month. If one is: import the month from another file; nothing is filled.",
)
def no_gaps(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Looks between the first and the last stored bar of the month."""
    return asked(data_checks.no_gaps, place_of(context), *market_and_month(context.partition_key))


@blocking_check(
    bars,
    MARKET_MONTHS,
    "No unbelievable jump, no silent market. If there is: compare with another source before replaying.",
)
def prices_sane(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Looks for jumps and for bars without volume."""
    return asked(data_checks.prices_sane, place_of(context), *market_and_month(context.partition_key))
