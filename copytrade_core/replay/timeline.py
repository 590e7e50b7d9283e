"""From episodes to the events a copier could have known, in the order it could have known them.

An event is known at its own time plus the declared delay, and never before this system first saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.source_event import HistoryMatch, SourceClosed, SourceOpened


def known_at(happened_at: datetime, first_seen_at: datetime, provenance: Provenance, delay_s: int) -> datetime:
    """When our order could have followed an event.

    For a reconstructed episode the declared delay is all there is; for an observed one our first sighting bounds it.
    """
    delayed = happened_at + timedelta(seconds=delay_s)
    return delayed if provenance is Provenance.RECONSTRUCTED else max(delayed, first_seen_at)


def opened_event(episode: Episode, delay_s: int, opening_price: Decimal) -> SourceOpened:
    """The opening of an episode, as a copier with this delay would have learned of it.

    `opening_price` is the price at which the lead was seen to open, never the episode's later average cost.
    """
    return SourceOpened(
        episode=episode,
        happened_at=episode.opened_at,
        known_at=known_at(episode.opened_at, episode.open_known_at, episode.provenance, delay_s),
        entry_price=opening_price,
        quantity=episode.quantity_max,
    )


def closed_event(episode: Episode, delay_s: int) -> SourceClosed | None:
    """The close of an episode, or None while it is open or its history row is unknown."""
    if episode.closed_at is None or episode.exit_price is None or episode.source_id is None:
        return None
    first_known = episode.close_known_at if episode.close_known_at is not None else episode.closed_at
    return SourceClosed(
        episode=episode,
        happened_at=episode.closed_at,
        known_at=known_at(episode.closed_at, first_known, episode.provenance, delay_s),
        entry_price=episode.entry_price,
        exit_price=episode.exit_price,
        match=HistoryMatch(
            source_id=episode.source_id,
            page_sha256="",
            opened_at=episode.opened_at,
            closed_at=episode.closed_at,
            entry_price=episode.entry_price,
            exit_price=episode.exit_price,
            opened_before_first_seen_s=Decimal(0),
            closed_after_last_seen_s=Decimal(0),
            entry_deviation_ratio=Decimal(0),
        ),
    )


def timeline(episodes: Sequence[Episode], delay_s: int, data: MarketData) -> list[SourceOpened | SourceClosed]:
    """All events by the time they were known; an open comes before a close of the same instant, then by episode id.

    An opening whose market had no price yet is left out: no strategy could have judged it.
    """
    events: list[SourceOpened | SourceClosed] = []
    for episode in episodes:
        opening_price = data.price_when_opened(episode)
        if opening_price is not None:
            events.append(opened_event(episode, delay_s, opening_price))
        closed = closed_event(episode, delay_s)
        if closed is not None:
            events.append(closed)
    return sorted(events, key=lambda e: (e.known_at, isinstance(e, SourceClosed), e.episode.episode_id))
