"""Trades that are over are kept one by one: nothing of the state is lost by it, and a step stays as small as it was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.flow import FlowState, fresh_state
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.errors import BadInput
from copytrade_core.model.fill import FillModel
from copytrade_core.replay.reference import _Run
from copytrade_core.replay.timeline import timeline
from copytrade_core.session.done_trades import newly_done, with_done, without_done
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from copytrade_core.session.snapshot import decode_done, decode_state, encode_done, encode_state
from copytrade_core.strategies.state import FRESH, Phase
from tests.paper_floor import Paper
from tests.replay.random_cases import case
from tests.trading_floor import COSTS, FOLLOW, SPEC, closed, data, episode, opened, series, usdt

TRADE_MINUTES = 120
FLAT = (100_000, 100_000, 100_000, 100_000)
NEW = fresh_state(FRESH, opened_book(usdt(10_000)))


class Kept:
    """What a journal holds of a state: the part that is written anew, and what is over."""

    def __init__(self) -> None:
        self.state = encode_state(NEW)
        self.done: dict[str, bytes] = {}

    def write(self, before: FlowState, after: FlowState) -> int:
        ended = newly_done(before, after)
        self.state = encode_state(without_done(after))
        self.done |= {each.trade.episode_id: encode_done(each) for each in ended}
        return len(ended)

    def read(self) -> FlowState:
        return with_done(decode_state(self.state), [decode_done(body) for body in self.done.values()])


class Parted(_Run):
    """A replay whose state is kept in parts, and read from them, after every event."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.kept = Kept()
        self.before = replace(self._state, strategy=FRESH)

    def _tell(self, event, now_ms) -> None:
        super()._tell(event, now_ms)
        _ = self.kept.write(self.before, self._state)
        self.before = self._state
        assert self.kept.read() == self._state


@settings(max_examples=25, deadline=None)
@given(st.integers(min_value=0, max_value=5_000))
def test_a_state_that_is_kept_in_parts_comes_back_whole_after_every_event(seed: int) -> None:
    told = case(seed)
    run = Parted(told.policy, told.spec, told.data, None)
    with suppress(BadInput):  # so rich that no engine can hold it
        run.drive(timeline(told.episodes, told.spec.delay_s, told.data))


def lives(count: int) -> Paper:
    """So many trades, one after the other, each over before the next begins."""
    told = [episode(7 + TRADE_MINUTES * number, 60 + TRADE_MINUTES * number) for number in range(count)]
    events = [event for each in told for event in (opened(each), closed(each))]
    spec = replace(SPEC, costs=COSTS, market_fill=FillModel.NEXT_BAR_OPEN)
    return Paper(events, FOLLOW, spec, data(series([FLAT] * (count * TRADE_MINUTES // 5 + 12))))


class Weighed(Journal):
    """Passes through, and weighs what each step says of the state."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.bytes_count: list[int] = []

    def load(self) -> Journalled:
        return self.journal.load()

    def commit(self, step: JournalStep) -> None:
        self.bytes_count.append(len(step.state or b"") + sum(map(len, step.done.values())))
        self.journal.commit(step)


def test_a_step_late_in_a_session_writes_no_more_than_one_early_in_it() -> None:
    paper = lives(24)
    weighed = Weighed(paper.kept)
    _ = paper.session(journal=weighed).run()
    assert len(paper.kept.fills) == 48
    steps = weighed.bytes_count
    early, late = max(steps[: len(steps) // 4]), max(steps[-len(steps) // 4 :])
    assert late < early + 200, "only numbers have grown longer"
    assert len(encode_state(paper.state())) > 3 * late, "the whole state has"


class AsBefore(Journal):
    """Writes the whole state at every step, as journals of schema 3 did."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.done: dict[str, bytes] = {}

    def load(self) -> Journalled:
        return self.paper.kept.load()

    def commit(self, step: JournalStep) -> None:
        self.done |= step.done
        if step.state is not None:
            whole = with_done(decode_state(step.state), [decode_done(body) for body in self.done.values()])
            step = replace(step, state=encode_state(whole), done={})
        self.paper.kept.commit(step)


def test_a_session_goes_on_with_the_whole_state_that_an_earlier_version_left() -> None:
    calm, paper = lives(4), lives(4)
    _ = calm.session().run()
    paper.facts = replace(paper.facts, deadline_ms=paper.start_ms + (2 * TRADE_MINUTES - 10) * 60_000)
    _ = paper.session(journal=AsBefore(paper)).run()
    left = paper.journal.load()
    assert not left.done
    assert left.state is not None
    assert len(decode_state(left.state).strategy.trades) == 2
    paper.facts = replace(paper.facts, deadline_ms=None)
    _ = paper.session().run()
    assert len(paper.journal.load().done) == 4
    assert paper.state() == calm.state()


def test_a_trade_that_was_over_and_leaves_again_is_as_the_newer_part_says() -> None:
    paper = lives(2)
    _ = paper.session().run()
    over = paper.state()
    kept = Kept()
    assert kept.write(NEW, over) == 2
    first, second = over.strategy.trades.values()
    leaving = replace(first, phase=Phase.LEAVING, exits_count=first.exits_count + 1)
    strategy = replace(over.strategy, trades={first.episode_id: leaving, second.episode_id: second})
    again = replace(over, strategy=strategy, attempts={**over.attempts, (first.episode_id, "late_fill.2"): 1})
    assert kept.write(over, again) == 0
    assert kept.read() == again
    ended = replace(leaving, phase=Phase.DONE)
    end = replace(again, strategy=replace(strategy, trades={**strategy.trades, first.episode_id: ended}))
    assert kept.write(again, end) == 1
    assert kept.read() == end


def test_an_order_counted_for_a_trade_that_stays_over_is_kept() -> None:
    paper = lives(1)
    _ = paper.session().run()
    over = paper.state()
    kept = Kept()
    _ = kept.write(NEW, over)
    (episode_id,) = over.strategy.trades
    counted = replace(over, attempts={**over.attempts, (episode_id, "source_close.3"): 1})
    assert kept.write(over, counted) == 1
    assert kept.read() == counted
