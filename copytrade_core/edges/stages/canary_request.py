"""What is asked of one canary session: whose, which day, live or told from the archive, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from copytrade_core.edges.stages.paper_archive import Span
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.errors import BadInput, Where

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRequest:
    """One session of a lead. `day` is UTC, `2026-11-02`.

    `is_live` polls the lead (only for today), else the archived pages of the day are told on a virtual clock; None
    chooses by the day. `run_id` names this start; `deadline_s` bounds a live session (None: what the settings say).
    """

    lead_id: str
    day: str
    is_live: bool | None
    run_id: str
    deadline_s: int | None


def begins_at(day: str) -> datetime:
    """Midnight at which a day begins.

    Raises:
        BadInput: no day.
    """
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"{day!r} is no day", where=Where(field="day"), next_step="Write it as 2026-11-02") from error


def span_of(day: str) -> Span:
    """The whole day."""
    begins = begins_at(day)
    return Span(from_at=begins, until_at=begins + timedelta(days=1))


def is_live(place: Workplace, request: CanaryRequest) -> bool:
    """Whether the lead is polled.

    Raises:
        BadInput: live is asked for on another day than today, or no day.
    """
    is_today = begins_at(request.day).date() == place.now().date()
    asked = is_today if request.is_live is None else request.is_live
    if asked and not is_today:
        raise BadInput(
            f"only today can be followed live, not {request.day}",
            where=Where(field="day"),
            next_step="Leave --live out to be told the archived pages of that day",
        )
    return asked


def deadline_of(place: Workplace, request: CanaryRequest) -> int:
    """Seconds from now to the end, at the latest midnight: tomorrow is another session in the same folder."""
    now = place.now()
    midnight_s = DAY_S - (now.hour * 3600 + now.minute * 60 + now.second)
    return min(request.deadline_s or place.settings.canary.deadline_s, midnight_s)
