"""A paper session is killed around every commit of its journal and of its account, and started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from copytrade_core.model.errors import OutOfBounds
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import ExitFamily
from copytrade_core.session.paper_log import PaperLog
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from tests.paper_floor import Paper, replayed_events
from tests.replay.random_cases import case
from tests.trading_floor import COSTS, FOLLOW, SPEC, closed, data, episode, ladder, leave, opened, series

BARS = (
    [(100_000, 100_100, 99_900, 100_000)] * 3
    + [(100_000, 100_050, 98_800, 98_900), (98_900, 99_500, 97_500, 98_000), (98_000, 101_500, 97_900, 101_000)]
    + [(101_000, 101_200, 100_800, 101_000)] * 6
)


class Killed(BaseException):
    """The process dies here: no `except` of the session may survive it."""


class Fuse:
    """Burns down with every durable write, through all restarts; dies before or after the `nth`."""

    def __init__(self, nth: int | None, *, after: bool) -> None:
        self.nth, self.after, self.count = nth, after, 0

    def around(self, write: Callable[[], None]) -> None:
        self.count += 1
        if self.count == self.nth and not self.after:
            raise Killed
        write()
        if self.count == self.nth and self.after:
            raise Killed


class DyingLog(PaperLog):
    """The account's log on a fuse."""

    def __init__(self, log: PaperLog, fuse: Fuse) -> None:
        self._log, self._fuse = log, fuse

    def load(self) -> tuple[bytes, ...]:
        return self._log.load()

    def append(self, records: tuple[bytes, ...]) -> None:
        self._fuse.around(lambda: self._log.append(records))


class DyingJournal(Journal):
    """The journal on the same fuse."""

    def __init__(self, journal: Journal, fuse: Fuse) -> None:
        self._journal, self._fuse = journal, fuse

    def load(self) -> Journalled:
        return self._journal.load()

    def commit(self, step: JournalStep) -> None:
        self._fuse.around(lambda: self._journal.commit(step))


def life() -> Paper:
    """A trade that fills two rungs, is averaged, and takes its profit."""
    profit = leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=10_000, stop=100_000, ttl_s=86_400)
    policy = replace(FOLLOW, ladder=ladder("0.4", ("0.01", "0.3"), ("0.01", "0.3")), exit=profit)
    lead = episode(7, 40, entry="100000", leave="101000")
    spec = replace(SPEC, costs=COSTS, rung_fill=FillModel.CLOSE_BEYOND)
    return Paper([opened(lead), closed(lead)], policy, spec, data(series(BARS)))


def run(paper: Paper, fuse: Fuse, deaths_max: int = 1) -> int:
    """Until the session ends, however often its process dies; says how often that was."""
    for deaths in range(deaths_max + 1):
        try:
            _ = paper.session(journal=DyingJournal(paper.kept, fuse), log=DyingLog(paper.log, fuse)).run()
        except Killed:
            continue
        return deaths
    raise AssertionError(f"it dies {deaths_max} times at most")


def traded(paper: Paper) -> tuple[object, ...]:
    """All that must not depend on how often a process died: orders and ids, fills, what was refused, the state."""
    rows = [
        (row.order, row.intent_digest, row.state, row.filled, row.planned_at_ms) for row in paper.journal.load().rows
    ]
    account = paper.broker()
    trades = [(fill.venue_order_id, fill.trade_id, fill.price, fill.quantity, fill.fee, fill.time_ms)
              for market in paper.data.bars for fill in account.fills(Market(market), since_ms=0)]  # fmt: skip
    kept = (tuple(paper.kept.fills), tuple(paper.kept.refused), tuple(paper.kept.holds))
    return rows, trades, kept, paper.state(), account.balance(), account.positions()


@pytest.fixture(scope="module")
def untouched():
    paper = life()
    fuse = Fuse(None, after=False)
    _ = run(paper, fuse)
    return paper, fuse.count


def test_the_undisturbed_session_trades_a_ladder_and_leaves(untouched):
    paper, count = untouched
    kinds = [fill.kind for fill in paper.kept.fills]
    assert len(kinds) >= 3
    assert count > 20
    assert not paper.book().holdings
    assert paper.broker().balance().equity == paper.book().cash, "account and ledger agree"


@pytest.mark.parametrize("after", [False, True])
def test_killed_around_any_write_it_ends_as_if_nothing_had_been(untouched, after):
    calm, count = untouched
    expected = traded(calm)
    for nth in range(1, count + 1):
        paper = life()
        assert run(paper, Fuse(nth, after=after)) == 1
        assert traded(paper) == expected, nth


class EveryFuse(Fuse):
    """Lets each process live for so many writes."""

    def __init__(self, lives: int) -> None:
        super().__init__(None, after=True)
        self.lives = lives

    def around(self, write: Callable[[], None]) -> None:
        write()
        self.count += 1
        if self.count % self.lives == 0:
            raise Killed


@pytest.mark.parametrize("lives", [1, 2, 3])
def test_a_session_whose_every_process_dies_after_a_few_writes_ends_as_if_nothing_had_been(untouched, lives):
    calm, count = untouched
    paper = life()
    assert run(paper, EveryFuse(lives), deaths_max=10 * count) >= count // lives - 1
    assert traded(paper) == traded(calm)


def history(seed: int) -> Paper | None:
    """A random history of several markets with random policy, costs, ladder, exits and funding; None: nothing told."""
    made = case(seed)
    spec = replace(made.spec, market_fill=FillModel.NEXT_BAR_OPEN)
    events = replayed_events(made.episodes, made.policy, spec, made.data)
    return Paper(events, made.policy, spec, made.data, delay_ms=seed % 3 * 20_000) if events else None


def test_random_histories_end_alike_however_often_they_die():
    deaths = 0
    for seed in (*range(12), 31):
        calm = history(seed)
        if calm is None:
            continue
        fuse = Fuse(None, after=False)
        try:
            _ = run(calm, fuse)
        except OutOfBounds:
            continue  # so rich that no engine can hold it
        expected = traded(calm)
        for lives in (1, 2):
            paper = history(seed)
            assert paper is not None
            deaths += run(paper, EveryFuse(lives), deaths_max=10 * fuse.count)
            assert traded(paper) == expected, (seed, lives)
    assert deaths > 300
