from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import BadConfig
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.lead_list import Fetch, ListLimits, ListWalk, PageFault, listed_lead, walk_list

LIMITS = ListLimits(page_rows=3, pages_max=20, short_page_asks_max=2, faults_max=2)
Listed = Callable[..., SourcePage]


def lead(number: int) -> str:
    return str(4751838302089254401 + number)


LEADS = tuple(lead(number) for number in range(100))


@pytest.fixture(scope="module")
def page() -> Listed:
    """One page of a list, made as the service makes it."""

    def made(ids: Sequence[object], *, total: int, number: int = 1) -> SourcePage:
        rows = [{"leadPortfolioId": one, "nickname": None, "roi": 1.5} for one in ids]
        body = json.dumps({"code": "000000", "message": None, "data": {"total": total, "list": rows}}).encode()
        return SourcePage(
            lead_id=LeadId("_lists"),
            endpoint=Endpoint.LEAD_LIST,
            page=number,
            url_path="/bapi/test",
            request=f'{{"pageNumber":{number}}}',
            status=200,
            headers=(),
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            received_at=datetime(2026, 5, 19, tzinfo=UTC),
        )

    return made


class Book:
    """A list cut into pages of three; `asked` is every page asked for. `at` replaces the answers of one page."""

    def __init__(
        self, page: Listed, ids: Sequence[object], *, claim: int, at: dict[int, list[SourcePage | PageFault]]
    ) -> None:
        self._page, self._ids, self._claim, self._at = page, ids, claim, at
        self.asked: list[int] = []

    def __call__(self, number: int) -> SourcePage | PageFault:
        self.asked.append(number)
        if self._at.get(number):
            return self._at[number].pop(0)
        return self._page(self._ids[(number - 1) * 3 : number * 3], total=self._claim, number=number)


def walked(fetch: Fetch, limits: ListLimits = LIMITS) -> ListWalk:
    return walk_list(fetch, data_type="ROI", time_range="30D", limits=limits)


def test_a_list_is_read_until_its_claim_is_met_and_no_further(page):
    book = Book(page, LEADS[:7], claim=7, at={})
    walk = walked(book)
    assert book.asked == [1, 2, 3]
    assert (walk.total_count, walk.distinct_count, walk.pages_count) == (7, 7, 3)
    assert walk.ids == tuple(sorted(LEADS[:7]))
    assert walk.is_complete


def test_a_claim_of_more_leads_than_there_are_is_read_to_the_empty_page_and_is_short(page):
    book = Book(page, LEADS[:6], claim=9, at={})
    walk = walked(book)
    assert book.asked == [1, 2, 3, 3, 3]
    assert walk.reached_end
    assert (walk.short_by, walk.is_complete) == (3, False)


def test_a_claim_of_fewer_leads_than_a_page_shows_does_not_end_the_list(page):
    walk = walked(Book(page, LEADS[:7], claim=2, at={}))
    assert walk.distinct_count == 7
    assert walk.is_complete


def test_a_page_that_is_short_once_is_asked_again(page):
    book = Book(page, LEADS[:6], claim=6, at={1: [page(LEADS[:1], total=6)]})
    walk = walked(book)
    assert book.asked == [1, 1, 2]
    assert (walk.pages_count, len(walk.pages)) == (2, 3)
    assert walk.is_complete


def test_a_page_that_stays_short_ends_nothing_and_leaves_the_list_short(page):
    walk = walked(Book(page, LEADS[:9], claim=9, at={1: [page(LEADS[:2], total=9)] * 3}))
    assert walk.ids == tuple(sorted((*LEADS[:2], *LEADS[3:9])))
    assert (walk.short_by, walk.is_complete) == (1, False)


def test_a_failed_page_is_named_and_the_pages_behind_it_are_kept(page):
    fault = PageFault(says="UpstreamError: HTTP 503", ends_list=False)
    walk = walked(Book(page, LEADS[:9], claim=9, at={2: [fault]}))
    assert walk.fault == "page 2: UpstreamError: HTTP 503"
    assert walk.ids == tuple(sorted((*LEADS[:3], *LEADS[6:9])))
    assert (walk.reached_end, walk.is_complete) == (True, False)


def test_a_claim_met_without_a_failed_page_is_no_proof(page):
    fault = PageFault(says="UpstreamError: HTTP 503", ends_list=False)
    walk = walked(Book(page, LEADS[:9], claim=5, at={2: [fault]}))
    assert (walk.distinct_count, walk.short_by, walk.reached_end) == (6, 0, True)
    assert not walk.is_complete


@pytest.mark.parametrize(
    ("faults", "asked"), [({2: True}, [1, 2]), ({2: False, 3: False}, [1, 2, 3]), ({1: True}, [1])]
)
def test_a_host_that_refuses_or_keeps_failing_is_not_asked_on(page, faults, asked):
    at: dict[int, list[SourcePage | PageFault]] = {
        number: [PageFault(says="x", ends_list=ends)] for number, ends in faults.items()
    }
    book = Book(page, LEADS[:15], claim=15, at=at)
    walk = walked(book)
    assert book.asked == asked
    assert not walk.reached_end
    assert not walk.is_complete


def test_the_page_limit_ends_an_endless_list_which_is_then_not_complete(page):
    walk = walked(lambda number: page(LEADS[number * 3 : number * 3 + 3], total=1, number=number))
    assert (walk.pages_count, walk.distinct_count) == (20, 60)
    assert (walk.short_by, walk.reached_end, walk.is_complete) == (0, False, False)


def test_an_empty_page_that_claims_nothing_does_not_make_a_part_the_whole(page):
    walk = walked(Book(page, LEADS[:3], claim=6, at={2: [page([], total=0, number=2)] * 3}))
    assert (walk.total_count, walk.short_by, walk.is_complete) == (6, 3, False)


def test_an_empty_list_is_not_a_universe(page):
    walk = walked(Book(page, [], claim=0, at={}))
    assert (walk.total_count, walk.reached_end, walk.is_complete) == (0, True, False)


@pytest.mark.parametrize("bad", [4751838302089254401, None, "", "abc", ["1"], True])
def test_an_id_that_is_not_text_of_digits_is_counted_and_not_used(page, bad):
    walk = walked(Book(page, [LEADS[0], bad], claim=2, at={}))
    assert walk.ids == (LEADS[0],)
    assert (walk.unreadable_count, walk.is_complete) == (1, False)


@given(st.binary(max_size=40))
def test_no_row_text_stops_the_reader(raw):
    found = listed_lead(msgspec.Raw(raw))
    assert found is None or found.isdigit()


@pytest.mark.parametrize("name", ["page_rows", "pages_max", "faults_max"])
def test_a_limit_of_nothing_is_refused(name):
    given_limits = {"page_rows": 3, "pages_max": 20, "short_page_asks_max": 2, "faults_max": 2, name: 0}
    with pytest.raises(BadConfig, match=name):
        _ = ListLimits(**given_limits)


@given(
    order=st.permutations(LEADS[:20]),
    moves=st.lists(st.tuples(st.integers(0, 22), st.integers(0, 22)), max_size=12),
    joins=st.lists(st.integers(0, 20), max_size=3),
)
def test_whatever_moves_while_it_is_read_a_complete_list_has_what_it_claims(page, order, moves, joins):
    """Before every answer a lead may change its place, and sometimes one joins: repeats and holes, as on the site."""
    ids, steps, new = list(order), list(moves), list(joins)
    everyone, shown, asked = set(ids), set[str](), list[int]()

    def fetch(number: int) -> SourcePage:
        asked.append(number)
        if steps:
            taken, put = steps.pop()
            ids.insert(put % len(ids), ids.pop(taken % len(ids)))
        elif new:
            joined = LEADS[20 + len(new)]
            ids.insert(new.pop(), joined)
            everyone.add(joined)
        rows = ids[(number - 1) * 3 : number * 3]
        shown.update(rows)
        return page(rows, total=len(ids), number=number)

    walk = walked(fetch)
    assert set(walk.ids) == shown <= everyone
    assert walk.reached_end
    assert walk.distinct_count == len(walk.ids)
    assert walk.is_complete == (walk.short_by == 0)
    if walk.is_complete and not joins:
        assert set(walk.ids) == set(order)
    assert asked == sorted(asked)
    assert len(asked) <= (1 + LIMITS.short_page_asks_max) * (len(everyone) // 3 + 2)


@given(
    count=st.integers(1, 40),
    broken=st.sets(st.integers(1, 14), max_size=5),
    claim_off=st.integers(-5, 5),
)
def test_a_still_list_is_complete_only_when_every_lead_was_seen(page, count, broken, claim_off):
    at: dict[int, list[SourcePage | PageFault]] = {
        number: [PageFault(says="HTTP 503", ends_list=False)] for number in broken
    }
    claim = max(0, count + claim_off)
    walk = walked(Book(page, LEADS[:count], claim=claim, at=at))
    assert set(walk.ids) <= set(LEADS[:count])
    if walk.is_complete and claim >= count:
        assert set(walk.ids) == set(LEADS[:count])
        assert claim == count
