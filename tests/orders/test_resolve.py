"""What look-ups prove about an order of unknown fate."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.order_row import OrderState
from copytrade_core.model.outcome import Absent, Unavailable
from copytrade_core.orders.lifecycle import moved
from copytrade_core.orders.resolve import (
    LOOKUP_GAPS_S,
    Found,
    LookAgain,
    ProvedAbsent,
    Traces,
    absence_counts_from_ms,
    halts,
    judge,
    needs_traces,
)
from tests.order_floor import sent_row, venue_order

UNREAD = Unavailable(call="order", why="time-out")
NOTHING = Traces(listed=Absent(), fills_foreign=False, position_moved=False)
UNKNOWN = moved(sent_row(), OrderState.UNKNOWN, "time-out")
LATE = absence_counts_from_ms(UNKNOWN)
LAST_ROUND = replace(UNKNOWN, lookups_count=len(LOOKUP_GAPS_S) - 1)

answers = st.sampled_from([Absent(), UNREAD])
doubtful = st.sampled_from(
    [
        replace(NOTHING, listed=None),
        replace(NOTHING, fills_foreign=None),
        replace(NOTHING, fills_foreign=True),
        replace(NOTHING, position_moved=None),
        replace(NOTHING, position_moved=True),
    ]
)


@given(at=st.integers(0, 10_000_000), rounds=st.integers(0, 50))
def test_an_order_that_was_seen_is_found_at_any_time(at, rounds):
    row = replace(UNKNOWN, lookups_count=rounds)
    assert judge(row, venue_order(row), None, now_ms=at) == Found(order=venue_order(row))
    listed = replace(NOTHING, listed=venue_order(row))
    assert isinstance(judge(row, Absent(), listed, now_ms=at), Found)


@given(before=st.integers(1, 1_000_000))
def test_nothing_seen_before_the_deadline_proves_nothing(before):
    verdict = judge(LAST_ROUND, Absent(), NOTHING, now_ms=LATE - before)
    assert verdict == LookAgain(at_ms=LATE, rounds=0)


def test_absence_needs_every_round_and_every_place():
    now_ms, row, waits = LATE, UNKNOWN, []
    while isinstance(verdict := judge(row, Absent(), NOTHING, now_ms=now_ms), LookAgain):
        waits.append((verdict.at_ms - now_ms) // 1000)
        now_ms, row = verdict.at_ms, replace(row, lookups_count=verdict.rounds)
    assert verdict == ProvedAbsent()
    assert tuple(waits) == LOOKUP_GAPS_S[1:]


@given(traces=doubtful)
def test_one_place_in_doubt_proves_nothing(traces):
    assert isinstance(judge(LAST_ROUND, Absent(), traces, now_ms=LATE), LookAgain)
    assert isinstance(judge(LAST_ROUND, Absent(), None, now_ms=LATE), LookAgain)


@given(script=st.lists(answers, max_size=40), after=st.integers(0, 10**9))
def test_no_number_of_failed_reads_and_no_waiting_is_a_verdict(script, after):
    """However long it takes: without six well-formed empty rounds an order is never called absent."""
    now_ms, row, empty = LATE + after, UNKNOWN, 0
    for answer in script:
        verdict = judge(row, answer, NOTHING if needs_traces(row, answer, now_ms) else None, now_ms=now_ms)
        empty += isinstance(answer, Absent)
        if isinstance(verdict, ProvedAbsent):
            assert empty >= len(LOOKUP_GAPS_S)
            return
        assert isinstance(verdict, LookAgain)
        assert verdict.at_ms > now_ms
        now_ms, row = verdict.at_ms, replace(row, lookups_count=verdict.rounds)


def test_only_the_deciding_round_reads_everything():
    assert not needs_traces(UNKNOWN, Absent(), LATE)
    assert not needs_traces(LAST_ROUND, UNREAD, LATE)
    assert not needs_traces(LAST_ROUND, Absent(), LATE - 1)
    assert needs_traces(LAST_ROUND, Absent(), LATE)


def test_an_order_asked_about_in_vain_for_a_minute_halts_new_orders():
    assert not halts(UNKNOWN, doubted_since_ms=1_000, now_ms=60_999)
    assert halts(UNKNOWN, doubted_since_ms=1_000, now_ms=61_000)
    assert not halts(moved(UNKNOWN, OrderState.SUBMITTED, "found"), doubted_since_ms=1_000, now_ms=61_000)
