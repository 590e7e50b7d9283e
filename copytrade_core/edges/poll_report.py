"""One poll as a folder of files: answers as received, the seed's page list, and the normalised rows as CSV and JSON.

The archive stays the truth; this folder is a copy for people and other programs, and `copytrade import` reads it back.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl

from copytrade_core.edges.atomic_files import write_whole
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.envelope import is_success
from copytrade_core.sources.normalise_history import normalise_history

E8 = "_e8"


class _Recorded(msgspec.Struct, frozen=True, rename="camel"):
    page_number: int | None
    request: msgspec.Raw
    response: msgspec.Raw


def write_poll_report(archive: PageArchive, lead_id: LeadId, folder: Path) -> dict[str, object]:
    """Writes the folder; each file is whole or absent.

    Files: `poll/raw/<endpoint>_<digest>.json` (bytes as received),
    `position_history_pages_raw.json` (the newest complete
    reading, or all history pages when none is complete), `poll/normalised/closed_positions.{csv,json}`,
    `poll/normalised/unusable_rows.json`.

    Below `poll/` an import does not look, so that no row is read twice.

    Returns:
        Counts of rows and the names of the files.

    Raises:
        StoreFault: the folder cannot be written.
    """
    pages = list(archive.pages(lead_id))
    walk = archive.newest_complete_walk(lead_id)
    usable = [page for page in pages if page.endpoint is Endpoint.POSITION_HISTORY and is_success(page)]
    history = list(walk.pages) if walk is not None else usable
    rows = normalise_history(history)
    positions = [_readable(row) for row in rows.positions.iter_rows(named=True)]
    unusable = list(rows.unusable.iter_rows(named=True))
    files = {f"poll/raw/{page.endpoint.value}_{page.sha256[:16]}.json": page.body for page in pages}
    files["position_history_pages_raw.json"] = _seed_pages(history)
    files["poll/normalised/closed_positions.csv"] = _csv(rows.positions, positions)
    files["poll/normalised/closed_positions.json"] = _json(positions)
    files["poll/normalised/unusable_rows.json"] = _json(unusable)
    for name, content in files.items():
        write_whole(folder / name, content, tmp=folder / ".tmp")
    (folder / ".tmp").rmdir()
    return {
        "rows": rows.rows_count,
        "normalised": len(positions),
        "rejected": {reason.value: count for reason, count in rows.rejected().items()},
        "duplicates": rows.duplicates_count,
        "report_dir": str(folder),
        "files": sorted(files),
    }


def _seed_pages(history: Iterable[SourcePage]) -> bytes:
    entries = [
        _Recorded(page_number=page.page, request=msgspec.Raw(page.request.encode()), response=msgspec.Raw(page.body))
        for page in history
    ]
    return msgspec.json.encode(entries) + b"\n"


def _readable(row: Mapping[str, object]) -> dict[str, object]:
    """Decimals as exact plain text instead of counts of 1e-8, instants as ISO 8601 in UTC."""
    found: dict[str, object] = {}
    for name, value in row.items():
        if name.endswith(E8):
            found[name.removesuffix(E8)] = None if value is None else format(Decimal(str(value)).scaleb(-8), "f")
        else:
            found[name] = value.isoformat() if isinstance(value, datetime) else value
    return found


def _json(rows: list[dict[str, object]]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"


def _csv(frame: pl.DataFrame, rows: list[dict[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [name.removesuffix(E8) for name in frame.columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
