"""Columns of the normalised tables: names, types and units, versioned by `SOURCE_SCHEMA_VERSION`.

Decimals are int64 counts of 1e-8 (suffix `_e8`): exact for all eight decimals that the pages publish, half to even
beyond; nullable where the source is optional. Instants are UTC microseconds.
"""

from __future__ import annotations

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

CLOSED_POSITION_SCHEMA = pl.Schema(
    {
        "lead_id": pl.String(),
        "source_id": pl.String(),
        "symbol": pl.String(),
        "market": pl.String(),
        "side": pl.String(),
        "opened_at": INSTANT,
        "closed_at": INSTANT,
        "updated_at": INSTANT,
        "avg_cost_e8": pl.Int64(),
        "avg_close_price_e8": pl.Int64(),
        "max_open_interest_e8": pl.Int64(),
        "closed_volume_e8": pl.Int64(),
        "closing_pnl_e8": pl.Int64(),
        "roi_e8": pl.Int64(),
        "leverage_e8": pl.Int64(),
        "margin_mode": pl.String(),
        "status": pl.String(),
        "page_sha256": pl.String(),
        "first_seen_at": INSTANT,
    }
)

OPEN_POSITION_SCHEMA = pl.Schema(
    {
        "lead_id": pl.String(),
        "source_id": pl.String(),
        "symbol": pl.String(),
        "market": pl.String(),
        "side": pl.String(),
        "amount_e8": pl.Int64(),
        "entry_price_e8": pl.Int64(),
        "entry_is_break_even": pl.Boolean(),
        "break_even_price_e8": pl.Int64(),
        "mark_price_e8": pl.Int64(),
        "notional_e8": pl.Int64(),
        "leverage_e8": pl.Int64(),
        "unrealised_pnl_e8": pl.Int64(),
        "margin_mode": pl.String(),
        "observed_at": INSTANT,
        "page_sha256": pl.String(),
    }
)

UNUSABLE_ROW_SCHEMA = pl.Schema(
    {
        "lead_id": pl.String(),
        "endpoint": pl.String(),
        "page": pl.Int32(),
        "index": pl.Int32(),
        "reason": pl.String(),
        "field": pl.String(),
        "row_json": pl.String(),
        "page_sha256": pl.String(),
    }
)
