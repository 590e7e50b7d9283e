"""What happens around a session in one drill: prices, the lead's doings, controls, silences and strangers.

Stories from a seed are drawn in `drawn_story`; what goes wrong on the way to the venue is in `schedule`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from copytrade_core.edges.preflight.drill_markets import MARKETS, START_MS
from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.model.source import LeadId
from copytrade_core.model.source_event import (
    MatchRefusal,
    SourceChange,
    SourceChanged,
    SourceEvent,
    SourceMissing,
)
from copytrade_core.model.units import Ticks
from copytrade_core.replay.timeline import closed_event, opened_event

LEAD = LeadId("1")
"""The lead of every drill; a real lead's id is in the report, never in an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """From `at_ms` on a market trades at `price`."""

    at_ms: int
    market: Market
    price: Ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A source event, known to us at `at_ms`."""

    at_ms: int
    event: SourceEvent


class Control(StrEnum):
    """What a person does to the session."""

    STOP = "stop"
    KILL = "kill"
    HOT_STOP = "hot_stop"
    RESUME = "resume"
    """Clears a hot stop and starts the session again from its journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlChange:
    """A control set at a time, or right after the so many-th submit has left (in the midst of a pass)."""

    control: Control
    at_ms: int | None
    after_submit: int | None


class ForeignKind(StrEnum):
    """What somebody else does on our account."""

    ORDER = "order"
    POSITION = "position"
    CLOSES_OURS = "closes_ours"
    """Somebody closes what we hold."""
    CLOSES_PART = "closes_part"
    """Somebody closes half of what we hold."""
    FLIPS_MODE = "flips_mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAct:
    """One foreign act at a time, on one market and side."""

    kind: ForeignKind
    at_ms: int
    market: Market
    side: Side


class Feed(StrEnum):
    """What may fall silent."""

    MARK = "mark"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A feed tells nothing new from `from_ms` until `to_ms`."""

    feed: Feed
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One drill. `spaced`: its moments are so far apart that a crash between them must leave no difference.

    `cap_ratio_ppm` is the gross cap as a part of the policy's target notional.
    """

    policy: PolicySpec
    cap_ratio_ppm: int
    orders_per_hour_max: int
    points: tuple[Point, ...]
    told: tuple[Told, ...]
    controls: tuple[ControlChange, ...]
    foreign: tuple[ForeignAct, ...]
    silences: tuple[Silence, ...]
    spaced: bool

    @property
    def ends_at_ms(self) -> int:
        """When the last thing has happened."""
        times = [point.at_ms for point in self.points] + [each.at_ms for each in self.told]
        times += [each.at_ms for each in self.controls if each.at_ms is not None]
        times += [each.at_ms for each in self.foreign] + [each.to_ms for each in self.silences]
        return max(times, default=START_MS)


def instant(at_ms: int) -> datetime:
    """Epoch ms as an aware instant."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One episode of the lead: when it opens and closes (None: it stays), and what is seen of it between."""

    market: Market
    side: Side
    opens_ms: int
    closes_ms: int | None
    sightings: tuple[tuple[int, SourceChange | None], ...] = ()
    """Times of changes; None is a poll that missed the holding."""


def told_of(visit: Visit, points: tuple[Point, ...]) -> tuple[Told, ...]:
    """The source events of one episode, at the prices of the path."""
    opens, closes = _price(points, visit.market, visit.opens_ms), _price(points, visit.market, visit.closes_ms)
    episode = Episode(
        episode_id=episode_id(LEAD, visit.market, visit.side, instant(visit.opens_ms)),
        lead_id=LEAD,
        market=visit.market,
        side=visit.side,
        state=EpisodeState.OPEN,
        provenance=Provenance.OBSERVED,
        opened_at=instant(visit.opens_ms),
        open_known_at=instant(visit.opens_ms),
        closed_at=None,
        close_known_at=None,
        entry_price=opens,
        exit_price=None,
        quantity_max=Decimal(10),
        closed_volume=None,
        source_id=None,
        leverage=Decimal(5),
    )
    events = [Told(at_ms=visit.opens_ms, event=opened_event(episode, 0, opens))]
    events += [_sighting(episode, at_ms, change) for at_ms, change in visit.sightings]
    if visit.closes_ms is None:
        return tuple(events)
    ended = replace(
        episode,
        state=EpisodeState.CLOSED,
        closed_at=instant(visit.closes_ms),
        close_known_at=instant(visit.closes_ms),
        exit_price=closes,
        source_id=f"row.{visit.opens_ms}",
    )
    closed = closed_event(ended, 0)
    assert closed is not None, "a closed episode has its row"
    return (*events, Told(at_ms=visit.closes_ms, event=closed))


def _sighting(episode: Episode, at_ms: int, change: SourceChange | None) -> Told:
    if change is None:
        event: SourceEvent = SourceMissing(
            episode=episode,
            happened_at=instant(at_ms),
            known_at=instant(at_ms),
            last_seen_at=episode.opened_at,
            missing_polls_count=1,
            why_not_closed=(MatchRefusal.NO_ROW,),
        )
    else:
        event = SourceChanged(
            episode=episode,
            change=change,
            happened_at=instant(at_ms),
            known_at=instant(at_ms),
            entry_price_before=episode.entry_price,
            entry_price=episode.entry_price,
            quantity_before=Decimal(10),
            quantity=Decimal(12) if change is SourceChange.SCALED_IN else Decimal(8),
        )
    return Told(at_ms=at_ms, event=event)


def _price(points: tuple[Point, ...], market: Market, at_ms: int | None) -> Decimal:
    price = MARKETS[market].first_price
    for point in points:
        if point.market == market and at_ms is not None and point.at_ms <= at_ms:
            price = point.price
    return MARKETS[market].instrument.price(price)
