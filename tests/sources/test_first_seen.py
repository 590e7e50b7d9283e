from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.episode import Episode, EpisodeState, Provenance
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import MarginMode, Side
from copytrade_core.model.source import (
    ClosedPosition,
    Endpoint,
    LeadId,
    OpenPositionSnapshot,
    PositionStatus,
    RejectReason,
    UnusableRow,
)
from copytrade_core.model.source_event import (
    MatchRefusal,
    SourceChange,
    SourceChanged,
    SourceClosed,
    SourceEvent,
    SourceMissing,
    SourceOpened,
)
from copytrade_core.sources.episodes import episodes_from_history
from copytrade_core.sources.first_seen import FirstSeenLedger, FirstSeenRules, advance, empty_ledger
from copytrade_core.sources.history_match import MatchTolerances
from copytrade_core.sources.poll_pages import read_poll
from copytrade_core.sources.source_poll import PollReading, PositionsFailed, PositionsSeen, SourcePoll

LEAD = LeadId("4300516091842181632")
T0 = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
RULES = FirstSeenRules(
    tolerances=MatchTolerances(
        opened_s_max=7200, closed_s_max=1800, clock_skew_s_max=5, entry_deviation_ratio_max=Decimal("0.001")
    ),
    source_age_s_max=60,
    gap_s_max=600,
    stale_page_s_max=20,
    sightings_max=16,
)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def held(symbol: str = "HYPE", side: Side = Side.LONG, price: str = "20", amount: str = "5") -> OpenPositionSnapshot:
    return OpenPositionSnapshot(
        lead_id=LEAD,
        source_id=f"0_{symbol}USDT_BOTH",
        symbol=f"{symbol}USDT",
        market=Market(f"{symbol}/USDT:USDT"),
        side=side,
        amount=Decimal(amount),
        entry_price=Decimal(price),
        entry_is_break_even=False,
        break_even_price=None,
        mark_price=None,
        notional=None,
        leverage=Decimal(5),
        unrealised_pnl=None,
        margin_mode=MarginMode.CROSS,
        observed_at=T0,
        page_sha256="open",
    )


def row(opened: float, closed: float, *, price: str = "20", symbol: str = "HYPE", side: Side = Side.LONG,
        status: PositionStatus = PositionStatus.CLOSED) -> ClosedPosition:  # fmt: skip
    return ClosedPosition(
        lead_id=LEAD,
        source_id=str(int(at(opened).timestamp() * 1000)),
        symbol=f"{symbol}USDT",
        market=Market(f"{symbol}/USDT:USDT"),
        side=side,
        opened_at=at(opened),
        closed_at=at(closed),
        updated_at=at(closed),
        avg_cost=Decimal(price),
        avg_close_price=Decimal(21),
        max_open_interest=Decimal(5),
        closed_volume=Decimal(5),
        closing_pnl=Decimal(5),
        roi=None,
        leverage=None,
        margin_mode=MarginMode.CROSS,
        status=status,
        page_sha256="history",
        first_seen_at=at(closed),
    )


def poll(second: float, *snapshots: OpenPositionSnapshot, history: tuple[ClosedPosition, ...] = (),
         visible: bool | None = True, unusable: tuple[UnusableRow, ...] = ()) -> SourcePoll:  # fmt: skip
    seen = PositionsSeen(snapshots=snapshots, unusable=unusable, positions_visible=visible)
    return SourcePoll(lead_id=LEAD, observed_at=at(second), positions=seen, history=history)


def failed(second: float, *, hidden: bool = False, history: tuple[ClosedPosition, ...] = ()) -> SourcePoll:
    positions = PositionsFailed(error="UpstreamError", is_hidden=hidden)
    return SourcePoll(lead_id=LEAD, observed_at=at(second), positions=positions, history=history)


def story(*polls: SourcePoll) -> tuple[FirstSeenLedger, list[tuple[SourceEvent, ...]]]:
    """Every poll taken in one second after it was observed, after an empty seed at -10 s."""
    ledger, _ = advance(empty_ledger(LEAD), poll(-10), now=at(-9), rules=RULES)
    told: list[tuple[SourceEvent, ...]] = []
    for one in polls:
        ledger, events = advance(ledger, one, now=one.observed_at + timedelta(seconds=1), rules=RULES)
        told.append(events)
    return ledger, told


def test_the_first_poll_seeds_what_is_open_and_a_later_one_opens() -> None:
    ledger, (seed,) = advance(empty_ledger(LEAD), poll(0, held("BTC")), now=at(1), rules=RULES)
    assert isinstance(seed, SourceOpened)
    assert seed.episode.provenance is Provenance.SEEDED
    ledger, (opened,) = advance(ledger, poll(10, held("BTC"), held("ETH")), now=at(11), rules=RULES)
    assert isinstance(opened, SourceOpened)
    assert (opened.episode.market, opened.episode.provenance) == ("ETH/USDT:USDT", Provenance.OBSERVED)
    assert (opened.happened_at, opened.known_at) == (at(10), at(11))
    assert opened.episode.episode_id == f"{LEAD}|ETH/USDT:USDT|long|{int(at(10).timestamp() * 1000)}"


@pytest.mark.parametrize("visible", [None, False])
def test_an_empty_first_page_seeds_only_when_positions_are_shown(visible: bool | None) -> None:
    ledger, _ = advance(empty_ledger(LEAD), poll(0, visible=visible), now=at(1), rules=RULES)
    assert not ledger.is_seeded
    _, (event,) = advance(ledger, poll(10, held()), now=at(11), rules=RULES)
    assert event.episode.provenance is Provenance.SEEDED


def test_scaling_is_followed_and_an_entry_that_moves_without_growth_is_its_own_kind() -> None:
    _, told = story(
        poll(0, held()),
        poll(10, held(amount="7", price="19.5")),
        poll(20, held(amount="3", price="19.5")),
        poll(30, held(amount="3", price="19.5")),
        poll(40, held(amount="3", price="18")),
    )
    changes = [event.change for events in told for event in events if isinstance(event, SourceChanged)]
    assert changes == [SourceChange.SCALED_IN, SourceChange.SCALED_OUT, SourceChange.ENTRY_JUMPED]
    assert told[3] == ()


def test_missing_stays_missing_until_a_history_row_matches_and_says_why_not() -> None:
    ledger, told = story(
        poll(0, held(), held("BTC")),
        poll(10, held("BTC")),
        poll(20, held("BTC"), history=(row(-5, 8, price="25"), row(-3600, -1800))),
        poll(30, held("BTC"), history=(row(-5, 8),)),
    )
    first, second = told[1][0], told[2][0]
    assert isinstance(first, SourceMissing)
    assert isinstance(second, SourceMissing)
    assert (first.missing_polls_count, first.why_not_closed) == (1, (MatchRefusal.NO_ROW,))
    assert (second.missing_polls_count, second.last_seen_at) == (2, at(0))
    assert second.why_not_closed == (MatchRefusal.ENTRY_PRICE_DIFFERS, MatchRefusal.CLOSED_BEFORE_FIRST_SEEN)
    (closed,) = told[3]
    assert isinstance(closed, SourceClosed)
    assert (closed.happened_at, closed.known_at, closed.exit_price) == (at(8), at(31), Decimal(21))
    assert closed.match.opened_before_first_seen_s == 5
    assert [holding.episode.market for holding in ledger.holdings] == ["BTC/USDT:USDT"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (row(-5, 8, status=PositionStatus.PARTIALLY_CLOSED), MatchRefusal.NOT_FULLY_CLOSED),
        (row(8, 9), MatchRefusal.OPENED_TOO_LATE),
        (row(-9000, -1), MatchRefusal.CLOSED_BEFORE_FIRST_SEEN),
        (row(-5, 4000), MatchRefusal.CLOSED_IN_THE_FUTURE),
        (row(-5, 8, price="20.03"), MatchRefusal.ENTRY_PRICE_DIFFERS),
        (row(-5, 8, side=Side.SHORT), MatchRefusal.NO_ROW),
        (row(-5, 8, symbol="BTC"), MatchRefusal.NO_ROW),
    ],
)
def test_a_row_that_does_not_fit_closes_nothing(other: ClosedPosition, why: MatchRefusal) -> None:
    _, told = story(poll(0, held()), poll(10, history=(other,)))
    (event,) = told[1]
    assert isinstance(event, SourceMissing)
    assert event.why_not_closed == (why,)


def test_a_row_that_closed_long_before_last_seen_is_no_proof() -> None:
    polls = [poll(second, held()) for second in range(0, 3600, 300)]
    _, told = story(*polls, poll(3600, history=(row(-5, 1000),)))
    (event,) = told[-1]
    assert isinstance(event, SourceMissing)
    assert event.why_not_closed == (MatchRefusal.CLOSED_BEFORE_LAST_SEEN,)


@pytest.mark.parametrize(
    ("silence", "reading"),
    [
        (failed(10), PollReading.FAILED),
        (failed(10, hidden=True), PollReading.HIDDEN),
        (poll(10, visible=False), PollReading.HIDDEN),
        (poll(10, visible=None), PollReading.SUSPICIOUSLY_EMPTY),
        (poll(10, visible=True), PollReading.SUSPICIOUSLY_EMPTY),
        (poll(-100, held("SOL"), held(amount="9")), PollReading.STALE),
        (poll(10, held("SOL"), held(amount="9"), visible=False), PollReading.HIDDEN),
        (poll(0), PollReading.OUT_OF_ORDER),
    ],
)
def test_no_information_changes_nothing(silence: SourcePoll, reading: PollReading) -> None:
    before, _ = story(poll(0, held(), held("BTC")))
    after, events = advance(before, silence, now=at(11), rules=RULES)
    assert events == ()
    assert after.holdings == before.holdings
    assert (after.last_reading, after.uninformative_polls_count) == (reading, 1)


def test_switching_positions_off_never_closes_everything() -> None:
    ledger, told = story(
        poll(0, held(), held("BTC")),
        *(poll(10 * n, visible=False) for n in range(1, 50)),
        poll(500, held(), held("BTC")),
    )
    assert [events for events in told[1:] if events] == []
    assert all(holding.is_open for holding in ledger.holdings)


def test_a_lone_position_that_is_gone_from_a_visible_page_is_missing() -> None:
    ledger, told = story(poll(0, held()), poll(10))
    assert isinstance(told[1][0], SourceMissing)
    assert ledger.holdings[0].episode.state is EpisodeState.MISSING


def test_all_gone_at_once_is_believed_when_history_explains_one() -> None:
    _, told = story(poll(0, held(), held("BTC")), poll(10, history=(row(-5, 8),)))
    assert [type(event) for event in told[1]] == [SourceClosed, SourceMissing]


def test_history_closes_even_while_positions_are_hidden() -> None:
    _, told = story(poll(0, held()), failed(10, hidden=True, history=(row(-5, 8),)))
    assert [type(event) for event in told[1]] == [SourceClosed]


def test_an_unusable_row_could_be_the_missing_one() -> None:
    def bad(reason: RejectReason) -> UnusableRow:
        return UnusableRow(lead_id=LEAD, endpoint=Endpoint.OPEN_POSITIONS, page=None, index=0, reason=reason,
                           field="entryPrice", row_json="{}", page_sha256="x")  # fmt: skip

    ledger, told = story(
        poll(0, held(), held("BTC")), poll(10, held("SOL"), unusable=(bad(RejectReason.MISSING_ENTRY),))
    )
    assert [type(event) for event in told[1]] == [SourceOpened]
    assert ledger.last_reading is PollReading.PRESENT_ONLY
    _, told = story(poll(0, held(), held("BTC")), poll(10, held(), unusable=(bad(RejectReason.NO_MARKET),)))
    assert [type(event) for event in told[1]] == [SourceMissing]


def test_a_reappearance_is_a_new_episode() -> None:
    ledger, told = story(poll(0, held()), poll(10), poll(20, held()))
    (event, again) = told[2]
    assert isinstance(event, SourceMissing)
    assert isinstance(again, SourceOpened)
    assert again.episode.opened_at == at(20)
    assert len({holding.episode.episode_id for holding in ledger.holdings}) == 2


def test_a_close_and_reopen_between_two_polls_is_two_episodes() -> None:
    """The predecessor keyed its state by symbol and side and saw one position."""
    _, told = story(poll(0, held()), poll(60, held(price="22"), history=(row(-5, 30),)))
    closed, opened = told[1]
    assert isinstance(closed, SourceClosed)
    assert isinstance(opened, SourceOpened)
    assert (closed.happened_at, opened.episode.opened_at, opened.entry_price) == (at(30), at(60), Decimal(22))


def test_a_reopen_is_also_found_when_the_history_row_comes_late() -> None:
    _, told = story(poll(0, held()), poll(60, held(price="22")), poll(120, held(price="22"), history=(row(-5, 30),)))
    assert [type(event) for event in told[1]] == [SourceChanged]
    assert [type(event) for event in told[2]] == [SourceClosed, SourceOpened]


def test_an_older_row_of_the_same_market_closes_no_fresh_position() -> None:
    """The predecessor accepted any row opened within 24 hours, even one closed before the detection."""
    _, told = story(poll(0, held()), poll(40, held(), history=(row(-3000, -1),)), poll(80, history=(row(-3000, -1),)))
    assert told[1] == ()
    assert isinstance(told[2][0], SourceMissing)


def test_an_old_copy_of_the_page_is_not_a_reopening() -> None:
    ledger, told = story(
        poll(0, held()),
        poll(10, held(), history=(row(-5, 8),)),
        poll(40, history=(row(-5, 8),)),
    )
    assert told[1] == ()
    assert [type(event) for event in told[2]] == [SourceClosed]
    assert ledger.holdings == ()
    _, told = story(poll(0, held()), failed(9, history=(row(-5, 8),)), poll(12, held(), history=(row(-5, 8),)))
    assert [type(event) for event in told[1]] == [SourceClosed]
    assert told[2] == ()


def test_both_sides_of_a_market_are_two_episodes() -> None:
    ledger, told = story(poll(0, held(), held(side=Side.SHORT)), poll(10, held(side=Side.SHORT)))
    assert len(told[0]) == 2
    assert [holding.episode.state for holding in ledger.holdings] == [EpisodeState.MISSING, EpisodeState.OPEN]


def test_what_shows_up_after_a_long_silence_is_seeded() -> None:
    _, told = story(poll(0, held()), *(failed(60 * n) for n in range(1, 12)), poll(700, held(), held("ETH")))
    (event,) = told[-1]
    assert isinstance(event, SourceOpened)
    assert event.episode.provenance is Provenance.SEEDED


def test_the_same_poll_twice_says_nothing_new() -> None:
    one = poll(10, held(), history=(row(-500, -100),))
    _, told = story(one, one)
    assert told[1] == ()


SYMBOLS = ("BTC", "ETH")
POLLS = st.lists(
    st.tuples(
        st.integers(5, 120),
        st.sets(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(Side)), max_size=4),
        st.sampled_from(["seen", "failed", "hidden", "unknown"]),
        st.sampled_from(["20", "20.01", "22"]),
        st.lists(st.tuples(st.sampled_from(SYMBOLS), st.integers(-300, 60), st.integers(1, 300)), max_size=2),
    ),
    max_size=25,
)


@given(POLLS)
def test_whatever_is_polled_the_ledger_s_rules_hold(drawn: list[tuple[int, set[tuple[str, Side]], str, str, list[tuple[str, int, int]]]]) -> None:  # fmt: skip  # noqa: E501
    ledger = empty_ledger(LEAD)
    second = 0
    opened: dict[str, Episode] = {}
    closed: set[str] = set()
    for step, keys, how, price, rows in drawn:
        second += step
        snapshots = tuple(held(symbol, side, price) for symbol, side in sorted(keys))
        history = tuple(row(second + o, second + o + length, symbol=symbol) for symbol, o, length in rows)
        one = (
            failed(second, hidden=how == "hidden", history=history)
            if how in ("failed", "hidden")
            else poll(second, *snapshots, history=history, visible=None if how == "unknown" else True)
        )
        before = ledger
        ledger, events = advance(ledger, one, now=at(second + 1), rules=RULES)
        for event in events:
            assert event.known_at == at(second + 1)
            match event:
                case SourceOpened():
                    assert event.episode.episode_id not in opened
                    opened[event.episode.episode_id] = event.episode
                case SourceClosed():
                    assert event.episode.episode_id in opened
                    assert event.episode.episode_id not in closed
                    assert any(r.source_id == event.match.source_id for r in history)
                    assert event.happened_at >= opened[event.episode.episode_id].opened_at
                    closed.add(event.episode.episode_id)
                case SourceMissing():
                    assert how == "seen" or ledger.last_reading is PollReading.COMPLETE
                    assert event.episode.episode_id not in closed
                case SourceChanged():
                    assert event.episode.episode_id in opened
        assert msgspec.json.decode(msgspec.json.encode(ledger), type=FirstSeenLedger) == ledger
        tracked = {holding.episode.episode_id for holding in ledger.holdings}
        assert tracked == set(opened) - closed
        open_keys = [(h.seen.market, h.seen.side) for h in ledger.holdings if h.is_open]
        assert len(open_keys) == len(set(open_keys))
        if how in ("failed", "hidden"):
            survivors = {h.episode.episode_id: h for h in before.holdings if h.episode.episode_id in tracked}
            assert {h.episode.episode_id: h for h in ledger.holdings} == survivors


def test_closed_history_is_reconstructed_unless_a_known_episode_claims_the_row() -> None:
    _, told = story(poll(0, held()), poll(10, history=(row(-5, 8),)))
    (closed,) = told[1]
    assert isinstance(closed, SourceClosed)
    rows = (row(-5, 8), row(-5, 8, side=Side.SHORT), row(100, 200, status=PositionStatus.PARTIALLY_CLOSED))
    episodes = episodes_from_history(rows, [closed.episode])
    assert sorted(episode.provenance.value for episode in episodes) == ["observed", "reconstructed"]
    assert episodes_from_history(rows, episodes) == episodes


def test_rows_learned_later_change_no_earlier_decision() -> None:
    """Poison: a row with earlier event times, added later, leaves every earlier event as it was."""
    polls = [poll(0, held()), poll(30, held(), held("BTC")), poll(60, held("BTC"))]
    _, without = story(*polls, poll(90, held("BTC")))
    _, poisoned = story(*polls, poll(90, held("BTC"), history=(row(-5, 40), row(-700, -650, symbol="BTC"))))
    assert poisoned[:3] == without[:3]
    assert replace(without[3][0].episode, state=EpisodeState.OPEN).opened_at == at(0)


def test_a_poll_is_read_from_the_pages_of_one_cycle(pages: Any) -> None:
    detail = {"leadPortfolioId": pages.lead, "positionShow": True, "status": "ACTIVE"}
    shown = pages.answer(detail, Endpoint.LEAD_DETAIL)
    read = read_poll(pages.open(pages.slot(), pages.slot(entryPrice="x")), detail=shown, history=())
    assert isinstance(read.positions, PositionsSeen)
    assert (len(read.positions.snapshots), len(read.positions.unusable)) == (1, 1)
    assert (read.observed_at, read.positions.positions_visible) == (pages.received, True)
    hidden = read_poll(pages.answer({"positions": None}, Endpoint.OPEN_POSITIONS), detail=shown, history=())
    assert hidden.positions == PositionsFailed(error="HiddenPositions", is_hidden=True)
    html = read_poll(pages.raw(b"<html>", Endpoint.OPEN_POSITIONS), detail=shown, history=())
    assert html.positions == PositionsFailed(error="Blocked", is_hidden=False)
    for unread in (None, pages.answer(None, Endpoint.LEAD_DETAIL, code="11012005")):
        blind = read_poll(pages.open(), detail=unread, history=())
        assert isinstance(blind.positions, PositionsSeen)
        assert blind.positions.positions_visible is None


def test_a_first_page_with_an_unusable_row_does_not_seed() -> None:
    """What could not be read then would look new later, and be traded."""
    bad = UnusableRow(lead_id=LEAD, endpoint=Endpoint.OPEN_POSITIONS, page=None, index=0,
                      reason=RejectReason.BAD_TYPE, field="markPrice", row_json="{}", page_sha256="x")  # fmt: skip
    ledger, events = advance(empty_ledger(LEAD), poll(0, held(), unusable=(bad,)), now=at(1), rules=RULES)
    assert (ledger.is_seeded, events) == (False, ())
    _, events = advance(ledger, poll(10, held(), held("BTC")), now=at(11), rules=RULES)
    assert [event.episode.provenance for event in events] == [Provenance.SEEDED, Provenance.SEEDED]
