"""The assets that ask somebody, against a real server on loopback that speaks the exchange's dialect."""

from typing import Any

import dagster as dg
import pytest

from copytrade_core.edges.stages.workplace import utc_now
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.bar import PriceOrigin
from copytrade_dagster.definitions import defs
from tests.utc_day import leave_room_before_midnight

MONTH = dg.MultiPartitionKey({"market": "BTC/USDT:USDT", "month": "2026-01"})


@pytest.fixture
def served(project, monkeypatch):
    """The project's settings point at the stand-in, its store is empty."""
    records = records_from_directory(project.root / "pages")
    with running_standin(StandinConfig(records=records, plan=USUAL_PLAN, port=0)) as standin:
        for section in ("SOURCE", "MARKET"):
            monkeypatch.setenv(f"COPYTRADE_{section}__BASE_URL", standin.base_url)
            monkeypatch.setenv(f"COPYTRADE_{section}__REQUEST_INTERVAL_S", "0")
        monkeypatch.setenv("COPYTRADE_DATA_DIR", str(project.root / "fresh"))
        yield standin


@pytest.fixture
def materialise(instance):
    def run(*names: str, partition: str) -> dict[str, Any]:
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(name) for name in names], partition_key=partition
        )
        events: list[Any] = [event for event in result.all_events if event.is_step_materialization]
        return {str(event.asset_key.path[-1]): event.step_materialization_data.materialization for event in events}

    return run


@pytest.mark.usefixtures("served")
def test_a_lead_is_polled_and_its_pages_become_rows(materialise, project):
    made = materialise(
        "lead_details", "source_pages", "closed_positions", "unusable_rows", "episodes", partition=project.lead
    )
    assert made["closed_positions"].metadata["normalised"].value == 12
    assert made["source_pages"].metadata["poll"].value["short_by"] == 0
    assert made["episodes"].metadata["markets"].value == ["BTC/USDT:USDT"]


@pytest.mark.usefixtures("served")
def test_bars_funding_and_rules_are_fetched_once_and_labelled_simulated(materialise):
    _ = materialise("instruments", partition="BTC/USDT:USDT")
    made = materialise("bars", "funding", partition=MONTH)
    assert made["bars"].metadata["origin"].value == PriceOrigin.SIMULATED.value
    assert made["bars"].metadata["fetched_count"].value == made["bars"].metadata["bars"].value > 0
    again = materialise("bars", partition=MONTH)
    assert again["bars"].metadata["digest"] == made["bars"].metadata["digest"]


@pytest.mark.usefixtures("served")
def test_todays_lead_list_is_kept_and_no_other_day_can_be_read(materialise):
    leave_room_before_midnight()
    made = materialise("lead_lists", partition=f"{utc_now():%Y-%m-%d}")
    assert made["lead_lists"].metadata["pages"].value > 0
    with pytest.raises(dg.Failure, match="no past"):
        _ = materialise("lead_lists", partition="2026-01-01")


@pytest.mark.parametrize("lie", [0, 4])
def test_a_list_that_claims_more_leads_than_it_shows_fails_its_blocking_check(served, instance, lie):
    served.control.set_faults([Fault(kind=FaultKind.LYING_TOTAL, path="query-list", count=lie)] if lie else [])
    leave_room_before_midnight()
    today = f"{utc_now():%Y-%m-%d}"
    result = defs.resolve_job_def("read_lead_lists").execute_in_process(
        instance=instance, partition_key=today, raise_on_error=False
    )
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.partition) == ("universe_complete", today)
    assert (check.passed, check.blocking, result.success) == (not lie, True, not lie)
    assert str(check.description).startswith(f"ROI 30D: 1 of {1 + lie} leads")
