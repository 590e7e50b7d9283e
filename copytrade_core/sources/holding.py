"""One live holding: its episode, its sightings, and how either begins, changes and ends.

When that happens is decided in `first_seen`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.source import ClosedPosition, OpenPositionSnapshot
from copytrade_core.model.source_event import HistoryMatch, SourceChange, SourceClosed
from copytrade_core.sources.history_match import SeenHolding, Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An episode that is not closed, and what was seen of it."""

    episode: Episode
    seen: SeenHolding
    missing_polls_count: int

    @property
    def is_open(self) -> bool:
        """Whether the last believable poll showed it."""
        return self.episode.state is EpisodeState.OPEN


def sighting_of(snapshot: OpenPositionSnapshot, seen_at: datetime) -> Sighting:
    """What a listing shows of a holding."""
    return Sighting(seen_at=seen_at, entry_price=snapshot.entry_price, quantity=snapshot.amount)


def change_between(before: Sighting, snapshot: OpenPositionSnapshot) -> SourceChange | None:
    """What a new sighting shows. An entry that moves although the quantity did not grow is its own kind."""
    if snapshot.amount > before.quantity:
        return SourceChange.SCALED_IN
    if snapshot.entry_price != before.entry_price:
        return SourceChange.ENTRY_JUMPED
    return SourceChange.SCALED_OUT if snapshot.amount < before.quantity else None


def first_sight(
    snapshot: OpenPositionSnapshot, provenance: Provenance, seen_at: datetime, known_at: datetime
) -> Holding:
    """The episode that a new listing begins, known from now on."""
    episode = Episode(
        episode_id=episode_id(snapshot.lead_id, snapshot.market, snapshot.side, seen_at),
        lead_id=snapshot.lead_id,
        market=snapshot.market,
        side=snapshot.side,
        state=EpisodeState.OPEN,
        provenance=provenance,
        opened_at=seen_at,
        open_known_at=known_at,
        closed_at=None,
        close_known_at=None,
        entry_price=snapshot.entry_price,
        exit_price=None,
        quantity_max=snapshot.amount,
        closed_volume=None,
        source_id=None,
        leverage=snapshot.leverage,
    )
    seen = SeenHolding(
        lead_id=snapshot.lead_id,
        market=snapshot.market,
        side=snapshot.side,
        first_seen_at=seen_at,
        last_seen_at=seen_at,
        sightings=(sighting_of(snapshot, seen_at),),
    )
    return Holding(episode=episode, seen=seen, missing_polls_count=0)


def closed_by(holding: Holding, row: ClosedPosition, match: HistoryMatch, known_at: datetime) -> SourceClosed:
    """The close; identity stays the one given at first sight, event times become the published ones."""
    episode = replace(
        holding.episode,
        state=EpisodeState.CLOSED,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        close_known_at=known_at,
        entry_price=row.avg_cost,
        exit_price=row.avg_close_price,
        quantity_max=max(holding.episode.quantity_max, row.max_open_interest),
        closed_volume=row.closed_volume,
        source_id=row.source_id,
    )
    return SourceClosed(
        episode=episode,
        happened_at=row.closed_at,
        known_at=known_at,
        entry_price=row.avg_cost,
        exit_price=row.avg_close_price,
        match=match,
    )
