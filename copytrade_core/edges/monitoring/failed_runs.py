"""Runs of a session that failed without the session saying so: killed, out of memory, or over before it began.

Who starts runs notes them beside the session's files; the monitor reads them. What they mean is decided in its rules.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from copytrade_core.edges.runtime.row_files import RowFile, numbered_rows
from copytrade_core.model.errors import StoreFault, Where
from copytrade_core.monitor.facts import FailedRunFact

FAILED_RUNS_FILE = "failed_runs.jsonl"
SCHEMA_VERSION = 1


class _Row(msgspec.Struct, frozen=True):
    schema_version: int
    run_id: str
    why: str
    at_ms: int


def note_failed_run(folder: Path, failed: FailedRunFact) -> None:
    """Notes a failed run once; its folder is made where no session ever began.

    Raises:
        StoreFault: it cannot be read or written.
    """
    if any(one.run_id == failed.run_id for one in failed_runs(folder)):
        return
    row = _Row(schema_version=SCHEMA_VERSION, run_id=failed.run_id, why=failed.why, at_ms=failed.at_ms)
    RowFile(folder / FAILED_RUNS_FILE).append([msgspec.json.encode(row)])


def failed_runs(folder: Path) -> tuple[FailedRunFact, ...]:
    """Every noted run, oldest first; none where there is no file.

    Raises:
        StoreFault: it cannot be read, or has another shape.
    """
    path = folder / FAILED_RUNS_FILE
    try:
        rows = [msgspec.json.decode(line, type=_Row) for _, line in numbered_rows(path, has_header=False)]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreFault(f"{FAILED_RUNS_FILE} is damaged: {error}", where=Where(file=str(path))) from error
    return tuple(FailedRunFact(run_id=row.run_id, why=row.why, at_ms=row.at_ms) for row in rows)
