"""The episode stage: archived polls and normalised history -> `episodes` of one lead.

How an episode is concluded belongs to `sources`; here the polls are put in order and the result is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from copytrade_core.edges.pages.page_archive import EPOCH, Observation, PageArchive
from copytrade_core.edges.stages.record_table import frame_of, records_of
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.model.episode import Episode
from copytrade_core.model.source import ClosedPosition, Endpoint, LeadId, SourcePage
from copytrade_core.sources.episodes import episodes_from_history
from copytrade_core.sources.first_seen import FirstSeenRules, advance, empty_ledger
from copytrade_core.sources.history_match import MatchTolerances
from copytrade_core.sources.poll_pages import read_poll
from copytrade_core.sources.position_values import closed_positions
from copytrade_core.sources.source_poll import SourcePoll

RULES = FirstSeenRules(
    tolerances=MatchTolerances(
        opened_s_max=7200, closed_s_max=1800, clock_skew_s_max=120, entry_deviation_ratio_max=Decimal("0.01")
    ),
    source_age_s_max=600,
    gap_s_max=7200,
    stale_page_s_max=600,
    sightings_max=50,
)
"""Open and close tolerances are the specification's; a gap of two missed hourly polls makes what shows next seeded."""
SAME_CYCLE_S = 300
"""A detail page this much older than an open-positions answer belongs to the same poll."""


def derive_episodes(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores the lead's episodes, those seen open by our own polls and those known only from history.

    Raises:
        NotStored: the history is not normalised yet.
    """
    head = place.lake.require("closed_positions", lead_id)
    listed = place.lake.require("source_pages", lead_id)
    history = closed_positions(place.lake.table("closed_positions", lead_id))
    episodes = episodes_from_history(history, _seen_live(place.archive, LeadId(lead_id), history))
    metadata = {
        "episodes": len(episodes),
        "states": _counts(episode.state.value for episode in episodes),
        "provenance": _counts(episode.provenance.value for episode in episodes),
        "markets": sorted({str(episode.market) for episode in episodes}),
    }
    stored = place.lake.put_table(
        "episodes",
        lead_id,
        frame_of(episodes, Episode),
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents=parents(head, listed),
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def load_episodes(place: Workplace, lead_id: str) -> tuple[Episode, ...]:
    """The stored episodes of a lead, by open time.

    Raises:
        NotStored: none are stored.
    """
    rows = place.lake.table("episodes", lead_id).iter_rows(named=True)
    return tuple(records_of(rows, Episode, table=f"episodes {lead_id}"))


def _counts(names: Iterator[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found[name] = found.get(name, 0) + 1
    return found


def _seen_live(archive: PageArchive, lead_id: LeadId, history: Sequence[ClosedPosition]) -> tuple[Episode, ...]:
    """The latest state of every episode that the polls of open positions showed."""
    ledger = empty_ledger(lead_id)
    known: dict[str, Episode] = {}
    for poll in _polls(archive, lead_id, history):
        ledger, events = advance(ledger, poll, now=poll.observed_at, rules=RULES)
        known.update({event.episode.episode_id: event.episode for event in events})
        known.update({holding.episode.episode_id: holding.episode for holding in ledger.holdings})
    return tuple(known.values())


@dataclass(frozen=True, slots=True)
class _Answers:
    """Archived answers of one lead by request and content, to give each observation its page back."""

    pages: Mapping[tuple[str, str], SourcePage]

    def of(self, seen: Observation) -> SourcePage:
        return replace(
            self.pages[seen.request, seen.sha256], received_at=EPOCH + timedelta(microseconds=seen.received_at_us)
        )


def _polls(archive: PageArchive, lead_id: LeadId, history: Sequence[ClosedPosition]) -> Iterator[SourcePoll]:
    """Every archived answer to "what is open", oldest first, with what was known when it came."""
    answers = _Answers({(page.request, page.sha256): page for page in archive.pages(lead_id)})
    details = [answers.of(seen) for seen in archive.observations(lead_id, Endpoint.LEAD_DETAIL)]
    seen = sorted(archive.observations(lead_id, Endpoint.OPEN_POSITIONS), key=lambda one: one.received_at_us)
    for page in map(answers.of, seen):
        yield read_poll(
            page,
            detail=_same_cycle(details, page.received_at),
            history=tuple(row for row in history if row.first_seen_at <= page.received_at),
        )


def _same_cycle(details: Sequence[SourcePage], at: datetime) -> SourcePage | None:
    """The detail answer that came with an open-positions answer, if one did."""
    same_cycle = (page for page in details if 0 <= (at - page.received_at).total_seconds() <= SAME_CYCLE_S)
    return max(same_cycle, key=lambda page: page.received_at, default=None)
