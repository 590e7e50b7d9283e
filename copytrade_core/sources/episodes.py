"""Closed history -> episodes, kept apart by how we know them.

Matching a history row to something seen live is `history_match`; here a row is either claimed by a known episode or it
is reconstructed.
"""

from __future__ import annotations

from collections.abc import Iterable

from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.source import ClosedPosition, PositionStatus


def episodes_from_history(positions: Iterable[ClosedPosition], known: Iterable[Episode]) -> tuple[Episode, ...]:
    """Every episode of some leads: the known ones, and one RECONSTRUCTED per fully closed row that none of them claims.

    Partially closed rows end nothing and make no episode. Ordered by open time, then id.
    """
    episodes = {episode.episode_id: episode for episode in known}
    claimed = {_claim(episode) for episode in episodes.values() if episode.source_id is not None}
    for position in positions:
        if position.status is not PositionStatus.CLOSED:
            continue
        episode = _reconstructed(position)
        if _claim(episode) not in claimed:
            _ = episodes.setdefault(episode.episode_id, episode)
    return tuple(sorted(episodes.values(), key=lambda episode: (episode.opened_at, episode.episode_id)))


def _claim(episode: Episode) -> tuple[object, ...]:
    """What makes two episodes the same history row: the id is only a millisecond, so market and side count too."""
    return (episode.lead_id, episode.market, episode.side, episode.opened_at, episode.source_id)


def _reconstructed(position: ClosedPosition) -> Episode:
    return Episode(
        episode_id=episode_id(position.lead_id, position.market, position.side, position.opened_at),
        lead_id=position.lead_id,
        market=position.market,
        side=position.side,
        state=EpisodeState.CLOSED,
        provenance=Provenance.RECONSTRUCTED,
        opened_at=position.opened_at,
        open_known_at=position.first_seen_at,
        closed_at=position.closed_at,
        close_known_at=position.first_seen_at,
        entry_price=position.avg_cost,
        exit_price=position.avg_close_price,
        quantity_max=position.max_open_interest,
        closed_volume=position.closed_volume,
        source_id=position.source_id,
        leverage=position.leverage,
    )
