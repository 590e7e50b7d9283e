"""One live paper session in a process of its own, for tests that kill it or fill its disk."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from copytrade_core.edges.feeds.wall_clock import WallClock
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.units import Ppm
from copytrade_core.strategies.leads import plain_lead
from tests.live_floor import DEADLINE_S, PATIENCE_S, Live

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def session_process(lead: Live, run_id: str, *, source_age_s: int = 600) -> Generator[subprocess.Popen[bytes]]:
    """The session as a process; it is killed on the way out and nothing of it stays."""
    asked = (str(lead.folder.parent), run_id, str(source_age_s), str(lead.ahead_ms), *lead.leads)
    command = [sys.executable, "-m", "tests.edges.live_process", *asked]
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()
            _ = process.wait(timeout=PATIENCE_S)


def fill_the_disk(lead: Live, process: subprocess.Popen[bytes], file_bytes_max: int) -> None:
    """From now on no file of the session grows beyond so many bytes; SIGUSR2 makes room again."""
    _ = (lead.folder.parent / "file_bytes_max").write_text(str(file_bytes_max))
    process.send_signal(signal.SIGUSR1)


def _limit(file_bytes: int) -> None:
    """No file may grow beyond this: what a full disk does to every write, or to those of the largest file."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, hard))


def main() -> int:
    root, run_id, source_age_s, ahead_ms, *leads = sys.argv[1:]
    here, ahead = Path(root), int(ahead_ms)
    _ = signal.signal(signal.SIGUSR1, lambda *_: _limit(int((here / "file_bytes_max").read_text())))
    _ = signal.signal(signal.SIGUSR2, lambda *_: _limit(resource.RLIM_INFINITY))
    overrides = json.loads((here / "overrides.json").read_text())
    place = open_workplace(load_settings(file=here / "settings" / "copytrade.toml", overrides=overrides))
    place = replace(place, now=lambda: datetime.now(UTC) + timedelta(milliseconds=ahead))
    policy = load_policies(place.settings)["follow"]
    plan = canary_plan(place.settings, place.settings.canary, "follow", policy, *(plain_lead(lead) for lead in leads))
    caps = replace(plan.caps, entry_drift_ppm_max=Ppm(900_000), source_age_s_max=int(source_age_s))
    try:
        _ = run_live_paper_session(
            place, replace(plan, caps=caps), folder=here / "runtime", run_id=run_id, deadline_s=DEADLINE_S,
            poll_every_s=0.1, price_every_s=0.1, status_every_ms=100,
            clock=WallClock(read_ms=lambda: time.time_ns() // 1_000_000 + ahead),
        )  # fmt: skip
    except CopytradeError as error:
        print(error, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
