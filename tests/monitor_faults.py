"""Every fault that the monitor knows, planted in the directory of a session that really traded, and mended again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from copytrade_core.edges.runtime.control_files import Control, clear_control
from copytrade_core.edges.runtime.session_controls import Asked, ask_for, owner_of
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.model.alert import AlertKind
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.monitor.finding import Rule
from tests.monitor_floor import Runtime, iso
from tests.trading_floor import BTC

ROOT = Path(__file__).resolve().parents[1]
DAY_MS = 86_400_000
HOLDER = """
import sys, time
from pathlib import Path
from copytrade_core.edges.runtime.session_lease import SessionLease
lease = SessionLease.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


class LiveRuntime(Runtime):
    """The directory of a real session that goes on by the clock on the wall; `status` is what it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = json.loads((folder / "RUN_STATUS.json").read_bytes())
        self.whole = dict(self.status)
        self.orders = 0
        self.writes_status = True
        self.tick()
        self.take()

    def tick(self) -> None:
        """The session's clock is that on the wall; between two ticks everything happens in one moment."""
        self.now_ms = time.time_ns() // 1_000_000

    def take(self) -> None:
        """The session's process opens its journal."""
        path = self.folder / "session.sqlite"
        owner = owner_of(path)
        assert owner is not None
        self.journal = SessionDb.open(path, identity=owner, run_id=self.status["run_id"], now_ms=self.now_ms)

    def show(self) -> None:
        """The session writes its status."""
        self.tick()
        if self.writes_status:
            now = iso(self.now_ms)
            self.status_file.write_text(json.dumps({**self.status, "written_at": now, "wall_at": now}))

    def sql(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.folder / "session.sqlite", isolation_level=None)) as connection:
            connection.execute(statement, values)


Change = Callable[[LiveRuntime], object]


def nothing(_: LiveRuntime) -> None:
    """What happened is over by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How a fault comes into a directory and how it goes; `also` are rules that rightly speak of it too."""

    plant: Change
    mend: Change = nothing
    also: frozenset[Rule] = field(default_factory=frozenset)


def status(**changes: object) -> Change:
    """The session shows something else."""

    def write(runtime: LiveRuntime) -> None:
        runtime.status |= changes

    return write


def as_it_was(runtime: LiveRuntime) -> None:
    """The session shows what it showed when all was well."""
    runtime.status = dict(runtime.whole)


def no_status(runtime: LiveRuntime) -> None:
    runtime.writes_status = False
    runtime.status_file.unlink()


def old_status(runtime: LiveRuntime) -> None:
    runtime.writes_status = False
    old = iso(runtime.now_ms - 60_000)
    runtime.status_file.write_text(json.dumps({**runtime.status, "written_at": old, "wall_at": old}))


def status_again(runtime: LiveRuntime) -> None:
    runtime.writes_status = True


def process_killed(runtime: LiveRuntime) -> None:
    """Another process takes the session over, and dies by `kill -9`."""
    runtime.journal.close()
    command = [sys.executable, "-c", HOLDER, str(runtime.folder / "session.sqlite")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGKILL)


def stopped(runtime: LiveRuntime) -> None:
    asked = Asked(who="somebody", why="an odd price", at_ms=runtime.now_ms)
    assert ask_for(runtime.folder, Control.STOP_NEW_ORDERS, asked) is None


def foreign_run(runtime: LiveRuntime) -> None:
    """A run of another account, as a directory that was copied has."""
    columns = "lead, strategy, policy_digest, venue, started_at_ms"
    runtime.sql(
        f"INSERT INTO runs (run_id, account, {columns}) SELECT 'theirs', 'another', {columns} FROM runs LIMIT 1"
    )


def unknown_for_long(runtime: LiveRuntime) -> None:
    row = runtime.order(OrderState.JOURNALLED, OrderState.UNKNOWN)
    runtime.keep(replace(row, sent_at_ms=runtime.now_ms - 61_000))


def all_found(runtime: LiveRuntime) -> None:
    for row in runtime.journal.load().rows:
        if row.state.is_unresolved:
            runtime.keep(replace(row, state=OrderState.CANCELLED))


def five_rejects(runtime: LiveRuntime) -> None:
    for number in range(5):
        runtime.order(OrderState.JOURNALLED, OrderState.REJECTED, leg=f"leg{number}")


def four_attempts(runtime: LiveRuntime) -> None:
    for _ in range(3):
        runtime.order(OrderState.JOURNALLED, OrderState.REJECTED, kind=IntentKind.CLOSE, leg="all")
    runtime.order(OrderState.JOURNALLED, OrderState.FILLED, kind=IntentKind.CLOSE, leg="all")


def less_is_shown(runtime: LiveRuntime) -> None:
    """The status forgets the position that the ledger holds."""
    runtime.status["positions"] = []


def lead_closed(runtime: LiveRuntime) -> None:
    """The lead is seen to have closed, and no row says when: as old as the session, which is some minutes old."""
    runtime.status["started_at"] = iso(runtime.now_ms - 200_000)
    runtime.status["positions"] = [{**each, "source_state": "closed"} for each in runtime.status["positions"]]


def two_opens(runtime: LiveRuntime) -> None:
    runtime.fill()
    runtime.fill()


def loss(value: float) -> Change:
    def write(runtime: LiveRuntime) -> None:
        others = [each for each in runtime.status["limits"] if each["name"] != "daily_loss"]
        assert len(others) == len(runtime.status["limits"]) - 1, "a session shows its daily loss"
        mine = {"name": "daily_loss", "value": value, "limit": 5.0, "unit": "usdt"}
        runtime.status["limits"] = [*others, mine]

    return write


def journal_torn(runtime: LiveRuntime) -> None:
    runtime.journal.close()
    path = runtime.folder / "session.sqlite"
    path.rename(runtime.folder / "kept")
    path.write_bytes(b"SQLite format 3\0" + b"torn" * 1000)


def journal_back(runtime: LiveRuntime) -> None:
    (runtime.folder / "kept").rename(runtime.folder / "session.sqlite")


FILLED = frozenset({Rule.ORDER_FILLED})
FAULTS: dict[Rule, Fault] = {
    Rule.STATUS_MISSING: Fault(plant=no_status, mend=status_again),
    Rule.STATUS_STALE: Fault(plant=old_status, mend=status_again),
    Rule.PROCESS_MISSING: Fault(plant=process_killed, mend=LiveRuntime.take),
    Rule.CONTROL_ACTIVE: Fault(
        plant=stopped, mend=lambda runtime: clear_control(runtime.folder, Control.STOP_NEW_ORDERS)
    ),
    Rule.EXCHANGE_MISMATCH: Fault(
        plant=foreign_run, mend=lambda runtime: runtime.sql("DELETE FROM runs WHERE run_id = 'theirs'")
    ),
    Rule.POSITION_MISMATCH: Fault(plant=lambda runtime: runtime.alert(AlertKind.LEDGER_MISMATCH)),
    Rule.NOTIONAL_MISMATCH: Fault(plant=less_is_shown, mend=as_it_was),
    Rule.UNKNOWN_ORDER: Fault(plant=unknown_for_long, mend=all_found),
    Rule.REJECTED_CLUSTER: Fault(plant=five_rejects),
    Rule.REPEATED_ATTEMPTS: Fault(plant=four_attempts),
    Rule.MISSED_CLOSE: Fault(plant=lead_closed, mend=as_it_was),
    Rule.DUPLICATE_ENTRY: Fault(plant=two_opens, also=FILLED),
    Rule.SOURCE_STALE: Fault(plant=status(input_ages_s={"source": 301.0, "mark": 1.0}), mend=as_it_was),
    Rule.SOURCE_HISTORY_MISMATCH: Fault(plant=lambda runtime: runtime.source_closed(entry_deviation_ratio=0.5)),
    Rule.BACKOFF_ACTIVE: Fault(
        plant=lambda runtime: runtime.status.update(backoff={"failures": 3, "until": iso(runtime.now_ms + DAY_MS)}),
        mend=as_it_was,
    ),
    Rule.SLIPPAGE_BREACH: Fault(plant=lambda runtime: runtime.slipped(signed_bps=25.0), also=FILLED),
    Rule.LOSS_LIMIT_NEAR: Fault(plant=loss(4.2), mend=as_it_was),
    Rule.LOSS_LIMIT_HIT: Fault(plant=loss(5.0), mend=as_it_was),
    Rule.DEADLINE_NEAR: Fault(
        plant=lambda runtime: runtime.status.update(deadline_at=iso(runtime.now_ms + 600_000)), mend=as_it_was
    ),
    Rule.ORDER_FILLED: Fault(plant=lambda runtime: runtime.fill(kind=IntentKind.ADD)),
    Rule.JOURNAL_UNREADABLE: Fault(plant=journal_torn, mend=journal_back),
    Rule.SESSION_ALERT: Fault(plant=lambda runtime: runtime.alert(AlertKind.AUTHENTICATION, BTC)),
    Rule.SESSION_FAILED: Fault(plant=status(ended="error", last_error="out of luck"), mend=as_it_was),
}
ANOTHER_EACH_TIME = {Rule.ORDER_FILLED, Rule.UNKNOWN_ORDER}
"""Their subject is one order, which happens once: the next one is an incident of its own."""
