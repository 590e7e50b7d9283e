"""Bar intervals, months and instants as they are written in file names, partitions, requests and options.

Bars themselves do not belong here.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from copytrade_core.model.errors import BadInput, Where

INTERVAL = re.compile(r"([1-9][0-9]{0,3})([smhd])")
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DAY_MS = UNIT_MS["d"]


def interval_ms_of(text: str) -> int:
    """Milliseconds of an interval such as `5m`, `1h` or `1d`; it divides a day, so bars align in every month.

    Raises:
        BadInput: not an interval, or one that does not divide a day.
    """
    match = INTERVAL.fullmatch(text)
    interval_ms = int(match[1]) * UNIT_MS[match[2]] if match else 0
    if not interval_ms or DAY_MS % interval_ms:
        raise BadInput(
            f"{text!r} is not a bar interval",
            where=Where(field="interval"),
            next_step="Write it as 1m, 5m, 1h or 1d; it must divide a day",
        )
    return interval_ms


def interval_text(interval_ms: int) -> str:
    """The shortest name of an interval: 300000 is `5m`.

    Raises:
        BadInput: not whole seconds, or it does not divide a day.
    """
    for unit in ("d", "h", "m", "s"):
        if interval_ms > 0 and interval_ms % UNIT_MS[unit] == 0 and DAY_MS % interval_ms == 0:
            return f"{interval_ms // UNIT_MS[unit]}{unit}"
    raise BadInput(f"{interval_ms} ms is not a bar interval", where=Where(field="interval_ms"))


def instant_of_text(text: str, field: str) -> datetime:
    """A day (`2026-05-02`, its first moment in UTC) or an instant with its offset (`2026-05-02T08:00:00Z`).

    Raises:
        BadInput: neither; names the field.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is not None and at.tzinfo is None and len(text) == len("2026-05-02"):
        at = at.replace(tzinfo=UTC)
    if at is None or at.tzinfo is None:
        raise BadInput(
            f"{text!r} is neither a day nor an instant with its offset",
            where=Where(field=field),
            next_step="Write it as 2026-05-02 or 2026-05-02T08:00:00Z",
        )
    return at.astimezone(UTC)


def month_of(time_ms: int) -> str:
    """The UTC month of an instant: `2026-01`."""
    return f"{instant(time_ms):%Y-%m}"


def month_span_ms(month: str) -> tuple[int, int]:
    """First millisecond of a month `2026-01` and of the next one.

    Raises:
        BadInput: not a month.
    """
    try:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput(f"{month!r} is not a month like 2026-01", where=Where(field="month")) from error
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return epoch_ms(first), epoch_ms(following)


def months_between(start_ms: int, end_ms: int) -> list[str]:
    """All months that touch `[start_ms, end_ms)`, in order."""
    months: list[str] = []
    while start_ms < end_ms:
        months.append(month_of(start_ms))
        start_ms = month_span_ms(months[-1])[1]
    return months


def instant(time_ms: int) -> datetime:
    """Epoch milliseconds as an aware UTC instant."""
    return datetime.fromtimestamp(time_ms // 1000, tz=UTC).replace(microsecond=time_ms % 1000 * 1000)


def epoch_ms(at: datetime) -> int:
    """An aware instant as epoch milliseconds, rounded down."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
