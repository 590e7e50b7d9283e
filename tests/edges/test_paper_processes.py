"""Paper sessions as processes: nothing that sends is loaded, one works at a time, and none minds being killed."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from copytrade_core.edges.runtime.session_lease import SessionLease
from copytrade_core.edges.runtime.session_process import session_process
from copytrade_core.model.errors import StoreFault
from tests.small_lead import small_project

POSITIONS = 24


@pytest.fixture(scope="module")
def config(made_once, project_root) -> Path:
    return made_once("paper_lead", lambda root: small_project(root, project_root, positions=POSITIONS)) / (
        "settings/copytrade.toml"
    )


def begin(config: Path, folder: Path, run_id: str, project_root: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(project_root)}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.edges.paper_process", str(config), str(folder), run_id],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=project_root,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def wait_for_orders(folder: Path, process: subprocess.Popen[str], count: int) -> None:
    """Until the journal has so many orders, or the process has ended."""
    while process.poll() is None:
        if (folder / "session.sqlite").exists():
            with closing(sqlite3.connect(folder / "session.sqlite")) as connection:
                try:
                    (found,) = connection.execute("SELECT count(*) FROM orders").fetchone()
                except sqlite3.OperationalError:
                    found = 0
            if found >= count:
                return
        time.sleep(0.002)


LEDGER = (
    "SELECT client_order_id, kind, leg, time_ms, price, quantity, fee FROM fills ORDER BY number",
    "SELECT sequence, client_order_id, state, filled FROM orders ORDER BY sequence",
    "SELECT kind, known_at_ms, episode_id FROM source_events ORDER BY number",
    "SELECT client_order_id, expected, filled, signed_bps FROM slippage_observations ORDER BY client_order_id",
    "SELECT body FROM state",
    "SELECT episode_id, body FROM done_trades ORDER BY rowid",
)


def ledger_of(folder: Path) -> list[list[tuple[object, ...]]]:
    """Fills, orders, what was heard, what was compared, and the whole state, as they are on disk."""
    with closing(sqlite3.connect(folder / "session.sqlite")) as connection:
        return [connection.execute(query).fetchall() for query in LEDGER]


@pytest.fixture(scope="module")
def calm(config, project_root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm") / "runtime"
    return ended(begin(config, folder, "r1", project_root)), ledger_of(folder)


def test_a_paper_process_never_loads_what_could_send_an_order(calm):
    told, (fills, *_) = calm
    assert told["ccxt"] == []
    assert told["ended"] == "feed_ended"
    assert len(fills) > 20
    assert told["is_evidence"] is False, "its lead is known from later history only"


def test_killed_again_and_again_it_comes_to_the_same_ledger(config, calm, project_root, tmp_path):
    folder, dice = tmp_path / "runtime", random.Random(5)
    kills = 0
    for number in range(40):
        process = begin(config, folder, f"r{number}", project_root)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if number < 5:
            wait_for_orders(folder, process, 3 + 6 * number)
            time.sleep(dice.uniform(0, 0.01))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                _ = process.communicate()
                kills += 1
                assert session_process(folder / "session.sqlite").is_alive is False
                continue
        told = ended(process)
        break
    else:
        pytest.fail("every run was killed and none came to its end")
    assert kills >= 3
    assert (told["cash"], told["orders"]) == (calm[0]["cash"], calm[0]["orders"])
    assert ledger_of(folder) == calm[1]


def test_a_second_process_is_refused_and_an_orphan_is_not_in_the_way(config, project_root, tmp_path):
    folder = tmp_path / "runtime"
    lease = SessionLease.take(folder / "session.sqlite")
    refused = begin(config, folder, "r1", project_root)
    _, err = refused.communicate(timeout=60)
    assert refused.returncode != 0
    assert "works on this journal already" in err
    lease.release()
    orphan = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder / "session.sqlite")], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(project_root)},
    )  # fmt: skip
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == "held\n"
    with pytest.raises(StoreFault):
        _ = SessionLease.take(folder / "session.sqlite")
    orphan.send_signal(signal.SIGKILL)
    _ = orphan.communicate()
    assert ended(begin(config, folder, "r2", project_root))["ended"] == "feed_ended"


HOLD = """
import sys, time
from pathlib import Path
from copytrade_core.edges.runtime.session_lease import SessionLease
lease = SessionLease.take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""
