"""How long a year of archived polls takes, and how long from a source change seen to its paper fill. Prints numbers.

Run: python tests/bench/bench_paper.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from copytrade_core.edges.archived_polls import polled_events
from copytrade_core.edges.paper_account_file import PaperAccountFile
from copytrade_core.edges.session_db import SessionDb
from copytrade_core.edges.stages.episodes import RULES
from copytrade_core.model.fill import FillModel
from copytrade_core.session.ears import Ears
from copytrade_core.session.feed import FeedStep, QuoteSeen, SourceTold
from copytrade_core.session.paper_broker import PaperBroker
from copytrade_core.session.paper_log import MemoryLog
from copytrade_core.session.runner import Runner
from tests.edges.test_archived_polls import LEAD, MINUTE, START_MS, closed_btc
from tests.paper_floor import IDENTITY, Paper
from tests.polled_lead import slots, write_polls
from tests.session_floor import Panel, Watch
from tests.trading_floor import BTC, COSTS, FOLLOW, SPEC, Ohlc, closed, data, episode, opened, series

POLLS_YEAR = 365 * 24 * 60
HELD = [("BTCUSDT", "0.5", "90000")]
FLAT: Ohlc = (100_000, 100_000, 100_000, 100_000)
CYCLE = 2880
"""A position every two days, held for half of them; each page that shows it has another mark price."""


def year_of_polls() -> None:
    with tempfile.TemporaryDirectory() as folder:
        polls = []
        history = []
        for number in range(POLLS_YEAR):
            is_held = number % CYCLE >= CYCLE // 2
            polls.append((START_MS + number * MINUTE, slots(HELD if is_held else [], 90_000 + number / 100)))
            if is_held and (number + 1) % CYCLE == 0:
                opened_ms = START_MS + (number - CYCLE // 2 + 1) * MINUTE
                history.append(closed_btc(opened_ms - 5_000, START_MS + number * MINUTE + 30_000))
        archive = write_polls(Path(folder), LEAD, polls)
        began = time.perf_counter()
        cpu = time.process_time()
        runs = polled_events(archive, LEAD, history, rules=RULES)
        print(
            f"{runs.polls_count} polls of a year, {len(runs.events)} events: {time.perf_counter() - began:.1f} s"
            f" ({time.process_time() - cpu:.1f} s of processor)"
        )


class Now:
    """A clock that stands at what the benchmark says."""

    def __init__(self) -> None:
        self.at_ms = 0

    def now_ms(self) -> int:
        return self.at_ms


def seen_to_fill(count: int, *, on_disk: bool) -> None:
    """Source change seen -> decision -> journal -> paper order -> quote -> fill -> ledger."""
    with tempfile.TemporaryDirectory() as folder:
        market = data(series([FLAT] * 5))
        paper = Paper([opened(episode(7, None))], FOLLOW, SPEC, market)
        clock, watch = Now(), Watch()
        clock.at_ms = paper.start_ms
        broker = PaperBroker(
            account="paper",
            instruments=market.instruments,
            terms=replace(paper.terms, market_fill=FillModel.QUOTE_SNAPSHOT, costs=COSTS),
            log=PaperAccountFile(Path(folder) / "account.jsonl") if on_disk else MemoryLog(),
            clock=clock,
        )
        journal = (
            SessionDb.open(Path(folder) / "s.sqlite", identity=IDENTITY, run_id="r", now_ms=clock.at_ms)
            if on_disk
            else SessionDb.in_memory(identity=IDENTITY, run_id="r", now_ms=clock.at_ms)
        )
        runner = Runner(
            settings=paper.trading, broker=broker, journal=journal, panel=Panel(), clock=clock, market_watch=watch
        )
        _ = runner.start()
        ears = Ears(runner=runner, taker=broker, instruments=market.instruments)
        taken, busy = [], []
        for number in range(count):
            life = episode(7 + number, 7.5 + number)
            for event in (opened(life), closed(life)):
                clock.at_ms = round(event.known_at.timestamp() * 1000)
                began, cpu = time.perf_counter(), time.process_time()
                ears.hear(FeedStep(item=SourceTold(event=event), cursor=f"{clock.at_ms}"))
                price = watch.price
                assert price is not None
                quote = QuoteSeen(market=BTC, bid=price, ask=price, mark=price, time_ms=clock.at_ms, age_ms=0)
                ears.hear(FeedStep(item=quote, cursor=None))
                taken.append(1000 * (time.perf_counter() - began))
                busy.append(1000 * (time.process_time() - cpu))
        fills = sum(row.filled > 0 for row in runner.rows.values())
        assert fills == 2 * count
        journal.close()
    where = "synced to disk" if on_disk else "in memory"
    print(f"source change seen -> paper fill booked, {fills} fills, {where}: {_said(taken)}; processor {_said(busy)}")


def _said(times_ms: list[float]) -> str:
    p50, p99 = np.percentile(times_ms, [50, 99])
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms"


if __name__ == "__main__":
    for on_disk in (False, True):
        seen_to_fill(int(sys.argv[1]) if len(sys.argv) > 1 else 200, on_disk=on_disk)
    year_of_polls()
