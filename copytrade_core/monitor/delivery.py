"""When a message leaves, and which incidents it carries: grouped, within rates, outside quiet hours, tried again.

How it leaves belongs to `edges`. A message that fails changes nothing but when it is tried next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from copytrade_core.monitor.finding import Severity
from copytrade_core.monitor.incidents import Delivery, Incident

HOUR_MS = 3_600_000
WEEK_MS = 7 * 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one minute of the local day to another, which may be on the next day; both 0 to 1439."""

    from_minute: int
    to_minute: int

    def covers(self, minute: int) -> bool:
        """Whether a minute of the day is quiet; equal ends mean never."""
        if self.from_minute <= self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How often a person may be called.

    `messages_per_hour_max` and `messages_per_week_max` (the weekly budget) hold for what is not critical; a critical
    incident waits only for `message_interval_s` since the last message.
    """

    message_interval_s: float
    messages_per_hour_max: int
    messages_per_week_max: int
    backoff_initial_s: float
    backoff_max_s: float
    quiet: QuietHours | None
    heartbeat_interval_s: float


class Wait(StrEnum):
    """Why incidents wait."""

    NOTHING = "nothing waits"
    RETRY = "the last attempt failed; it is tried again"
    INTERVAL = "a message left a moment ago"
    QUIET = "quiet hours"
    HOURLY = "the hourly limit is reached"
    WEEKLY = "the weekly budget is spent; only what is critical leaves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What leaves in one message, the most urgent first; `is_last_of_week` when it spends the rest of the budget."""

    incidents: tuple[Incident, ...]
    is_last_of_week: bool


def due(
    pending: Iterable[Incident], *, sent_ms: Sequence[int], now_ms: int, local_minute: int, settings: DeliverySettings
) -> Batch | Wait:
    """The message that may leave now: everything that waits goes with it.

    Args:
        pending: incidents of whose beginning or end a person has still to be told; an end is never urgent.
        sent_ms: when messages left in the last week; one in the future (the clock has gone backwards) counts as just
            now, unless it is further away than the period it would count for.
        now_ms: our clock.
        local_minute: minute of the day where the person is.
        settings: how often a person may be called.
    """
    waiting = [each for each in pending if each.waits]
    if not waiting:
        return Wait.NOTHING
    backoff_ms = settings.backoff_max_s * 1000
    ready = [each for each in waiting if not now_ms < each.next_attempt_ms <= now_ms + backoff_ms]
    if not ready:
        return Wait.RETRY
    if _within(sent_ms, now_ms, settings.message_interval_s * 1000):
        return Wait.INTERVAL
    this_week = _within(sent_ms, now_ms, WEEK_MS)
    if not any(_is_urgent(each) for each in ready):
        if settings.quiet is not None and settings.quiet.covers(local_minute):
            return Wait.QUIET
        if _within(sent_ms, now_ms, HOUR_MS) >= settings.messages_per_hour_max:
            return Wait.HOURLY
        if this_week >= settings.messages_per_week_max:
            return Wait.WEEKLY
    ordered = sorted(ready, key=lambda each: (each.over is Delivery.PENDING, each.severity.rank, each.number))
    return Batch(incidents=tuple(ordered), is_last_of_week=this_week + 1 == settings.messages_per_week_max)


def delivered(batch: Batch, *, now_ms: int) -> tuple[Incident, ...]:
    """The incidents after their message has left."""
    return tuple(
        replace(
            each,
            delivery=Delivery.SENT,
            over=Delivery.NONE if each.over is Delivery.NONE else Delivery.SENT,
            attempts_count=each.attempts_count + 1,
            sent_at_ms=now_ms,
            failure=None,
        )
        for each in batch.incidents
    )


def failed(batch: Batch, why: str, *, now_ms: int, settings: DeliverySettings) -> tuple[Incident, ...]:
    """The incidents after their message could not leave: they wait longer each time, and never for ever."""
    return tuple(
        replace(
            each,
            attempts_count=each.attempts_count + 1,
            next_attempt_ms=now_ms + int(1000 * _backoff_s(each.attempts_count, settings)),
            failure=why,
        )
        for each in batch.incidents
    )


def heartbeat_due(last_ms: int | None, *, now_ms: int, settings: DeliverySettings) -> bool:
    """Whether it is time to say that the monitor lives; never when the interval is 0."""
    if settings.heartbeat_interval_s <= 0:
        return False
    return last_ms is None or not last_ms <= now_ms < last_ms + settings.heartbeat_interval_s * 1000


def _is_urgent(incident: Incident) -> bool:
    return incident.delivery is Delivery.PENDING and incident.severity is Severity.CRITICAL


def _within(sent_ms: Sequence[int], now_ms: int, period_ms: float) -> int:
    return sum(abs(now_ms - each) < period_ms for each in sent_ms)


def _backoff_s(attempts: int, settings: DeliverySettings) -> float:
    return min(settings.backoff_max_s, settings.backoff_initial_s * 2.0 ** min(attempts, 30))
