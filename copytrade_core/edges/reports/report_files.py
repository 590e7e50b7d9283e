"""A report on disk: report.html, report.md, report.json and round_trips.csv, each whole or absent."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, fields
from pathlib import Path

from copytrade_core.edges.atomic_files import write_whole
from copytrade_core.edges.reports.report_html import render_html
from copytrade_core.edges.reports.report_markdown import render_markdown
from copytrade_core.edges.reports.report_text import Document
from copytrade_core.evidence.trip_rows import TripRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPaths:
    """Where the files of one report are."""

    html: Path
    markdown: Path
    json: Path
    round_trips: Path


def write_report(document: Document, folder: Path, *, tmp: Path) -> ReportPaths:
    """Writes all four files; report.json first, because the others are only views of it.

    Args:
        document: from `evidence.report.report_document`.
        folder: created when absent; files in it are replaced.
        tmp: folder for temporary files on the same file system.

    Raises:
        StoreFault: the folder is not writable or the disk is full; a file that was there before is unchanged.
    """
    paths = ReportPaths(
        html=folder / "report.html",
        markdown=folder / "report.md",
        json=folder / "report.json",
        round_trips=folder / "round_trips.csv",
    )
    write_whole(paths.json, report_json(document), tmp=tmp)
    write_whole(paths.round_trips, round_trips_csv(document).encode(), tmp=tmp)
    write_whole(paths.markdown, render_markdown(document).encode(), tmp=tmp)
    write_whole(paths.html, render_html(document).encode(), tmp=tmp)
    return paths


def report_json(document: Document) -> bytes:
    """The document as JSON: sorted keys, so that equal reports are equal bytes."""
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def round_trips_csv(document: Document) -> str:
    """One line per round trip, with a header even when there is none."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=[field.name for field in fields(TripRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(document["round_trips"])
    return text.getvalue()
