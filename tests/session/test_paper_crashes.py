"""A paper session is killed around every commit of its journal and of its account, and started again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import ExitFamily
from copytrade_core.session.paper_log import PaperLog
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from copytrade_core.session.runner import RESTART
from tests.paper_floor import Paper, by_episode
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


def run(paper: Paper, fuse: Fuse) -> int:
    """Until the session ends, however often its process dies; says how often that was."""
    for deaths in range(3):
        try:
            _ = paper.session(journal=DyingJournal(paper.kept, fuse), log=DyingLog(paper.log, fuse)).run()
        except Killed:
            continue
        return deaths
    raise AssertionError("it dies once at most")


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


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_it_ends_with_the_same_ledger_and_no_order_twice(untouched, after):
    calm, count = untouched
    same = 0
    for nth in range(1, count + 1):
        paper = life()
        assert run(paper, Fuse(nth, after=after)) == 1
        rows = paper.journal.load().rows
        ids = [row.order.client_order_id for row in rows]
        assert len(ids) == len(set(ids))
        assert len({fill.client_order_id for fill in paper.kept.fills}) == len(paper.kept.fills), "each posted once"
        assert paper.broker().balance().equity == paper.book().cash, "account and ledger agree"
        assert not paper.book().holdings
        if any(row.why == RESTART for row in rows) or any(row.lookups_count for row in rows):
            continue  # what never left is decided anew, and what may have left is looked up first: both take time
        assert by_episode(paper.kept.fills) == by_episode(calm.kept.fills), nth
        assert paper.book() == calm.book(), nth
        same += 1
    assert same > count * 0.7
