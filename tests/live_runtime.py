"""The runtime directory of a paper session that followed a lead live on loopback, kept while it held a position."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.runtime.session_lease import boot_id
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.units import Ppm
from copytrade_core.strategies.leads import plain_lead
from tests.made_lead import POLICY, closed_row, offline_settings, write_pages

LEAD = "4751838302089254777"
FOLLOW = (
    POLICY.replace("contrarian_on_close", "follow_open")
    .replace('family = "autonomous"\nttl_s = 3600', 'family = "source_close_follows"')
    .replace("entry_drift_bps_max = 500", "entry_drift_bps_max = 5000")
)
FILES = ("RUN_STATUS.json", "session.sqlite.lock")


def row(opened: int, closed: int) -> dict[str, object]:
    """A long of the lead from one instant to another."""
    return closed_row(opened=opened, closed=closed, cost=90_000.0, leave=90_100.0, is_long=True, pnl=1.0)


@contextmanager
def live_session(work: Path, project_root: Path, *rows: dict[str, object]) -> Generator[Path]:
    """A session of a day in this process; gives its runtime directory, and ends it by KILL."""
    now_ms = time.time_ns() // 1_000_000
    settings = work / "settings"
    shutil.copytree(project_root / "settings", settings)
    (settings / "follow.toml").write_text(FOLLOW)
    config = settings / "copytrade.toml"
    config.write_text(offline_settings(config.read_text(), "follow"))
    write_pages(work / "pages" / LEAD, [row(now_ms - 90_000_000, now_ms - 80_000_000), *rows])
    records = records_from_directory(work / "pages")
    with running_standin(
        StandinConfig(records=records, plan=USUAL_PLAN, port=0, as_of_ms=now_ms, speed=1.0)
    ) as standin:
        quick = {f"{host}.{name}": value for host in ("source", "market") for name, value in
                 (("base_url", standin.base_url), ("request_interval_s", 0), ("attempts_max", 1))}  # fmt: skip
        place = open_workplace(load_settings(file=config, overrides={**quick, "data_dir": str(work / "data")}))
        _ = poll_lead(place, LEAD)
        policy = load_policies(place.settings)["follow"]
        plan = canary_plan(place.settings, place.settings.canary, "follow", policy, plain_lead(LEAD))
        plan = replace(plan, caps=replace(plan.caps, entry_drift_ppm_max=Ppm(900_000)))
        folder = work / "runtime"
        pace = {"deadline_s": 86_400, "poll_every_s": 0.5, "price_every_s": 0.3}
        session = threading.Thread(
            target=run_live_paper_session, args=(place, plan), kwargs={"folder": folder, "run_id": "r1", **pace}
        )
        session.start()
        try:
            until((folder / "RUN_STATUS.json").exists, what="the session's first status")
            yield folder
        finally:
            set_control(folder, Control.KILL, who="test", why="enough", at_ms=now_ms)
            session.join(timeout=30)
    assert not session.is_alive()


def hold_on_paper(folder: Path, project_root: Path) -> None:
    """Runs a session until it holds what the lead opened, and keeps its directory as it is then."""
    work = folder.with_name(f"{folder.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    now_ms = time.time_ns() // 1_000_000
    with live_session(work, project_root, row(now_ms + 3_000, now_ms + 10**8)) as runtime:
        until(lambda: status_of(runtime)["positions"], what="the position that the lead opened")
        _keep(runtime, folder)


def status_of(folder: Path) -> dict[str, Any]:
    """What the session shows."""
    return json.loads((folder / "RUN_STATUS.json").read_bytes())


def until(ready: Callable[[], object], *, what: str) -> None:
    """Waits for something that a running session does."""
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} never came")


def copy_of(kept: Path, folder: Path) -> Path:
    """A directory of a test's own, whose session lives in this process."""
    shutil.copytree(kept, folder)
    (folder / "session.sqlite.lock").write_text(json.dumps({"pid": os.getpid(), "boot_id": boot_id()}))
    return folder


def _keep(source: Path, folder: Path) -> None:
    for name in FILES:
        shutil.copy2(source / name, folder / name)
    there, here = (sqlite3.connect(each / "session.sqlite") for each in (source, folder))
    with closing(there), closing(here):
        there.backup(here)
