"""Rows of the normalised tables -> the values of `model.source`, without loss.

Nothing is checked or repaired here: the tables hold only usable rows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import MarginMode, Side
from copytrade_core.model.source import (
    ClosedPosition,
    Endpoint,
    LeadId,
    OpenPositionSnapshot,
    PositionStatus,
    RejectReason,
    UnusableRow,
)
from copytrade_core.sources.exact_text import decimal_e8


def closed_positions(frame: pl.DataFrame) -> tuple[ClosedPosition, ...]:
    """`CLOSED_POSITION_SCHEMA` rows as values, in order."""
    return tuple(_closed(row) for row in frame.iter_rows(named=True))


def _closed(row: dict[str, Any]) -> ClosedPosition:
    return ClosedPosition(
        lead_id=LeadId(row["lead_id"]),
        source_id=row["source_id"],
        symbol=row["symbol"],
        market=Market(row["market"]),
        side=Side(row["side"]),
        opened_at=_utc(row["opened_at"]),
        closed_at=_utc(row["closed_at"]),
        updated_at=None if row["updated_at"] is None else _utc(row["updated_at"]),
        avg_cost=decimal_e8(row["avg_cost_e8"]),
        avg_close_price=decimal_e8(row["avg_close_price_e8"]),
        max_open_interest=decimal_e8(row["max_open_interest_e8"]),
        closed_volume=decimal_e8(row["closed_volume_e8"]),
        closing_pnl=decimal_e8(row["closing_pnl_e8"]),
        roi=_optional(row["roi_e8"]),
        leverage=_optional(row["leverage_e8"]),
        margin_mode=MarginMode(row["margin_mode"]),
        status=PositionStatus(row["status"]),
        page_sha256=row["page_sha256"],
        first_seen_at=_utc(row["first_seen_at"]),
    )


def open_snapshots(frame: pl.DataFrame) -> tuple[OpenPositionSnapshot, ...]:
    """`OPEN_POSITION_SCHEMA` rows as values, in order."""
    return tuple(_open(row) for row in frame.iter_rows(named=True))


def _open(row: dict[str, Any]) -> OpenPositionSnapshot:
    return OpenPositionSnapshot(
        lead_id=LeadId(row["lead_id"]),
        source_id=row["source_id"],
        symbol=row["symbol"],
        market=Market(row["market"]),
        side=Side(row["side"]),
        amount=decimal_e8(row["amount_e8"]),
        entry_price=decimal_e8(row["entry_price_e8"]),
        entry_is_break_even=row["entry_is_break_even"],
        break_even_price=_optional(row["break_even_price_e8"]),
        mark_price=_optional(row["mark_price_e8"]),
        notional=_optional(row["notional_e8"]),
        leverage=_optional(row["leverage_e8"]),
        unrealised_pnl=_optional(row["unrealised_pnl_e8"]),
        margin_mode=MarginMode(row["margin_mode"]),
        observed_at=_utc(row["observed_at"]),
        page_sha256=row["page_sha256"],
    )


def unusable_row_values(frame: pl.DataFrame) -> tuple[UnusableRow, ...]:
    """`UNUSABLE_ROW_SCHEMA` rows as values, in order."""
    return tuple(
        UnusableRow(
            lead_id=LeadId(row["lead_id"]),
            endpoint=Endpoint(row["endpoint"]),
            page=row["page"],
            index=row["index"],
            reason=RejectReason(row["reason"]),
            field=row["field"],
            row_json=row["row_json"],
            page_sha256=row["page_sha256"],
        )
        for row in frame.iter_rows(named=True)
    )


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _optional(value: int | None) -> Decimal | None:
    return None if value is None else decimal_e8(value)
