"""The holdout ledger as a chain and as a rule: one opening per holdout, finished only by whom it was opened for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.model.errors import PromotionRefused, StoreFault
from copytrade_core.promotion.gate_result import GateVerdict
from copytrade_core.promotion.holdout_ledger import (
    Entry,
    Finished,
    Fresh,
    Holdout,
    Opened,
    Spent,
    Unfinished,
    claims_of_lead,
    entry_of,
    line_of,
    may_open,
    next_entry,
    state_of,
    verify_chain,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR_MS = 3_600_000


def holdout(first: int, count: int, lead: str = "1") -> Holdout:
    """Signals number `first` to `first + count - 1` of a lead, one per hour."""
    numbers = range(first, first + count)
    return Holdout(
        lead_id=lead,
        split_digest="s" * 64,
        data_digest="d" * 64,
        episode_ids=tuple(f"{lead}:{number}" for number in numbers),
        first_signal_at_ms=first * HOUR_MS,
        last_signal_at_ms=(first + count - 1) * HOUR_MS,
    )


def opened(of: Holdout, candidate: str = "a", at: datetime = NOON) -> Opened:
    return Opened(
        at=at,
        by="ann",
        holdout=of,
        candidate=candidate * 64,
        policy="follow_lead",
        assumptions_digest="c" * 64,
        contract_digest="e" * 64,
        code_version="0.1.0+abc",
        evidence=(("study", "f" * 64),),
    )


@pytest.fixture(scope="module")
def finished(candidates):
    def of(opening: Entry, verdict: GateVerdict = GateVerdict.FAIL) -> Finished:
        assert isinstance(opening.record, Opened)
        return Finished(
            at=NOON,
            opening=opening.digest,
            candidate=opening.record.candidate,
            data_digest="d" * 64,
            code_version="0.1.0+abc",
            origin="recorded",
            verdict=verdict,
            reasons=("profit_factor_min (holdout): 0.9 is not >= 1.2",),
            skipped=(("after_bars", 2),),
            fill_hash="123",
            measures=candidates.measures(net_pnl_usdt=-1.25, profit_factor=None, trades_count=9),
        )

    return of


def chain_of(*records: Opened | Finished) -> tuple[Entry, ...]:
    chain: list[Entry] = []
    for record in records:
        chain.append(next_entry(chain, record))
    return tuple(chain)


@pytest.fixture
def spent(finished):
    (opening,) = chain_of(opened(holdout(10, 5)))
    return (opening, next_entry([opening], finished(opening)))


def test_a_fresh_holdout_may_be_opened_once():
    assert isinstance(state_of((), holdout(10, 5)), Fresh)
    assert may_open((), opened(holdout(10, 5))) is None


@pytest.mark.parametrize("candidate", ["a", "b"])
def test_a_second_opening_is_refused_with_the_record_of_the_first(spent, candidate):
    with pytest.raises(PromotionRefused) as refused:
        _ = may_open(spent, opened(holdout(10, 5), candidate, NOON + timedelta(days=1)))
    said = str(refused.value)
    assert "opened on 2026-06-01 12:00 UTC by ann for follow_lead" in said
    assert "result fail: 9 round trips, net -1.25 USDT on recorded bars" in said
    assert "entry 1 of the holdout ledger" in said
    assert "0 of these 5 are new" in said


def test_an_opening_without_a_result_is_finished_by_its_own_candidate_only():
    chain = chain_of(opened(holdout(10, 5)))
    assert isinstance(state_of(chain, holdout(10, 5)), Unfinished)
    claim = may_open(chain, opened(holdout(10, 5)))
    assert claim is not None
    assert claim.opening == chain[0]
    with pytest.raises(PromotionRefused, match="without a result yet"):
        _ = may_open(chain, opened(holdout(10, 5), "b"))


@pytest.mark.parametrize(
    ("first", "count", "is_fresh"),
    [
        (10, 5, False),
        (14, 6, False),
        (12, 2, False),
        (5, 3, False),
        (15, 5, True),
        (20, 5, True),
    ],
)
def test_only_new_signals_make_a_fresh_holdout(spent, first, count, is_fresh):
    state = state_of(spent, holdout(first, count))
    assert isinstance(state, Fresh if is_fresh else Spent)


def test_new_ids_for_old_signals_are_no_new_signals(spent):
    renamed = replace(holdout(10, 5), episode_ids=tuple("vwxyz"))
    assert isinstance(state_of(spent, renamed), Spent)


def test_another_lead_has_its_own_holdout(spent):
    assert isinstance(state_of(spent, holdout(10, 5, lead="2")), Fresh)
    assert claims_of_lead(spent, "2") == ()


def test_every_change_of_a_record_breaks_the_chain(spent):
    opening = spent[0]
    assert isinstance(opening.record, Opened)
    changes = {
        "at": NOON + timedelta(microseconds=1),
        "by": "bob",
        "holdout": holdout(11, 5),
        "candidate": "b" * 64,
        "policy": "other",
        "assumptions_digest": "0" * 64,
        "contract_digest": "0" * 64,
        "code_version": "0",
        "evidence": (),
    }
    assert set(changes) == set(Opened.__slots__)
    for name, value in changes.items():
        bent = replace(opening, record=replace(opening.record, **{name: value}))
        with pytest.raises(StoreFault) as found:
            verify_chain([bent, *spent[1:]])
        assert (found.value.where.row, found.value.where.field) == (1, "digest")


def test_a_rewritten_record_breaks_the_chain_after_it(spent):
    (again,) = chain_of(opened(holdout(10, 5), "b"))
    with pytest.raises(StoreFault) as found:
        verify_chain([again, spent[1]])
    assert (found.value.where.row, found.value.where.field) == (2, "previous")


def test_a_result_needs_an_opening_of_the_same_candidate_and_there_is_one(finished):
    (opening,) = chain_of(opened(holdout(10, 5)))
    stranger = replace(finished(opening), candidate="b" * 64)
    twice = (finished(opening), finished(opening))
    for records in ((stranger,), twice, (replace(finished(opening), opening="0" * 64),)):
        with pytest.raises(StoreFault, match="belongs to no opening"):
            verify_chain(chain_of(opened(holdout(10, 5)), *records))


def test_a_line_comes_back_exactly_and_only_as_it_was_spelled(spent):
    for row, entry in enumerate(spent, start=1):
        line = line_of(entry)
        assert b"\n" not in line
        assert entry_of(line, row=row) == entry
        for other in (line + b" ", line.replace(b'"sequence":', b'"sequence": '), line[:-1], b"", b"[]", b"{}"):
            with pytest.raises(StoreFault) as found:
                _ = entry_of(other, row=row)
            assert found.value.where.row == row


@settings(max_examples=60, deadline=None)
@given(
    acts=st.lists(
        st.tuples(st.integers(0, 12), st.integers(1, 6), st.sampled_from("ab"), st.sampled_from("12"), st.booleans()),
        max_size=14,
    )
)
def test_whatever_is_tried_no_signal_is_ever_opened_for_two_candidates(finished, acts):
    """A growing lead, boundaries anywhere, crashes before results: each signal is shown to one candidate at most."""
    chain: list[Entry] = []
    for first, count, candidate, lead, crashes in acts:
        wanted = opened(holdout(first, count, lead), candidate)
        try:
            claim = may_open(chain, wanted)
        except PromotionRefused:
            continue
        if claim is None:
            chain.append(next_entry(chain, wanted))
            opening = chain[-1]
        else:
            opening = claim.opening
        if not crashes:
            chain.append(next_entry(chain, finished(opening)))
    verify_chain(chain)
    shown: dict[str, str] = {}
    for entry in chain:
        if isinstance(entry.record, Opened):
            for name in entry.record.holdout.episode_ids:
                assert name not in shown, "a signal is opened once"
                shown[name] = entry.record.candidate
    for drop in range(len(chain) - 1):
        with pytest.raises(StoreFault):
            verify_chain([*chain[:drop], *chain[drop + 1 :]])
