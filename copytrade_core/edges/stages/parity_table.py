"""The parity of all sessions as one table for SQL, a partition per session. What a row says is evidence's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, Workplace
from copytrade_core.evidence.parity import Cause

ROWS = "paper_parity_rows"
_SIDE = {
    "at_ms": pl.Int64(),
    "asked": pl.String(),
    "quantity": pl.String(),
    "price": pl.Float64(),
    "skipped": pl.String(),
}
_DIFFERENCE = {
    "lag_ms": pl.Int64(),
    "notional_e8": pl.Int64(),
    "price_bps": pl.Float64(),
    "total_e8": pl.String(),
    "total_bps": pl.Float64(),
    **{f"{cause.value}_bps": pl.Float64() for cause in Cause},
    "residual_bps": pl.Float64(),
    "explains": pl.Boolean(),
}
_NAMED = {"price_bps": "theoretical_vs_paper_bps"}
COLUMNS = pl.Schema(
    {
        "episode_id": pl.String(),
        "kind": pl.String(),
        "leg": pl.String(),
        "occurrence": pl.Int64(),
        "market": pl.String(),
        "buys": pl.Boolean(),
        **{f"{path}_{name}": kind for path in ("replay", "paper", "shadow") for name, kind in _SIDE.items()},
        **{_NAMED.get(name, name): kind for name, kind in _DIFFERENCE.items()},
        **{f"shadow_{name}": kind for name, kind in _DIFFERENCE.items()},
    }
)
"""Quantities and exact money are text, prices and basis points are numbers. What begins with `shadow_` is None where no
shadow session of that day is stored."""


def store_parity_rows(
    place: Workplace, key: str, rows: Sequence[dict[str, object]], *, read: Mapping[str, str]
) -> None:
    """Stores the rows of one session; the view `paper_parity_rows` has those of all.

    Raises:
        StoreFault: the store cannot be written.
    """
    _ = place.lake.put_table(
        ROWS,
        key,
        pl.DataFrame(list(rows), schema=COLUMNS),
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents=dict(read),
    )
