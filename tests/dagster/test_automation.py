from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from copytrade_core.edges.stages.episodes import derive_episodes
from copytrade_core.edges.stages.sources import import_pages, list_source_pages, normalise_lead
from copytrade_dagster.automation import (
    WITHOUT_POLL,
    daily_bars,
    daily_lead_lists,
    daily_reports,
    hourly_poll,
    missing_bars,
    new_pages,
)
from copytrade_dagster.definitions import defs


@pytest.fixture
def instance(project, tmp_path):
    """Sensors and schedules open the instance themselves, so it must be one on disk."""
    (tmp_path / "instance").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as made:
        made.add_dynamic_partitions("lead", [project.lead])
        made.add_dynamic_partitions("market", [project.market])
        yield made


def ticked(schedule, context) -> Any:
    return schedule(context)


def asked(sensor, place, instance) -> Any:
    repository = defs.get_repository_def()
    with (
        dg.build_sensor_context(
            instance=instance, resources={"place": place}, repository_def=repository, sensor_name=sensor.name
        ) as context,
        partition_loading_context(dynamic_partitions_store=instance),
    ):
        return sensor.evaluate_tick(context)


def test_a_new_page_asks_for_one_run_of_its_lead_under_its_digest(project, instance):
    place = project.place()
    (request,) = asked(new_pages, place, instance).run_requests
    assert request.run_key == f"{project.lead}:{place.archive.digest(project.lead)}"
    assert request.partition_key == project.lead
    assert request.run_config == WITHOUT_POLL


def test_the_same_pages_keep_their_run_key_and_another_page_changes_it(project, instance, more_pages):
    place = project.place()
    (first,) = asked(new_pages, place, instance).run_requests
    _ = import_pages(place, project.root / "pages", lead_id=None)
    (again,) = asked(new_pages, place, instance).run_requests
    assert again.run_key == first.run_key
    _ = import_pages(place, more_pages, lead_id=None)
    (other,) = asked(new_pages, place, instance).run_requests
    assert other.run_key != first.run_key


def test_a_lead_that_was_imported_becomes_a_partition(project, instance):
    instance.delete_dynamic_partition("lead", project.lead)
    _ = asked(new_pages, project.place(), instance)
    assert instance.get_dynamic_partitions("lead") == [project.lead]


def test_an_empty_archive_asks_for_nothing(tmp_path, project, instance, monkeypatch):
    monkeypatch.setenv("COPYTRADE_DATA_DIR", str(tmp_path / "empty"))
    from copytrade_core.edges.settings import load_settings
    from copytrade_core.edges.stages.workplace import open_workplace

    place = open_workplace(load_settings())
    assert asked(new_pages, place, instance).skip_message == "No page is archived."
    assert asked(missing_bars, place, instance).skip_message == "Every month that a lead needs has bars."


# Dagster warns about the tags that it makes itself for a two-dimensional key.
@pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")
def test_months_without_bars_are_asked_for_and_no_others(project, instance):
    place = project.place()
    for stage in (list_source_pages, normalise_lead, derive_episodes):
        _ = stage(place, project.lead)
    assert not asked(missing_bars, place, instance).run_requests
    (place.lake.root / "heads" / "bars").rename(place.lake.root / "away")
    (request,) = asked(missing_bars, place, instance).run_requests
    assert request.partition_key == "BTC/USDT:USDT|2026-01"


@pytest.mark.parametrize(
    ("at", "months"),
    [
        (datetime(2026, 2, 1, 0, 15, tzinfo=UTC), {"2026-01", "2026-02"}),
        (datetime(2026, 2, 9, tzinfo=UTC), {"2026-02"}),
    ],
)
def test_bars_are_asked_for_by_market_and_month(instance, at, months):
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at)
    assert {one.partition_key for one in ticked(daily_bars, context)} == {f"BTC/USDT:USDT|{month}" for month in months}


def test_every_tracked_lead_is_polled_hourly_and_lists_are_read_daily(instance, project):
    at = datetime(2026, 2, 9, tzinfo=UTC)
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=at)
    assert [one.partition_key for one in ticked(hourly_poll, context)] == [project.lead]
    assert ticked(daily_lead_lists, context).partition_key == "2026-02-09"
    assert hourly_poll.cron_schedule == "0 * * * *"
    (report,) = ticked(daily_reports, context)
    assert (report.partition_key, report.run_config) == (project.lead, WITHOUT_POLL), "judged again, nobody asked"
