"""A live paper session on loopback whose lead does what a test says: the stand-in stands still between its steps."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper import PaperOutcome
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import PaperPlan, canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import Workplace, open_workplace
from copytrade_core.edges.standins.binance import USUAL_PLAN, BinanceStandin, StandinConfig, running_standin
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.units import Ppm
from copytrade_core.strategies.leads import plain_lead
from tests.made_lead import POLICY, closed_row, offline_settings, write_pages

LEAD = "4751838302089254777"
POSITIONS, DETAIL, HISTORY = "/lead-data/positions", "/lead-portfolio/detail", "/position-history"
FOLLOW = (
    POLICY.replace("contrarian_on_close", "follow_open")
    .replace('family = "autonomous"\nttl_s = 3600', 'family = "source_close_follows"')
    .replace("entry_drift_bps_max = 500", "entry_drift_bps_max = 5000")
)
QUICK = {
    "request_interval_s": 0, "attempts_max": 1, "backoff_initial_s": 0, "backoff_max_s": 0.02, "backoff_jitter_s": 0,
    "connect_timeout_s": 1, "read_timeout_s": 1, "deadline_s": 2,
}  # fmt: skip


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Live:
    """One lead or several, their stand-in, and a session that follows them."""

    def __init__(self, place: Workplace, standin: BinanceStandin, folder: Path, zero_ms: int, leads: tuple[str, ...]):
        self.place, self.standin, self.folder, self.zero_ms, self.leads = place, standin, folder, zero_ms, leads
        self.outcome: PaperOutcome | None = None
        self.error: CopytradeError | None = None
        self._thread: threading.Thread | None = None

    def plan(self, **caps: Any) -> PaperPlan:
        policy = load_policies(self.place.settings)["follow"]
        plan = canary_plan(
            self.place.settings,
            self.place.settings.canary,
            "follow",
            policy,
            *(plain_lead(lead) for lead in self.leads),
        )
        return replace(plan, caps=replace(plan.caps, **{"entry_drift_ppm_max": Ppm(900_000), **caps}))

    def at(self, second: float) -> None:
        self.standin.control.set_time(self.zero_ms + round(second * 1000))

    def faults(self, *faults: Fault) -> None:
        self.standin.control.set_faults(faults)

    def calls(self, path: str) -> int:
        return sum(count for name, count in self.standin.control.state()["calls"].items() if name.endswith(path))

    def start(self, run_id: str = "r1", *, clock: Any = None, **caps: Any) -> None:
        self.outcome, self.error = None, None
        self._thread = threading.Thread(target=self._run, args=(run_id, clock, self.plan(**caps)), daemon=True)
        self._thread.start()

    def _run(self, run_id: str, clock: Any, plan: PaperPlan) -> None:
        try:
            self.outcome = run_live_paper_session(
                self.place, plan, folder=self.folder, run_id=run_id, deadline_s=60, poll_every_s=0.1,
                price_every_s=0.1, status_every_ms=100, clock=clock,
            )  # fmt: skip
        except CopytradeError as error:
            self.error = error

    def stop(self) -> PaperOutcome:
        """Kill and restart-ready: the control is taken away again."""
        set_control(self.folder, Control.KILL, who="test", why="over", at_ms=now_ms())
        self.join()
        (self.folder / "KILL").unlink()
        assert self.outcome is not None, self.error
        return self.outcome

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(timeout=20)
            assert not self._thread.is_alive()

    @property
    def status(self) -> dict[str, Any]:
        path = self.folder / "RUN_STATUS.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def ask(self, query: str) -> list[Any]:
        if not (self.folder / "session.sqlite").exists():
            return []
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"file:{self.folder / 'session.sqlite'}?mode=ro", uri=True)) as connection,
        ):
            return connection.execute(query).fetchall()
        return []

    @property
    def fills(self) -> list[str]:
        return [kind for (kind,) in self.ask("SELECT kind FROM fills ORDER BY number")]

    @property
    def told(self) -> list[str]:
        return [kind for (kind,) in self.ask("SELECT kind FROM source_events ORDER BY number")]

    def until(self, ready: Callable[[], Any], what: str, within_s: float = 15) -> Any:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := ready():
                return found
            if self._thread is not None and not self._thread.is_alive():
                pytest.fail(f"the session ended before {what}: {self.error or self.outcome}")
            time.sleep(0.02)
        return pytest.fail(
            f"{what} never came; told {self.told}, fills {self.fills}, {self.status.get('last_poll')}, "
            f"decisions {self.ask('SELECT reason FROM decisions')[-5:]}"
        )

    def polled(self, more: int = 2) -> None:
        """Wait until the lead was asked so many times more."""
        before = self.calls(POSITIONS)
        self.until(lambda: self.calls(POSITIONS) >= before + more, "more polls")

    def lead(self, number: int = 0) -> dict[str, Any]:
        return self.status["last_poll"]["leads"][number] if self.status else {}


def row(
    opened: float, closed: float, *, is_long: bool = True, amount: float = 0.01, cost: float = 90_000.0, **more: Any
) -> tuple[float, float, dict[str, Any]]:
    """A position by the seconds of a test."""
    made = closed_row(opened=0, closed=0, cost=cost, leave=cost + 100, is_long=is_long, pnl=1.0)
    return opened, closed, {**made, "maxOpenInterest": amount, "closedVolume": amount, **more}


@contextmanager
def live(tmp_path: Path, project_root: Path, *leads: list[tuple[float, float, dict[str, Any]]]) -> Generator[Live]:
    """The lead's positions, polled once at second 0, which is now; later seconds lie a little in the future."""
    zero_ms = now_ms()
    settings = tmp_path / "settings"
    shutil.copytree(project_root / "settings", settings)
    (settings / "follow.toml").write_text(FOLLOW)
    config = settings / "copytrade.toml"
    config.write_text(offline_settings(config.read_text(), "follow"))
    names = tuple(str(int(LEAD) + number) for number in range(len(leads)))
    for name, rows in zip(names, leads, strict=True):
        made: list[dict[str, object]] = [
            {**one, "id": at, "opened": at, "closed": end, "updateTime": end}
            for opened, closed, one in rows
            for at, end in [(zero_ms + round(opened * 1000), zero_ms + round(closed * 1000))]
        ]
        write_pages(tmp_path / "pages" / name, made)
    records = records_from_directory(tmp_path / "pages")
    with running_standin(StandinConfig(records=records, plan=USUAL_PLAN, port=0, as_of_ms=zero_ms)) as standin:
        quick: dict[str, Any] = {
            f"{host}.{name}": value
            for host in ("source", "market")
            for name, value in {**QUICK, "base_url": standin.base_url}.items()
        }
        quick |= {"data_dir": str(tmp_path / "data"), "canary.delay_ms": 0}
        (tmp_path / "overrides.json").write_text(json.dumps(quick))
        place = open_workplace(load_settings(file=config, overrides=quick))
        for name in names:
            _ = poll_lead(place, name)
        followed = Live(place, standin, tmp_path / "runtime", zero_ms, names)
        try:
            yield followed
        finally:
            if followed.folder.is_dir():
                set_control(followed.folder, Control.KILL, who="test", why="over", at_ms=now_ms())
            followed.join()


def broken(kind: FaultKind, path: str = POSITIONS, **more: Any) -> Fault:
    return Fault(kind=kind, path=path, **more)
