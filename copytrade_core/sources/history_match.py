"""Does this history row prove that this holding closed? One rule list, and the reason when it does not.

The venue's ids play no part: open rows carry slot names and history rows open milliseconds, which never meet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.source import ClosedPosition, LeadId, PositionStatus
from copytrade_core.model.source_event import HistoryMatch, MatchRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchTolerances:
    """How far published and observed facts may differ.

    `opened_s_max`: how much later than first seen the row may open (7200 in the specification). `closed_s_max`: slack
    around last seen and now for the close (1800). `clock_skew_s_max`: how much later than last seen the row may open
    at all. `entry_deviation_ratio_max`: |row entry / seen entry - 1|.
    """

    opened_s_max: int
    closed_s_max: int
    clock_skew_s_max: int
    entry_deviation_ratio_max: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A holding as one poll showed it."""

    seen_at: datetime
    entry_price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHolding:
    """What we saw of a holding: `sightings` are its changes, oldest first and never empty; `last_seen_at` is later."""

    lead_id: LeadId
    market: Market
    side: Side
    first_seen_at: datetime
    last_seen_at: datetime
    sightings: tuple[Sighting, ...]

    def entry_price_at(self, instant: datetime) -> Decimal:
        """The average entry last seen at or before an instant (the first one when seen only later)."""
        before = [sighting for sighting in self.sightings if sighting.seen_at <= instant]
        return (before[-1] if before else self.sightings[0]).entry_price


def match_row(
    seen: SeenHolding, row: ClosedPosition, *, now: datetime, tolerances: MatchTolerances
) -> HistoryMatch | MatchRefusal:
    """The proof that `row` is the end of `seen`, or the first rule that speaks against it.

    A row that closed before the holding was first seen never matches, whatever the tolerances: it is an older position
    of the same market. A row that opened after the holding was last seen never matches: it is a newer one.
    """
    refusal = _refusal(seen, row, now, tolerances)
    if refusal is not None:
        return refusal
    deviation = abs(row.avg_cost / seen.entry_price_at(row.closed_at) - 1)
    if deviation > tolerances.entry_deviation_ratio_max:
        return MatchRefusal.ENTRY_PRICE_DIFFERS
    return HistoryMatch(
        source_id=row.source_id,
        page_sha256=row.page_sha256,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        entry_price=row.avg_cost,
        exit_price=row.avg_close_price,
        opened_before_first_seen_s=_seconds(seen.first_seen_at - row.opened_at),
        closed_after_last_seen_s=_seconds(row.closed_at - seen.last_seen_at),
        entry_deviation_ratio=deviation,
    )


def _refusal(seen: SeenHolding, row: ClosedPosition, now: datetime, tolerances: MatchTolerances) -> MatchRefusal | None:
    slack = timedelta(seconds=tolerances.closed_s_max)
    latest_open = min(
        seen.first_seen_at + timedelta(seconds=tolerances.opened_s_max),
        seen.last_seen_at + timedelta(seconds=tolerances.clock_skew_s_max),
    )
    checks = (
        (MatchRefusal.OTHER_HOLDING, not is_same_holding(seen, row)),
        (MatchRefusal.NOT_FULLY_CLOSED, row.status is not PositionStatus.CLOSED),
        (MatchRefusal.OPENED_TOO_LATE, row.opened_at > latest_open),
        (MatchRefusal.CLOSED_BEFORE_FIRST_SEEN, row.closed_at < seen.first_seen_at),
        (MatchRefusal.CLOSED_BEFORE_LAST_SEEN, row.closed_at < seen.last_seen_at - slack),
        (MatchRefusal.CLOSED_IN_THE_FUTURE, row.closed_at > now + slack),
    )
    return next((reason for reason, holds in checks if holds), None)


def is_same_holding(seen: SeenHolding, row: ClosedPosition) -> bool:
    """Whether the row is of the same lead, market and side."""
    return (seen.lead_id, seen.market, seen.side) == (row.lead_id, row.market, row.side)


def find_match(
    seen: SeenHolding, rows: Iterable[ClosedPosition], *, now: datetime, tolerances: MatchTolerances
) -> tuple[ClosedPosition, HistoryMatch] | tuple[MatchRefusal, ...]:
    """The matching row that opened nearest to first seen, or why each row of this market and side is none."""
    found: list[tuple[ClosedPosition, HistoryMatch]] = []
    refusals: list[MatchRefusal] = []
    for row in rows:
        if not is_same_holding(seen, row):
            continue
        outcome = match_row(seen, row, now=now, tolerances=tolerances)
        if isinstance(outcome, HistoryMatch):
            found.append((row, outcome))
        else:
            refusals.append(outcome)
    if found:
        return min(found, key=lambda pair: (abs(pair[1].opened_before_first_seen_s), pair[0].closed_at))
    return tuple(refusals) or (MatchRefusal.NO_ROW,)


def _seconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1)).scaleb(-6)
