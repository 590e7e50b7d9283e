"""What a replay amounted to: one record of statistics per result.

How each number is computed belongs to `evidence/measures.py`. Floats are allowed here: these are statistics, not money.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.errors import BadConfig, Where


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSettings:
    """How the interval of net profit is drawn (stationary bootstrap, Politis & Romano 1994).

    `seed` makes it repeatable; `resamples_count` is the number of redrawn histories; `block_mean_count` the expected
    number of consecutive round trips kept together; `confidence_ratio` the share of redrawn nets inside the interval.

    Raises:
        BadConfig: a count below 1, or a confidence outside (0, 1).
    """

    seed: int
    resamples_count: int
    block_mean_count: float
    confidence_ratio: float

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise BadConfig("the bootstrap seed must not be negative", where=Where(field="bootstrap.seed"))
        if self.resamples_count < 1:
            raise BadConfig("the bootstrap needs resamples", where=Where(field="bootstrap.resamples_count"))
        if not self.block_mean_count >= 1:
            raise BadConfig("a bootstrap block has at least one trade", where=Where(field="bootstrap.block_mean_count"))
        if not 0 < self.confidence_ratio < 1:
            raise BadConfig("the confidence must be in (0, 1)", where=Where(field="bootstrap.confidence_ratio"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The statistics of one replay result. None means: cannot be computed from this result.

    Every figure is net of fees, funding and slippage unless its name says otherwise. Ratios are 0-1 (or below), money
    is quote units, times are seconds. Drawdowns are positive shares of the peak before them.
    """

    trades_count: int
    """Round trips."""
    longs_count: int
    shorts_count: int
    skipped_count: int
    """Signals that were not traded, with a reason each."""
    blocked_count: int
    """Intents that risk refused."""
    truncated_count: int
    """Round trips that ended only because the bars did."""
    period_days: float
    """First signal to last exit, days."""

    net_pnl_usdt: float
    net_ratio: float
    """Net profit over initial equity."""
    net_ratio_per_30d: float | None
    """`net_ratio` x 30 / `period_days`, not compounded."""
    gross_pnl_usdt: float
    """Net profit with fees, funding and slippage added back: what the raw prices gave."""
    fees_usdt: float
    slippage_usdt: float
    funding_usdt: float
    """Paid; negative when received."""
    net_interval_low_usdt: float | None
    net_interval_high_usdt: float | None
    """Stationary bootstrap interval of net profit; None under two trades."""
    t_statistic: float | None
    """Mean over standard error of the profit per round trip; None under two trades or without spread."""

    win_ratio: float | None
    """Share of round trips with a net profit above zero."""
    profit_factor: float | None
    """Sum of winners over sum of losers; None when there is no loser."""
    expectancy_usdt: float | None
    """Mean net profit per round trip."""
    best_pnl_usdt: float | None
    worst_pnl_usdt: float | None
    worst_trade_ratio: float | None
    """Worst round trip over initial equity (negative is a loss)."""
    net_without_best_usdt: float
    """Net profit without the single best round trip."""
    net_without_best_tenth_usdt: float
    """Net profit without the best tenth of the round trips (count rounded up)."""
    mae_worst_usdt: float | None
    """Maximum adverse excursion: the deepest marked gross loss of any round trip (zero or negative)."""
    mae_mean_usdt: float | None
    mfe_best_usdt: float | None
    """Maximum favourable excursion: the highest marked gross profit of any round trip."""
    mfe_mean_usdt: float | None

    max_drawdown_realised_ratio: float
    """Over initial equity plus realised results, in exit order."""
    max_drawdown_marked_ratio: float
    """Over equity marked at bar closes."""
    max_drawdown_intrabar_ratio: float
    """From the highest marked close to the adverse extreme inside a later bar."""
    worst_day_ratio: float | None
    """Worst change of marked equity over one UTC day, over initial equity."""

    notional_mean_usdt: float | None
    """Mean entry notional of one round trip, adds included: the capital of one trade."""
    overlap_max_count: int
    """Most round trips held at once."""
    peak_gross_usdt: float
    """Largest gross notional held at once: the capital the result really needed, unlevered."""
    return_on_peak_capital_ratio: float | None
    """Net profit over `peak_gross_usdt`."""
    exposure_ratio: float | None
    """Share of the period during which anything was held."""
    notional_skipped_ratio: float | None
    """Planned notional that could not be placed (minimums, steps), over placed plus skipped."""
    dca_fills_mean: float | None
    dca_fills_max: int
    holding_time_mean_s: float | None
    holding_time_max_s: float

    sharpe: float | None
    """Mean over standard deviation of daily returns of marked equity, x sqrt(365); risk-free rate 0."""
    sortino: float | None
    """Mean over downside deviation (target 0) of the same daily returns, x sqrt(365)."""
    calmar: float | None
    """`net_ratio` x 365 / `period_days`, over `max_drawdown_marked_ratio`."""
