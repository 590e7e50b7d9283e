"""Accounting of the original contrarian-on-close study, in floats, to the last bit of its published summary.

This is a labelled study, not evidence: its entries are the lead's own close prices, which nobody could have traded.
Nothing outside `legacy_contrarian_v1` may use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from copytrade_core.model.side import Side

FEE_PER_SIDE = 0.0005
SLIPPAGE_PER_SIDE = 0.0009380229915652661
TARGET_NOTIONAL_USDT = 100.0
RUNG_STEPS = {Side.LONG: (0.0030, 0.0035, 0.0060), Side.SHORT: (0.0010, 0.0040, 0.0060)}
LEG_WEIGHTS = {Side.LONG: (1.0, 1.2, 1.0, 1.5), Side.SHORT: (1.0, 2.272696, 1.0, 2.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyLeg:
    """One fill: price in quote per base unit, notional in USDT."""

    price: float
    notional_usdt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTrade:
    """One trade of the study; ratios are of the average entry, `pnl_usdt` is net."""

    source_id: str
    market: str
    side: Side
    entered_at: datetime
    exited_at: datetime
    entry_price: float
    exit_price: float
    average_entry: float
    notional_usdt: float
    dca_fills: int
    gross_ratio: float
    net_ratio: float
    pnl_usdt: float
    is_truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacySummary:
    """Totals of the study. Ratios are fractions of the 100 USDT target; drawdown is positive."""

    count: int
    skipped: int
    test_started_at: datetime | None
    test_ended_at: datetime | None
    period_days: float
    net_pnl_usdt: float
    net_ratio: float
    net_ratio_per_30d: float
    win_ratio: float
    profit_factor: float | None
    max_drawdown_ratio: float
    dca_fills_mean: float
    truncated_count: int


def leg_notionals(side: Side, rungs_count: int) -> tuple[float, ...]:
    """USDT of the base leg and the first `rungs_count` rungs, scaled to 100 together."""
    weights = LEG_WEIGHTS[side][: rungs_count + 1]
    total = sum(weights)
    return tuple(TARGET_NOTIONAL_USDT * weight / total for weight in weights)


def average_entry(legs: Sequence[LegacyLeg]) -> float:
    """Average entry, updated fill by fill as the study did: (invested + n) / (invested / average + n / price)."""
    average, invested = legs[0].price, legs[0].notional_usdt
    for leg in legs[1:]:
        average = (invested + leg.notional_usdt) / (invested / average + leg.notional_usdt / leg.price)
        invested += leg.notional_usdt
    return average


def settle(
    *,
    source_id: str,
    market: str,
    side: Side,
    entered_at: datetime,
    exited_at: datetime,
    exit_price: float,
    legs: Sequence[LegacyLeg],
    is_truncated: bool,
) -> LegacyTrade:
    """The trade of these legs and this exit: net = price return - 2 x fee - 2 x slippage, on invested notional."""
    average = average_entry(legs)
    invested = sum(leg.notional_usdt for leg in legs)
    gross = side.sign * (exit_price - average) / average
    net = gross - 2 * FEE_PER_SIDE - 2 * SLIPPAGE_PER_SIDE
    return LegacyTrade(
        source_id=source_id,
        market=market,
        side=side,
        entered_at=entered_at,
        exited_at=exited_at,
        entry_price=legs[0].price,
        exit_price=exit_price,
        average_entry=average,
        notional_usdt=invested,
        dca_fills=len(legs) - 1,
        gross_ratio=gross,
        net_ratio=net,
        pnl_usdt=invested * net,
        is_truncated=is_truncated,
    )


def summarise(trades: Sequence[LegacyTrade], *, skipped: int) -> LegacySummary:
    """Totals over trades in entry order: exact sums (`math.fsum`), drawdown over 100 + running pnl."""
    pnls = [trade.pnl_usdt for trade in trades]
    wins = [pnl for pnl in pnls if pnl > 0]
    losses = [pnl for pnl in pnls if pnl <= 0]
    lost = math.fsum(losses)
    net = math.fsum(pnls)
    start = trades[0].entered_at if trades else None
    end = max((trade.exited_at for trade in trades), default=None)
    days = (end - start).total_seconds() / 86400 if start is not None and end is not None else 0.0
    return LegacySummary(
        count=len(trades),
        skipped=skipped,
        test_started_at=start,
        test_ended_at=end,
        period_days=days,
        net_pnl_usdt=net,
        net_ratio=net / TARGET_NOTIONAL_USDT,
        net_ratio_per_30d=net / TARGET_NOTIONAL_USDT / days * 30 if days else 0.0,
        win_ratio=len(wins) / len(pnls) if pnls else 0.0,
        profit_factor=math.fsum(wins) / -lost if lost else None,
        max_drawdown_ratio=_max_drawdown(pnls),
        dca_fills_mean=sum(trade.dca_fills for trade in trades) / len(trades) if trades else 0.0,
        truncated_count=sum(trade.is_truncated for trade in trades),
    )


def _max_drawdown(pnls: Sequence[float]) -> float:
    equity = peak = TARGET_NOTIONAL_USDT
    worst = 0.0
    for pnl in pnls:
        equity += pnl
        peak = max(peak, equity)
        worst = min(worst, (equity - peak) / peak)
    return -worst
