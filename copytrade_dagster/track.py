"""Adds a lead to the instance's partitions: what `copytrade track` starts. Prints one JSON line."""

import json
import sys

import dagster as dg

from copytrade_dagster.partitions import LEADS


def track(instance: dg.DagsterInstance, lead_id: str) -> bool:
    """Whether the lead was added (False: it was a partition already)."""
    name = LEADS.name
    assert name is not None, "a dynamic partition has a name"
    if instance.has_dynamic_partition(name, lead_id):
        return False
    instance.add_dynamic_partitions(name, [lead_id])
    return True


if __name__ == "__main__":
    with dg.DagsterInstance.get() as opened:
        added = track(opened, sys.argv[1])
    sys.stdout.write(json.dumps({"added": added}) + "\n")
