"""One policy at a time: the exact replay of the recorded lead, and single candidates of work item W by every engine.

The recorded lead's five-minute bars are read from the shared files before the clock starts; absent files are said, not
invented. On W one warm replay by the fast kernel, from the policy to its figures, is set beside the plain scan's, and
one candidate is replayed by the reference, too: it must say the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import time
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ("contrarian_on_close", "candidate_189")
RUNS = 5
CANDIDATES = 40
SCAN_SHARE = 25


def _loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run() -> dict:
    """Medians of single replays: on W, then of the 43 covered positions of the recorded lead."""
    return {**_of_work_item(), **_of_recorded_lead()}


def _of_work_item() -> dict:
    """One candidate at a time, kernel and scan in turn; `one_replay_over_scan` is the median over candidates."""
    from copytrade_core.replay.reference import replay
    from copytrade_core.replay.reference_summary import summary_of
    from copytrade_core.replay.sweep import prepare, run_one, sweep
    from tests.replay.bench_sweep import mismatches
    from tests.replay.scan_kernel import scan
    from tests.replay.scan_packing import pack_market
    from tests.replay.work_item import work_item

    work = work_item(policies_count=CANDIDATES)
    prepared, market = (
        prepare(work.episodes, work.spec, work.minute),
        pack_market(work.episodes, work.spec, work.minute),
    )
    engines = {
        "kernel": lambda policy: sweep(prepared, [policy], threads=1),
        "kernel_in_full": lambda policy: run_one(prepared, policy),
        "scan": lambda policy: scan(market, [policy]),
    }
    for engine in engines.values():
        engine(work.policies[0])
    taken: dict[str, list[float]] = {name: [] for name in engines}
    for policy in work.policies:
        for name, engine in engines.items():
            taken[name].append(statistics.median(_seconds(engine, policy) for _ in range(RUNS)))
    first = work.policies[0]
    start = time.perf_counter()
    exact = summary_of(replay(work.episodes, first, work.spec, work.minute))
    reference_s = time.perf_counter() - start
    ratio = statistics.median(one / other for one, other in zip(taken["kernel"], taken["scan"], strict=True))
    return {
        **{f"{name}_median_s": statistics.median(times) for name, times in taken.items()},
        "reference_s": reference_s,
        "one_replay_over_scan": ratio,
        "reference_over_one_replay": reference_s / taken["kernel"][0],
        "mismatches": mismatches(sweep(prepared, [first], threads=1), exact),
        "targets": {"one_replay_over_scan": {"target": f"<= 1/{SCAN_SHARE}", "met": ratio <= 1 / SCAN_SHARE}},
    }


def _seconds(engine, policy) -> float:
    start = time.perf_counter()
    engine(policy)
    return time.perf_counter() - start


def _of_recorded_lead() -> dict:
    folder = Path(os.environ.get("COPYTRADE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        return {"skipped": "real data is absent: put it at ../shared/data or set COPYTRADE_REAL_DATA"}
    from copytrade_core.replay.reference import replay
    from copytrade_core.sources.episodes import episodes_from_history
    from copytrade_core.strategies.policy_parse import policy_from_mapping
    from tests.trading_floor import COSTS, SPEC, data, instrument, usdt

    lead = _loaded(Path(__file__).with_name("conftest.py"))
    pages = json.loads((folder / f"leads/{lead.LEAD}/position_history_pages_raw.json").read_text("utf-8"))
    rows = [row for page in pages for row in page["response"]["data"]["list"]]
    lives = episodes_from_history([lead.position_of(row) for row in rows], ())
    bars = [lead.bars_of(folder, symbol) for symbol in lead.GRIDS]
    rules = {
        each.market: instrument(each.market, tick=grid[0], step=grid[1], min_notional=grid[2])
        for each, grid in zip(bars, lead.GRIDS.values(), strict=True)
    }
    market = data(*bars, instruments=rules)
    spec = replace(SPEC, costs=COSTS, delay_s=30, initial_equity=usdt(1000))
    measured: dict = {"bars": sum(len(each) for each in bars), "positions": len(lives)}
    for name in POLICIES:
        text = (ROOT / f"settings/policies/{name}.toml").read_text("utf-8")
        policy = policy_from_mapping(tomllib.loads(text, parse_float=Decimal), file=name)
        taken = []
        result = replay(lives, policy, spec, market)
        for _ in range(RUNS):
            start = time.perf_counter()
            result = replay(lives, policy, spec, market)
            taken.append(time.perf_counter() - start)
        measured[f"{name}_median_s"] = statistics.median(taken)
        measured[f"{name}_round_trips"] = len(result.round_trips)
        measured[f"{name}_bars_walked"] = len(result.equity.time_ms)
    return measured


if __name__ == "__main__":
    print(run())
