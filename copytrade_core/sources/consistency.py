"""Do closed rows agree with themselves? Published profit against prices and volume, close time against update time.

A disagreeing row stays usable: it is counted here; whether it stops a lead is decided by a check.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from copytrade_core.model.side import Side
from copytrade_core.model.source import PositionStatus
from copytrade_core.sources.exact_text import E8

UPDATE_LAG_MS_MAX = 1_000
"""`closed` and `updateTime` were 0 to 2 ms apart in all 47 recorded rows; a second is certainly something else."""
PRICE_ROUNDING = 1 / E8
"""Two average prices, each published to eight decimals: their difference may be off by this much, which is nothing for
BTC and a part in a thousand for a coin of 0.00001 USDT."""
IDENTITY = ["lead_id", "market", "side", "opened_at"]
"""What an episode's id is made of. The venue's own `id` is only the open millisecond and may repeat."""
SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """Fully closed rows looked at and rows that disagree, with their source ids (first 20).

    `pnl_error_ratio_max` is the largest |published - computed| / max(1, entry notional) beyond the rounding of prices;
    `repeated` are rows that share lead, market, side and open instant with another one.
    """

    rows_count: int
    pnl_differs: tuple[str, ...]
    pnl_differs_count: int
    pnl_error_ratio_max: float
    update_lags: tuple[str, ...]
    update_lags_count: int
    repeated: tuple[str, ...]
    repeated_count: int

    @property
    def holds(self) -> bool:
        """Whether every row agrees with itself and is there once."""
        return not (self.pnl_differs_count or self.update_lags_count or self.repeated_count)


def check_consistency(positions: pl.DataFrame, *, pnl_error_ratio_max: float) -> Consistency:
    """Check `closing_pnl = closed_volume x (avg_close_price - avg_cost) x sign`, relative to the entry notional.

    Floats are good enough: the recorded rows agree to 1e-9 and a wrong row is off by far more. Partially closed rows
    end nothing and are not judged.

    Args:
        positions: `CLOSED_POSITION_SCHEMA` rows.
        pnl_error_ratio_max: largest accepted difference.
    """
    closed = positions.filter(pl.col("status") == PositionStatus.CLOSED.value)
    sign = pl.when(pl.col("side") == Side.LONG.value).then(1.0).otherwise(-1.0)
    volume = pl.col("closed_volume_e8") / E8
    move = (pl.col("avg_close_price_e8") - pl.col("avg_cost_e8")) / E8
    notional = volume * (pl.col("avg_cost_e8") / E8)
    beyond = (pl.col("closing_pnl_e8") / E8 - volume * move * sign).abs() - volume * PRICE_ROUNDING
    error = beyond.clip(lower_bound=0.0) / pl.max_horizontal(notional, pl.lit(1.0))
    lag = (pl.col("closed_at") - pl.col("updated_at")).dt.total_milliseconds().abs()
    checked = closed.select("source_id", error.alias("error"), lag.alias("lag"))
    wrong = checked.filter(pl.col("error") > pnl_error_ratio_max)["source_id"]
    lagging = checked.filter(pl.col("lag") > UPDATE_LAG_MS_MAX)["source_id"]
    repeated = closed.filter(pl.struct(IDENTITY).is_duplicated())["source_id"]
    largest = checked["error"].max()
    return Consistency(
        rows_count=closed.height,
        pnl_differs=tuple(wrong.head(SHOWN)),
        pnl_differs_count=wrong.len(),
        pnl_error_ratio_max=largest if isinstance(largest, float) else 0.0,
        update_lags=tuple(lagging.head(SHOWN)),
        update_lags_count=lagging.len(),
        repeated=tuple(repeated.head(SHOWN)),
        repeated_count=repeated.len(),
    )
