"""Finding rows that were read twice: equal ones are duplicates, different ones conflict.

Rows are compared by the facts that identify and describe a position; the venue's `id` is only its open millisecond and
identifies nothing.
"""

from __future__ import annotations

import polars as pl

FRESH = 0
DUPLICATE = 1
CONFLICT = 2


class RepeatedRows:
    """Remembers the rows of the lead that is being read, across batches; memory is 16 bytes per row of that lead.

    Pages must come lead by lead: once another lead has begun, the earlier ones are forgotten.

    Args:
        key: columns that identify a row; includes `lead_id`.
        content: columns that must agree when a row is read again.
    """

    def __init__(self, key: list[str], content: list[str]) -> None:
        self._key = key
        self._content = content
        self._lead: str | None = None
        self._seen = _pairs(pl.DataFrame(schema={"key": pl.UInt64, "content": pl.UInt64}))

    def mark(self, rows: pl.DataFrame) -> pl.Series:
        """FRESH, DUPLICATE or CONFLICT per row, in order; the first reading of a row is the fresh one."""
        if not rows.height:
            return pl.Series("repeated", [], dtype=pl.UInt8)
        pairs = rows.select(
            pl.struct(self._key).hash(seed=1).alias("key"),
            pl.struct(self._content).hash(seed=2).alias("content"),
        )
        known = self._seen if rows["lead_id"][0] == self._lead else self._seen.clear()
        both = pl.concat([known, pairs])
        fresh = both["key"].is_first_distinct().tail(rows.height)
        marks = pl.Series("repeated", fresh.not_().cast(pl.UInt8))
        if not fresh.all():
            first = both.filter(both["key"].is_first_distinct())
            repeated = pairs.join(first, on="key", how="left", suffix="_first", maintain_order="left")
            conflict = repeated["content"] != repeated["content_first"]
            marks = marks + conflict.cast(pl.UInt8)
        self._remember(rows, both, known.height)
        return marks.alias("repeated")

    def _remember(self, rows: pl.DataFrame, both: pl.DataFrame, known: int) -> None:
        last = rows["lead_id"][-1]
        same = rows["lead_id"] == last
        kept = pairs_of_last = both.tail(rows.height).filter(same)
        if rows["lead_id"][0] == last:
            kept = pl.concat([both.head(known), pairs_of_last])
        self._seen = _pairs(kept)
        self._lead = last


def _pairs(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.unique(subset="key", keep="first", maintain_order=True)
