"""What normalising pages gives: usable rows, unusable rows and counts that add up.

The rules are in `reject_rules` and the endpoints' own modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from copytrade_core.model.source import RejectReason
from copytrade_core.sources.schemas import UNUSABLE_ROW_SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalisedRows:
    """Rows of one endpoint. `positions` has that endpoint's schema, `unusable` `UNUSABLE_ROW_SCHEMA`.

    `empty_slots_count` counts zero-quantity slots of open-positions answers, which are not positions.
    `rows_count` equals usable + unusable + duplicates + empty slots (asserted: nothing is silently dropped).
    """

    positions: pl.DataFrame
    unusable: pl.DataFrame
    rows_count: int
    duplicates_count: int
    empty_slots_count: int

    def __post_init__(self) -> None:
        accounted = self.positions.height + self.unusable.height + self.duplicates_count + self.empty_slots_count
        assert accounted == self.rows_count, f"{self.rows_count} rows in, {accounted} accounted for"
        assert self.unusable.schema == UNUSABLE_ROW_SCHEMA

    def rejected(self) -> dict[RejectReason, int]:
        """Unusable rows by reason, reasons that occur only, in the enumeration's order."""
        counted: dict[str, int] = dict(self.unusable.group_by("reason").len().iter_rows())
        return {reason: counted[reason.value] for reason in RejectReason if reason.value in counted}


def joined(parts: Sequence[NormalisedRows], schema: pl.Schema) -> NormalisedRows:
    """Several batches as one, in order; `schema` is the positions' schema, used when there is no batch."""
    return NormalisedRows(
        positions=pl.concat([pl.DataFrame(schema=schema), *(part.positions for part in parts)]),
        unusable=pl.concat([pl.DataFrame(schema=UNUSABLE_ROW_SCHEMA), *(part.unusable for part in parts)]),
        rows_count=sum(part.rows_count for part in parts),
        duplicates_count=sum(part.duplicates_count for part in parts),
        empty_slots_count=sum(part.empty_slots_count for part in parts),
    )
