"""A lead followed live on loopback: seen opening, traded on paper at a quote, seen closing, left."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from copytrade_core.edges.control_files import Control, set_control
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper import PaperOutcome
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import open_workplace
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.units import Ppm
from copytrade_core.session.leads import plain_lead
from copytrade_core.session.status import Ended
from tests.made_lead import POLICY, closed_row, offline_settings, write_pages

LEAD = "4751838302089254777"
FOLLOW = (
    POLICY.replace("contrarian_on_close", "follow_open")
    .replace('family = "autonomous"\nttl_s = 3600', 'family = "source_close_follows"')
    .replace("entry_drift_bps_max = 500", "entry_drift_bps_max = 5000")
)


def row(opened: int, closed: int) -> dict[str, object]:
    return closed_row(opened=opened, closed=closed, cost=90_000.0, leave=90_100.0, is_long=True, pnl=1.0)


@contextmanager
def live_place(tmp_path, project_root, rows, now_ms):
    """Settings and stores whose hosts are a stand-in that lives in real time."""
    settings = tmp_path / "settings"
    shutil.copytree(project_root / "settings", settings)
    (settings / "follow.toml").write_text(FOLLOW)
    config = settings / "copytrade.toml"
    config.write_text(offline_settings(config.read_text(), "follow"))
    write_pages(tmp_path / "pages" / LEAD, rows)
    records = records_from_directory(tmp_path / "pages")
    with running_standin(
        StandinConfig(records=records, plan=USUAL_PLAN, port=0, as_of_ms=now_ms, speed=1.0)
    ) as standin:
        quick = {f"{host}.{name}": value for host in ("source", "market") for name, value in
                 (("base_url", standin.base_url), ("request_interval_s", 0), ("attempts_max", 1))}  # fmt: skip
        place = open_workplace(load_settings(file=config, overrides={**quick, "data_dir": str(tmp_path / "data")}))
        _ = poll_lead(place, LEAD)
        yield place, standin


def plan_of(place):
    policy = load_policies(place.settings)["follow"]
    plan = canary_plan(place.settings, place.settings.canary, "follow", policy, plain_lead(LEAD))
    return replace(plan, caps=replace(plan.caps, entry_drift_ppm_max=Ppm(900_000)))


def rows_of(folder, query):
    with closing(sqlite3.connect(folder / "session.sqlite")) as connection:
        return connection.execute(query).fetchall()


def test_a_position_that_opens_and_closes_is_followed_once(tmp_path, project_root):
    now_ms = time.time_ns() // 1_000_000
    rows = [row(now_ms - 90_000_000, now_ms - 80_000_000), row(now_ms + 4_000, now_ms + 8_000)]
    folder = tmp_path / "runtime"
    with live_place(tmp_path, project_root, rows, now_ms) as (place, _):
        outcome = run_live_paper_session(
            place, plan_of(place), folder=folder, run_id="r1", deadline_s=14, poll_every_s=0.5, price_every_s=0.3
        )
    status = outcome.status
    assert status.ended is Ended.DEADLINE
    assert outcome.is_evidence
    assert status.last_poll.ok
    assert not status.positions
    fills = rows_of(folder, "SELECT kind, model, price, time_ms FROM fills ORDER BY number")
    assert [(kind, model) for kind, model, *_ in fills] == [
        ("open", "quote_snapshot_v1"),
        ("close", "quote_snapshot_v1"),
    ]
    assert fills[0][3] >= now_ms + 4_000, "not before it was seen"
    told = [kind for (kind,) in rows_of(folder, "SELECT kind FROM source_events ORDER BY number")]
    assert told[0] == "opened"
    assert told[-1] == "closed"
    assert 25 * 10**8 < status.cash < 35 * 10**8
    assert status.cash == status.equity != 30 * 10**8, "fees were paid"


def test_kill_is_heard_at_once_and_a_second_session_is_refused(tmp_path, project_root):
    now_ms = time.time_ns() // 1_000_000
    folder = tmp_path / "runtime"
    with live_place(tmp_path, project_root, [row(now_ms - 90_000_000, now_ms - 80_000_000)], now_ms) as (place, _):
        ended: list[PaperOutcome] = []
        session = threading.Thread(
            target=lambda: ended.append(
                run_live_paper_session(place, plan_of(place), folder=folder, run_id="r1", deadline_s=60, poll_every_s=5)
            )
        )
        session.start()
        until = time.monotonic() + 20
        while not (folder / "RUN_STATUS.json").exists() and time.monotonic() < until:
            time.sleep(0.05)
        with pytest.raises(StoreFault, match="already"):
            run_live_paper_session(place, plan_of(place), folder=tmp_path / "other", run_id="r2", deadline_s=5)
        set_control(folder, Control.KILL, who="test", why="enough", at_ms=now_ms)
        began = time.monotonic()
        session.join(timeout=20)
        assert not session.is_alive()
        assert time.monotonic() - began < 5
    (outcome,) = ended
    assert outcome.status.ended is Ended.KILL
