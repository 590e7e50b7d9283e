"""A session's process is killed at random moments of a trade and started again: one order per intent at the venue."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.control_files import Control, note_of
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.standins.venue_ledger import OrderLine, VenueLedger
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.venue import Venue
from copytrade_core.session.snapshot import decode_state
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from tests.session.kill_nine_trade import IDENTITY, START_MS, setup

SLOW = VenueFault(kind=VenueFaultKind.SLOW, call=VenueCall.SUBMIT, count=100, delay_ms=60)
"""The venue takes an order at once and answers late, so that many a kill falls between the two."""


class Processes:
    """Forks the processes that trade, and kills them."""

    def __init__(self, root: Path) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-c", "from tests.session.kill_nine_trade import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=root,
            text=True,
        )
        assert self._line() == "ready"

    def begin(self, folder: Path, base_url: str) -> int:
        self._say(f"begin {folder} {base_url}")
        return int(self._line())

    def ended(self) -> tuple[int, float]:
        """How the last one ended, and after how many seconds."""
        self._say("end")
        code, seconds = self._line().split()
        return int(code), float(seconds)

    def close(self) -> None:
        self._mother.communicate(timeout=60)

    def _say(self, words: str) -> None:
        assert self._mother.stdin is not None
        self._mother.stdin.write(f"{words}\n")
        self._mother.stdin.flush()

    def _line(self) -> str:
        assert self._mother.stdout is not None
        return self._mother.stdout.readline().strip()


@pytest.fixture(scope="module")
def processes(project_root: Path) -> Iterator[Processes]:
    made = Processes(project_root)
    yield made
    made.close()


@pytest.fixture(scope="module")
def venue() -> Iterator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=setup(), port=0)) as standin:
        yield standin


class Trade:
    """One trade from an empty account to the end, killed on the way."""

    def __init__(self, processes: Processes, venue: VenueStandin, folder: Path) -> None:
        self._processes, self._venue, self.folder = processes, venue, folder
        folder.mkdir()
        venue.control.reset(setup())
        venue.control.set_faults((SLOW,))

    def run(self) -> float:
        """One process to the end of the trade: how long it lived."""
        self._processes.begin(self.folder, self._venue.base_url)
        code, seconds = self._processes.ended()
        assert code == 0
        return seconds

    def run_and_kill(self, after_s: float) -> bool:
        """One process, killed after a time; False when it had come to the end before."""
        pid = self._processes.begin(self.folder, self._venue.base_url)
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
        code, _ = self._processes.ended()
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def ledger(self) -> VenueLedger:
        return self._venue.control.ledger()

    def journal(self) -> SessionDb:
        return SessionDb.open(self.folder / "session.sqlite", identity=IDENTITY, run_id="judge", now_ms=START_MS)

    def rows(self) -> dict[str, OrderRow]:
        with self.journal() as journal:
            return {row.order.client_order_id: row for row in journal.load().rows}

    def judge_after_kill(self) -> list[OrderState]:
        """Nothing is at the venue that was not journalled for sending first; how the unfinished orders stand."""
        orders = wait_for_late_requests(self)
        rows = self.rows()
        for order in orders:
            assert order.client_order_id in rows
            assert rows[order.client_order_id].state is not OrderState.PLANNED
        return [row.state for row in rows.values() if not row.state.is_final]

    def judge_at_end(self) -> None:
        """The venue's own record against ours."""
        ledger, rows = self.ledger(), self.rows()
        assert (ledger.unknown_requests, ledger.internal_errors) == ((), ())
        ids = [order.client_order_id for order in ledger.orders]
        assert len(set(ids)) == len(ids)
        intents = Counter((rows[str(each)].order.episode_id, rows[str(each)].order.leg) for each in ids)
        assert set(intents.values()) <= {1}, "one order per intent, or none that never left"
        assert sum(rows[str(each)].order.reduce_only for each in ids) <= 1, "one close"
        assert ledger.positions == ()
        at_venue = {order.client_order_id: order.filled for order in ledger.orders}
        assert {key: int(row.filled) for key, row in rows.items() if key in at_venue} == at_venue
        for key, row in rows.items():
            assert row.state.is_final
            assert key in at_venue or row.state in (OrderState.NOT_PLACED, OrderState.CANCELLED)
        with self.journal() as journal:
            stored = journal.load()
            assert journal._connection.execute("SELECT * FROM alerts").fetchall() == []
            assert journal._connection.execute("SELECT sum(quantity) FROM fills").fetchone()[0] == sum(
                at_venue.values()
            )
        assert stored.state is not None
        book = decode_state(stored.state).book
        assert book.holdings == {}
        assert book.cash == ledger.cash
        assert note_of(self.folder, Control.STOP_NEW_ORDERS) is None


def wait_for_late_requests(trade: Trade) -> tuple[OrderLine, ...]:
    """The venue's orders once it has dealt with whatever the dead process had still sent."""
    seen = None
    while (calls := trade.ledger().calls) != seen:
        seen = calls
        time.sleep(0.01)
    return trade.ledger().orders


@pytest.fixture(scope="module")
def whole_s(processes: Processes, venue: VenueStandin, tmp_path_factory) -> float:
    """How long the trade takes when nobody kills it; judged like the others."""
    trade = Trade(processes, venue, tmp_path_factory.mktemp("whole") / "run")
    seconds = trade.run()
    assert [order.filled > 0 for order in trade.ledger().orders] == [True, True, False, True]
    trade.judge_at_end()
    return seconds


def killed_at(moments: int, seed: int, processes: Processes, venue: VenueStandin, whole_s: float, folder: Path):
    """So many kills; some hit a process that has just started again. How unfinished orders stood when they came."""
    dice = random.Random(seed)
    met: Counter[OrderState] = Counter()
    kills = trades = 0
    while kills < moments:
        trades += 1
        trade = Trade(processes, venue, folder / f"run{trades}")
        while kills < moments and trade.run_and_kill(dice.uniform(0.0, whole_s)):
            kills += 1
            met.update(trade.judge_after_kill())
            if dice.random() < 0.5:
                break
        trade.run()
        trade.judge_at_end()
    return met


def test_six_kills_at_random_moments_leave_one_order_per_intent(processes, venue, whole_s, tmp_path: Path) -> None:
    killed_at(6, 1, processes, venue, whole_s, tmp_path)


@pytest.mark.soak
def test_fifty_kills_at_random_moments_leave_one_order_per_intent(processes, venue, whole_s, tmp_path: Path) -> None:
    met = killed_at(50, 2, processes, venue, whole_s, tmp_path)
    assert met[OrderState.JOURNALLED] >= 5, "many a kill came between sending and the answer"
    assert met[OrderState.OPEN], "and some while an order rested"
