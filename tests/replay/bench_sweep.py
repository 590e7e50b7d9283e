"""Candidates a second on work item W: the fast kernel beside a plain bar scan, vectorbt and an event-driven library.

`python -m tests.replay.bench_sweep`. Competitors take turns, round by round, in one process; ratios are medians over
rounds, so that a slow moment of the machine hits both sides. All of W is replayed by the kernel and by the scan, and
every figure of every candidate is compared: `mismatches` counts candidates that differ anywhere.

Times are of packed candidates (`packing_us_per_candidate` says what packing a policy costs, once) and without
compilation (`compile_s`, in a fresh cache). vectorbt and the event-driven library do the nearest work they can express:
their modules say what they leave out. A peer that is not installed is "absent".
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.sweep import SweepTable
from copytrade_core.replay.sweep import packed, prepare, sweep_packed
from tests.replay import peer_event_driven, peer_vectorbt
from tests.replay.scan_kernel import scan
from tests.replay.scan_packing import pack_candidates, pack_market
from tests.replay.work_item import FINE_MS, TIGHT, WorkItem, work_item

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7
KERNEL_ROUND_S = 0.3
"""The kernel repeats W until a round lasts so long: one sweep of W is too short to be timed alone."""
PEER_BARS = 20 * 1440
"""Bars of one market that the event-driven library replays; W has 518,400."""
MEMORY_COUNTS = (1_000, 100_000)
BAR_BYTES = 16
"""Four int32 prices: what a scan must read per bar and held market, however it is written."""
STREAM_BYTES = 2**28
TARGETS: dict[str, tuple[str, float]] = {
    "kernel_over_scan": (">=", 60.0),
    "kernel_over_vectorbt": (">=", 5_000.0),
    "two_threads_over_one": (">=", 1.7),
    "bars_60s_to_5s_throughput_kept_ratio": (">=", 0.5),
    "memory_growth_mb": ("<=", 64.0),
    "coupled_kernel_over_scan": (">=", 20.0),
    "mismatches": ("<=", 0.0),
}

Timed = Callable[[], float]
"""One turn of a competitor: seconds per candidate."""


def run() -> dict[str, Any]:
    """All competitors on W, what they compared equal on, and the targets beside it."""
    work = work_item()
    numbers, held = _main_race(work)
    numbers |= _coupled(work) | _touch(work) | _fine(work)
    numbers["mismatches"] = sum(numbers[name] for name in numbers if name.startswith("mismatches_"))
    numbers |= _memory_limit(numbers["kernel_candidates_per_s"], held)
    numbers |= {"compile_s": _in_child("compile"), "memory_growth_mb": _memory_growth()}
    return {**numbers, "targets": {name: _judged(numbers.get(name), *TARGETS[name]) for name in TARGETS}}


def _main_race(work: WorkItem) -> tuple[dict[str, Any], float]:
    """The race on W itself; also the bars held per candidate, for the memory limit."""
    begun = time.perf_counter()
    prepared = prepare(work.episodes, work.spec, work.minute)
    prepare_s = time.perf_counter() - begun
    begun = time.perf_counter()
    rows = packed(work.policies)
    packing_s = time.perf_counter() - begun
    market, candidates = pack_market(work.episodes, work.spec, work.minute), pack_candidates(work.policies)
    fast, slow = sweep_packed(prepared, rows, threads=1), scan(market, candidates)
    turns: dict[str, Timed] = {
        "kernel": _repeated(lambda: sweep_packed(prepared, rows, threads=1), len(rows)),
        "kernel_2_threads": _repeated(lambda: sweep_packed(prepared, rows, threads=2), len(rows)),
        "scan": _once(lambda: scan(market, candidates), len(rows)),
        **_peers(work, market),
    }
    times = _race(turns)
    numbers: dict[str, Any] = {
        "candidates": len(rows),
        "episodes": len(work.episodes),
        "bars": sum(len(series) for series in work.minute.bars.values()),
        "rounds": ROUNDS,
        "kernel_candidates_per_s": 1 / statistics.median(times["kernel"]),
        "kernel_candidates_per_s_2_threads": 1 / statistics.median(times["kernel_2_threads"]),
        "scan_candidates_per_s": 1 / statistics.median(times["scan"]),
        "two_threads_over_one": _ratio(times["kernel"], times["kernel_2_threads"]),
        "kernel_over_scan": _ratio(times["scan"], times["kernel"]),
    }
    for peer in ("vectorbt", "event_driven"):
        found = peer in times
        numbers[f"{peer}_candidates_per_s"] = 1 / statistics.median(times[peer]) if found else "absent"
        numbers[f"kernel_over_{peer}"] = _ratio(times[peer], times["kernel"]) if found else "absent"
    numbers |= {
        "prepare_s": prepare_s,
        "packing_us_per_candidate": packing_s / len(rows) * 1e6,
        "mismatches_close_beyond": mismatches(fast, slow),
    }
    return numbers, float(slow.bars_held.mean())


def _peers(work: WorkItem, market: Any) -> dict[str, Timed]:
    """Peers that are installed; each turn takes the next policy, a trailing stop excepted, which they do not have."""
    plain = [policy for policy in work.policies if policy.exit.trailing_callback_ppm is None]
    bars = sum(len(series) for series in work.minute.bars.values())
    turns: dict[str, Timed] = {}
    with contextlib.suppress(ImportError):
        turns["vectorbt"] = _next_policy(peer_vectorbt.prepare(market), plain, 1.0)
    with contextlib.suppress(ImportError):
        turns["event_driven"] = _next_policy(peer_event_driven.prepare(market, PEER_BARS), plain, bars / PEER_BARS)
    return turns


def _coupled(work: WorkItem) -> dict[str, Any]:
    """Tight caps: trades depend on each other through gross notional and the day's loss."""
    numbers, times, table = _duel(work, caps=TIGHT)
    return {
        "coupled_kernel_candidates_per_s": 1 / statistics.median(times["kernel"]),
        "coupled_scan_candidates_per_s": 1 / statistics.median(times["scan"]),
        "coupled_kernel_over_scan": _ratio(times["scan"], times["kernel"]),
        "coupled_refusals_per_candidate": float(table.blocked_count.mean()),
        "mismatches_coupled": numbers,
    }


def _touch(work: WorkItem) -> dict[str, Any]:
    """Rungs that fill when touched."""
    numbers, times, _ = _duel(work, rung_fill=FillModel.TOUCH)
    return {"touch_kernel_over_scan": _ratio(times["scan"], times["kernel"]), "mismatches_touch": numbers}


def _duel(work: WorkItem, **assumed: Any) -> tuple[int, dict[str, list[float]], SweepTable]:
    spec = replace(work.spec, **assumed)
    prepared, market = prepare(work.episodes, spec, work.minute), pack_market(work.episodes, spec, work.minute)
    rows, candidates = packed(work.policies), pack_candidates(work.policies)
    fast, slow = sweep_packed(prepared, rows, threads=1), scan(market, candidates)
    turns = {
        "kernel": _repeated(lambda: sweep_packed(prepared, rows, threads=1), len(rows)),
        "scan": _once(lambda: scan(market, candidates), len(rows)),
    }
    return mismatches(fast, slow), _race(turns, rounds=3), slow


def _fine(work: WorkItem) -> dict[str, Any]:
    """The same walk in bars of five seconds, twelve times as many; compared with the scan on some candidates."""
    spec, few = replace(work.spec, interval_ms=FINE_MS), work.policies[:20]
    coarse, fine = prepare(work.episodes, work.spec, work.minute), prepare(work.episodes, spec, work.fine)
    rows = packed(work.policies)
    compared = sweep_packed(fine, packed(few), threads=1)
    market = pack_market(work.episodes, spec, work.fine)
    turns = {
        "coarse": _repeated(lambda: sweep_packed(coarse, rows, threads=1), len(rows)),
        "fine": _repeated(lambda: sweep_packed(fine, rows, threads=1), len(rows)),
    }
    times = _race(turns, rounds=3)
    return {
        "kernel_candidates_per_s_5s_bars": 1 / statistics.median(times["fine"]),
        "bars_60s_to_5s_throughput_kept_ratio": _ratio(times["coarse"], times["fine"]),
        "mismatches_5s_bars": mismatches(compared, scan(market, few)),
    }


def mismatches(one: SweepTable, other: SweepTable) -> int:
    """Candidates of which any figure differs."""
    wrong = np.zeros(len(one), dtype=np.bool_)
    for field in fields(SweepTable):
        wrong |= getattr(one, field.name) != getattr(other, field.name)
    return int(wrong.sum())


# -- taking turns -----------------------------------------------------------------------------------------------------


def _race(turns: dict[str, Timed], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """Everyone once unmeasured, then round after round."""
    for turn in turns.values():
        turn()
    times: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            times[name].append(turn())
    return times


def _ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """Median over rounds of how many times as long the first took."""
    return statistics.median(one / other for one, other in zip(slower, faster, strict=True))


def _once(work: Callable[[], object], count: int) -> Timed:
    def turn() -> float:
        begun = time.perf_counter()
        work()
        return (time.perf_counter() - begun) / count

    return turn


def _repeated(work: Callable[[], object], count: int) -> Timed:
    def turn() -> float:
        begun, times = time.perf_counter(), 0
        while (taken := time.perf_counter() - begun) < KERNEL_ROUND_S:
            work()
            times += 1
        return taken / count / times

    return turn


def _next_policy(replay: Callable[[PolicySpec], int], policies: Sequence[PolicySpec], scale: float) -> Timed:
    number = 0

    def turn() -> float:
        nonlocal number
        number += 1
        begun = time.perf_counter()
        replay(policies[number % len(policies)])
        return (time.perf_counter() - begun) * scale

    return turn


def _judged(value: Any, relation: str, bound: float) -> dict[str, Any]:
    known = isinstance(value, int | float)
    met = known and (value >= bound if relation == ">=" else value <= bound)
    return {"target": f"{relation} {bound:g}", "measured": value, "met": met if known else "not measured"}


# -- memory and compilation -------------------------------------------------------------------------------------------


@njit
def _streamed(values):  # pragma: no cover
    total = 0
    for value in values:
        total += value
    return total


def _memory_limit(kernel_per_s: float, bars_held: float) -> dict[str, Any]:
    """How the kernel stands to what memory would allow the best conceivable bar scan on one thread.

    A scan must at least read four prices per bar and market while something is held. Were that its only cost, streamed
    at this machine's measured bandwidth, it would do `bar_scan_limit_candidates_per_s`: no engine that visits bars can
    do more from memory, and one that follows events does not visit them.
    """
    block = np.ones(STREAM_BYTES // 8, dtype=np.int64)
    turn = _once(lambda: _streamed(block), 1)
    turn()
    bytes_per_s = STREAM_BYTES / statistics.median(turn() for _ in range(5))
    touched = bars_held * BAR_BYTES
    return {
        "scan_bars_held_per_candidate": bars_held,
        "scan_bytes_touched_per_candidate": touched,
        "stream_gb_per_s": bytes_per_s / 1e9,
        "bar_scan_limit_candidates_per_s": bytes_per_s / touched,
        "kernel_over_bar_scan_limit": kernel_per_s * touched / bytes_per_s,
    }


def _memory_growth() -> float:
    few, many = (_in_child("memory", str(count)) for count in MEMORY_COUNTS)
    return many - few


def _in_child(*arguments: str) -> float:
    """A number that needs a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {"NUMBA_CACHE_DIR": folder} if arguments[0] == "compile" else {}
        done = subprocess.run(
            [sys.executable, "-m", "tests.replay.bench_sweep", *arguments],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **cache},
        )
    return float(done.stdout)


class _Repeated(Sequence[PolicySpec]):
    """So many candidates, without so many objects: their memory would be ours, not the engine's."""

    def __init__(self, policies: Sequence[PolicySpec], count: int) -> None:
        self._policies, self._count = policies, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._policies[index % len(self._policies)]


def _peak_mb_of(count: int) -> float:
    """Peak resident MB while so many candidates are packed and replayed, markets and warm code included."""
    work = work_item(days=60, episodes_count=60)
    prepared = prepare(work.episodes, work.spec, work.minute)
    sweep_packed(prepared, packed(work.policies[:10]), threads=2)
    status = Path("/proc/self/status")
    if status.exists():
        # Making the market took more memory than replaying it: forget that peak.
        Path("/proc/self/clear_refs").write_text("5")
    sweep_packed(prepared, packed(_Repeated(work.policies, count)), threads=2)
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)


def _compile_seconds() -> float:
    """From nothing to the first candidate's figures, less what one more candidate takes."""
    work = work_item(days=4, episodes_count=6, policies_count=1)
    prepared, rows = prepare(work.episodes, work.spec, work.minute), packed(work.policies)
    begun = time.perf_counter()
    sweep_packed(prepared, rows, threads=1)
    return time.perf_counter() - begun


def main() -> None:
    match sys.argv[1:]:
        case ["memory", count]:
            print(_peak_mb_of(int(count)))
        case ["compile"]:
            print(_compile_seconds())
        case _:
            print(json.dumps(run(), indent=1))


if __name__ == "__main__":
    main()
