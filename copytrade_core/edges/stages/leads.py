"""The lead stages: snapshot the public lists of a day, poll a lead's own page.

When a list was read whole belongs to `sources.lead_list`; a lead's history is polled in `stages.sources`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict

from copytrade_core.edges.http_retry import AnswerTooLarge, DeadlineExceeded, TransportFault
from copytrade_core.edges.pages.http_pages import LISTS, LeadPages
from copytrade_core.edges.stages.sources import source_client
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.sources.envelope import MalformedPage, SourceError, UpstreamError
from copytrade_core.sources.lead_list import Fetch, ListLimits, ListWalk, PageFault, walk_list

LISTED = (("ROI", "30D"), ("ROI", "90D"), ("PNL", "30D"), ("PNL", "90D"))
"""The lists of a snapshot: what they are sorted by, over which days."""
LIST_PAGES_MAX = 400
"""12,000 leads a list; four lists at a request a second end well inside the two hours that a run may take."""
LIST_LIMITS = ListLimits(page_rows=30, pages_max=LIST_PAGES_MAX, short_page_asks_max=2, faults_max=3)
"""The public list gives 30 rows at most, whatever is asked."""
LISTS_SCHEMA_VERSION = 2
"""Version of the `lead_lists` document; 1 was a bare list of answers, without what they claimed."""


def poll_lead_lists(place: Workplace, day: str) -> StageOutcome:
    """Reads the public lists (ROI and PNL, 30 and 90 days) to their end and stores what was seen (`lead_lists`).

    A page or list that fails is recorded and the rest is kept; `universe_complete` judges the result.

    Raises:
        SourceError, TransportFault, AnswerTooLarge, DeadlineExceeded: no page of any list could be read.
        StoreFault: the archive cannot be written.
    """
    failures: list[CopytradeError] = []
    with closing(source_client(place)) as client:
        walks = [
            walk_list(
                _fetch(client, data_type, time_range, failures),
                data_type=data_type,
                time_range=time_range,
                limits=LIST_LIMITS,
            )
            for data_type, time_range in LISTED
        ]
    if not any(walk.pages for walk in walks):
        raise failures[0]
    metadata = {
        "pages": sum(walk.pages_count for walk in walks),
        "leads": len({lead for walk in walks for lead in walk.ids}),
        "lists": {f"{walk.data_type} {walk.time_range}": walk.distinct_count for walk in walks},
        "archived_under": LISTS,
    }
    document = [
        {**asdict(walk), "distinct_count": walk.distinct_count, "pages_count": walk.pages_count} for walk in walks
    ]
    head = place.lake.put_document(
        "lead_lists",
        day,
        document,
        schema_version=LISTS_SCHEMA_VERSION,
        code_version=place.code_version,
        parents={},
        metadata=metadata,
    )
    return StageOutcome(heads=(head,), metadata=metadata)


def stored_lists(place: Workplace, day: str) -> list[ListWalk]:
    """The stored readings of a day's lists.

    Raises:
        NotStored: no list of that day.
        StoreFault: unreadable, or written before the lists were read whole.
    """
    return place.lake.document_as("lead_lists", day, list[ListWalk])


def poll_lead_detail(place: Workplace, lead_id: str) -> StageOutcome:
    """Polls the lead's own page and stores which answer it was (`lead_details`)."""
    with closing(source_client(place)) as client:
        page = client.detail(LeadId(lead_id))
    metadata = {"pages": 1, "archived_under": lead_id}
    head = place.lake.put_document(
        "lead_details",
        lead_id,
        [{"request": page.request, "sha256": page.sha256}],
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={},
        metadata=metadata,
    )
    return StageOutcome(heads=(head,), metadata=metadata)


def _fetch(client: LeadPages, data_type: str, time_range: str, failures: list[CopytradeError]) -> Fetch:
    def fetch(number: int) -> SourcePage | PageFault:
        try:
            return client.lead_list_page(
                page=number, page_rows=LIST_LIMITS.page_rows, time_range=time_range, data_type=data_type
            )
        except (SourceError, TransportFault, AnswerTooLarge, DeadlineExceeded) as fault:
            failures.append(fault)
            # One bad page says nothing about the next; a host that blocks, throttles or is gone does.
            one_page = isinstance(fault, UpstreamError | MalformedPage | AnswerTooLarge)
            return PageFault(says=f"{type(fault).__name__}: {fault.what}", ends_list=not one_page)

    return fetch
