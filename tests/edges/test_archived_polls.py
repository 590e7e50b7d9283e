"""Archived polls come to the same events whether every one is taken in or only the last of each run of equals."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from copytrade_core.edges.feeds.archived_polls import polled_events
from copytrade_core.edges.stages.episodes import RULES
from copytrade_core.model.source import Endpoint, LeadId
from copytrade_core.model.source_event import SourceClosed, SourceMissing, SourceOpened
from copytrade_core.sources.first_seen import advance, empty_ledger
from copytrade_core.sources.poll_pages import read_poll
from tests.polled_lead import at, slots, write_polls
from tests.replay.conftest import position_of

LEAD = LeadId("4751838302089254401")
START_MS = 1_767_600_000_000
MINUTE = 60_000
HELD = {
    "flat": [],
    "btc": [("BTCUSDT", "0.5", "90000")],
    "more": [("BTCUSDT", "0.7", "90100")],
    "both": [("BTCUSDT", "0.5", "90000"), ("ETHUSDT", "2", "3000")],
}


def closed_btc(opened_ms: int, closed_ms: int):
    row = position_of(
        {
            "id": opened_ms, "symbol": "BTCUSDT", "side": "Long", "opened": opened_ms, "closed": closed_ms,
            "avgCost": 90000, "avgClosePrice": 90500, "maxOpenInterest": 0.5, "closedVolume": 0.5, "closingPnl": 250,
        }
    )  # fmt: skip
    return replace(row, lead_id=LEAD, first_seen_at=at(closed_ms + 90_000))


def naive(archive, history):
    """Every poll through the ledger, with all that was known."""
    ledger, events, informed = empty_ledger(LEAD), [], []
    details = [archive.answer(LEAD, one) for one in archive.observations(LEAD, Endpoint.LEAD_DETAIL)]
    for seen in archive.observations(LEAD, Endpoint.OPEN_POSITIONS):
        page = archive.answer(LEAD, seen)
        near = [one for one in details if 0 <= (page.received_at - one.received_at).total_seconds() <= 300]
        known = tuple(row for row in history if row.first_seen_at <= page.received_at)
        poll = read_poll(page, detail=near[-1] if near else None, history=known)
        ledger, told = advance(ledger, poll, now=page.received_at, rules=RULES)
        events.extend(told)
        if ledger.last_informed_at == page.received_at:
            informed.append(page.received_at)
    return ledger, events, informed


def without_reasons(events):
    return [replace(each, why_not_closed=()) if isinstance(each, SourceMissing) else each for each in events]


runs = st.lists(
    st.tuples(
        st.sampled_from([*HELD, "broken", "hidden"]), st.integers(1, 6), st.sampled_from([MINUTE] * 8 + [130 * MINUTE])
    ),
    min_size=1,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=runs, closes=st.integers(0, 30))
def test_runs_of_equal_polls_come_to_what_every_poll_comes_to(tmp_path_factory, story, closes):
    polls, now_ms = [], START_MS
    for name, count, gap in story:
        for number in range(count):
            now_ms += gap if number == 0 else MINUTE
            body = {"broken": b"<html>", "hidden": b'{"code":"000000","data":{"positions":null}}'}.get(name)
            polls.append((now_ms, body or slots(HELD[name], 90_000 + number)))
    archive = write_polls(tmp_path_factory.mktemp("polls"), LEAD, polls)
    history = [closed_btc(START_MS - 3_600_000, START_MS + closes * MINUTE)]
    ledger, events, informed = naive(archive, history)
    runs = polled_events(archive, LEAD, history, rules=RULES)
    assert without_reasons(runs.events) == without_reasons(events)
    assert runs.informed_at == informed
    assert (runs.ledger.holdings, runs.ledger.last_poll_at) == (ledger.holdings, ledger.last_poll_at)
    assert runs.polls_count == len(polls)


def test_a_day_of_polls_opens_misses_and_closes_by_history(tmp_path):
    held = [HELD["flat"]] * 10 + [HELD["btc"]] * 100 + [HELD["flat"]] * 5
    polls = [(START_MS + n * MINUTE, slots(each, 90_000 + n)) for n, each in enumerate(held)]
    archive = write_polls(tmp_path, LEAD, polls)
    history = [closed_btc(START_MS + 9 * MINUTE + 5_000, START_MS + 109 * MINUTE + 30_000)]
    events = polled_events(archive, LEAD, history, rules=RULES).events
    assert [type(each) for each in events] == [SourceOpened, SourceMissing, SourceClosed]
    first = events[0]
    assert isinstance(first, SourceOpened)
    assert first.known_at == at(START_MS + 10 * MINUTE)
    assert first.entry_price == Decimal(90000)
