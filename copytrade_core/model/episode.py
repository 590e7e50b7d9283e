"""Episodes: one continuous holding of (lead, market, side), with an identity that is ours.

The venue's ids cannot be joined (slot names for open rows, open milliseconds for history rows), so they never identify
an episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.source import LeadId


class EpisodeState(StrEnum):
    """Where an episode stands."""

    OPEN = "open"
    MISSING = "missing"
    CLOSED = "closed"


class Provenance(StrEnum):
    """How we came to know an episode."""

    OBSERVED = "observed"
    """Seen open in our own polls, before it closed."""
    SEEDED = "seeded"
    """Already open in the first poll of the lead: known, never traded."""
    RECONSTRUCTED = "reconstructed"
    """Known only from later history: usable under a declared delay model, barred from live claims."""


def episode_id(lead_id: str, market: str, side: Side, opened_at: datetime) -> str:
    """Stable id of an episode: lead, market, side and the millisecond it opened (or was first seen)."""
    return f"{lead_id}|{market}|{side.value}|{int(opened_at.timestamp() * 1000 + 0.5)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One life of a lead's position.

    `opened_at`/`closed_at` are event times as published (or first seen), `open_known_at`/`close_known_at` when this
    system first knew. `entry_price` and `exit_price` are artefact prices. `source_id` is the history row's id, once
    known.
    """

    episode_id: str
    lead_id: LeadId
    market: Market
    side: Side
    state: EpisodeState
    provenance: Provenance
    opened_at: datetime
    open_known_at: datetime
    closed_at: datetime | None
    close_known_at: datetime | None
    entry_price: Decimal
    exit_price: Decimal | None
    quantity_max: Decimal
    closed_volume: Decimal | None
    source_id: str | None
    leverage: Decimal | None
