"""Archived polls of one lead -> the events that its first-seen ledger makes of them, a year in seconds.

Polls that say again what the one before said change nothing but times, so only the last of such a run is taken in. What
a poll means is decided in `sources`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from copytrade_core.edges.pages.page_archive import EPOCH, Observation, PageArchive
from copytrade_core.edges.stages.episodes import SAME_CYCLE_S
from copytrade_core.model.source import ClosedPosition, Endpoint, LeadId, OpenPositionSnapshot, SourcePage, UnusableRow
from copytrade_core.sources.envelope import HiddenPositions, SourceError, read_payload
from copytrade_core.sources.first_seen import FirstSeenRules
from copytrade_core.sources.lead_detail import read_lead_detail
from copytrade_core.sources.normalise_open import normalise_open
from copytrade_core.sources.poll_runs import PollRuns
from copytrade_core.sources.position_values import open_snapshots, unusable_row_values
from copytrade_core.sources.source_poll import PositionsFailed, PositionsSeen

BATCH_PAGES, BATCH_BYTES = 4_000, 64_000_000
"""Pages that are normalised at once: with fewer the set-up costs more than the rows, with more they fill the memory."""
Positions = PositionsSeen | PositionsFailed
Row = TypeVar("Row", OpenPositionSnapshot, UnusableRow)


def polled_events(
    archive: PageArchive,
    lead_id: LeadId,
    history: Sequence[ClosedPosition],
    *,
    rules: FirstSeenRules,
    until: datetime | None = None,
) -> PollRuns:
    """Every archived answer to "what is open", oldest first, through the first-seen ledger.

    Args:
        archive: raw answers.
        lead_id: whose.
        history: closed rows; one counts from its `first_seen_at` on.
        rules: limits of the ledger.
        until: polls from then on are left out.

    Raises:
        StoreFault: an archived answer is gone or was changed.
    """
    runs = PollRuns(lead_id, history, rules)
    seen = sorted(archive.observations(lead_id, Endpoint.OPEN_POSITIONS), key=lambda one: one.received_at_us)
    shown = _Visibility(archive, lead_id)
    for positions, at in _contents(archive, lead_id, seen):
        if until is not None and at >= until:
            break
        shown_then = (
            replace(positions, positions_visible=shown.at(at)) if isinstance(positions, PositionsSeen) else None
        )
        runs.take(shown_then or positions, at)
    runs.finish()
    return runs


class _Visibility:
    """What the detail page of the same cycle said about visibility."""

    def __init__(self, archive: PageArchive, lead_id: LeadId) -> None:
        self._archive, self._lead_id = archive, lead_id
        details = archive.observations(lead_id, Endpoint.LEAD_DETAIL)
        self._details = sorted(details, key=lambda one: one.received_at_us)
        self._times = [one.received_at_us for one in self._details]
        self._said: dict[str, bool | None] = {}

    def at(self, at: datetime) -> bool | None:
        at_us = (at - EPOCH) // timedelta(microseconds=1)
        index = bisect_right(self._times, at_us) - 1
        if index < 0 or at_us - self._times[index] > SAME_CYCLE_S * 1_000_000:
            return None
        detail = self._details[index]
        if detail.sha256 not in self._said:
            self._said[detail.sha256] = _visible(self._archive.answer(self._lead_id, detail))
        return self._said[detail.sha256]


def _visible(page: SourcePage) -> bool | None:
    try:
        return read_lead_detail(page).positions_visible
    except SourceError:
        return None


def _contents(
    archive: PageArchive, lead_id: LeadId, seen: Iterable[Observation]
) -> Iterator[tuple[Positions, datetime]]:
    """What each observation showed; equal bytes are read once in a row of them."""
    known: dict[str, Positions] = {}
    for batch in _batches(seen):
        fresh = {one.sha256: one for one in batch if one.sha256 not in known}
        known = {one.sha256: known[one.sha256] for one in batch if one.sha256 in known}
        known |= _read(archive.answer(lead_id, one) for one in fresh.values())
        for one in batch:
            yield known[one.sha256], EPOCH + timedelta(microseconds=one.received_at_us)


def _batches(seen: Iterable[Observation]) -> Iterator[list[Observation]]:
    batch: list[Observation] = []
    size = 0
    for one in seen:
        batch.append(one)
        size += one.bytes_count
        if len(batch) >= BATCH_PAGES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _read(pages: Iterable[SourcePage]) -> dict[str, Positions]:
    found: dict[str, Positions] = {}
    usable: list[SourcePage] = []
    for page in pages:
        try:
            _ = read_payload(page)
        except SourceError as fault:
            is_hidden = isinstance(fault, HiddenPositions)
            found[page.sha256] = PositionsFailed(error=type(fault).__name__, is_hidden=is_hidden)
        else:
            usable.append(page)
    rows = normalise_open(usable)
    snapshots = _by_page(open_snapshots(rows.positions))
    broken = _by_page(unusable_row_values(rows.unusable))
    for page in usable:
        found[page.sha256] = PositionsSeen(
            snapshots=tuple(snapshots.get(page.sha256, ())),
            unusable=tuple(broken.get(page.sha256, ())),
            positions_visible=None,
        )
    return found


def _by_page(rows: Sequence[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.page_sha256, []).append(row)
    return found
