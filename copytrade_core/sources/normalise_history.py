"""Closed-history pages -> typed rows of closed positions, unusable rows with reasons, and counts.

Prices in these rows are the lead's averages (artefact prices); nothing here decides what a copier could have traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from copytrade_core.model.source import PositionStatus, RejectReason, SourcePage
from copytrade_core.sources.exact_text import e8_columns, text_column, time_columns
from copytrade_core.sources.normalised import NormalisedRows, joined
from copytrade_core.sources.page_rows import HistoryRow, RowBatch, history_batches, unusable_rows
from copytrade_core.sources.reject_rules import (
    Rule,
    first_broken,
    margin_mode,
    market_column,
    market_rules,
    number_rules,
    price_rules,
    published_side,
    row_rules,
    side_rules,
    text_rules,
    time_rules,
)
from copytrade_core.sources.repeated_rows import CONFLICT, DUPLICATE, FRESH, RepeatedRows
from copytrade_core.sources.schemas import CLOSED_POSITION_SCHEMA

BATCH_ROWS = 50_000
"""Rows held at once; about 60 MB."""

LINEAR_CONTRACT = "UM"
INVERSE_CONTRACT = "CM"
STATUS_WORDS = {"all closed": PositionStatus.CLOSED, "partially closed": PositionStatus.PARTIALLY_CLOSED}

IDENTITY = ["lead_id", "symbol", "side", "opened", "status", "partial_version"]
"""A closed position is (lead, symbol, side, opened). Each later version of a partially closed one is a row too."""
CONTENT = ["closed", "avg_cost", "avg_close_price", "closing_pnl", "max_open_interest", "closed_volume"]
"""Facts that never change once closed. `roi` and `leverage` are optional in the source and may appear later."""


def normalise_history(pages: Iterable[SourcePage]) -> NormalisedRows:
    """All rows of some history pages, positions as `CLOSED_POSITION_SCHEMA`, in the order received.

    Pages come lead by lead. A row read again is a duplicate when its facts agree and unusable
    (`duplicate_conflict`) when they differ.

    Raises:
        SourceError: a page that holds no payload.
    """
    return joined(list(iter_normalised_history(pages, batch_rows=BATCH_ROWS)), CLOSED_POSITION_SCHEMA)


def iter_normalised_history(pages: Iterable[SourcePage], *, batch_rows: int) -> Iterator[NormalisedRows]:
    """The same, a batch at a time: memory depends on `batch_rows` and the largest page, not on the input."""
    repeated = RepeatedRows(IDENTITY, CONTENT)
    for batch in history_batches(pages, batch_rows=batch_rows):
        yield _normalise(batch, repeated)


def _normalise(batch: RowBatch[HistoryRow], repeated: RepeatedRows) -> NormalisedRows:
    rows = _columns(batch)
    rules = _rules()
    rows = rows.with_columns(first_broken(rules))
    usable = rows.filter(pl.col("rule").is_null())
    marks = repeated.mark(usable)
    broken = rows.filter(pl.col("rule").is_not_null()).select(
        "page_at",
        "index",
        pl.col("rule").replace_strict(dict(enumerate(rule.reason.value for rule in rules))).alias("reason"),
        pl.col("rule").replace_strict(dict(enumerate(rule.field for rule in rules))).alias("field"),
    )
    conflicts = usable.filter(marks == CONFLICT).select(
        "page_at",
        "index",
        pl.lit(RejectReason.DUPLICATE_CONFLICT.value).alias("reason"),
        pl.lit("opened").alias("field"),
    )
    return NormalisedRows(
        positions=_positions(usable.filter(marks == FRESH)),
        unusable=unusable_rows(batch.pages, pl.concat([broken, conflicts]).sort("page_at", "index")),
        rows_count=rows.height,
        duplicates_count=int((marks == DUPLICATE).sum()),
        empty_slots_count=0,
    )


def _columns(batch: RowBatch[HistoryRow]) -> pl.DataFrame:
    """Raw values as typed columns with faults, then the derived `market`, `side`, `margin_mode` and `status`."""
    rows = batch.rows
    texts = [
        text_column("source_id", [row.source_id for row in rows]),
        text_column("symbol", [row.symbol for row in rows]),
        text_column("contract", [row.contract for row in rows]),
        text_column("isolated", [row.isolated for row in rows]),
        text_column("side_published", [row.side for row in rows]),
        text_column("status_published", [row.status for row in rows]),
    ]
    numbers = [
        *e8_columns("avg_cost", [row.avg_cost for row in rows]),
        *e8_columns("avg_close_price", [row.avg_close_price for row in rows]),
        *e8_columns("closing_pnl", [row.closing_pnl for row in rows]),
        *e8_columns("max_open_interest", [row.max_open_interest for row in rows]),
        *e8_columns("closed_volume", [row.closed_volume for row in rows]),
        *e8_columns("roi", [row.roi for row in rows]),
        *e8_columns("leverage", [row.leverage for row in rows]),
    ]
    times = [
        *time_columns("opened", [row.opened for row in rows]),
        *time_columns("closed", [row.closed for row in rows]),
        *time_columns("updated", [row.update_time for row in rows]),
    ]
    return _derived(batch.place_columns().with_columns(*texts, market_column(texts[1]), *numbers, *times))


def _derived(rows: pl.DataFrame) -> pl.DataFrame:
    move = (pl.col("avg_close_price") - pl.col("avg_cost")).sign() * pl.col("closing_pnl").sign()
    status = pl.col("status_published").str.strip_chars().str.to_lowercase()
    known = {word: value.value for word, value in STATUS_WORDS.items()}
    rows = rows.with_columns(
        published_side("side_published", either=move).alias("side"),
        margin_mode("isolated").alias("margin_mode"),
        status.replace_strict(known, default=None, return_dtype=pl.String).alias("status"),
    )
    is_partial = pl.col("status") == PositionStatus.PARTIALLY_CLOSED.value
    version = pl.when(is_partial).then(pl.coalesce("updated", "closed")).otherwise(pl.lit(0, dtype=pl.Int64))
    return rows.with_columns(version.alias("partial_version"))


def _rules() -> list[Rule]:
    contract = pl.col("contract").str.strip_chars().str.to_uppercase()
    closed_before_opened = pl.col("closed") < pl.col("opened")
    return [
        *row_rules(),
        *text_rules("source_id", "id"),
        *text_rules("contract", "type"),
        Rule(reason=RejectReason.NOT_LINEAR, field="type", when=contract == INVERSE_CONTRACT),
        *market_rules(),
        Rule(reason=RejectReason.NO_MARKET, field="type", when=contract.is_not_null() & (contract != LINEAR_CONTRACT)),
        *side_rules("side_published", "side"),
        *price_rules("avg_cost", "avgCost", missing=RejectReason.MISSING_ENTRY),
        *price_rules("avg_close_price", "avgClosePrice", missing=RejectReason.BAD_TYPE),
        *number_rules("max_open_interest", "maxOpenInterest", required=RejectReason.BAD_TYPE),
        Rule(reason=RejectReason.BAD_TYPE, field="maxOpenInterest", when=pl.col("max_open_interest") <= 0),
        *number_rules("closed_volume", "closedVolume", required=RejectReason.BAD_TYPE),
        Rule(reason=RejectReason.BAD_TYPE, field="closedVolume", when=pl.col("closed_volume") <= 0),
        *number_rules("closing_pnl", "closingPnl", required=RejectReason.BAD_TYPE),
        *number_rules("roi", "roi", required=None),
        *number_rules("leverage", "leverage", required=None),
        *time_rules("opened", "opened"),
        *time_rules("closed", "closed"),
        Rule(reason=RejectReason.IMPOSSIBLE_TIME, field="closed", when=closed_before_opened),
        Rule(reason=RejectReason.BAD_TYPE, field="updateTime", when=pl.col("updated_fault") > 1),
        Rule(
            reason=RejectReason.BAD_TYPE,
            field="status",
            when=pl.col("status").is_null(),
        ),
    ]


def _positions(rows: pl.DataFrame) -> pl.DataFrame:
    instants = [
        pl.col(name).cast(pl.Datetime("ms", "UTC")).dt.cast_time_unit("us").alias(f"{name}_at")
        for name in ("opened", "closed", "updated")
    ]
    money = ["avg_cost", "avg_close_price", "max_open_interest", "closed_volume", "closing_pnl", "roi", "leverage"]
    return rows.with_columns(
        pl.coalesce("source_id", pl.col("opened").cast(pl.String)).alias("source_id"),
        pl.col("received_at").alias("first_seen_at"),
        *instants,
        *(pl.col(name).alias(f"{name}_e8") for name in money),
    ).select(pl.col(name).cast(kind) for name, kind in CLOSED_POSITION_SCHEMA.items())
