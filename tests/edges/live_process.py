"""One live paper session in a process of its own, for tests that kill it or fill its disk."""

from __future__ import annotations

import json
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path

from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.units import Ppm
from copytrade_core.strategies.leads import plain_lead


def _limit(file_bytes: int) -> None:
    """No file may grow beyond this: what a full disk does to every write."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))


def main() -> int:
    root, run_id, source_age_s, *leads = sys.argv[1:]
    _ = signal.signal(signal.SIGUSR1, lambda *_: _limit(0))
    _ = signal.signal(signal.SIGUSR2, lambda *_: _limit(resource.RLIM_INFINITY))
    here = Path(root)
    overrides = json.loads((here / "overrides.json").read_text())
    place = open_workplace(load_settings(file=here / "settings" / "copytrade.toml", overrides=overrides))
    policy = load_policies(place.settings)["follow"]
    plan = canary_plan(place.settings, place.settings.canary, "follow", policy, *(plain_lead(lead) for lead in leads))
    caps = replace(plan.caps, entry_drift_ppm_max=Ppm(900_000), source_age_s_max=int(source_age_s))
    try:
        _ = run_live_paper_session(
            place, replace(plan, caps=caps), folder=here / "runtime", run_id=run_id, deadline_s=60,
            poll_every_s=0.1, price_every_s=0.1, status_every_ms=100,
        )  # fmt: skip
    except CopytradeError as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
