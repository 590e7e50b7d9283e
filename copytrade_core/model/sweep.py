"""What a fast engine reports of many candidates at once: one row each, integers where the reference has integers.

How a figure is computed belongs to the engines; `replay/equivalence.py` says what each means in terms of the reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from copytrade_core.model.bar import Float64s, Int64s


class SweepStatus(IntEnum):
    """Whether a candidate's row can be read."""

    OK = 0
    OUT_OF_BOUNDS = 1
    """An order would have been larger than integer money can carry; the reference raises `OutOfBounds`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepTable:
    """Figures of many candidates; arrays of shape `(n_candidates,)` in the order the candidates were given.

    Money is 1e-8 quote units. Names are those of `RoundTrip`, summed over the round trips, unless said otherwise.
    Drawdown ratios are those of `evidence/drawdown.py`.
    """

    status: Int64s
    trades_count: Int64s
    longs_count: Int64s
    wins_count: Int64s
    """Round trips with pnl above zero."""
    net_pnl: Int64s
    winners_pnl: Int64s
    losers_pnl: Int64s
    """Sum over pnl below zero: zero or negative."""
    best_pnl: Int64s
    worst_pnl: Int64s
    """Best and worst pnl of a round trip; 0 without any."""
    pnl_square_sum: Float64s
    """Sum of the squared pnl in quote units, added in order of exit."""
    realised: Int64s
    fees: Int64s
    slippage: Int64s
    funding: Int64s
    entered: Int64s
    mae_sum: Int64s
    mae_worst: Int64s
    mfe_sum: Int64s
    mfe_best: Int64s
    bars_held: Int64s
    dca_fills: Int64s
    dca_fills_max: Int64s
    rungs_planned: Int64s
    rungs_skipped: Int64s
    notional_skipped: Int64s
    holding_ms: Int64s
    holding_ms_max: Int64s
    skipped_count: Int64s
    """Signals without a trade: not covered by bars, or held back by an entry rule."""
    blocked_count: Int64s
    """Distinct (episode, leg, reason) that risk refused."""
    peak_gross: Int64s
    """Largest gross notional at a bar's end."""
    equity_worst: Int64s
    """Lowest `min(worst_intrabar, equity)` along the curve; the initial equity without one."""
    drawdown_realised_ratio: Float64s
    drawdown_marked_ratio: Float64s
    drawdown_intrabar_ratio: Float64s
    fill_hash: Int64s
    """`replay/fill_hash.py` over all fills, its 64 bits read as a signed integer."""

    def __len__(self) -> int:
        return len(self.status)
