"""What a lead's public pages hold: raw pages, usable rows and unusable rows.

Prices in these rows are the lead's averages: artefact prices, never fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from copytrade_core.model.instrument import Market
from copytrade_core.model.side import MarginMode, Side

LeadId = NewType("LeadId", str)
"""A lead portfolio's 19-digit id, kept as text."""

SOURCE_SCHEMA_VERSION = 1
"""Version of the normalised row types below."""


class Endpoint(StrEnum):
    """The public copy-trading calls, by what they return."""

    OPEN_POSITIONS = "open_positions"
    POSITION_HISTORY = "position_history"
    LEAD_DETAIL = "lead_detail"
    LEAD_PERFORMANCE = "lead_performance"
    LEAD_CHART = "lead_chart"
    ORDER_HISTORY = "order_history"
    TRANSFER_HISTORY = "transfer_history"
    LEAD_LIST = "lead_list"


class PositionStatus(StrEnum):
    """Life state of a closed-history row."""

    CLOSED = "closed"
    PARTIALLY_CLOSED = "partially_closed"


class RejectReason(StrEnum):
    """Why a row is unusable."""

    MISSING_SYMBOL = "missing_symbol"
    MISSING_SIDE = "missing_side"
    UNKNOWN_SIDE = "unknown_side"
    MISSING_ENTRY = "missing_entry"
    NON_POSITIVE_PRICE = "non_positive_price"
    NOT_FINITE = "not_finite"
    MISSING_TIME = "missing_time"
    IMPOSSIBLE_TIME = "impossible_time"
    NO_MARKET = "no_market"
    NOT_LINEAR = "not_linear"
    DUPLICATE_CONFLICT = "duplicate_conflict"
    BAD_TYPE = "bad_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePage:
    """One answer exactly as received, with what was asked.

    `body` are the bytes, `sha256` their digest; `request` is canonical JSON of the parameters; `headers` holds only
    headers of interest; `page` counts from 1 for paged endpoints and is None for the others. `origin` is the scheme,
    host and port that answered; None: imported, or archived before it was kept.
    """

    lead_id: LeadId
    endpoint: Endpoint
    page: int | None
    url_path: str
    request: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    sha256: str
    received_at: datetime
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPosition:
    """One usable row of the closed history.

    Prices are quote per base unit, volumes base units, `closing_pnl` gross quote units (no fee, no funding), `roi` the
    published net fraction; all decimals are exact as published. `leverage` and `roi` are optional in the source.
    `first_seen_at` is when this system first had the row; `updated_at` is the source's own time stamp.
    """

    lead_id: LeadId
    source_id: str
    symbol: str
    market: Market
    side: Side
    opened_at: datetime
    closed_at: datetime
    updated_at: datetime | None
    avg_cost: Decimal
    avg_close_price: Decimal
    max_open_interest: Decimal
    closed_volume: Decimal
    closing_pnl: Decimal
    roi: Decimal | None
    leverage: Decimal | None
    margin_mode: MarginMode
    status: PositionStatus
    page_sha256: str
    first_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPositionSnapshot:
    """One usable row of an open-positions answer. `amount` is base units, positive; the side says the direction."""

    lead_id: LeadId
    source_id: str
    symbol: str
    market: Market
    side: Side
    amount: Decimal
    entry_price: Decimal
    entry_is_break_even: bool
    break_even_price: Decimal | None
    mark_price: Decimal | None
    notional: Decimal | None
    leverage: Decimal | None
    unrealised_pnl: Decimal | None
    margin_mode: MarginMode
    observed_at: datetime
    page_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableRow:
    """A row that cannot be used, kept with its place and reason. `row_json` is the row as received."""

    lead_id: LeadId
    endpoint: Endpoint
    page: int | None
    index: int
    reason: RejectReason
    field: str
    row_json: str
    page_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDetail:
    """What the detail page says that decisions need.

    `positions_visible` false means that an empty open-positions answer carries no information.
    """

    lead_id: LeadId
    nickname: str | None
    is_active: bool
    positions_visible: bool
    started_at: datetime | None
    closed_at: datetime | None
    margin_balance: Decimal | None
    profit_share_ratio: Decimal | None
    observed_at: datetime
    page_sha256: str
