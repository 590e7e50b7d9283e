"""A search in Dagster: its assets, their lineage, and checks that fail when what they look at was changed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from copytrade_core.edges.lead_search import named_policies
from copytrade_core.edges.stages.holdout import open_holdout
from copytrade_core.edges.stages.holdout_plan import plan_opening
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_dagster.definitions import defs
from tests.replay.kernel_mutants import MUTANTS, planted
from tests.small_lead import LEAD, place_of, small_project

LINE = ["trials", "search_report", "champion_policy", "holdout_result"]
REAL_LEAD = "4751838302089254401"
CHECK_ALONE = """
import json
import sys

import dagster as dg

from copytrade_core.replay import kernel
from copytrade_dagster.definitions import defs

lead = sys.argv[1]
selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("trials"), "kernel_equals_reference"))
job = dg.Definitions.merge(defs, dg.Definitions(jobs=[dg.define_asset_job("check_alone", selection)]))
with dg.DagsterInstance.ephemeral() as instance:
    instance.add_dynamic_partitions("lead", [lead])
    result = job.resolve_job_def("check_alone").execute_in_process(
        instance=instance, tags={"dagster/partition": lead}, raise_on_error=False
    )
    (found,) = result.get_asset_check_evaluations()
print(json.dumps({"passed": found.passed, "says": found.description, "kernel": kernel.__file__}))
"""


@pytest.fixture(scope="module")
def searched(tmp_path_factory, project_root) -> Path:
    """A small lead after one run of the job; the contract lets its best be the champion."""
    root = tmp_path_factory.mktemp("dagster_search") / "project"
    config = small_project(root, project_root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPYTRADE_CONFIG", str(config))
        assert run_job().success
    return root


@pytest.fixture
def root(searched, tmp_path, monkeypatch) -> Path:
    """A copy of it, with its settings in force."""
    copy = tmp_path / "project"
    shutil.copytree(searched, copy)
    monkeypatch.setenv("COPYTRADE_CONFIG", str(copy / "settings/copytrade.toml"))
    return copy


def place(root: Path) -> Workplace:
    return place_of(root / "settings/copytrade.toml")


def run_job(**config: object) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("lead", [LEAD])
        return defs.resolve_job_def("search_lead").execute_in_process(
            instance=instance,
            partition_key=LEAD,
            run_config={"ops": {"trials": {"config": config}}} if config else None,
            raise_on_error=False,
        )


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def made(result: dg.ExecuteInProcessResult) -> list[str]:
    keys = [event.asset_key for event in result.all_events if event.is_step_materialization]
    return [key.to_user_string() for key in keys if key is not None]


def test_one_run_goes_from_trials_to_the_holdout_and_every_check_passes(root):
    result = run_job()
    assert made(result) == LINE
    checks = checks_of(result)
    assert {name: check.passed for name, check in checks.items()} == {
        "kernel_equals_reference": True,
        "plateau_is_flat": True,
        "overfitting_within_gate": True,
        "holdout_unspent": True,
    }
    store = place(root)
    for event in result.all_events:
        if event.is_step_materialization:
            found = event.step_materialization_data.materialization
            head = store.lake.require(found.asset_key.to_user_string(), LEAD)
            assert found.tags is not None
            assert found.tags["dagster/data_version"] == head.digest
    assert checks["kernel_equals_reference"].metadata["digest"].value == store.lake.require("trials", LEAD).digest


def test_the_command_line_and_dagster_store_the_same(root, monkeypatch, capsys):
    from copytrade_core.cli.app import main

    before = {name: place(root).lake.require(name, LEAD).digest for name in LINE[:3]}
    _ = capsys.readouterr()
    assert main(["search", "--lead", LEAD, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digests"] == before


def test_run_config_chooses_what_is_searched(root):
    result = run_job(trials=12, seed=4, sampler="random", space="tiny", strategy="against")
    head = place(root).lake.require("trials", LEAD)
    assert result.success is False or made(result) == LINE
    by_origin = head.metadata["by_origin"]
    assert isinstance(by_origin, dict)
    assert by_origin["random"] == 12
    assert not run_job(sampler="manual").success


def test_under_the_real_limits_the_checks_say_why_there_is_no_champion_and_block_nothing(root, project_root):
    shutil.copy(project_root / "settings/promotion.toml", root / "settings/promotion.toml")
    result = run_job()
    assert made(result) == LINE
    checks = checks_of(result)
    assert checks["kernel_equals_reference"].passed
    assert not checks["overfitting_within_gate"].passed
    assert not checks["plateau_is_flat"].passed
    assert checks["overfitting_within_gate"].severity is dg.AssetCheckSeverity.WARN
    assert "INCONCLUSIVE" in (checks["overfitting_within_gate"].description or "")


def test_limits_that_were_tightened_since_fail_the_stored_champion(root, project_root):
    from copytrade_core.edges.stages.search_checks import overfitting_within_gate

    assert overfitting_within_gate(place(root), LEAD).passed
    shutil.copy(project_root / "settings/promotion.toml", root / "settings/promotion.toml")
    answer = overfitting_within_gate(place(root), LEAD)
    assert not answer.passed
    assert "deflated Sharpe ratio" in answer.says


def test_a_plateau_that_is_asked_to_be_flatter_fails_the_stored_champion(root):
    from copytrade_core.edges.stages.search_checks import plateau_is_flat
    from copytrade_core.model.errors import NotStored

    search = root / "settings/search.toml"
    search.write_text(search.read_text().replace("neighbours_count_min = 10", "neighbours_count_min = 1000"))
    with pytest.raises(NotStored, match="other data, assumptions or settings"):
        _ = plateau_is_flat(place(root), LEAD)


def test_a_holdout_opened_for_the_champion_passes_and_for_another_fails(root):
    store = place(root)
    _ = open_holdout(store, plan_opening(store, LEAD, load_policies(store.settings)["against"]), by="somebody")
    check = checks_of(run_job())["plateau_is_flat"]
    assert not check.passed
    assert "the holdout is spent" in (check.description or "")
    from copytrade_core.edges.stages.search_checks import holdout_unspent

    answer = holdout_unspent(store, LEAD)
    assert not answer.passed
    assert "somebody" in answer.says


@pytest.mark.parametrize("harm", ["edited", "deleted"])
def test_a_ledger_that_was_edited_or_cut_fails_its_check(root, harm):
    from copytrade_core.edges.stages.holdout_plan import champion_of
    from copytrade_core.edges.stages.search_checks import holdout_unspent

    store = place(root)
    _ = open_holdout(store, plan_opening(store, LEAD, champion_of(store, LEAD)), by="me")
    assert holdout_unspent(store, LEAD).passed
    (file,) = (root / "data/registry").glob("holdout*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(
        b"".join(lines[1:]) if harm == "deleted" else file.read_bytes().replace(b'"by":"me"', b'"by":"us"')
    )
    answer = holdout_unspent(store, LEAD)
    assert not answer.passed
    assert "ledger" in answer.says


def test_trials_that_are_not_those_of_the_registry_are_noticed(root):
    from copytrade_core.edges.stages.search_checks import kernel_equals_reference
    from copytrade_core.model.errors import StoreFault

    registry = root / "data/registry/trials"
    sorted(registry.glob("*.parquet"))[2].unlink()
    with pytest.raises(StoreFault):
        _ = kernel_equals_reference(place(root), LEAD)


def check_in_a_process(folder: Path, config: Path, lead: str, *, compiled: bool) -> dict[str, object]:
    """`kernel_equals_reference` in a process whose engine is the one in `folder`."""
    environment = {
        **os.environ,
        "COPYTRADE_CONFIG": str(config),
        "PYTHONPATH": str(folder),
        "NUMBA_DISABLE_JIT": "0" if compiled else "1",
    }
    command = [sys.executable, "-c", CHECK_ALONE, lead]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kernel"].startswith(str(folder)), "another kernel was loaded"
    return found


@pytest.mark.parametrize("name", [None, "fee_rounded_down"])
def test_a_fault_in_the_kernel_fails_the_check_with_the_first_differing_fill(root, tmp_path, project_root, name):
    mutant = next((one for one in MUTANTS if one.name == name), None)
    assert (mutant is None) == (name is None)
    folder = planted(project_root, tmp_path / "planted", mutant)
    found = check_in_a_process(folder, root / "settings/copytrade.toml", LEAD, compiled=False)
    if name is None:
        assert found["passed"], found["says"]
    else:
        assert not found["passed"]
        said = str(found["says"])
        assert said.startswith("REJECTED_FOR_SEARCH")
        assert "reference: " in said
        assert "fast: " in said
        assert named_policies(place(root), LEAD).trial is not None
