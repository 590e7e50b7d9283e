"""How good a lead's source is: counts and plain facts for a gate.

Thresholds and verdicts belong to the gate; nothing here passes or fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import polars as pl

from copytrade_core.model.source import PositionStatus, RejectReason
from copytrade_core.sources.history_walk import HistoryWalk
from copytrade_core.sources.normalised import NormalisedRows


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuality:
    """Facts about the closed history of one lead.

    `rejected_ratio` is unusable / all rows (0 without rows). `claimed_count` and `short_by_count` are None when no walk
    was recorded. `has_open_side` is false when only closed rows are known: open losers are then invisible
    (survivorship). `losers_ratio` is the share of closed rows with negative gross profit, None without rows; a share
    of 0 is a warning sign, not a merit. `newest_close_age_s` and `page_age_s` are seconds before `now`.
    """

    rows_count: int
    usable_count: int
    rejected: Mapping[RejectReason, int]
    rejected_ratio: float
    duplicates_count: int
    claimed_count: int | None
    short_by_count: int | None
    is_history_complete: bool
    has_open_side: bool
    losers_count: int
    losers_ratio: float | None
    partially_closed_count: int
    newest_close_age_s: float | None
    page_age_s: float | None


def source_quality(
    history: NormalisedRows,
    *,
    walk: HistoryWalk | None,
    has_open_side: bool,
    observed_at: datetime | None,
    now: datetime,
) -> SourceQuality:
    """Count what the history of one lead is worth.

    Args:
        history: its normalised rows (`CLOSED_POSITION_SCHEMA`).
        walk: its newest reading, complete or not; None when pages came without one.
        has_open_side: whether open positions were observed too.
        observed_at: when the newest successful answer arrived, changed or not; None when there is none.
        now: the present.
    """
    positions = history.positions
    closed = positions.filter(pl.col("status") == PositionStatus.CLOSED.value)
    losers = int((closed["closing_pnl_e8"] < 0).sum())
    rejected = history.rejected()
    return SourceQuality(
        rows_count=history.rows_count,
        usable_count=positions.height,
        rejected=rejected,
        rejected_ratio=sum(rejected.values()) / history.rows_count if history.rows_count else 0.0,
        duplicates_count=history.duplicates_count,
        claimed_count=None if walk is None else walk.total_count,
        short_by_count=None if walk is None else walk.short_by,
        is_history_complete=walk is not None and walk.is_complete,
        has_open_side=has_open_side,
        losers_count=losers,
        losers_ratio=losers / closed.height if closed.height else None,
        partially_closed_count=positions.height - closed.height,
        newest_close_age_s=_age_s(positions["closed_at"], now),
        page_age_s=None if observed_at is None else (now - observed_at).total_seconds(),
    )


def _age_s(instants: pl.Series, now: datetime) -> float | None:
    newest = cast("datetime | None", instants.max())
    return None if newest is None else (now - newest).total_seconds()
