"""A search report on disk: search.html, search.md and search.json, each whole or absent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from copytrade_core.edges.atomic_files import write_whole
from copytrade_core.edges.reports.report_files import report_json
from copytrade_core.edges.reports.report_text import Document
from copytrade_core.edges.reports.search_report_html import render_search_html
from copytrade_core.edges.reports.search_report_markdown import render_search_markdown


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReportPaths:
    """Where the files of one search report are."""

    html: Path
    markdown: Path
    json: Path


def write_search_report(document: Document, folder: Path, *, tmp: Path) -> SearchReportPaths:
    """Writes all three files; search.json first, because the others are only views of it.

    Args:
        document: from `evidence.search_report.search_report_document`; further keys are kept and not shown.
        folder: created when absent; files in it are replaced.
        tmp: folder for temporary files on the same file system.

    Raises:
        StoreFault: the folder is not writable or the disk is full; a file that was there before is unchanged.
    """
    paths = SearchReportPaths(html=folder / "search.html", markdown=folder / "search.md", json=folder / "search.json")
    write_whole(paths.json, report_json(document), tmp=tmp)
    write_whole(paths.markdown, render_search_markdown(document).encode(), tmp=tmp)
    write_whole(paths.html, render_search_html(document).encode(), tmp=tmp)
    return paths
