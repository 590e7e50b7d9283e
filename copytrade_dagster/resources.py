"""What assets and checks work with. Settings are read when a run starts, so a run sees the environment it was given."""

import dagster as dg

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.workplace import Workplace, open_workplace

PLACE = "place"
"""Key of the resource that every asset and check needs."""


@dg.resource(description="Settings, raw archive and lake of COPYTRADE_DATA_DIR.")
def place_resource(_: dg.InitResourceContext) -> Workplace:
    """The stores that the settings name."""
    return open_workplace(load_settings())


def place_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Workplace:
    """The workplace of a run."""
    place = context.resources.place
    assert isinstance(place, Workplace), "the resource `place` is a workplace"
    return place
