"""What one poll of a lead brought, and how much of it may be believed.

Concluding events from it belongs to `first_seen`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from copytrade_core.model.source import ClosedPosition, LeadId, OpenPositionSnapshot, RejectReason, UnusableRow


class PollReading(StrEnum):
    """What a poll says about the lead's holdings."""

    COMPLETE = "complete"
    """What is listed is held, what is not listed is not."""
    PRESENT_ONLY = "present_only"
    """What is listed is held; an unusable row could be any of the rest."""
    FAILED = "failed"
    HIDDEN = "hidden"
    SUSPICIOUSLY_EMPTY = "suspiciously_empty"
    STALE = "stale"
    OUT_OF_ORDER = "out_of_order"

    @property
    def shows_holdings(self) -> bool:
        """Whether listed holdings may be believed; every other reading is no information."""
        return self in (PollReading.COMPLETE, PollReading.PRESENT_ONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsSeen:
    """A successful open-positions answer, with what the detail page of the same cycle said about visibility.

    `positions_visible` is None when the detail page was not asked or did not answer.
    """

    snapshots: tuple[OpenPositionSnapshot, ...]
    unusable: tuple[UnusableRow, ...]
    positions_visible: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsFailed:
    """No payload: the error's name is kept for the reader. `is_hidden` when the answer said so itself."""

    error: str
    is_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePoll:
    """One cycle. `observed_at` is when the open-positions answer arrived (a cached answer keeps its old time).

    `history` holds the history rows known by now that closed recently; passing a row again changes nothing.
    """

    lead_id: LeadId
    observed_at: datetime
    positions: PositionsSeen | PositionsFailed
    history: tuple[ClosedPosition, ...]


HARMLESS = frozenset({RejectReason.NO_MARKET, RejectReason.NOT_LINEAR})
"""Unusable rows that cannot be one of the markets we follow."""


def reading_of(
    poll: SourcePoll,
    *,
    now: datetime,
    last_poll_at: datetime | None,
    open_count: int,
    gone_unexplained_count: int,
    source_age_s_max: int,
) -> PollReading:
    """How far a poll may be believed.

    An empty page is believed only when the detail page of the same cycle says that positions are shown; and when two
    or more holdings are gone at once, only when history explains at least one of them.

    Args:
        poll: the poll.
        now: the present.
        last_poll_at: when the newest poll so far was observed.
        open_count: holdings that were open before this poll.
        gone_unexplained_count: those of them that neither this poll lists nor its history explains.
        source_age_s_max: older answers have expired.
    """
    match poll.positions:
        case PositionsFailed(is_hidden=True):
            return PollReading.HIDDEN
        case PositionsFailed():
            return PollReading.FAILED
        case PositionsSeen() as seen:
            pass
    if seen.positions_visible is False:
        return PollReading.HIDDEN
    if (now - poll.observed_at).total_seconds() > source_age_s_max:
        return PollReading.STALE
    if last_poll_at is not None and poll.observed_at <= last_poll_at:
        return PollReading.OUT_OF_ORDER
    unreadable = any(row.reason not in HARMLESS for row in seen.unusable)
    if not seen.snapshots and not unreadable:
        all_gone_at_once = open_count > 1 and gone_unexplained_count == open_count
        if seen.positions_visible is not True or all_gone_at_once:
            return PollReading.SUSPICIOUSLY_EMPTY
    return PollReading.PRESENT_ONLY if unreadable else PollReading.COMPLETE
