"""A session's equity over time, for pictures: the rows of its own file, of the named runs only."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from copytrade_core.edges.runtime.row_files import numbered_rows
from copytrade_core.edges.runtime.runtime_files import EQUITY_FILE
from copytrade_core.model.errors import StoreFault, Where

Point = tuple[datetime, float]


def session_equity(folder: Path, run_ids: Collection[str]) -> list[Point]:
    """When (UTC) and how much (quote units, at marks), oldest first; none where nothing was written.

    Raises:
        StoreFault: the file cannot be read, or is no equity file.
    """
    path = folder / EQUITY_FILE
    content = b"\n".join(line for _, line in numbered_rows(path, has_header=False))
    try:
        rows = csv.DictReader(io.StringIO(content.decode()))
        return [
            (datetime.fromisoformat(row["at"]), float(row["equity_usdt"])) for row in rows if row["run_id"] in run_ids
        ]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise StoreFault(f"the equity of a session cannot be read: {error}", where=Where(file=str(path))) from error
