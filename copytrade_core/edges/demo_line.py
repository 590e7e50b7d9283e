"""The demo as processes: a stand-in of Binance on loopback, and the orchestrator in a folder of its own.

What is shown of it belongs to the command line. Nothing of the user's is touched: store, reports and Dagster instance
are below one folder that the demo made itself.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from copytrade_core.edges.settings_file import PROJECT
from copytrade_core.model.errors import BadInput, StoreFault, Where

SAMPLE_LEAD = "4751838302089254401"
MARKER = ".copytrade-demo"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFolder:
    """Where the demo keeps everything."""

    root: Path

    @property
    def data(self) -> Path:
        """The demo's store."""
        return self.root / "data"

    @property
    def reports(self) -> Path:
        """The demo's reports."""
        return self.root / "reports"

    @property
    def dagster_home(self) -> Path:
        """The demo's Dagster instance."""
        return self.root / "dagster_home"

    @property
    def log(self) -> Path:
        """What Dagster said."""
        return self.root / "dagster.log"

    def environment(self, base_url: str) -> dict[str, str]:
        """Settings of the demo's processes; only its own folders and the loopback server are in it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COPYTRADE_")}
        return {
            **kept,
            "COPYTRADE_CONFIG": str(PROJECT / "settings" / "copytrade.toml"),
            "COPYTRADE_DATA_DIR": str(self.data),
            "COPYTRADE_REPORTS_DIR": str(self.reports),
            "COPYTRADE_SOURCE__BASE_URL": base_url,
            "COPYTRADE_MARKET__BASE_URL": base_url,
            "COPYTRADE_SOURCE__REQUEST_INTERVAL_S": "0",
            "COPYTRADE_MARKET__REQUEST_INTERVAL_S": "0",
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }

    def ui_command(self) -> str:
        """The command that shows the demo's graph in Dagster."""
        if self.root == PROJECT / "data" / "demo":
            return "make ui DEMO=1"
        return (
            f"COPYTRADE_DATA_DIR={self.data} COPYTRADE_REPORTS_DIR={self.reports} DAGSTER_HOME={self.dagster_home}"
            f" {Path(sys.executable).parent / 'dagster'} dev -h 127.0.0.1 -w {PROJECT / 'workspace.yaml'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of progress: what is being done, and the run's answer when it is over."""

    name: str
    state: str
    detail: str


def sample_pages() -> Path:
    """The recorded pages that come with the project.

    Raises:
        BadInput: the program does not run from its checkout.
    """
    pages = PROJECT / "data" / "sample" / "leads"
    if not (pages / SAMPLE_LEAD).is_dir():
        raise BadInput(
            "the recorded pages of the sample lead are not here",
            where=Where(file=str(pages)),
            next_step="Run the demo from a checkout of the project",
        )
    return pages


def fresh_folder(root: Path) -> DemoFolder:
    """An empty demo folder; an earlier demo's is removed, anything else is left alone.

    Raises:
        BadInput: the folder holds something that no demo made.
        StoreFault: it cannot be written.
    """
    try:
        if root.exists() and any(root.iterdir()):
            if not (root / MARKER).is_file():
                raise BadInput(
                    "the demo's folder holds something else",
                    where=Where(file=str(root)),
                    next_step="Name another with --folder",
                )
            shutil.rmtree(root)
        folder = DemoFolder(root=root.resolve())
        folder.dagster_home.mkdir(parents=True)
        (root / MARKER).touch()
        shutil.copy(PROJECT / "dagster.yaml", folder.dagster_home / "dagster.yaml")
    except OSError as error:
        raise StoreFault(f"the demo's folder cannot be made: {error}", where=Where(file=str(root))) from error
    return folder


@contextmanager
def standin(folder: DemoFolder, pages: Path) -> Generator[str]:
    """A stand-in of Binance in its own process while the context lasts; gives its base URL.

    Raises:
        BadInput: it did not start.
    """
    ready = folder.root / "standin.json"
    command = [sys.executable, "-m", "copytrade_core.edges.standins.binance", "--pages", str(pages)]
    with (folder.root / "standin.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--port", "0", "--ready-file", str(ready)], stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield _when_ready(process, ready)
    finally:
        _stop(process)


def _when_ready(process: subprocess.Popen[bytes], ready: Path) -> str:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        if ready.exists():
            return str(json.loads(ready.read_bytes())["base_url"])
        time.sleep(0.05)
    raise BadInput(
        "the stand-in of Binance did not start", where=Where(file=str(ready.with_name("standin.log"))), next_step=None
    )


def dagster_steps(folder: DemoFolder, environment: Mapping[str, str], *arguments: str) -> Iterator[Step]:
    """Runs the orchestrator's part in its own process and gives each step as it is said.

    Raises:
        StoreFault: the process failed; its log says why.
    """
    command = [sys.executable, "-m", "copytrade_dagster.demo_run", *arguments]
    with folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module
            command, env=dict(environment), cwd=PROJECT, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    try:
        assert process.stdout is not None, "it is a pipe"
        for line in process.stdout:
            if line.startswith(b"{"):
                yield Step(**json.loads(line))
        if process.wait() != 0:
            raise StoreFault(
                f"the demo's Dagster process ended with {process.returncode}: {_last_line(folder.log)}",
                where=Where(file=str(folder.log)),
                next_step="Read the end of that log",
            )
    finally:
        _stop(process)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that this demo started: politely, then not."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        _ = process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _ = process.wait()
