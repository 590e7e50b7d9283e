"""The runtime directory of a paper session that followed a lead live on loopback, kept while it held a position."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from copytrade_core.edges.control_files import Control, set_control
from copytrade_core.edges.session_lease import boot_id
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.units import Ppm
from copytrade_core.session.leads import plain_lead
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


def hold_on_paper(folder: Path, project_root: Path) -> None:
    """Runs the session until it holds what the lead opened, keeps its directory as it is then, and ends it."""
    now_ms = time.time_ns() // 1_000_000
    work = folder.with_name(f"{folder.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    settings = work / "settings"
    shutil.copytree(project_root / "settings", settings)
    (settings / "follow.toml").write_text(FOLLOW)
    config = settings / "copytrade.toml"
    config.write_text(offline_settings(config.read_text(), "follow"))
    write_pages(
        work / "pages" / LEAD, [row(now_ms - 90_000_000, now_ms - 80_000_000), row(now_ms + 3_000, now_ms + 10**8)]
    )
    plan = StandinConfig(
        records=records_from_directory(work / "pages"), plan=USUAL_PLAN, port=0, as_of_ms=now_ms, speed=1.0
    )
    with running_standin(plan) as standin:
        quick = {f"{host}.{name}": value for host in ("source", "market") for name, value in
                 (("base_url", standin.base_url), ("request_interval_s", 0), ("attempts_max", 1))}  # fmt: skip
        place = open_workplace(load_settings(file=config, overrides={**quick, "data_dir": str(work / "data")}))
        _ = poll_lead(place, LEAD)
        policy = load_policies(place.settings)["follow"]
        canary = canary_plan(place.settings, place.settings.canary, "follow", policy, plain_lead(LEAD))
        canary = replace(canary, caps=replace(canary.caps, entry_drift_ppm_max=Ppm(900_000)))
        session = threading.Thread(
            target=run_live_paper_session,
            args=(place, canary),
            kwargs={
                "folder": work / "runtime",
                "run_id": "r1",
                "deadline_s": 86_400,
                "poll_every_s": 0.5,
                "price_every_s": 0.3,
            },
        )
        session.start()
        try:
            _wait_for_a_position(work / "runtime", session)
            _keep(work / "runtime", folder)
        finally:
            set_control(work / "runtime", Control.KILL, who="test", why="enough", at_ms=now_ms)
            session.join(timeout=30)
    assert not session.is_alive()


def copy_of(kept: Path, folder: Path) -> Path:
    """A directory of a test's own, whose session lives in this process."""
    shutil.copytree(kept, folder)
    (folder / "session.sqlite.lock").write_text(json.dumps({"pid": os.getpid(), "boot_id": boot_id()}))
    return folder


def _wait_for_a_position(folder: Path, session: threading.Thread) -> None:
    until = time.monotonic() + 40
    while time.monotonic() < until and session.is_alive():
        status = folder / "RUN_STATUS.json"
        if status.exists() and json.loads(status.read_bytes())["positions"]:
            return
        time.sleep(0.05)
    raise AssertionError("the session never held what its lead opened")


def _keep(source: Path, folder: Path) -> None:
    for name in FILES:
        shutil.copy2(source / name, folder / name)
    there, here = (sqlite3.connect(each / "session.sqlite") for each in (source, folder))
    with closing(there), closing(here):
        there.backup(here)
