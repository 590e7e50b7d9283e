"""Which archived days have something to tell a paper session."""

from __future__ import annotations

from collections import Counter

from copytrade_core.edges.stages.canary_plan import plan_of
from copytrade_core.edges.stages.paper_archive import Span, archived_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.source_event import SourceClosed, SourceOpened


def busiest_day(place: Workplace, lead_id: str) -> str | None:
    """The day on which most positions of a lead were seen to open and to close; the first of several, None of none.

    Raises:
        NotStored: nothing of the lead is stored.
    """
    events = archived_of(place, plan_of(place, lead_id), Span(from_at=None, until_at=None)).events
    opened = {e.episode.episode_id: e.known_at.date() for e in events if isinstance(e, SourceOpened)}
    whole = Counter(
        event.known_at.date()
        for event in events
        if isinstance(event, SourceClosed) and opened.get(event.episode.episode_id) == event.known_at.date()
    )
    days = whole or Counter(opened.values())
    best = max(days.values(), default=0)
    return min((day.isoformat() for day, count in days.items() if count == best), default=None)
