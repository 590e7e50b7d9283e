"""What the order path went through in a long run, as figures: docs/reliability.json, and a page to read.

`make soak` measures; nothing here decides what is good enough.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from copytrade_core.edges.preflight.coverage import REQUIRED, missing
from copytrade_core.edges.preflight.drill_policies import DRILL_POLICIES
from copytrade_core.edges.preflight.http_world import HttpWorld, venue_stage
from copytrade_core.edges.preflight.judge import Invariant
from copytrade_core.edges.preflight.run import RULES
from copytrade_core.edges.preflight.simulation import Judged, in_process, judged, run_seed
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.model.venue import Venue
from tests.bench.run import machine
from tests.session.order_mutants import MUTANTS, hunt, planted
from tests.session.stop_to_silence import measured

CHUNK = 50
KEPT_FAILURES = 20


@dataclass
class Tally:
    """Counts of many drills, small enough to send from process to process."""

    seeds: int = 0
    drills: int = 0
    faults: int = 0
    crashes: int = 0
    compared: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    cells: Counter[Any] = field(default_factory=Counter)
    points: Counter[Any] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, done: Judged) -> None:
        self.drills += 1
        self.compared += done.compared
        self.broken.update({str(each.invariant) for each in done.violations})
        if done.violations:
            self.failures.append(f"{name}: " + "; ".join(f"{each.invariant} {each.what}" for each in done.violations))
        if done.record is not None:
            self.faults += len(done.record.cells)
            self.crashes += len(done.record.crashes)
            self.cells.update(done.record.cells)
            self.points.update((crash.what, crash.after, str(crash.state)) for crash in done.record.crashes)

    def join(self, other: Tally) -> None:
        for name in ("seeds", "drills", "faults", "crashes", "compared"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("broken", "cells", "points"):
            getattr(self, name).update(getattr(other, name))
        self.failures = [*self.failures, *other.failures][:KEPT_FAILURES]


def tallied(venue: Venue, seeds: Sequence[int]) -> Tally:
    """A chunk of seeds in this process."""
    arena, tally = in_process(RULES[venue], DRILL_POLICIES), Tally()
    for seed in seeds:
        tally.seeds += 1
        for done in run_seed(seed, arena):
            tally.add(f"{venue} seed {seed}", done)
    return tally


def many_seeds(venue: Venue, first: int, count: int) -> Tally:
    """Seeds on every core."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    whole = Tally()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        for tally in pool.map(tallied, [venue] * len(chunks), chunks):
            whole.join(tally)
    return whole


def over_http(venue: Venue, first: int, drills: int) -> Tally:
    """Drills with faults and crashes through the stock client."""
    arena, tally = in_process(RULES[venue], DRILL_POLICIES), Tally()
    mode = arena.rules.position_mode
    certificate = certificate_of(profile_of(venue), requests=(), made_at_ms=0)
    with venue_stage(venue, mode=mode, certificate=certificate) as stage:
        from dataclasses import replace

        http = replace(arena, make_world=lambda schedule: HttpWorld(schedule, stage))
        seed = first
        while tally.drills < drills:
            tally.seeds += 1
            for done in run_seed(seed, arena)[1:]:
                tally.add(f"{venue} seed {seed} over HTTP", judged(done.schedule, http))
            seed += 1
    return tally


def survivors(root: Path, folder: Path, seeds: int) -> list[str]:
    """Planted faults that no drill shows."""

    def survives(mutant) -> str | None:
        place = folder / mutant.name
        place.mkdir(parents=True)
        return mutant.name if hunt(planted(root, place, mutant), seeds) is None else None

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [name for name in pool.map(survives, MUTANTS) if name is not None]


def stops(folder: Path, times: int) -> dict[str, float]:
    """Percentiles of the time from STOP to silence in milliseconds; the last entry's request included."""
    certificate = certificate_of(profile_of(Venue.BINGX), requests=(), made_at_ms=0)
    with venue_stage(Venue.BINGX, mode=RULES[Venue.BINGX].position_mode, certificate=certificate) as stage:
        found = sorted(silence_ms for silence_ms, _ in measured(stage, folder, times=times, seed=1))
    return {
        "stop_to_silence_p50_ms": round(found[len(found) // 2], 2),
        "stop_to_silence_p99_ms": round(found[min(len(found) - 1, len(found) * 99 // 100)], 2),
    }


def figures(in_process_: Tally, http: Tally, lost: Sequence[str], silence: dict[str, float], *, took_s: float) -> dict:
    """The figures that are written down."""
    broken = in_process_.broken + http.broken
    return {
        "measured_on": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "seeds": in_process_.seeds,
        "drills": in_process_.drills,
        "drills_http": http.drills,
        "seeds_per_minute": round(in_process_.seeds / took_s * 60),
        "faults": in_process_.faults + http.faults,
        "crash_points": len(in_process_.points),
        "crashes": in_process_.crashes + http.crashes,
        "restarts_compared": in_process_.compared,
        "cells_required": len(REQUIRED),
        "cells_required_empty": len(missing(in_process_.cells)),
        "cells_struck": len(in_process_.cells),
        "violations": sum(broken.values()),
        "duplicate_orders": broken[Invariant.ONE_ORDER_PER_INTENT],
        "missed_closes": broken[Invariant.SOURCE_CLOSE_ENDS],
        "flat_by_accident": broken[Invariant.NEVER_FLAT_BY_ACCIDENT],
        "mutants": len(MUTANTS),
        "mutants_killed": len(MUTANTS) - len(lost),
        **silence,
    }


WORDS = {
    "seeds": "seeded stories in process, each with its planted fault",
    "drills": "drills of them: calm, with faults, and with crashes alone",
    "drills_http": "drills with faults and crashes through the stock client over HTTP",
    "seeds_per_minute": "seeds a minute in process, on all cores",
    "faults": "faults that struck, each counted once per drill, call and state of the session",
    "crash_points": "different places where the session died: the step, before or after it, and what it was doing",
    "crashes": "deaths of the session",
    "restarts_compared": "restarts compared with the uninterrupted run",
    "cells_required": "cells of the grid fault × call × state that may not stay empty",
    "cells_required_empty": "of them empty",
    "cells_struck": "cells struck in all",
    "violations": "broken invariants",
    "duplicate_orders": "intents with more than one order at the venue",
    "missed_closes": "closes of the source that ended neither flat nor with an alert",
    "flat_by_accident": "holdings that left the book while the venue still had them",
    "mutants": "faults planted in our own code",
    "mutants_killed": "of them found by the drills",
    "stop_to_silence_p50_ms": "milliseconds from STOP_NEW_ORDERS to the end of the last entry's request, median",
    "stop_to_silence_p99_ms": "the same, 99th percentile",
}


def as_markdown(found: dict[str, Any]) -> str:
    """The figures as a page."""
    said = ", ".join(f"{key} {value}" for key, value in found["machine"].items())
    lines = [
        "# Reliability of orders",
        "",
        "What the way of an order went through in a long run, judged by the books of a venue that misbehaves, never by",
        "return values. A stand-in is not the venue: the rules it had to assume are named in every preflight's report.",
        "",
        f"Measured with `make soak` on {found['measured_on']}: {said}.",
        "",
        "| figure | what it counts | value |",
        "|---|---|---|",
        *(f"| `{name}` | {words} | {found[name]:,} |" for name, words in WORDS.items()),
        "",
        "Planted faults, each found by a drill: " + ", ".join(f"`{mutant.name}`" for mutant in MUTANTS) + ".",
        "",
        "Fifty more deaths, by `kill -9` of a trading process over HTTP, are in `tests/session/test_kill_nine.py`.",
        "",
    ]
    return "\n".join(lines)


def write(root: Path, found: dict[str, Any]) -> None:
    """Both files, once everything is measured."""
    (root / "docs" / "reliability.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", "utf-8")
    (root / "docs" / "reliability.md").write_text(as_markdown(found), "utf-8")


def timed(ask):
    """What a function gives, and how many seconds it took."""
    began_s = time.perf_counter()
    return ask(), time.perf_counter() - began_s
