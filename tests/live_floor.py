"""A live paper session on loopback whose lead does what a test says: the stand-in stands still between its steps."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from copytrade_core.edges.feeds.wall_clock import WallClock
from copytrade_core.edges.market.intervals import instant
from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.runtime.session_lease import boot_id
from copytrade_core.edges.settings import load_settings
from copytrade_core.edges.stages.paper import PaperOutcome
from copytrade_core.edges.stages.paper_live import run_live_paper_session
from copytrade_core.edges.stages.paper_plan import PaperPlan, canary_plan
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.sources import poll_lead
from copytrade_core.edges.stages.workplace import Workplace, open_workplace
from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, standin_app
from copytrade_core.edges.standins.control import CONTROL_PREFIX, StandinControl
from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.lead_records import records_from_directory
from copytrade_core.edges.standins.server import loopback_socket, running_in_thread
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.units import Ppm
from copytrade_core.strategies.leads import plain_lead
from tests.made_lead import POLICY, closed_row, offline_settings, write_pages

LEAD = "4751838302089254777"
POSITIONS, DETAIL, HISTORY = "/lead-data/positions", "/lead-portfolio/detail", "/position-history"
QUOTES, MARKS = "/bookTicker", "/premiumIndex"
PRICES = {"bidPrice", "askPrice", "markPrice", "indexPrice"}
FOLLOW = POLICY.replace("contrarian_on_close", "follow_open").replace(
    'family = "autonomous"\nttl_s = 3600', 'family = "source_close_follows"'
)
PATIENCE_S = 60
"""A fact that has not come by then never comes, however loaded the machine is."""
DEADLINE_S = 600
QUICK = {
    "request_interval_s": 0, "attempts_max": 1, "backoff_initial_s": 0, "backoff_max_s": 0.02, "backoff_jitter_s": 0,
    "connect_timeout_s": 10, "read_timeout_s": 10, "deadline_s": 20,
}  # fmt: skip


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Standin:
    """The stand-in behind a door: a test may shut it, hear who asks and when, and change an answer on its way out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open = ExitStack()
        # Bound and never listening: while the door is shut nobody else gets the port, and who knocks is refused.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self._port = int(self._held.getsockname()[1])
        self.base_url = f"http://127.0.0.1:{self._port}"
        self.control = StandinControl(self.base_url)
        self.asked_s: list[float] = []
        """`time.monotonic` of every request, controls left out."""
        self.change: Callable[[str, bytes], bytes] | None = None
        """Path and body -> the body that is sent."""

    def open(self) -> None:
        """Let requests in."""
        self._open.enter_context(running_in_thread(self, loopback_socket("127.0.0.1", self._port)))

    def shut(self) -> None:
        """Refuse every connection; those that are open are closed."""
        self._open.close()

    def end(self) -> None:
        """Give the port back."""
        self.shut()
        self._held.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, change, head = scope["path"], self.change, list[Message]()
        if not path.startswith(CONTROL_PREFIX):
            self.asked_s.append(time.monotonic())

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
                return
            assert change is not None
            body = change(path, message["body"])
            others = [each for each in head[0]["headers"] if each[0] != b"content-length"]
            await send({**head[0], "headers": [*others, (b"content-length", str(len(body)).encode())]})
            await send({**message, "body": body})

        await self._app(scope, receive, send if change is None or path.startswith(CONTROL_PREFIX) else changed)


class Live:
    """One lead or several, their stand-in, and a session that follows them.

    `ahead_ms` is how far the session's clock goes before the machine's.
    """

    def __init__(self, place: Workplace, standin: Standin, folder: Path, zero_ms: int, leads: tuple[str, ...]):
        self.ahead_ms = 0
        self.place = replace(place, now=lambda: instant(self.now_ms()))
        self.standin, self.folder, self.zero_ms, self.leads = standin, folder, zero_ms, leads
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

    def now_ms(self) -> int:
        return now_ms() + self.ahead_ms

    def at(self, second: float) -> None:
        self.standin.control.set_time(self.zero_ms + round(second * 1000))

    def faults(self, *faults: Fault) -> None:
        self.standin.control.set_faults(faults)

    def calls(self, path: str) -> int:
        return sum(count for name, count in self.standin.control.state()["calls"].items() if name.endswith(path))

    def start(
        self,
        run_id: str = "r1",
        *,
        clock: Any = None,
        deadline_s: int = DEADLINE_S,
        status_every_ms: int = 100,
        **caps: Any,
    ) -> None:
        self.outcome, self.error = None, None
        asked = {"run_id": run_id, "deadline_s": deadline_s, "status_every_ms": status_every_ms, "clock": clock}
        self._thread = threading.Thread(target=self._run, args=(self.plan(**caps),), kwargs=asked, daemon=True)
        self._thread.start()

    def _run(self, plan: PaperPlan, *, clock: Any, **asked: Any) -> None:
        clock = clock or WallClock(read_ms=self.now_ms)
        try:
            self.outcome = run_live_paper_session(
                self.place, plan, folder=self.folder, clock=clock, poll_every_s=0.1, price_every_s=0.1, **asked
            )
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
            self._thread.join(timeout=PATIENCE_S)
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

    def until(self, ready: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
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

    def until_polled(self, run_id: str) -> None:
        self.until(lambda: self.status.get("run_id") == run_id and self.lead().get("ok"), f"a poll of {run_id}")

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
def live(
    tmp_path: Path,
    project_root: Path,
    *leads: list[tuple[float, float, dict[str, Any]]],
    settings: Mapping[str, object] | None = None,
) -> Generator[Live]:
    """The lead's positions, polled once at second 0, which is now; later seconds lie a little in the future."""
    zero_ms = now_ms()
    shutil.copytree(project_root / "settings", tmp_path / "settings")
    (tmp_path / "settings" / "follow.toml").write_text(FOLLOW)
    config = tmp_path / "settings" / "copytrade.toml"
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
    standin = Standin(standin_app(StandinConfig(records=records, plan=USUAL_PLAN, port=0, as_of_ms=zero_ms)))
    standin.open()
    try:
        quick: dict[str, Any] = {
            f"{host}.{name}": value
            for host in ("source", "market")
            for name, value in {**QUICK, "base_url": standin.base_url}.items()
        }
        quick |= {"data_dir": str(tmp_path / "data"), "canary.delay_ms": 0, **(settings or {})}
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
    finally:
        standin.end()


def broken(kind: FaultKind, path: str = POSITIONS, **more: Any) -> Fault:
    return Fault(kind=kind, path=path, **more)


def prices_times(factor: str) -> Callable[[str, bytes], bytes]:
    """Every quote and mark, so many times as high."""

    def change(path: str, body: bytes) -> bytes:
        if not path.endswith((QUOTES, MARKS)):
            return body
        rows: list[dict[str, Any]] = json.loads(body)
        for each in rows:
            each.update({name: f"{Decimal(each[name]) * Decimal(factor):.1f}" for name in PRICES & set(each)})
        return json.dumps(rows).encode()

    return change


# -- a runtime directory as a running session leaves it --------------------------------------------------------------


def hold_on_paper(folder: Path, project_root: Path) -> None:
    """Runs a session until it holds what the lead opened, and keeps its directory as it is then."""
    work = folder.with_name(f"{folder.name}-work")
    shutil.rmtree(work, ignore_errors=True)
    with live(work, project_root, [row(-90_000, -80_000), row(10, 100_000)]) as lead:
        lead.start(deadline_s=86_400, status_every_ms=5_000)
        lead.until(lambda: lead.lead().get("ok"), "a first poll")
        lead.at(15)
        lead.until(lambda: lead.status["positions"], "the position that the lead opened")
        for name in ("RUN_STATUS.json", "session.sqlite.lock"):
            shutil.copy2(lead.folder / name, folder / name)
        there, here = (sqlite3.connect(each / "session.sqlite") for each in (lead.folder, folder))
        with closing(there), closing(here):
            there.backup(here)


def copy_of(kept: Path, folder: Path) -> Path:
    """A directory of a test's own, whose session lives in this process."""
    shutil.copytree(kept, folder)
    (folder / "session.sqlite.lock").write_text(json.dumps({"pid": os.getpid(), "boot_id": boot_id()}))
    return folder
