"""Reading a public lead list that moves while it is read, and saying whether all of it was read.

The pages come from a `fetch` function; HTTP, retries and storage are elsewhere, and no lead is ranked here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.sources.envelope import read_payload


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFault:
    """Why a page could not be had. `ends_list` when the next page would fare no better (blocked, no host)."""

    says: str
    ends_list: bool


Fetch = Callable[[int], SourcePage | PageFault]
"""Page number (from 1) -> a successful answer, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLimits:
    """Every bound of a walk.

    `page_rows` is the page size asked for, `short_page_asks_max` how often a page that is shorter is asked again,
    `faults_max` how many failed pages end the list.
    """

    page_rows: int
    pages_max: int
    short_page_asks_max: int
    faults_max: int

    def __post_init__(self) -> None:
        for name in ("page_rows", "pages_max", "faults_max"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} must be positive", where=Where(field=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """One answer of a list: page number, canonical request, digest of its bytes."""

    page: int
    request: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWalk:
    """One reading of one list (`data_type` ROI or PNL, `time_range` such as 30D).

    `total_count` is the service's newest claim (None: no page was read), `ids` the leads really seen, sorted,
    `unreadable_count` the rows without a usable id. `reached_end` says that the reading ended where the list does:
    at an empty page or with the claim met, not at a limit or a fault.
    """

    data_type: str
    time_range: str
    total_count: int | None
    ids: tuple[LeadId, ...]
    unreadable_count: int
    pages: tuple[ListedPage, ...]
    fault: str | None
    reached_end: bool

    @property
    def distinct_count(self) -> int:
        """How many leads were seen."""
        return len(set(self.ids))

    @property
    def pages_count(self) -> int:
        """How many pages were read; one that was asked again counts once."""
        return len({page.page for page in self.pages})

    @property
    def short_by(self) -> int:
        """How many claimed leads were not seen."""
        return max(0, (self.total_count or 0) - self.distinct_count)

    @property
    def is_complete(self) -> bool:
        """Whether the list was read whole: to its end, without a fault, the claim met, and not empty.

        A lead that left the list while it was read can stand in for one that was missed; no count shows that.
        """
        return self.reached_end and self.fault is None and self.distinct_count > 0 and self.short_by == 0


class _Row(msgspec.Struct, frozen=True):
    lead_id: Any = msgspec.field(name="leadPortfolioId", default=None)


def listed_lead(raw: msgspec.Raw) -> LeadId | None:
    """The lead of a list row; None unless its id is text of digits (a number would have been rounded on its way)."""
    try:
        lead_id = msgspec.json.decode(raw, type=_Row).lead_id
    except msgspec.DecodeError:
        return None
    if isinstance(lead_id, str) and lead_id.isascii() and lead_id.isdigit():
        return LeadId(lead_id)
    return None


@dataclass(slots=True)
class _Reading:
    """What has been read so far; bodies are not kept."""

    pages: list[ListedPage] = field(default_factory=list[ListedPage])
    ids: set[LeadId] = field(default_factory=set[LeadId])
    unreadable: dict[int, int] = field(default_factory=dict[int, int])
    faults: list[str] = field(default_factory=list[str])
    total: int | None = None
    reached_end: bool = False

    def take(self, number: int, page: SourcePage) -> int:
        """Takes an answer in; gives its count of rows."""
        payload = read_payload(page)
        found = [listed_lead(raw) for raw in payload.rows]
        self.ids.update(lead for lead in found if lead is not None)
        self.unreadable[number] = max(self.unreadable.get(number, 0), found.count(None))
        # An empty page behind the end may claim 0, which must not make a part the whole.
        if found or self.total is None:
            self.total = payload.total
        self.pages.append(ListedPage(page=number, request=page.request, sha256=page.sha256))
        return len(found)

    def missing(self) -> int:
        """Claimed leads not seen yet; negative when more were seen than claimed."""
        return (self.total or 0) - len(self.ids)


def walk_list(fetch: Fetch, *, data_type: str, time_range: str, limits: ListLimits) -> ListWalk:
    """Reads pages until one is empty or exactly the claimed number of leads was seen.

    Leads repeated on a later page (the list moved) count once. A short page never ends the walk: it is asked again,
    and every answer counts. A page that fails is left out and named in `fault`; the walk goes on behind it unless the
    fault ends the list or there were `faults_max` of them. `pages_max` ends it in any case.

    Raises:
        SourceError: `fetch` gave an answer that holds no payload.
    """
    reading = _Reading()
    for number in range(1, limits.pages_max + 1):
        if not _goes_on(reading, fetch, number, limits):
            break
    return ListWalk(
        data_type=data_type,
        time_range=time_range,
        total_count=reading.total,
        ids=tuple(sorted(reading.ids)),
        unreadable_count=sum(reading.unreadable.values()),
        pages=tuple(reading.pages),
        fault="; ".join(reading.faults) or None,
        reached_end=reading.reached_end,
    )


def _goes_on(reading: _Reading, fetch: Fetch, number: int, limits: ListLimits) -> bool:
    """Reads one page, again while it is shorter than the claim says it should be; False when the walk is over."""
    rows = 0
    for _ in range(1 + limits.short_page_asks_max):
        answer = fetch(number)
        if isinstance(answer, PageFault):
            reading.faults.append(f"page {number}: {answer.says}")
            return not answer.ends_list and len(reading.faults) < limits.faults_max
        rows = max(rows, reading.take(number, answer))
        if rows >= limits.page_rows or reading.missing() <= 0:
            break
    # More leads than claimed: the claim is not to be trusted, so only an empty page is the end.
    reading.reached_end = rows == 0 or reading.missing() == 0
    return not reading.reached_end
