"""How long a year of archived polls takes, and how long from a source change seen to its paper fill. Prints numbers.

Run: python tests/bench/bench_paper.py
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from copytrade_core.edges.quiet_heap import quiet_heap
from copytrade_core.edges.runtime.paper_account_file import PaperAccountFile
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.paper_plan import replay_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.model.fill import FillModel
from copytrade_core.session.ears import Ears
from copytrade_core.session.feed import FeedStep, QuoteSeen, SourceTold
from copytrade_core.session.paper_broker import PaperBroker
from copytrade_core.session.paper_log import MemoryLog
from copytrade_core.session.runner import Runner
from copytrade_core.strategies.leads import plain_lead
from tests.bench.paper_year import year_project
from tests.paper_floor import IDENTITY, Paper
from tests.session_floor import Panel, Watch
from tests.small_lead import LEAD as YEAR_LEAD
from tests.trading_floor import BTC, COSTS, FOLLOW, SPEC, Ohlc, closed, data, episode, opened, series

COUNT = 200
FLAT: Ohlc = (100_000, 100_000, 100_000, 100_000)
LIMIT_MS = 5.0
YEAR_LIMIT_S = 60.0


def run() -> dict:
    """The path to a fill on disk and in memory, a year of polls, the limits of both and how busy the machine was."""
    busy = os.getloadavg()[0]
    disk, memory = (seen_to_fill(COUNT, on_disk=on_disk) for on_disk in (True, False))
    year = year_of_polls()
    return {
        "load_before": busy,
        "seen_to_fill": {"synced to disk": disk, "in memory": memory},
        "year": year,
        "targets": {
            "seen_to_fill_on_disk_wall_p99_ms": _target(disk["wall_p99_ms"], LIMIT_MS),
            "seen_to_fill_on_disk_processor_p99_ms": _target(disk["processor_p99_ms"], LIMIT_MS),
            "year_of_polls_s": _target(year["wall_s"], YEAR_LIMIT_S),
        },
    }


def _target(measured: float, limit: float) -> str:
    return f"target <= {limit:g}, measured {measured:.4g}, met {measured <= limit}"


def year_of_polls() -> dict[str, float]:
    """A whole paper session over a year of archived polls, with its journal and files, loading included."""
    with tempfile.TemporaryDirectory() as folder:
        place = year_project(Path(folder))
        name, policy = next(iter(load_policies(place.settings).items()))
        plan = replay_plan(place.settings, name, policy, plain_lead(YEAR_LEAD))
        began, cpu = time.perf_counter(), time.process_time()
        ever = Span(from_at=None, until_at=None)
        done = run_paper_session(place, plan, ever, folder=Path(folder) / "run", run_id="year")
        assert done.is_evidence
        assert done.status.counters.fills > 300
        return {
            "wall_s": time.perf_counter() - began,
            "processor_s": time.process_time() - cpu,
            "polls": done.polls_count,
            "events": done.events_count,
            "fills": done.status.counters.fills,
        }


class Now:
    """A clock that stands at what the benchmark says."""

    def __init__(self) -> None:
        self.at_ms = 0

    def now_ms(self) -> int:
        return self.at_ms


def seen_to_fill(count: int, *, on_disk: bool) -> dict[str, float]:
    """Source change seen -> decision -> journal -> paper order -> quote -> fill -> ledger; without status files.

    Between two trades the journal's log is emptied, as a session does with each of its looks.
    """
    with quiet_heap(), tempfile.TemporaryDirectory() as folder:
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
            journal.note(())
        fills = sum(row.filled > 0 for row in runner.rows.values())
        assert fills == 2 * count
        journal.close()
    wall, processor = np.percentile(taken, [50, 99]), np.percentile(busy, [50, 99])
    return {
        "wall_p50_ms": float(wall[0]),
        "wall_p99_ms": float(wall[1]),
        "processor_p50_ms": float(processor[0]),
        "processor_p99_ms": float(processor[1]),
        "fills": fills,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
