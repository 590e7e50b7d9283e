"""The source stages: poll a lead, list its pages, normalise its history.

Which rows are usable belongs to `sources`; episodes have a stage of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from copytrade_core.edges.lake import Head
from copytrade_core.edges.pages.http_pages import LISTS, LeadPages
from copytrade_core.edges.pages.page_archive import EPOCH
from copytrade_core.edges.pages.page_import import ImportResult, import_directory
from copytrade_core.edges.settings_values import http_limits
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.model.errors import NotStored
from copytrade_core.model.source import SOURCE_SCHEMA_VERSION, Endpoint, LeadId, SourcePage
from copytrade_core.sources.envelope import SourceError, is_success
from copytrade_core.sources.history_walk import WalkLimits
from copytrade_core.sources.normalise_history import normalise_history
from copytrade_core.sources.normalised import NormalisedRows

WALK = WalkLimits(page_rows=100, pages_max=200, restarts_max=3, short_page_asks_max=2)
"""100 rows is the largest page seen to be honoured; 200 pages are twice the longest history seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutcome:
    """One poll: rows the source claims and rows read, and which side calls failed and why (by endpoint)."""

    lead_id: LeadId
    total_count: int
    distinct_count: int
    short_by: int
    restarts_count: int
    failed: Mapping[str, str]
    page_set_changed: bool


def poll_lead(place: Workplace, lead_id: str) -> PollOutcome:
    """Asks the source for the whole history, open positions and detail; every answer is archived.

    A failed history fails the poll; open positions and detail may fail (hidden, retired) and are reported.

    Raises:
        SourceError, TransportFault, AnswerTooLarge, DeadlineExceeded: the history could not be read.
        StoreFault: the archive cannot be written.
    """
    lead = LeadId(lead_id)
    before = place.archive.digest(lead)
    failed: dict[str, str] = {}
    with closing(source_client(place)) as client:
        _attempt(Endpoint.LEAD_DETAIL, client.detail, lead, failed)
        try:
            # Before the open positions, so that a close is on record when a holding is found gone.
            walk = client.history(lead, walk=WALK, time_range=None)
        finally:
            _attempt(Endpoint.OPEN_POSITIONS, client.open_positions, lead, failed)
    return PollOutcome(
        lead_id=lead,
        total_count=walk.total_count,
        distinct_count=walk.distinct_count,
        short_by=walk.short_by,
        restarts_count=walk.restarts_count,
        failed=failed,
        page_set_changed=place.archive.digest(lead) != before,
    )


def source_client(place: Workplace) -> LeadPages:
    """A client of the source within the limits of the settings; the caller closes it."""
    source = place.settings.source
    return LeadPages(base_url=source.base_url, limits=http_limits(source), archive=place.archive)


def _attempt(endpoint: Endpoint, call: Callable[[LeadId], SourcePage], lead_id: LeadId, failed: dict[str, str]) -> None:
    try:
        _ = call(lead_id)
    except SourceError as fault:
        failed[endpoint.value] = f"{type(fault).__name__}: {fault.what}"


def import_pages(place: Workplace, directory: Path, *, lead_id: str | None) -> ImportResult:
    """Saved pages into the archive; see `page_import.import_directory`."""
    return import_directory(
        directory, place.archive, lead_id=None if lead_id is None else LeadId(lead_id), now=place.now()
    )


def list_source_pages(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores the list of the lead's answers (`source_pages`): what everything later is made from.

    Raises:
        NotStored: no answer of this lead is archived.
    """
    lead = LeadId(lead_id)
    pages = [page for page in place.archive.pages(lead) if page.status == 200]
    if not pages:
        raise NotStored(
            f"no page of lead {lead_id} is archived",
            next_step=f"Run: copytrade poll --lead {lead_id} --once, or copytrade import --from-dir DIR",
        )
    counts: dict[str, int] = {}
    for page in pages:
        counts[page.endpoint.value] = counts.get(page.endpoint.value, 0) + 1
    document = {
        "lead_id": lead_id,
        "page_set_digest": place.archive.digest(lead),
        "pages": [
            {"endpoint": page.endpoint.value, "page": page.page, "request": page.request, "sha256": page.sha256}
            for page in pages
        ],
    }
    metadata = {"pages": counts, "page_set_digest": document["page_set_digest"]}
    head = place.lake.put_document(
        "source_pages",
        lead_id,
        document,
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={},
        metadata=metadata,
    )
    return StageOutcome(heads=(head,), metadata=metadata)


def newest_page_at(place: Workplace, lead_id: str) -> datetime | None:
    """When the lead's newest successful history answer was received, unchanged or not; None when there is none."""
    seen = place.archive.observations(LeadId(lead_id), Endpoint.POSITION_HISTORY)
    newest = max((one.received_at_us for one in seen if one.status == 200), default=None)
    return None if newest is None else EPOCH + timedelta(microseconds=newest)


def lead_page_sets(place: Workplace) -> dict[str, str]:
    """Digest of the archived page set of every lead that has a history page."""
    return {
        str(lead): place.archive.digest(lead)
        for lead in place.archive.leads()
        if lead != LISTS and newest_page_at(place, lead) is not None
    }


def normalise_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Archive -> `closed_positions`, `unusable_rows` and `source_counts`, every row accounted for.

    Raises:
        NotStored: the list of pages is not stored.
        StoreFault: an archived answer was changed.
    """
    listed = place.lake.require("source_pages", lead_id)
    history = [page for page in place.archive.pages(LeadId(lead_id), Endpoint.POSITION_HISTORY) if is_success(page)]
    rows = normalise_history(sorted(history, key=lambda page: page.received_at))
    counts = {
        "pages": len(history),
        "rows": rows.rows_count,
        "normalised": rows.positions.height,
        "rejected": {reason.value: count for reason, count in rows.rejected().items()},
        "duplicates": rows.duplicates_count,
    }
    return StageOutcome(heads=_store_rows(place, lead_id, rows, counts, listed), metadata=counts)


def _store_rows(
    place: Workplace, lead_id: str, rows: NormalisedRows, counts: Mapping[str, object], listed: Head
) -> tuple[Head, ...]:
    read = parents(listed)
    tables = [
        place.lake.put_table(
            asset,
            lead_id,
            frame,
            schema_version=SOURCE_SCHEMA_VERSION,
            code_version=place.code_version,
            parents=read,
        )
        for asset, frame in (("closed_positions", rows.positions), ("unusable_rows", rows.unusable))
    ]
    counted = place.lake.put_document(
        "source_counts",
        lead_id,
        counts,
        schema_version=SOURCE_SCHEMA_VERSION,
        code_version=place.code_version,
        parents=read,
    )
    return (*tables, counted)
