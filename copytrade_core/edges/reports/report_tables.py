"""The main tables of a report: the result beside its baselines, and every measure of every strategy.

No number is computed here; units and words only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from copytrade_core.edges.reports.report_text import (
    Document,
    Table,
    count,
    number,
    percent,
    plain_usdt,
    span,
    usdt,
    wrapped,
)

MEASURE_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("Trades", "trades_count", count),
    ("Net, USDT", "net_pnl_usdt", usdt),
    ("Net, of equity", "net_ratio", percent),
    ("Net per 30 days, of equity", "net_ratio_per_30d", percent),
    ("Peak capital held, USDT", "peak_gross_usdt", plain_usdt),
    ("Return on peak capital", "return_on_peak_capital_ratio", percent),
    ("Win rate", "win_ratio", percent),
    ("Profit factor", "profit_factor", number),
    ("Expectancy, USDT per trade", "expectancy_usdt", usdt),
    ("Max drawdown, realised", "max_drawdown_realised_ratio", percent),
    ("Max drawdown, marked at closes", "max_drawdown_marked_ratio", percent),
    ("Max drawdown, inside bars", "max_drawdown_intrabar_ratio", percent),
    ("Worst day, of equity", "worst_day_ratio", percent),
    ("t-statistic", "t_statistic", number),
    ("Interval of net, low, USDT", "net_interval_low_usdt", usdt),
    ("Interval of net, high, USDT", "net_interval_high_usdt", usdt),
    ("Net without the best tenth, USDT", "net_without_best_tenth_usdt", usdt),
    ("Sharpe, per year", "sharpe", number),
    ("Sortino, per year", "sortino", number),
    ("Calmar, per year", "calmar", number),
    ("MAE, worst, USDT", "mae_worst_usdt", usdt),
    ("MAE, mean, USDT", "mae_mean_usdt", usdt),
    ("MFE, best, USDT", "mfe_best_usdt", usdt),
    ("MFE, mean, USDT", "mfe_mean_usdt", usdt),
    ("Exposure, of the period", "exposure_ratio", percent),
    ("Most trades at once", "overlap_max_count", count),
    ("DCA fills, mean", "dca_fills_mean", number),
    ("DCA fills, most", "dca_fills_max", count),
    ("Holding time, mean", "holding_time_mean_s", span),
    ("Holding time, longest", "holding_time_max_s", span),
    ("Planned notional not placed", "notional_skipped_ratio", percent),
    ("Fees, USDT", "fees_usdt", plain_usdt),
    ("Slippage, USDT", "slippage_usdt", plain_usdt),
    ("Funding, USDT (negative: received)", "funding_usdt", plain_usdt),
    ("Signals skipped", "skipped_count", count),
    ("Intents blocked by risk", "blocked_count", count),
)


def summary_table(document: Document) -> Table:
    """The main result beside its baselines; the artefact column is labelled as such."""
    main = main_strategy(document)
    measured, artefact, native = main["measures"], main["artefact"], document["native_copy"]
    held: Sequence[Mapping[str, Any]] = document["buy_and_hold"]
    artefact = {} if artefact is None else artefact
    gap = artefact.get("price_gap_bps_mean")

    def row(label: str, form: Callable[[Any], str], ours: str, lead: str, button: str, market: str) -> tuple[str, ...]:
        cells = [form(measured.get(ours)), form(artefact.get(lead)), form(native.get(button))]
        return (label, *cells, *(form(item.get(market)) for item in held))

    return Table(
        title="The result beside its baselines",
        note="The artefact column takes the lead's own average prices, which nobody else could trade at"
        + (f": on average they are {gap:.1f} bps better than ours. " if gap is not None and gap > 0 else ". ")
        + "The copy button follows Binance's published rules with the same capital; it missed "
        f"{native['missed_count']} opens because the market had moved beyond its cap.",
        columns=(
            "",
            "Executable",
            "Artefact: lead prices",
            "Binance copy button",
            *(f"Buy and hold {item['market'].partition('/')[0]}" for item in held),
        ),
        rows=(
            row("Trades", count, "trades_count", "trades_count", "trades_count", ""),
            row("Net, USDT", usdt, "net_pnl_usdt", "net_pnl_usdt", "net_pnl_usdt", "net_pnl_usdt"),
            row("Net, of equity", percent, "net_ratio", "net_ratio", "net_ratio", "net_ratio"),
            row("Win rate", percent, "win_ratio", "win_ratio", "win_ratio", ""),
            row("Profit factor", number, "profit_factor", "profit_factor", "", ""),
            row("Expectancy, USDT per trade", usdt, "expectancy_usdt", "expectancy_usdt", "", ""),
            row(
                "Max drawdown, realised", percent, "max_drawdown_realised_ratio", "", "max_drawdown_realised_ratio", ""
            ),
            row("Max drawdown, marked", percent, "max_drawdown_marked_ratio", "", "", "max_drawdown_ratio"),
            row("Fees, USDT", plain_usdt, "fees_usdt", "", "fees_usdt", ""),
            row("Profit share, USDT", plain_usdt, "", "", "profit_share_usdt", ""),
            row("Opens missed", count, "", "", "missed_count", ""),
        ),
    )


def main_strategy(document: Document) -> Mapping[str, Any]:
    """The row of the strategy that gates judge."""
    strategies: Sequence[Mapping[str, Any]] = document["strategies"]
    return next((row for row in strategies if row["policy"] == document["policy"]), strategies[0])


def strategies_table(document: Document) -> Table:
    """Every measure of every strategy, executable, and the artefact net under its label."""
    strategies: Sequence[Mapping[str, Any]] = document["strategies"]
    rows = [
        (label, *(form(strategy["measures"][name]) for strategy in strategies)) for label, name, form in MEASURE_ROWS
    ]
    nets = (None if row["artefact"] is None else row["artefact"]["net_pnl_usdt"] for row in strategies)
    rows.insert(2, ("Artefact: net at lead prices, USDT", *(usdt(net) for net in nets)))
    return Table(
        title="Strategies: signal mode, side, ladder, exit family",
        note="All executable, under the same assumptions, except the one row that says artefact.",
        columns=("", *(wrapped(row["policy"]) for row in strategies)),
        rows=tuple(rows),
    )
