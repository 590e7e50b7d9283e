"""Open-positions pages -> typed snapshots of live holdings, unusable rows with reasons, and counts.

The page lists every symbol and side, mostly as zero slots; those are counted and are not positions. What a missing
holding means belongs to `first_seen`.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from copytrade_core.model.source import RejectReason, SourcePage
from copytrade_core.sources.exact_text import Fault, e8_columns, text_column
from copytrade_core.sources.normalised import NormalisedRows
from copytrade_core.sources.page_rows import OpenRow, RowBatch, open_batch, unusable_rows
from copytrade_core.sources.reject_rules import (
    Rule,
    first_broken,
    margin_mode,
    market_column,
    market_rules,
    number_rules,
    published_side,
    row_rules,
    side_rules,
    text_rules,
)
from copytrade_core.sources.repeated_rows import CONFLICT, DUPLICATE, FRESH, RepeatedRows
from copytrade_core.sources.schemas import OPEN_POSITION_SCHEMA

IDENTITY = ["lead_id", "received_at", "page_sha256", "symbol", "side"]
CONTENT = ["amount", "entry"]


def normalise_open(pages: Iterable[SourcePage]) -> NormalisedRows:
    """All rows of some open-positions answers, positions as `OPEN_POSITION_SCHEMA`, in the order received.

    `entry_is_break_even` marks rows whose published entry was zero and whose break-even price stands in.

    Raises:
        SourceError: an answer that holds no payload, `HiddenPositions` among them.
    """
    batch = open_batch(pages)
    rows = _columns(batch)
    empty = rows["empty_slot"]
    rules = _rules()
    live = rows.filter(~empty).with_columns(first_broken(rules))
    usable = live.filter(pl.col("rule").is_null())
    marks = RepeatedRows(IDENTITY, CONTENT).mark(usable)
    broken = live.filter(pl.col("rule").is_not_null()).select(
        "page_at",
        "index",
        pl.col("rule").replace_strict(dict(enumerate(rule.reason.value for rule in rules))).alias("reason"),
        pl.col("rule").replace_strict(dict(enumerate(rule.field for rule in rules))).alias("field"),
    )
    conflicts = usable.filter(marks == CONFLICT).select(
        "page_at",
        "index",
        pl.lit(RejectReason.DUPLICATE_CONFLICT.value).alias("reason"),
        pl.lit("symbol").alias("field"),
    )
    return NormalisedRows(
        positions=_positions(usable.filter(marks == FRESH)),
        unusable=unusable_rows(batch.pages, pl.concat([broken, conflicts]).sort("page_at", "index")),
        rows_count=rows.height,
        duplicates_count=int((marks == DUPLICATE).sum()),
        empty_slots_count=int(empty.sum()),
    )


def _columns(batch: RowBatch[OpenRow]) -> pl.DataFrame:
    rows = batch.rows
    symbols = text_column("symbol", [row.symbol for row in rows])
    columns = [
        text_column("source_id", [row.source_id for row in rows]),
        symbols,
        market_column(symbols),
        text_column("isolated", [row.isolated for row in rows]),
        text_column("side_published", [row.position_side for row in rows]),
        *e8_columns("amount", [row.position_amount for row in rows]),
        *e8_columns("entry_price", [row.entry_price for row in rows]),
        *e8_columns("break_even_price", [row.break_even_price for row in rows]),
        *e8_columns("mark_price", [row.mark_price for row in rows]),
        *e8_columns("notional", [row.notional_value for row in rows]),
        *e8_columns("unrealised_pnl", [row.unrealized_profit for row in rows]),
        *e8_columns("leverage", [row.leverage for row in rows]),
    ]
    frame = batch.place_columns().with_columns(*columns)
    no_entry = (pl.col("entry_price") == 0) | (pl.col("entry_price_fault") == Fault.MISSING.value)
    stands_in = no_entry & (pl.col("break_even_price") > 0).fill_null(value=False)
    return frame.with_columns(
        (pl.col("amount") == 0).fill_null(value=False).alias("empty_slot"),
        published_side("side_published", either=pl.col("amount")).alias("side"),
        margin_mode("isolated").alias("margin_mode"),
        stands_in.alias("entry_is_break_even"),
        pl.when(stands_in).then(pl.col("break_even_price")).otherwise(pl.col("entry_price")).alias("entry"),
    )


def _rules() -> list[Rule]:
    stands_in = pl.col("entry_is_break_even")
    no_entry = ~stands_in & (pl.col("entry_price_fault") == Fault.MISSING.value)
    return [
        *row_rules(),
        *text_rules("source_id", "id"),
        *market_rules(),
        *side_rules("side_published", "positionSide"),
        *number_rules("amount", "positionAmount", required=RejectReason.BAD_TYPE),
        Rule(reason=RejectReason.MISSING_ENTRY, field="entryPrice", when=no_entry),
        *number_rules("entry_price", "entryPrice", required=None),
        Rule(reason=RejectReason.NON_POSITIVE_PRICE, field="entryPrice", when=pl.col("entry") <= 0),
        *number_rules("break_even_price", "breakEvenPrice", required=None),
        *number_rules("mark_price", "markPrice", required=None),
        *number_rules("notional", "notionalValue", required=None),
        *number_rules("unrealised_pnl", "unrealizedProfit", required=None),
        *number_rules("leverage", "leverage", required=None),
    ]


def _positions(rows: pl.DataFrame) -> pl.DataFrame:
    positive = [
        pl.when(pl.col(name) > 0).then(pl.col(name)).otherwise(None).alias(f"{name}_e8")
        for name in ("break_even_price", "mark_price")
    ]
    return rows.with_columns(
        pl.coalesce("source_id", "symbol").alias("source_id"),
        pl.col("amount").abs().alias("amount_e8"),
        pl.col("entry").alias("entry_price_e8"),
        *positive,
        pl.col("notional").alias("notional_e8"),
        pl.col("leverage").alias("leverage_e8"),
        pl.col("unrealised_pnl").alias("unrealised_pnl_e8"),
        pl.col("received_at").alias("observed_at"),
    ).select(pl.col(name).cast(kind) for name, kind in OPEN_POSITION_SCHEMA.items())
