"""Reading a paged history that moves while it is read, and proving how much of it was read.

The pages come from a `fetch` function; HTTP, retries and storage are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.source import LeadId, SourcePage
from copytrade_core.sources.envelope import read_payload

Fetch = Callable[[int], SourcePage]
"""Page number (from 1) -> a successful answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkLimits:
    """Every bound of a walk. `page_rows` is the page size asked for (100 is the largest seen to be honoured)."""

    page_rows: int
    pages_max: int
    restarts_max: int
    short_page_asks_max: int

    def __post_init__(self) -> None:
        for name in ("page_rows", "pages_max"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} must be positive", where=Where(field=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryWalk:
    """One reading of a lead's history. `total_count` is the service's claim, `distinct_count` what was really read.

    `restarts_count` counts walks given up because rows shifted. The walk is complete only when the claim is met
    exactly.
    """

    lead_id: LeadId
    total_count: int
    distinct_count: int
    restarts_count: int
    pages: tuple[SourcePage, ...]

    @property
    def short_by(self) -> int:
        """How many claimed rows were not read."""
        return max(0, self.total_count - self.distinct_count)

    @property
    def is_complete(self) -> bool:
        """Whether exactly the claimed number of distinct rows was read."""
        return self.distinct_count == self.total_count


class _Key(msgspec.Struct, frozen=True):
    symbol: Any = None
    side: Any = None
    opened: Any = None
    id: Any = None


@dataclass(slots=True)
class _Reading:
    """What one attempt has read so far."""

    pages: list[SourcePage] = field(default_factory=list[SourcePage])
    keys: set[str] = field(default_factory=set[str])
    total: int | None = None

    def add(self, page: SourcePage, *, tolerant: bool) -> bool:
        """Take a page in; False when it proves that rows shifted (claim changed, or a row seen on an earlier page)."""
        payload = read_payload(page)
        keys = {row_key(raw) for raw in payload.rows}
        shifted = (self.total is not None and payload.total != self.total) or bool(keys & self.keys)
        if shifted and not tolerant:
            return False
        self.total = payload.total
        self.keys |= keys
        self.pages.append(page)
        return True


def row_key(raw: msgspec.Raw) -> str:
    """What tells a history row apart from its neighbours: symbol, side, open time and id; else its own text."""
    try:
        key = msgspec.json.decode(raw, type=_Key)
    except msgspec.DecodeError:
        return bytes(raw).decode("utf-8", "replace")
    return f"{key.symbol}|{key.side}|{key.opened}|{key.id}"


def walk_history(fetch: Fetch, *, lead_id: LeadId, limits: WalkLimits) -> HistoryWalk:
    """Read pages until the claimed total is covered.

    A changed claim or a row repeated from an earlier page restarts the walk; the last allowed walk reads on through
    shifts, so the result is then probably incomplete, and says so. Short pages are asked again and never end the
    walk; an empty page does, and so does `pages_max`.

    Raises:
        SourceError: whatever `fetch` raises.
    """
    for restart in range(limits.restarts_max + 1):
        reading = _Reading()
        if _read(reading, fetch, limits, tolerant=restart == limits.restarts_max):
            return _walk_of(reading, lead_id, restarts=restart)
    raise AssertionError("the last walk tolerates shifts, so it always returns")


def _read(reading: _Reading, fetch: Fetch, limits: WalkLimits, *, tolerant: bool) -> bool:
    for number in range(1, limits.pages_max + 1):
        page, rows = _fullest(fetch, number, reading, limits)
        if not reading.add(page, tolerant=tolerant):
            return False
        assert reading.total is not None
        if rows == 0 or len(reading.keys) == reading.total:
            return True
        if len(reading.keys) > reading.total and rows < limits.page_rows:
            return True
    return True


def _fullest(fetch: Fetch, number: int, reading: _Reading, limits: WalkLimits) -> tuple[SourcePage, int]:
    """The page, asked again while it is shorter than the claim says it should be; the fullest answer counts."""
    best = fetch(number)
    payload = read_payload(best)
    rows = len(payload.rows)
    for _ in range(limits.short_page_asks_max):
        missing = (payload.total or 0) - len(reading.keys) - rows
        if rows >= limits.page_rows or missing <= 0:
            break
        again = fetch(number)
        payload = read_payload(again)
        if len(payload.rows) >= rows:
            best, rows = again, len(payload.rows)
    return best, rows


def walk_of_pages(pages: tuple[SourcePage, ...], *, lead_id: LeadId) -> HistoryWalk:
    """The walk that some saved pages are, without asking anyone.

    Raises:
        SourceError: a page that holds no payload.
    """
    reading = _Reading()
    for page in pages:
        _ = reading.add(page, tolerant=True)
    return _walk_of(reading, lead_id, restarts=0)


def _walk_of(reading: _Reading, lead_id: LeadId, *, restarts: int) -> HistoryWalk:
    return HistoryWalk(
        lead_id=lead_id,
        total_count=reading.total or 0,
        distinct_count=len(reading.keys),
        restarts_count=restarts,
        pages=tuple(reading.pages),
    )
