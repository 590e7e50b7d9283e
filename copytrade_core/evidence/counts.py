"""Counts of a report: from rows read to trades tested, and why the rest was not.

What the trades earned belongs to `measures`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from copytrade_core.model.episode import Episode, EpisodeState
from copytrade_core.model.round_trip import ReplayResult


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCounts:
    """What was read of the lead: `rows_count` = `normalised_count` + rejected + duplicates."""

    rows_count: int
    normalised_count: int
    duplicates_count: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """From rows to trades; reasons are counted. Times are ISO 8601 UTC, None without a trade."""

    source: SourceCounts
    episodes_count: int
    closed_count: int
    tested_count: int
    skipped: Mapping[str, int]
    blocked: Mapping[str, int]
    markets: Mapping[str, int]
    first_signal_at: str | None
    last_exit_at: str | None


def counts_of(source: SourceCounts, episodes: Sequence[Episode], result: ReplayResult) -> Counts:
    """Counts of one lead and its main result."""
    trips = result.round_trips
    return Counts(
        source=source,
        episodes_count=len(episodes),
        closed_count=sum(episode.state is EpisodeState.CLOSED for episode in episodes),
        tested_count=len(trips),
        skipped=dict(sorted(Counter(skip.reason for skip in result.skipped).items())),
        blocked=dict(sorted(Counter(str(block.reason) for block in result.blocked).items())),
        markets=dict(sorted(Counter(str(trip.market) for trip in trips).items())),
        first_signal_at=_iso(min(trip.signal_at_ms for trip in trips)) if trips else None,
        last_exit_at=_iso(max(trip.exited_at_ms for trip in trips)) if trips else None,
    )


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
