"""How long after STOP_NEW_ORDERS is set entries still reach a venue: real files, real clock, stock client over HTTP.

A session sends entries as fast as it can; another thread sets the control while a random one of them leaves. What
counts is the time from the person's command to the end of the last entry's request; nothing sent after it is 0.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace
from pathlib import Path

from copytrade_core.edges.preflight.drill_feed import DrillWatch
from copytrade_core.edges.preflight.drill_markets import MARKETS, START_MS
from copytrade_core.edges.preflight.drill_policies import FOLLOW_LADDER
from copytrade_core.edges.preflight.drill_settings import drill_settings
from copytrade_core.edges.preflight.drilled_session import IDENTITY
from copytrade_core.edges.preflight.http_world import HttpWorld, VenueStage
from copytrade_core.edges.preflight.schedule import plain
from copytrade_core.edges.preflight.story import Story, Visit, told_of
from copytrade_core.edges.runtime.control_files import Control, ControlFiles, set_control
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.model.side import Side
from copytrade_core.session.runner import Runner
from tests.session.broken_brokers import Passing

RUNGS = 8
ENTRIES = 4 * (1 + RUNGS)
"""What would leave if nobody set the control; it is set while two thirds of them are leaving."""


class Timed(Passing):
    """Notes when the request of each entry was over."""

    def __init__(self, broker, stop_in: int) -> None:
        super().__init__(broker)
        self.entries_over_s: list[float] = []
        self.stop_now = threading.Event()
        self._left = stop_in

    def submit(self, order):
        self._left -= order.kind.is_entry
        if self._left <= 0:
            self.stop_now.set()
        outcome = self.broker.submit(order)
        if order.kind.is_entry:
            self.entries_over_s.append(time.perf_counter())
        return outcome


class FixedClock:
    """The session's own time stands still; what is measured passes in real time."""

    def now_ms(self) -> int:
        return START_MS + 1


def busy_story() -> Story:
    """The lead opens both sides of both markets at once, and every trade has a long ladder."""
    steps = tuple(FOLLOW_LADDER.ladder.steps[:1] * RUNGS)
    policy = replace(
        FOLLOW_LADDER,
        ladder=replace(FOLLOW_LADDER.ladder, steps=steps, weights=FOLLOW_LADDER.ladder.weights[:1] * RUNGS),
    )
    told = [
        each
        for market in MARKETS
        for side in Side
        for each in told_of(Visit(market=market, side=side, opens_ms=START_MS + 1, closes_ms=None), ())
    ]
    return Story(
        policy=policy,
        cap_ratio_ppm=9_000_000,
        orders_per_hour_max=500,
        points=(),
        told=tuple(told),
        controls=(),
        foreign=(),
        silences=(),
        spaced=False,
    )


def one_stop(stage: VenueStage, folder: Path, stop_in: int) -> tuple[float, int]:
    """Milliseconds from STOP to silence, and how many entries had left in all."""
    story, clock, feed = busy_story(), FixedClock(), DrillWatch(())
    world = HttpWorld(plain(story, name="busy", seed=None), stage)
    world.advance(START_MS + 1)
    broker = Timed(world.broker(clock.now_ms), stop_in)
    for market, drill in MARKETS.items():
        feed.tell_mark(market, drill.first_price)
    stopped_s: list[float] = []

    def stop() -> None:
        assert broker.stop_now.wait(timeout=30)
        began_s = time.perf_counter()
        set_control(folder, Control.STOP_NEW_ORDERS, who="test", why="measured", at_ms=0)
        stopped_s.append(began_s)

    path = folder / "session.sqlite"
    with SessionDb.open(path, identity=IDENTITY, run_id="measured", now_ms=START_MS) as journal:
        runner = Runner(
            settings=drill_settings(story, mode=stage.mode),
            broker=broker,
            journal=journal,
            panel=ControlFiles(folder, now_ms=clock.now_ms, deadline_ms=None, approval_valid=None),
            clock=clock,
            market_watch=feed,
        )
        runner.start()
        for number, told in enumerate(story.told, start=1):
            runner.tell(told.event, cursor=str(number))
        person = threading.Thread(target=stop)
        person.start()
        quiet_passes = 0
        while not stopped_s or quiet_passes < 3:
            before = len(broker.entries_over_s)
            runner.pump()
            quiet_passes = quiet_passes + 1 if stopped_s and len(broker.entries_over_s) == before else 0
        person.join()
    last_s = max(broker.entries_over_s, default=0.0)
    return max(0.0, last_s - stopped_s[0]) * 1_000, len(broker.entries_over_s)


def measured(stage: VenueStage, folder: Path, *, times: int, seed: int) -> list[tuple[float, int]]:
    """So many stops at random moments."""
    dice = random.Random(seed)
    found: list[tuple[float, int]] = []
    for number in range(times):
        run = folder / f"run{number}"
        run.mkdir()
        found.append(one_stop(stage, run, dice.randint(1, ENTRIES * 2 // 3)))
    return found
