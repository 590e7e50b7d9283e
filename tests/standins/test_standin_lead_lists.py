"""The lead-list stage against the stand-in: what is stored, and what `universe_complete` says of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from copytrade_core.edges.pages.http_pages import LISTS
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.data_checks import DataCheck, universe_complete
from copytrade_core.edges.stages.leads import LISTED, poll_lead_detail, poll_lead_lists, stored_lists
from copytrade_core.edges.stages.workplace import Workplace, open_workplace
from copytrade_core.edges.standins.binance import BinanceStandin, StandinConfig, running_standin
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import LeadRecord
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.source import Endpoint
from copytrade_core.sources.envelope import Blocked

DAY = "2026-05-19"
COUNT = 65
"""Three pages of a list: 30, 30 and 5 leads."""


def second_page(kind: FaultKind) -> Fault:
    """The second page of the first list fails, under both known paths."""
    return Fault(kind=kind, first_call=2, last_call=3)


@pytest.fixture(scope="module")
def many_leads(sample_config: StandinConfig) -> Generator[BinanceStandin]:
    row = sample_config.records[0].history[:1]
    records = tuple(LeadRecord(lead_id=str(10**18 + number), history=row, saved={}) for number in range(COUNT))
    with running_standin(replace(sample_config, records=records)) as standin:
        yield standin


@pytest.fixture
def place_at(project_root: Path, tmp_path: Path) -> Callable[[BinanceStandin], Workplace]:
    """A workplace whose source is that stand-in, without faults."""

    def at(standin: BinanceStandin) -> Workplace:
        standin.control.set_faults([])
        environ = {
            "COPYTRADE_SOURCE__BASE_URL": standin.base_url,
            "COPYTRADE_SOURCE__REQUEST_INTERVAL_S": "0",
            "COPYTRADE_SOURCE__ATTEMPTS_MAX": "2",
            "COPYTRADE_SOURCE__BACKOFF_INITIAL_S": "0.01",
            "COPYTRADE_DATA_DIR": str(tmp_path / "data"),
        }
        return open_workplace(load_settings(file=project_root / "settings" / "copytrade.toml", environ=environ))

    return at


@pytest.fixture
def place(many_leads: BinanceStandin, place_at: Callable[[BinanceStandin], Workplace]) -> Workplace:
    return place_at(many_leads)


@pytest.fixture
def judged(many_leads: BinanceStandin, place: Workplace) -> Callable[..., DataCheck]:
    """Reads the lists with these faults of the list's path and asks the check."""

    def judge(*faults: Fault) -> DataCheck:
        many_leads.control.set_faults([replace(fault, path="query-list") for fault in faults])
        outcome = poll_lead_lists(place, DAY)
        found = universe_complete(place, DAY)
        assert found.digest == outcome.head("lead_lists").digest
        return found

    return judge


def test_every_list_is_read_to_the_last_lead_and_stored_with_its_answers(judged, place):
    found = judged()
    assert found.passed, found.says
    assert found.seen["leads"] == COUNT
    walks = stored_lists(place, DAY)
    assert tuple((walk.data_type, walk.time_range) for walk in walks) == LISTED
    archived = {page.sha256 for page in place.archive.pages(LISTS, Endpoint.LEAD_LIST)}
    for walk in walks:
        assert (walk.total_count, walk.distinct_count, walk.pages_count, walk.fault) == (COUNT, COUNT, 3, None)
        assert walk.ids == tuple(str(10**18 + number) for number in range(COUNT))
        assert [page.page for page in walk.pages] == [1, 2, 3]
        assert {page.sha256 for page in walk.pages} <= archived
        assert f'"dataType":"{walk.data_type}"' in walk.pages[0].request


def test_the_stored_counts_are_in_the_document_itself(judged, place):
    _ = judged()
    first = place.lake.document_as("lead_lists", DAY, list[dict[str, object]])[0]
    assert (first["total_count"], first["distinct_count"], first["pages_count"]) == (COUNT, COUNT, 3)
    assert first["fault"] is None


def test_the_one_sample_lead_is_the_whole_of_its_lists(standin, place_at):
    place = place_at(standin)
    _ = poll_lead_lists(place, DAY)
    assert universe_complete(place, DAY).passed
    assert {walk.ids for walk in stored_lists(place, DAY)} == {("4751838302089254401",)}


def test_a_total_that_lies_fails_with_how_many_leads_are_missing(judged):
    found = judged(Fault(kind=FaultKind.LYING_TOTAL, count=4))
    assert not found.passed
    assert set(found.seen["short_by"].values()) == {4}
    assert "ROI 30D: 65 of 69 leads" in found.says


def test_a_page_short_once_is_repaired_and_one_short_for_ever_is_told(judged, place):
    assert judged(Fault(kind=FaultKind.SHORT_PAGE, count=3, first_call=1, last_call=1)).passed
    found = judged(Fault(kind=FaultKind.SHORT_PAGE, count=3, first_call=1, last_call=3))
    assert not found.passed
    assert found.seen["incomplete"] == ["ROI 30D"]
    assert [walk.distinct_count for walk in stored_lists(place, DAY)] == [62, 65, 65, 65]


def test_an_upstream_error_on_page_two_is_recorded_and_the_rest_is_kept(judged, place):
    found = judged(second_page(FaultKind.UNKNOWN_CODE))
    assert not found.passed
    first, *others = stored_lists(place, DAY)
    assert first.fault is not None
    assert first.fault.startswith("page 2: UpstreamError: unknown code")
    assert first.fault in found.says
    assert ({page.page for page in first.pages}, first.distinct_count) == ({1, 3, 4}, 35)
    assert all(walk.is_complete for walk in others)


@pytest.mark.parametrize("kind", [FaultKind.WAF_FORBIDDEN, FaultKind.CONNECTION_RESET])
def test_a_host_that_blocks_or_is_gone_ends_that_list_only(judged, place, kind):
    found = judged(second_page(kind))
    assert not found.passed
    first, *others = stored_lists(place, DAY)
    assert (first.pages_count, first.distinct_count, first.reached_end) == (1, 30, False)
    assert sum(walk.distinct_count for walk in others) >= 2 * COUNT


def test_nothing_is_stored_when_no_list_can_be_read(judged, place):
    with pytest.raises(Blocked, match="HTTP 403"):
        _ = judged(Fault(kind=FaultKind.WAF_FORBIDDEN))
    assert place.lake.head("lead_lists", DAY) is None


def test_a_list_stored_before_it_was_read_whole_is_refused_not_believed(place):
    old = [{"request": "{}", "sha256": "0" * 64}]
    _ = place.lake.put_document("lead_lists", DAY, old, schema_version=1, code_version="old", parents={})
    with pytest.raises(StoreFault, match="another shape"):
        _ = universe_complete(place, DAY)


def test_the_leads_own_page_is_stored_by_its_digest(place):
    outcome = poll_lead_detail(place, str(10**18))
    (stored,) = place.lake.document_as("lead_details", str(10**18), list[dict[str, str]])
    assert stored["sha256"] in {page.sha256 for page in place.archive.pages(str(10**18))}
    assert outcome.metadata["archived_under"] == str(10**18)
