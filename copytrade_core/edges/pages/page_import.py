"""Import of saved pages: a folder of answers -> the raw archive, all or nothing.

Reads what the original project saved (`position_history_pages_raw.json`, `positions.csv`) and bare answers saved as
`*.json`. Study results (`*_trades.csv`, `summary.json`) are not source pages and are left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.pages.page_files import SavedPage, pages_of_csv, pages_of_json
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.source import Endpoint, LeadId, RejectReason, SourcePage
from copytrade_core.sources.envelope import SourceError, read_payload
from copytrade_core.sources.history_walk import walk_of_pages
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.normalise_open import normalise_open
from copytrade_core.sources.normalised import NormalisedRows

STUDY_FILES = ("summary.json",)
CSV_FILE = "positions.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """What an import held: `rows` = `normalised` + all `rejected` + `duplicates`.

    Zero slots of open-positions answers are no rows and are counted apart. `pages` counts the answers in the folder,
    `new_pages` those whose bytes the archive did not have.
    """

    pages: int
    new_pages: int
    rows: int
    normalised: int
    rejected: Mapping[RejectReason, int]
    duplicates: int
    empty_slots: int
    leads: tuple[LeadId, ...]


def import_directory(
    directory: Path, archive: PageArchive, *, lead_id: LeadId | None = None, now: datetime
) -> ImportResult:
    """Archive the saved answers of a folder (and of its direct sub-folders), then say what they hold.

    Everything is read and checked before the first byte is stored. `now` becomes the time we first had the rows.

    Args:
        directory: the folder.
        archive: where the pages go.
        lead_id: the lead, when neither the pages nor the names say it.
        now: receive time.

    Raises:
        BadInput: no saved answer in the folder, or one that cannot be read; names file, row and field.
        StoreFault: the archive cannot be written.
    """
    if not directory.is_dir():
        raise BadInput("there is no such folder", where=Where(file=str(directory)))
    folders = [directory, *sorted(entry for entry in directory.iterdir() if entry.is_dir())]
    saved = [page for folder in folders for page in _folder_pages(folder, lead_id, now)]
    if not saved:
        raise BadInput(
            "no saved page in the folder",
            where=Where(file=str(directory)),
            next_step=f"Put position_history_pages_raw.json, {CSV_FILE} or saved answers (*.json) there",
        )
    pages = [_checked(page) for page in saved]
    parts = [_normalised(saved, lead) for lead in sorted({page.lead_id for page in pages})]
    new_pages = sum(archive.append(page) for page in pages)
    _record_walks(pages, archive, now)
    return _result(pages, new_pages, parts)


def _folder_pages(folder: Path, lead_id: LeadId | None, now: datetime) -> list[SavedPage]:
    """Pages of one folder; rows of the CSV that the raw pages hold already are not read twice."""
    found: list[SavedPage] = []
    for path in sorted(folder.glob("*.json")):
        if path.name not in STUDY_FILES:
            found.extend(pages_of_json(path, lead_id=lead_id, now=now))
    csv = folder / CSV_FILE
    if csv.is_file():
        held = {page.page.lead_id: page for page in found if page.page.endpoint is Endpoint.POSITION_HISTORY}
        history = [_checked(page) for page in found if page.page.endpoint is Endpoint.POSITION_HISTORY]
        lead = lead_id if lead_id is not None else (next(iter(held)) if len(held) == 1 else None)
        found.extend(pages_of_csv(csv, lead_id=lead, now=now, already=history))
    return found


def _checked(saved: SavedPage) -> SourcePage:
    """The page, once it is known to hold a payload."""
    try:
        _ = read_payload(saved.page)
    except SourceError as fault:
        raise BadInput(
            f"a saved answer holds no data: {fault.what}",
            where=Where(file=str(saved.file), row=saved.row, field=fault.where.field, request=fault.where.request),
            next_step="Remove this answer from the folder or save it again",
        ) from fault
    return saved.page


def _normalised(saved: list[SavedPage], lead_id: LeadId) -> NormalisedRows:
    mine = [page.page for page in saved if page.page.lead_id == lead_id]
    history = normalise_history(page for page in mine if page.endpoint is Endpoint.POSITION_HISTORY)
    opened = normalise_open(page for page in mine if page.endpoint is Endpoint.OPEN_POSITIONS)
    return NormalisedRows(
        positions=history.positions.select("lead_id").vstack(opened.positions.select("lead_id")),
        unusable=history.unusable.vstack(opened.unusable),
        rows_count=history.rows_count + opened.rows_count,
        duplicates_count=history.duplicates_count + opened.duplicates_count,
        empty_slots_count=opened.empty_slots_count,
    )


def _record_walks(pages: list[SourcePage], archive: PageArchive, now: datetime) -> None:
    """Saved history pages of a lead are one reading of its history."""
    for lead in sorted({page.lead_id for page in pages}):
        history = [page for page in pages if page.lead_id == lead and page.endpoint is Endpoint.POSITION_HISTORY]
        if history:
            archive.append_walk(walk_of_pages(tuple(history), lead_id=lead), finished_at=now)


def _result(pages: list[SourcePage], new_pages: int, parts: list[NormalisedRows]) -> ImportResult:
    rejected: Counter[RejectReason] = Counter()
    for part in parts:
        rejected.update(part.rejected())
    empty_slots = sum(part.empty_slots_count for part in parts)
    result = ImportResult(
        pages=len(pages),
        new_pages=new_pages,
        rows=sum(part.rows_count for part in parts) - empty_slots,
        normalised=sum(part.positions.height for part in parts),
        rejected=dict(rejected),
        duplicates=sum(part.duplicates_count for part in parts),
        empty_slots=empty_slots,
        leads=tuple(sorted({page.lead_id for page in pages})),
    )
    assert result.rows == result.normalised + rejected.total() + result.duplicates
    return result
