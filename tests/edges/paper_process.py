"""One archived paper session in a process of its own, for tests that kill it; prints what it came to as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from copytrade_core.edges.stages.paper import run_paper_session
from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.paper_plan import replay_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.strategies.leads import plain_lead
from tests.small_lead import LEAD, place_of


def main() -> None:
    config, folder, run_id = sys.argv[1:]
    place = place_of(Path(config))
    name, policy = next(iter(load_policies(place.settings).items()))
    plan = replay_plan(place.settings, name, policy, plain_lead(LEAD))
    print("ready", flush=True)
    outcome = run_paper_session(place, plan, Span(from_at=None, until_at=None), folder=Path(folder), run_id=run_id)
    told = {
        "ended": outcome.status.ended,
        "cash": outcome.status.cash,
        "orders": outcome.status.counters.orders,
        "is_evidence": outcome.is_evidence,
        "ccxt": sorted(name for name in sys.modules if name.split(".")[0] == "ccxt" or ".edges.venues" in name),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
