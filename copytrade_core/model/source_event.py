"""What a lead was seen to do: the four events that strategies read.

How an event is concluded from pages (matching, missing polls) belongs to `sources`; nothing here decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from copytrade_core.model.episode import Episode


class SourceChange(StrEnum):
    """How a visible holding differs from its previous sighting."""

    SCALED_IN = "scaled_in"
    SCALED_OUT = "scaled_out"
    ENTRY_JUMPED = "entry_jumped"
    """The average entry moved though the quantity did not grow: a re-add, or a close and reopen between two polls."""


class MatchRefusal(StrEnum):
    """Why a history row does not prove that an episode closed, in the order the rules are applied."""

    NO_ROW = "no_row"
    OTHER_HOLDING = "other_holding"
    """Another lead, market or side."""
    NOT_FULLY_CLOSED = "not_fully_closed"
    OPENED_TOO_LATE = "opened_too_late"
    CLOSED_BEFORE_FIRST_SEEN = "closed_before_first_seen"
    CLOSED_BEFORE_LAST_SEEN = "closed_before_last_seen"
    CLOSED_IN_THE_FUTURE = "closed_in_the_future"
    ENTRY_PRICE_DIFFERS = "entry_price_differs"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMatch:
    """The history row that proves a close, and how well it fits.

    `opened_before_first_seen_s` and `closed_after_last_seen_s` are signed seconds; `entry_deviation_ratio` is
    |row entry / last seen entry - 1|.
    """

    source_id: str
    page_sha256: str
    opened_at: datetime
    closed_at: datetime
    entry_price: Decimal
    exit_price: Decimal
    opened_before_first_seen_s: Decimal
    closed_after_last_seen_s: Decimal
    entry_deviation_ratio: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOpened:
    """A new episode. `episode.provenance` SEEDED means: already open at the first poll, never to be traded.

    `entry_price` is an artefact price, `quantity` base units.
    """

    episode: Episode
    happened_at: datetime
    known_at: datetime
    entry_price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChanged:
    """A visible holding was scaled or repriced. Quantities are base units, prices artefact prices."""

    episode: Episode
    change: SourceChange
    happened_at: datetime
    known_at: datetime
    entry_price_before: Decimal
    entry_price: Decimal
    quantity_before: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMissing:
    """A successful poll lacked the holding and no history row explains it.

    Sent again on every further successful poll; `missing_polls_count` counts them in a row from 1. `why_not_closed`
    says, per history row looked at, why it is no proof (`no_row` when there was none of that market and side).
    """

    episode: Episode
    happened_at: datetime
    known_at: datetime
    last_seen_at: datetime
    missing_polls_count: int
    why_not_closed: tuple[MatchRefusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClosed:
    """An episode ended. `match` is the proof; reconstructed episodes are their own proof.

    `exit_price` is the lead's average close: an artefact price.
    """

    episode: Episode
    happened_at: datetime
    known_at: datetime
    entry_price: Decimal
    exit_price: Decimal
    match: HistoryMatch


SourceEvent = SourceOpened | SourceChanged | SourceMissing | SourceClosed
"""Everything a lead can be seen to do."""
