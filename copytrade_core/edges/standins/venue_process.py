"""A venue's stand-in in a process of its own, for as long as somebody needs it.

What the stand-in answers belongs to `venue_server`; nothing here talks to a venue.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from copytrade_core.edges.standins.venue_control import VenueControl
from copytrade_core.edges.standins.venue_server import VenueStandin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.venue import Venue

MODULE = "copytrade_core.edges.standins.venue_server"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


@contextmanager
def venue_process(venue: Venue) -> Generator[VenueStandin]:
    """A stand-in of a venue on loopback while the context lasts; `control.reset` begins its runs.

    Raises:
        BadInput: it did not start; says what it said.
    """
    with TemporaryDirectory(prefix="copytrade-venue-") as folder:
        ready, log = Path(folder) / "ready.json", Path(folder) / "log.txt"
        command = [sys.executable, "-m", MODULE, "--venue", venue, "--ready-file", str(ready)]
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
        try:
            base_url = _when_ready(process, ready, log, venue)
            with VenueControl(base_url) as control:
                yield VenueStandin(base_url=base_url, control=control)
        finally:
            _stop(process)


def _when_ready(process: subprocess.Popen[bytes], ready: Path, log: Path, venue: Venue) -> str:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        if ready.exists():
            return str(json.loads(ready.read_bytes())["base_url"])
        time.sleep(0.02)
    told = log.read_text(encoding="utf-8", errors="replace").strip() or "it said nothing"
    raise BadInput(f"the stand-in of {venue} did not start: {told}", where=Where(field="venue"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the process that was started here: politely, then not."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        _ = process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _ = process.wait()
