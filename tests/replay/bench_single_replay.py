"""The exact replay of the recorded lead on recorded five-minute bars, one policy at a time.

Bars are read from the shared files before the clock starts; absent files are said, not invented.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
import tomllib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ("contrarian_on_close", "candidate_189")
RUNS = 5


def _loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run() -> dict:
    """Median seconds of a replay of the 43 covered positions, and what was replayed."""
    folder = Path(os.environ.get("COPYTRADE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        return {"skipped": "real data is absent: put it at ../shared/data or set COPYTRADE_REAL_DATA"}
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from copytrade_core.replay.reference import replay
    from copytrade_core.sources.episodes import episodes_from_history
    from copytrade_core.strategies.policy_parse import policy_from_mapping
    from tests.trading_floor import COSTS, SPEC, data, instrument, usdt

    lead = _loaded(Path(__file__).with_name("conftest.py"))
    import json

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
