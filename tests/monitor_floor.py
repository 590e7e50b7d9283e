"""A runtime directory of a session that is well: real status, journal and lease, all to be spoiled."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from copytrade_core.desk import fresh_state
from copytrade_core.edges.monitoring.monitor_pass import Monitor, MonitorPass
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.settings import Settings, load_settings
from copytrade_core.model.alert import Alert, AlertKind
from copytrade_core.model.book import Book
from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.model.units import Steps
from copytrade_core.session.snapshot import encode_state
from copytrade_core.strategies.state import FRESH
from tests import journal_steps as steps
from tests.journal_steps import EPISODE, IDENTITY
from tests.status_words import iso, status_words
from tests.trading_floor import BTC, START_MS, holding, usdt

RUN = "run 1"


def settings(**overrides: object) -> Settings:
    """The shipped settings; `monitor__clear_s=0` overrides `monitor.clear_s`."""
    return load_settings(environ={}, overrides={key.replace("__", "."): value for key, value in overrides.items()})


def dead_pid() -> int:
    """A process that was, and is no more."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        process.wait()
    return process.pid


class Runtime:
    """One session's directory on a clock that the test moves; `status` is what is written at every look."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = START_MS
        self.journal = SessionDb.open(folder / "session.sqlite", identity=IDENTITY, run_id=RUN, now_ms=START_MS)
        self.orders = 0
        self.writes_status = True
        self.status = status_words(
            written_ms=START_MS,
            run_id=RUN,
            lead=IDENTITY.lead,
            leads=[IDENTITY.lead],
            strategy=IDENTITY.strategy,
            policy_digest=IDENTITY.policy_digest,
            venue=IDENTITY.venue,
            account=IDENTITY.account,
        )

    def close(self) -> None:
        self.journal.close()

    @property
    def status_file(self) -> Path:
        return self.folder / "RUN_STATUS.json"

    def write_status(self, **changes: object) -> None:
        """The session writes what has changed; its clock is the machine's where none is told of another."""
        self.status |= {"wall_at": changes.get("written_at", self.status["wall_at"])} | changes
        self.status_file.write_text(json.dumps(self.status), encoding="utf-8")

    def look(self, monitor: Monitor, *, as_baseline: bool = False) -> MonitorPass:
        """The session writes its status, and the monitor looks."""
        if self.writes_status:
            now = iso(self.now_ms)
            self.status_file.write_text(json.dumps({**self.status, "written_at": now, "wall_at": now}))
        return monitor.look(now_ms=self.now_ms, as_baseline=as_baseline)

    def later(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    def position(self, *, quantity: str = "0.00001", price: str = "1000", source_state: str = "open") -> dict:
        return {
            "episode_id": EPISODE,
            "market": BTC,
            "side": "long",
            "quantity": quantity,
            "entry_price": price,
            "mark_price": price,
            "notional_usdt": "0.01",
            "unrealised_usdt": "0",
            "opened_at": iso(START_MS),
            "source_state": source_state,
        }

    def alert(self, kind: AlertKind, subject: str = BTC) -> None:
        raised = Alert(kind=kind, subject=subject, at_ms=self.now_ms, what="a test")
        self.journal.commit(steps.step(at_ms=self.now_ms, alerts=(raised,)))

    def order(self, *states: OrderState, kind: IntentKind = IntentKind.OPEN, leg: str | None = None) -> OrderRow:
        """A new order that passes through states, one commit each, all of them now."""
        self.orders += 1
        row = steps.row(self.orders)
        order = replace(row.order, kind=kind, leg=leg or row.order.leg)
        row = replace(row, order=order, sent_at_ms=self.now_ms, planned_at_ms=self.now_ms)
        for state in states:
            row = replace(row, state=state)
            self.journal.commit(steps.step(row, at_ms=self.now_ms))
        return row

    def keep(self, row: OrderRow) -> None:
        self.journal.commit(steps.step(row, at_ms=self.now_ms))

    def fill(self, *, kind: IntentKind = IntentKind.OPEN) -> Fill:
        self.orders += 1
        made = replace(steps.fill(self.orders), kind=kind)
        self.journal.commit(steps.step(at_ms=self.now_ms, records=(made,)))
        return made

    def hold(self, *, quantity: int) -> None:
        """The book holds so many steps of one USDT each."""
        held = replace(holding(EPISODE, quantity=quantity), quantity=Steps(quantity)) if quantity else None
        book = Book(initial_equity=usdt(30), cash=usdt(30), holdings={EPISODE: held} if held else {})
        state = fresh_state(FRESH, book)
        self.journal.commit(steps.step(at_ms=self.now_ms, state=encode_state(state)))

    def insert(self, table: str, values: Mapping[str, object]) -> None:
        """A row of the journal that another part of the session writes."""
        with sqlite3.connect(self.folder / "session.sqlite") as connection:
            run = {"run": 1, **values}
            marks = ", ".join("?" * len(run))
            connection.execute(f"INSERT INTO {table} ({', '.join(run)}) VALUES ({marks})", tuple(run.values()))
        connection.close()

    def source_closed(self, *, entry_deviation_ratio: float) -> None:
        event = {"kind": "closed", "episode_id": EPISODE, "lead": IDENTITY.lead, "market": BTC, "side": "long"}
        times = {"at_ms": self.now_ms, "happened_at_ms": self.now_ms, "known_at_ms": self.now_ms}
        self.insert("source_events", {**event, **times, "change": "", "entry_deviation_ratio": entry_deviation_ratio})

    def slipped(self, *, signed_bps: float) -> None:
        """A fill with its observation."""
        made = self.fill(kind=IntentKind.ADD)
        with closing(sqlite3.connect(self.folder / "session.sqlite")) as connection:
            (number,) = connection.execute("SELECT max(number) FROM fills").fetchone()
        fill = {"fill": number, "client_order_id": made.client_order_id, "market": BTC, "side": "long", "buys": 1}
        price = {"expected": 100_000, "filled": 100_250, "quantity": 10, "signed_bps": signed_bps}
        self.insert("slippage_observations", {"at_ms": self.now_ms, **fill, **price})

    def write_lock(self, *, pid: int, boot: str, **more: int) -> None:
        (self.folder / "session.sqlite.lock").write_text(json.dumps({"pid": pid, "boot_id": boot, **more}) + "\n")
