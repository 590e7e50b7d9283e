"""Paper sessions as assets: a past day from the archive, its checks, and the record that the gates read."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG

from copytrade_core.edges.lake_views import connect
from copytrade_core.edges.runtime.session_addresses import addresses_of
from copytrade_core.edges.stages.canary_gates import canary_gate
from copytrade_core.edges.stages.canary_parity import compare_session
from copytrade_core.edges.stages.canary_place import archived_folder
from copytrade_core.edges.stages.canary_store import Gathered, gather, load_session, store_session
from copytrade_core.evidence.parity import Cause
from copytrade_core.promotion.gate_result import Gate, GateVerdict
from copytrade_dagster.definitions import defs
from copytrade_dagster.session_runs import PARTITION_LEAD, SESSION_S_MAX

DAY = "2026-01-03"
SESSION_CHECKS = {"caps_held", "cash_balances", "ids_unique", "no_open_while_halted"}

# Dagster warns about the tags that it makes itself for a two-dimensional key.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")


def run_assets(instance, project, *names, key, **changes) -> Any:
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(name) for name in names],
        partition_key=key,
        raise_on_error=False,
        **changes,
    )


@pytest.fixture
def session_run(project, instance, derived):
    """One paper session of a past day."""
    del derived
    return run_assets(instance, project, "paper_session", key=dg.MultiPartitionKey({"day": DAY, "lead": project.lead}))


def test_a_past_day_is_a_session_told_from_the_archive_that_keeps_every_check(project, instance, session_run):
    assert session_run.success
    checks = {one.check_name: one for one in session_run.get_asset_check_evaluations()}
    assert set(checks) == SESSION_CHECKS
    assert all(one.passed for one in checks.values()), {name: one.description for name, one in checks.items()}
    record = load_session(project.place(), f"{DAY}|{project.lead}")
    assert record.fills
    assert record.ended in {"feed_ended", "deadline"}
    assert record.run_ids == (session_run.run_id,)
    assert not record.is_observed, "the archive was told, nothing was watched"
    run = instance.get_run_by_id(session_run.run_id)
    assert run.tags[PARTITION_LEAD] == project.lead
    # No job of ours gave it tags: its own time and place in the queue are what it said of itself.
    assert (run.tags["step"], run.tags["lead"]) == ("session", project.lead)
    assert int(run.tags[MAX_RUNTIME_SECONDS_TAG]) == SESSION_S_MAX
    materialised = instance.get_latest_materialization_event(dg.AssetKey("paper_session")).asset_materialization
    stored = project.place().lake.require("paper_session", f"{DAY}|{project.lead}")
    assert materialised.metadata["digest"].value == stored.digest


def test_the_page_of_a_session_shows_its_equity_fills_and_refusals_and_that_of_its_parity_every_cause(
    project, instance, session_run
):
    assert session_run.success
    (shown,) = session_run.asset_materializations_for_node("paper_session")
    equity = shown.metadata["equity"].value
    assert equity.startswith("![Equity of the session at marks: 30.00 to ")
    assert "data:image/svg+xml;base64," in equity
    fills = shown.metadata["posted_fills"].value.splitlines()
    record = load_session(project.place(), f"{DAY}|{project.lead}")
    assert len(fills) == 2 + len(record.fills)
    assert "BTC/USDT" in fills[2]
    assert shown.metadata["checks"].value.count("| holds |") == len(SESSION_CHECKS)
    compared = run_assets(
        instance, project, "paper_parity", key=dg.MultiPartitionKey({"day": DAY, "lead": project.lead})
    )
    (parity,) = compared.asset_materializations_for_node("paper_parity")
    columns, _, *rows = parity.metadata["intents"].value.splitlines()
    assert "because of (bps)" in columns
    assert len(rows) == parity.metadata["intents_compared"].value


def test_archived_sessions_are_gathered_and_never_count_as_canary_evidence(project, instance, session_run):
    gathered = run_assets(instance, project, "paper_record", key=project.lead)
    checks = {one.check_name: one for one in gathered.get_asset_check_evaluations()}
    assert set(checks) == {"backtest_paper_parity", "paper_canary_clean"}
    assert not any(one.passed for one in checks.values())
    assert {one.metadata["verdict"].value for one in checks.values()} == {"inconclusive"}
    canary = checks["paper_canary_clean"].metadata
    assert canary["command"].value == f"copytrade canary paper --lead {project.lead} --live"
    (session,) = project.place().lake.document_as("paper_record", project.lead, Gathered).sessions
    assert session.key == f"{DAY}|{project.lead}"
    assert session.entries_count
    assert not session.broken


def test_the_same_day_again_is_another_session_with_the_same_trades(project, instance, session_run):
    key = dg.MultiPartitionKey({"day": DAY, "lead": project.lead})
    place = project.place()
    first = load_session(place, str(key))
    again = run_assets(instance, project, "paper_session", key=key)
    assert again.success
    second = load_session(place, str(key))
    assert [fill.notional for fill in second.fills] == [fill.notional for fill in first.fills]
    assert second.run_ids != first.run_ids
    assert len(list(archived_folder(place.settings, project.lead, "paper", DAY).iterdir())) == 2


def test_a_day_without_events_says_so(project, instance, derived):
    del derived
    key = dg.MultiPartitionKey({"day": "2026-03-01", "lead": project.lead})
    failed = run_assets(instance, project, "paper_session", key=key)
    assert not failed.success
    events = [event for event in failed.all_events if event.is_step_failure]
    assert "no event" in events[0].step_failure_data.user_failure_data.description


def test_a_run_of_paper_sessions_never_loads_what_could_send_an_order(project, project_root, derived):
    """In a process of its own, as a run worker is: what it has imported when the session is over."""
    del derived
    code = f"""
import json, sys
import dagster as dg
from copytrade_dagster.definitions import defs
job = defs.resolve_job_def("paper_canary")
with dg.DagsterInstance.ephemeral() as instance:
    instance.add_dynamic_partitions("lead", [{project.lead!r}])
    key = dg.MultiPartitionKey({{"day": {DAY!r}, "lead": {project.lead!r}}})
    done = job.execute_in_process(instance=instance, partition_key=key, raise_on_error=True,
                                  asset_selection=[dg.AssetKey("paper_session")])
found = sorted(name for name in sys.modules if name.split(".")[0] == "ccxt" or ".edges.venues" in name)
print(json.dumps({{"success": done.success, "found": found}}))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=project.environment,
        cwd=project_root,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"success": True, "found": []}


def test_what_paper_did_is_compared_with_replay_and_every_difference_has_a_cause(project, instance, session_run):
    assert session_run.success
    key = dg.MultiPartitionKey({"day": DAY, "lead": project.lead})
    compared = run_assets(instance, project, "paper_parity", key=key)
    assert compared.success
    document = project.place().lake.document_as("paper_parity", str(key), dict[str, object])
    facts = document["gate_facts"]
    assert facts["compared_count"] > 0
    assert facts["missed"] == []
    assert facts["residual_bps_max"] < 1
    for row in document["rows"]:
        causes = sum(row[f"{cause}_bps"] for cause in (*Cause, "residual"))
        assert causes == pytest.approx(row["total_bps"], abs=1e-6)
    with closing(connect(project.place().lake)) as asked:
        query = "SELECT partition, count(*), max(abs(residual_bps)) < 1 FROM paper_parity_rows GROUP BY partition"
        assert asked.execute(query).fetchall() == [(str(key), len(document["rows"]), True)]


def test_a_price_that_the_market_never_had_is_explained_by_nothing(project, instance, session_run):
    """The journal says that paper bought at another price than the bars of that moment have: a data fault of ours."""
    key = f"{DAY}|{project.lead}"
    place = project.place()
    folder = place.settings.data_dir / str(place.lake.require("paper_session", key).metadata["folder"])
    with closing(sqlite3.connect(folder / "session.sqlite")) as journal, journal:
        journal.execute("UPDATE fills SET raw_price = raw_price * 101 / 100, price = price * 101 / 100")
    # Only a session that watched its lead counts for the gate, so this one is taken for such.
    watched = replace(
        load_session(place, key), is_observed=True, read_at=addresses_of(place.settings, with_venue=False)
    )
    _ = store_session(place, watched, folder=folder)
    _ = compare_session(place, key)
    facts = place.lake.document_as("paper_parity", key, dict[str, Any])["gate_facts"]
    assert facts["residual_bps_max"] > 50
    _ = gather(place, project.lead)
    result, _ = canary_gate(place, project.lead, Gate.BACKTEST_PAPER_PARITY)
    assert result.verdict is GateVerdict.FAIL
    assert "residual_bps_max" in {one.name for one in result.criteria if one.verdict is GateVerdict.FAIL}


def test_what_was_entered_on_a_close_of_a_position_of_the_day_before_is_compared_too(project, instance, derived):
    del derived
    key = dg.MultiPartitionKey({"day": "2026-01-04", "lead": project.lead})
    assert run_assets(instance, project, "paper_session", "paper_parity", key=key).success
    record = load_session(project.place(), str(key))
    entered = {order.episode_id for order in record.orders if order.is_entry}
    assert any(started_ms(episode) < record.started_at_ms for episode in entered), "a position of the day before"
    document = project.place().lake.document_as("paper_parity", str(key), dict[str, Any])
    assert {row["episode_id"] for row in document["rows"]} | set(document["episodes_not_comparable"]) >= entered


def started_ms(episode_id):
    return int(episode_id.rpartition("|")[2])


def test_the_archive_never_takes_the_place_of_a_day_that_was_watched(project, instance, session_run):
    assert session_run.success
    key = dg.MultiPartitionKey({"day": DAY, "lead": project.lead})
    place = project.place()
    seen = replace(load_session(place, str(key)), is_observed=True)
    _ = store_session(place, seen, folder=archived_folder(place.settings, project.lead, "paper", DAY) / "0001")
    again = run_assets(instance, project, "paper_session", key=key)
    assert not again.success
    (failed,) = (event for event in again.all_events if event.is_step_failure)
    assert "watched live" in failed.step_failure_data.user_failure_data.description
    assert load_session(place, str(key)).is_observed
