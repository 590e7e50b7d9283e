"""What the archive can tell a paper session of a past span: source events of its leads, bars, and when polls came.

A lead that was polled then is fed from its polls; one that was not, from its episodes as a replay is, and marked so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from copytrade_core.edges.feeds.archived_polls import polled_events
from copytrade_core.edges.market.intervals import epoch_ms, interval_ms_of
from copytrade_core.edges.stages.episodes import RULES, load_episodes
from copytrade_core.edges.stages.market_data import load_markets
from copytrade_core.edges.stages.paper_plan import PaperPlan
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.evidence.parts import OPEN_PARTS, seal
from copytrade_core.model.bar import Int64s
from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.errors import BadInput, NotStored, Where
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.round_trip import Skipped
from copytrade_core.model.source import Endpoint, LeadId
from copytrade_core.model.source_event import SourceEvent, SourceOpened
from copytrade_core.replay.coverage import why_skipped
from copytrade_core.replay.timeline import timeline
from copytrade_core.session.archived_feed import informed_times
from copytrade_core.sources.position_values import closed_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A past span of time, `from_at` inclusive; None: as far as the archive reaches."""

    from_at: datetime | None
    until_at: datetime | None

    def __post_init__(self) -> None:
        if self.from_at is not None and self.until_at is not None and self.from_at >= self.until_at:
            raise BadInput("the span ends before it begins", where=Where(field="until"))

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in the span."""
        return (self.from_at is None or self.from_at <= at) and (self.until_at is None or at < self.until_at)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archived:
    """What is fed. `informed_ms` has the leads that were polled; `reconstructed` names the others.

    `skipped` are episodes that were left out, with reasons; `polls_count` the polls that were read; `reach` the
    first and the last instant of which the archive can tell anything, whatever the span.
    """

    events: tuple[SourceEvent, ...]
    data: MarketData
    interval_ms: int
    informed_ms: Mapping[str, Int64s]
    reconstructed: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    polls_count: int
    reach: tuple[datetime, datetime] | None


def archived_of(place: Workplace, plan: PaperPlan, span: Span) -> Archived:
    """Everything stored of the plan's leads and their markets over a span.

    Raises:
        NotStored: a lead has no episodes, or nothing of the span is stored.
        StoreFault: stored bytes were changed.
        BadInput: recorded and simulated bars would be mixed.
    """
    _refuse_unknown(place, plan)
    episodes = {lead.lead_id: load_episodes(place, lead.lead_id) for lead in plan.leads}
    data = load_markets(place, [episode for found in episodes.values() for episode in found]).data
    if not data.bars:
        raise _no_bars(plan)
    events: list[SourceEvent] = []
    informed: dict[str, Int64s] = {}
    skipped: list[Skipped] = []
    polls_count = 0
    for lead_id, found in episodes.items():
        if _was_polled(place, lead_id, span):
            runs = polled_events(
                place.archive,
                LeadId(lead_id),
                closed_positions(place.lake.table("closed_positions", lead_id)),
                rules=RULES,
                until=span.until_at,
            )
            informed[lead_id] = informed_times([epoch_ms(at) for at in runs.informed_at])
            polls_count += runs.polls_count
            events.extend(runs.events)
        else:
            told, left_out = _reconstructed(place, plan, found, data)
            events.extend(told)
            skipped.extend(left_out)
    known = [event.known_at for event in events]
    within = sorted((event for event in events if _is_within(event, span)), key=_order)
    return Archived(
        events=tuple(within),
        data=data,
        interval_ms=interval_ms_of(place.settings.market.bar_interval),
        informed_ms=informed,
        reconstructed=tuple(lead_id for lead_id in episodes if lead_id not in informed),
        skipped=tuple(skipped),
        polls_count=polls_count,
        reach=(min(known), max(known)) if known else None,
    )


def _no_bars(plan: PaperPlan) -> NotStored:
    step = f"Run: copytrade bars fetch --lead {plan.leads[0].lead_id}"
    return NotStored(f"no bars of the markets of {plan.name} are stored", where=Where(field="bars"), next_step=step)


def _refuse_unknown(place: Workplace, plan: PaperPlan) -> None:
    """Every lead without episodes is named at once, with what would make them: on no day could it be followed."""
    missing = [lead.lead_id for lead in plan.leads if place.lake.head("episodes", lead.lead_id) is None]
    if missing:
        group = "" if plan.group is None else f"group {plan.group}: "
        raise NotStored(
            f"{group}no episodes of lead {', '.join(missing)} are stored",
            where=Where(field="--lead" if plan.group is None else "leads"),
            next_step=_make_episodes(place, missing[0]) + ("; or take it out of the group" if group else ""),
        )


def _make_episodes(place: Workplace, lead_id: str) -> str:
    """The commands that are left to be run: pages, and then everything that is derived from them."""
    derive = f"copytrade evidence --lead {lead_id}"
    return (
        f"Run: {derive}"
        if lead_id in place.archive.leads()
        else f"Run: copytrade poll --lead {lead_id} --once && {derive}"
    )


def _was_polled(place: Workplace, lead_id: str, span: Span) -> bool:
    """Whether our own polls asked what the lead holds within the span (of an open span: more often than once)."""
    seen = place.archive.observations(LeadId(lead_id), Endpoint.OPEN_POSITIONS)
    times_us = [one.received_at_us for one in seen]
    if span.from_at is None or span.until_at is None:
        return len(times_us) > 1
    first, last = (round(at.timestamp() * 1_000_000) for at in (span.from_at, span.until_at))
    return any(first <= time_us < last for time_us in times_us)


def _reconstructed(
    place: Workplace, plan: PaperPlan, episodes: Sequence[Episode], data: MarketData
) -> tuple[list[SourceEvent], tuple[Skipped, ...]]:
    """Events as a replay tells them: only whole trades within the bars, and never a signal of the closed holdout."""
    known = [episode for episode in episodes if episode.provenance is Provenance.RECONSTRUCTED]
    visible, sealed = seal(split_of(place, episodes, plan.policy), known, OPEN_PARTS)
    barred = [
        found for each in visible if (found := why_skipped(each, plan.policy, plan.archive_delay_s, data)) is not None
    ]
    barred_ids = {record.episode_id for record in barred}
    kept = [episode for episode in visible if episode.episode_id not in barred_ids]
    return [*timeline(kept, plan.archive_delay_s, data)], (*sealed, *barred)


def _is_within(event: SourceEvent, span: Span) -> bool:
    """Openings only of the span itself; what ends or changes later still matters to what was opened in it."""
    if isinstance(event, SourceOpened):
        return span.holds(event.known_at)
    return span.from_at is None or event.known_at >= span.from_at


def _order(event: SourceEvent) -> tuple[datetime, bool, str]:
    return event.known_at, not isinstance(event, SourceOpened), event.episode.episode_id
