"""One way to declare a check of a partitioned asset: blocking, unless it only tells early what a gate asks later."""

import warnings
from collections.abc import Callable

import dagster as dg
from dagster_shared.utils.warnings import PreviewWarning

from copytrade_dagster.resources import PLACE

CheckBody = Callable[[dg.AssetCheckExecutionContext], dg.AssetCheckResult]


def telling_check(
    asset: dg.AssetsDefinition | dg.AssetKey, partitions: dg.PartitionsDefinition, description: str
) -> Callable[[CheckBody], dg.AssetChecksDefinition]:
    """Declares a gate where its evidence is made. It blocks at the last asset: there is more to gather meanwhile."""
    return blocking_check(asset, partitions, description, blocks=False)


def blocking_check(
    asset: dg.AssetsDefinition | dg.AssetKey,
    partitions: dg.PartitionsDefinition,
    description: str,
    *,
    name: str | None = None,
    blocks: bool = True,
) -> Callable[[CheckBody], dg.AssetChecksDefinition]:
    """Declares a check that blocks what is downstream. `description` says what it proves and what to do if it fails."""

    def declare(body: CheckBody) -> dg.AssetChecksDefinition:
        with warnings.catch_warnings():
            # Partitioned checks are a preview of 1.13; the body is a pure question, so only this line depends on them.
            warnings.simplefilter("ignore", PreviewWarning)
            return dg.asset_check(
                asset=asset,
                name=name,
                blocking=blocks,
                partitions_def=partitions,
                required_resource_keys={PLACE},
                description=description,
            )(body)

    return declare
