"""Preflight: what is certified of a venue, and orders rehearsed against its stand-in. No venue is ever contacted.

The client of the venues is imported where it runs: a paper or replay process never loads it.
"""

import dagster as dg

from copytrade_dagster.defs.described import CODE_VERSION, DOCUMENT, OWNERS
from copytrade_dagster.defs.preflight.tables import coverage_table, scenarios_table
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import materialised
from copytrade_dagster.partitions import LEADS, VENUES
from copytrade_dagster.resources import PLACE, place_of


class PreflightConfig(dg.Config):
    """How much is rehearsed; what is left out comes from copytrade.toml (section [preflight])."""

    venue: str | None = None
    seeds: int | None = None


@dg.asset(
    group_name="preflight",
    partitions_def=VENUES,
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    description="What the installed client sends to a venue for each call, its error table, and what is only assumed.",
)
def venue_certificate(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Makes every call once against a stand-in on loopback."""
    from copytrade_core.edges.stages.certify import certify_venue
    from copytrade_core.model.venue import Venue

    with explained():
        outcome = certify_venue(place_of(context), Venue(context.partition_key))
    return materialised(outcome.head("venue_certificate"), outcome.metadata)


@dg.asset(
    group_name="preflight",
    partitions_def=LEADS,
    owners=OWNERS,
    kinds=DOCUMENT,
    code_version=CODE_VERSION,
    required_resource_keys={PLACE},
    deps=[venue_certificate],
    description="Scenarios and seeded fault schedules with crashes, run through the real broker, judged at the venue.",
)
def preflight_result(context: dg.AssetExecutionContext, config: PreflightConfig) -> dg.MaterializeResult:
    """Rehearses the policy that gates judge and stores what came of it, good or bad."""
    from copytrade_core.edges.stages.preflight import run_preflight
    from copytrade_dagster.defs.preflight.request import logged, request_of

    with explained():
        place = place_of(context)
        request = request_of(place, context.partition_key, **config.model_dump())
        found = run_preflight(place, request, logged(context.log.info))
    assert found.outcome is not None, "a whole preflight is stored"
    shown = {"coverage": coverage_table(found.payload), "scenarios": scenarios_table(found.payload)}
    return materialised(found.outcome.head("preflight_result"), found.outcome.metadata, shown=shown)
