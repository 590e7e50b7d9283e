import subprocess
import sys

import dagster as dg
import pytest
import yaml

from copytrade_core.promotion.gate_result import Gate
from copytrade_dagster.definitions import defs
from copytrade_dagster.definitions_live import defs as live_defs
from copytrade_dagster.defs.promotion.checks import GATE_CHECKS

BULK = {"bars", "funding", "instruments", "lead_lists", "venue_certificate"}
"""Not partitioned by lead; everything a gate rests on is."""
BY_DAY_AND_LEAD = {"paper_session", "paper_parity", "shadow_orders"}
"""What gates rest on is gathered from these into assets of one lead."""


def graph(definitions):
    return definitions.resolve_asset_graph()


def test_assets_and_checks_are_exactly_the_stored_keys(project_root):
    stored = (project_root / "copytrade_dagster" / "keys.txt").read_text().split()
    found = {
        key.to_user_string()
        for definitions in (defs, live_defs)
        for key in (*graph(definitions).get_all_asset_keys(), *graph(definitions).asset_check_keys)
    }
    assert sorted(found) == stored


def test_every_asset_says_what_it_is_and_who_owns_it():
    for definitions in (defs, live_defs):
        for node in graph(definitions).asset_nodes:
            assert node.description, node.key
            assert node.group_name in {
                "leads",
                "sources",
                "market",
                "evidence",
                "replay",
                "search",
                "preflight",
                "paper",
                "shadow",
                "monitor",
                "live",
            }
            if node.is_materializable:
                assert node.owners, node.key
                assert node.code_version, node.key
                assert node.kinds, node.key


TOLD_EARLY = {
    ("paper_record", "backtest_paper_parity"),
    ("paper_record", "paper_canary_clean"),
    ("monitor_incidents", "monitor_clean"),
}
"""Gates told where their evidence is gathered: they block at `promotion_evidence`. A look that finds an incident, or a
record that is not enough yet, is a good run."""


def test_every_check_blocks_and_says_what_to_do():
    for key in graph(defs).asset_check_keys:
        spec = graph(defs).get_check_spec(key)
        is_early = (key.asset_key.to_user_string(), key.name) in TOLD_EARLY
        assert spec.blocking is not is_early, key
        assert "If " in (spec.description or ""), key
        assert spec.partitions_def is not None, key


def test_the_gates_are_checks_of_the_last_asset():
    keys = {spec.key for checks in GATE_CHECKS for spec in checks.check_specs}
    assert {key.asset_key for key in keys} == {dg.AssetKey("promotion_evidence")}
    assert {key.name for key in keys} == {
        gate.value
        for gate in (
            Gate.SOURCE_QUALITY,
            Gate.EXECUTABLE_FILLS_ONLY,
            Gate.SAMPLE_SIZE,
            Gate.PROFITABILITY,
            Gate.DRAWDOWN,
            Gate.CAPITAL_GROUNDING,
            Gate.ROBUSTNESS,
            Gate.OVERFITTING,
            Gate.HOLDOUT_UNSPENT,
            Gate.ENGINE_EQUIVALENCE,
            Gate.PREFLIGHT_CLEAN,
            Gate.RESTART_CLEAN,
            Gate.BACKTEST_PAPER_PARITY,
            Gate.PAPER_CANARY_CLEAN,
            Gate.SHADOW_CLEAN,
            Gate.MONITOR_CLEAN,
        )
    }


def test_nothing_that_gates_has_a_backfill_policy_or_starts_itself():
    for definitions in (defs, live_defs):
        for node in graph(definitions).asset_nodes:
            assert node.backfill_policy is None, node.key
            assert node.automation_condition is None, node.key
            if node.key.to_user_string() not in BULK:
                assert node.partitions_def is not None
                if node.key.to_user_string() in BY_DAY_AND_LEAD:
                    assert isinstance(node.partitions_def, dg.MultiPartitionsDefinition), node.key
                    assert node.partitions_def.partition_dimension_names == ["day", "lead"], node.key
                else:
                    assert getattr(node.partitions_def, "name", None) == "lead", node.key


def test_no_job_schedule_or_sensor_can_start_live():
    live = dg.AssetKey("live_canary")
    repository = defs.get_repository_def()
    assert live not in graph(defs).get_all_asset_keys()
    assert not live_defs.get_repository_def().schedule_defs
    assert not live_defs.get_repository_def().sensor_defs
    for item in (*repository.schedule_defs, *repository.sensor_defs):
        assert item.default_status.value == "STOPPED"
        assert "live" not in item.name
        assert not {"shadow_canary", "live_canary"} & {target.job_name for target in getattr(item, "targets", [])}


def test_loading_needs_no_venue_and_no_compiler():
    code = (
        "import sys; from copytrade_dagster.definitions import defs; defs.get_repository_def();"
        "print([m for m in ('numba', 'ccxt', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_live_is_a_location_of_its_own(project_root):
    workspace = yaml.safe_load((project_root / "workspace.yaml").read_text())
    modules = {
        one["python_module"]["module_name"]: one["python_module"]["location_name"] for one in workspace["load_from"]
    }
    assert modules == {
        "copytrade_dagster.definitions": "copytrade",
        "copytrade_dagster.definitions_live": "copytrade_live",
    }


def test_the_instance_sends_nothing_and_bounds_every_run(tmp_path, project_root):
    (tmp_path / "dagster.yaml").write_text((project_root / "dagster.yaml").read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 7200
        assert instance.run_retries_enabled is False
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        limits = {(limit["key"], str(limit["value"])): limit["limit"] for limit in queue.tag_concurrency_limits}
        assert limits["step", "session"] < queue.max_concurrent_runs
        # A backfill from an asset's page has no tag of ours on its runs, and two cores.
        assert limits["dagster/backfill", "{'applyLimitPerUniqueValue': True}"] == 2


@pytest.mark.parametrize("cell", ["a|b", "plain"])
def test_a_table_cell_cannot_break_its_table(cell):
    from copytrade_dagster.tables import table

    lines = str(table(("x",), [(cell,)]).md_str).split("\n")
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 2
