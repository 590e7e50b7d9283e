import shutil
from typing import Any

import dagster as dg
import polars as pl
import pytest

from copytrade_dagster.definitions import defs

LINE = [
    "source_pages",
    "closed_positions",
    "unusable_rows",
    "episodes",
    "split_manifest",
    "round_trips",
    "equity",
    "evidence_report",
    "promotion_evidence",
]


def made(result) -> dict[str, Any]:
    events = [event for event in result.all_events if event.is_step_materialization]
    return {event.asset_key.to_user_string(): event.step_materialization_data.materialization for event in events}


def checked(result) -> dict[str, Any]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def check_alone(instance, asset: str, name: str, *, partition_key):
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(asset), name))
    job = dg.Definitions.merge(defs, dg.Definitions(jobs=[dg.define_asset_job("check_alone", selection)]))
    # A job of checks only has no partitions of its own in 1.13: the tag is what carries the key.
    result = job.resolve_job_def("check_alone").execute_in_process(
        instance=instance, tags={"dagster/partition": str(partition_key)}, raise_on_error=False
    )
    return checked(result)[name]


def test_one_run_goes_from_pages_to_gates_although_some_gates_do_not_pass(derive, project):
    result = derive()
    assert sorted(made(result)) == sorted(LINE)
    place = project.place()
    for name, materialisation in made(result).items():
        head = place.lake.require(name, project.lead)
        assert materialisation.partition == project.lead
        assert (name, materialisation.tags["dagster/data_version"]) == (name, head.digest)
        assert materialisation.metadata["digest"].value == head.digest
    checks = checked(result)
    unmet = {
        *("profitability", "robustness", "overfitting", "engine_equivalence"),
        *("preflight_clean", "restart_clean"),
        *("backtest_paper_parity", "paper_canary_clean", "shadow_clean", "monitor_clean"),
    }
    assert {name for name, check in checks.items() if not check.passed} == unmet
    assert checks["profitability"].metadata["verdict"].value in {"fail", "inconclusive"}
    assert checks["robustness"].severity is dg.AssetCheckSeverity.ERROR
    for name in ("drawdown", "sample_size"):
        assert checks[name].partition == project.lead
        assert checks[name].metadata["digest"].value == place.lake.require("promotion_evidence", project.lead).digest


def test_the_same_inputs_give_the_same_data_versions(derive):
    first, second = made(derive()), made(derive())
    versions = [{name: one.tags["dagster/data_version"] for name, one in run.items()} for run in (first, second)]
    assert versions[0] == versions[1]


def test_materialisations_show_tables_and_a_picture(derived):
    shown = derived
    assert "| gate | verdict |" in shown["promotion_evidence"].metadata["gate_table"].md_str
    assert "data:image/svg+xml;base64," in shown["equity"].metadata["equity_plot"].md_str
    assert "| strategy | scenario |" in shown["round_trips"].metadata["scenarios"].md_str
    assert shown["evidence_report"].metadata["html"].value.endswith("report.html")


def test_episodes_name_the_markets_whose_bars_are_needed(derive, project, instance):
    instance.delete_dynamic_partition("market", project.market)
    _ = derive()
    assert instance.get_dynamic_partitions("market") == [project.market]


def test_old_pages_block_everything_made_from_them(derive, project):
    contract = project.root / "settings" / "promotion.toml"
    text = contract.read_text().replace("source_age_s_max = { value = 86_400", "source_age_s_max = { value = 0")
    contract.write_text(text)
    result = derive()
    assert list(made(result)) == ["source_pages"]
    assert not checked(result)["pages_fresh"].passed
    assert "s old" in checked(result)["pages_fresh"].description


def test_a_lost_row_is_noticed(derived, project, instance):
    place = project.place()
    frame = place.lake.table("closed_positions", project.lead)
    head = place.lake.require("closed_positions", project.lead)
    _ = place.lake.put_table(
        "closed_positions",
        project.lead,
        frame.head(frame.height - 1),
        schema_version=head.schema_version,
        code_version=head.code_version,
        parents=head.parents,
    )
    found = check_alone(instance, "closed_positions", "rows_accounted", partition_key=project.lead)
    assert not found.passed
    assert found.description == "12 rows = 11 usable + 0 unusable + 0 duplicates"


def test_a_profit_that_its_prices_do_not_give_is_noticed(derived, project, instance):
    assert check_alone(instance, "closed_positions", "rows_consistent", partition_key=project.lead).passed
    place = project.place()
    frame = place.lake.table("closed_positions", project.lead)
    head = place.lake.require("closed_positions", project.lead)
    _ = place.lake.put_table(
        "closed_positions",
        project.lead,
        frame.with_columns(closing_pnl_e8=-pl.col("closing_pnl_e8")),
        schema_version=head.schema_version,
        code_version=head.code_version,
        parents=head.parents,
    )
    found = check_alone(instance, "closed_positions", "rows_consistent", partition_key=project.lead)
    assert not found.passed
    assert "12 publish another profit" in found.description
    assert found.severity is dg.AssetCheckSeverity.ERROR


def test_a_lead_that_nobody_polled_fails_with_what_to_do(project, instance):
    instance.add_dynamic_partitions("lead", ["1"])
    job = defs.resolve_job_def("derive_lead")
    result = job.execute_in_process(
        instance=instance,
        partition_key="1",
        run_config={"ops": {"source_pages": {"config": {"poll": False}}}},
        raise_on_error=False,
    )
    failed = next(event for event in result.all_events if event.is_step_failure)
    said: Any = failed.step_failure_data.user_failure_data
    assert "no page of lead 1 is archived" in said.description
    assert "copytrade poll --lead 1" in said.metadata["next_step"].value


@pytest.mark.parametrize(("leave_out", "passes"), [(None, True), (700, False)])
def test_a_missing_bar_fails_its_month(project, instance, store_market, leave_out, passes):
    shutil.rmtree(project.root / "data")
    store_market(project.place(), leave_out=leave_out)
    month = dg.MultiPartitionKey({"market": project.market, "month": "2026-01"})
    assert check_alone(instance, "bars", "no_gaps", partition_key=month).passed is passes
    assert check_alone(instance, "bars", "prices_sane", partition_key=month).passed


def test_the_round_trips_in_the_lake_are_the_ones_that_were_counted(derived, project):
    metadata = derived["round_trips"].metadata
    frame = project.place().lake.table("round_trips", project.lead)
    assert metadata["dagster/row_count"].value == frame.height
    assert frame.filter(pl.col("scenario").str.ends_with(": as assumed")).height == metadata["trades_count"].value > 0
