"""Temporary files that a killed session left in its runtime directory. What finished ones say is not known here."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from copytrade_core.edges.runtime.runtime_files import PARAMS_FILE, SNAPSHOT_FILE, STATUS_FILE

_OF_A_SESSION = re.compile(
    f"({re.escape(STATUS_FILE)}|{re.escape(PARAMS_FILE)}|{re.escape(SNAPSHOT_FILE)}|run_state_.+)"
    r"\.[0-9a-f]{32}\.part"
)


def sweep_unfinished(folder: Path) -> None:
    """Removes the unfinished files of earlier sessions of this directory; only for who holds its lease.

    Whoever holds it is the only writer of these names, and writes none of them yet. A control is set by other processes
    at any time, so its unfinished file may be somebody's work of this moment and stays. What cannot be removed stays
    too: it is in nobody's way.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if _OF_A_SESSION.fullmatch(path.name):
                path.unlink()
