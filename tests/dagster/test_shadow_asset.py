"""Shadow orders as an asset: a past day at a venue's stand-in, its table and its gate, and what a run may load."""

from __future__ import annotations

import dagster as dg
import pytest

from copytrade_core.edges.stages.canary_shadow import KEY
from copytrade_core.model.venue import Venue
from copytrade_dagster.definitions import defs
from tests.shadow_floor import nothing_was_sent, venue_beside

DAY = "2026-01-03"
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")


def run_shadow(instance, project):
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey("shadow_orders")],
        partition_key=dg.MultiPartitionKey({"day": DAY, "lead": project.lead}),
        raise_on_error=False,
    )


def test_a_past_day_is_a_table_of_desired_orders_and_no_evidence(project, instance, derived, monkeypatch):
    del derived
    with venue_beside(project.place(), Venue.BINGX, monkeypatch) as (_, standin):
        done = run_shadow(instance, project)
        assert nothing_was_sent(standin)
    assert done.success
    stored = project.place().lake.require("shadow_orders", f"{DAY}|{project.lead}")
    event = instance.get_latest_materialization_event(dg.AssetKey("shadow_orders")).asset_materialization
    assert event.metadata["digest"].value == stored.digest
    orders = event.metadata["orders"].value
    table = event.metadata["desired_orders"].value
    assert orders > 0
    assert table.count("\n") == orders + 1, "one row for each, below the head"
    assert event.metadata["dagster/row_count"].value == orders
    first = dict(
        zip(*([cell.strip() for cell in table.split("\n")[row].strip("|").split("|")] for row in (0, 2)), strict=True)
    )
    assert (first["does"], first["market"], first["fault"]) == ("buy long", "BTC/USDT", "none")
    assert {"side BUY", "positionSide LONG", "type MARKET"} <= set(first["request"].split(", "))
    (gate,) = done.get_asset_check_evaluations()
    assert (gate.check_name, gate.passed, gate.severity) == ("shadow_clean", False, dg.AssetCheckSeverity.WARN)
    assert gate.metadata["verdict"].value == "inconclusive", "nobody watched: the archive was told"
    assert gate.metadata["command"].value == f"copytrade canary shadow --lead {project.lead} --live"


def test_without_a_key_the_run_says_what_to_set(project, instance, derived, monkeypatch):
    del derived
    with venue_beside(project.place(), Venue.BINGX, monkeypatch) as (_, standin):
        monkeypatch.delenv(KEY)
        failed = run_shadow(instance, project)
        assert standin.control.ledger().calls == {}
    assert not failed.success
    events = [event for event in failed.all_events if event.is_step_failure]
    told = events[0].step_failure_data.user_failure_data
    assert told is not None
    assert f"{KEY}_FILE" in str(told.description)
