"""The tables of a report as plain text cells, from the report document. Markdown and HTML render the same tables.

No number is computed here; units and words only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NONE = "–"
TRADES_SHOWN_COUNT = 5

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A title, a sentence on it (may be empty), column heads and rows of text; the first column is a label."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def usdt(value: float | None) -> str:
    """Money with a sign and two decimals."""
    return NONE if value is None else f"{value:+,.2f}"


def plain_usdt(value: float | None) -> str:
    """Money without a forced sign."""
    return NONE if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    """A ratio as per cent."""
    return NONE if value is None else f"{value:.1%}"


def number(value: float | None) -> str:
    """A plain number."""
    return NONE if value is None else f"{value:,.2f}"


def count(value: int | None) -> str:
    """A whole number."""
    return NONE if value is None else f"{value:,}"


def span(seconds: float | None) -> str:
    """A time span in the largest unit that fits."""
    if seconds is None:
        return NONE
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} d"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


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


def wrapped(policy: str) -> str:
    """A policy's name with spaces around the slashes, so that it can break into lines."""
    return policy.replace("/", " / ")


def detail_tables(document: Document) -> tuple[Table, ...]:
    """Everything after the main tables, in reading order."""
    candidates = (
        _stress(document),
        _sensitivity(document),
        _parts(document),
        _monthly(document),
        _trades(document),
        _counts(document),
        _legacy(document),
        _assumptions(document),
        _digests(document),
    )
    return tuple(table for table in candidates if table is not None and table.rows)


def _stress(document: Document) -> Table:
    return Table(
        title="Stress",
        note="The main strategy with one assumption made worse.",
        columns=("", "Trades", "Net, USDT", "Net, of equity"),
        rows=tuple(
            (row["label"], count(row["trades_count"]), usdt(row["net_pnl_usdt"]), percent(row["net_ratio"]))
            for row in document["stressed"]
        ),
    )


def _sensitivity(document: Document) -> Table:
    cells = {(row["delay_s"], row["slippage_multiple"]): row["net_pnl_usdt"] for row in document["sensitivity"]}
    multiples = sorted({multiple for _, multiple in cells})
    return Table(
        title="Net by delay and slippage, USDT",
        note="Delay from the lead's event to our order; slippage as a multiple of the assumed one.",
        columns=("Delay", *(f"slippage x{multiple:g}" for multiple in multiples)),
        rows=tuple(
            (span(delay), *(usdt(cells.get((delay, multiple))) for multiple in multiples))
            for delay in sorted({delay for delay, _ in cells})
        ),
    )


def _parts(document: Document) -> Table:
    parts: Mapping[str, Mapping[str, Any]] = document["parts"]
    names = ("trades_count", "net_pnl_usdt", "net_ratio", "profit_factor", "expectancy_usdt", "t_statistic")
    shown = [row for row in MEASURE_ROWS if row[1] in names or row[1].startswith("max_drawdown")]
    signals = {part["part"]: part["signals_count"] for part in document["split"]["parts"]}
    rows = [(label, *(form(parts[part][name]) for part in parts), "not opened") for label, name, form in shown]
    rows.insert(0, ("Signals", *(count(signals[part]) for part in parts), count(signals["holdout"])))
    return Table(
        title="Train, validation, holdout",
        note=f"{document['holdout_note']} {document['split']['embargoed_count']} signals are embargoed: their trades "
        "could reach into the next part.",
        columns=("", *(part.capitalize() for part in parts), "Holdout"),
        rows=tuple(rows),
    )


def _monthly(document: Document) -> Table:
    return Table(
        title="Months",
        note="By the month in which a trade ended (UTC).",
        columns=("Month", "Trades", "Net, USDT", "Net, of equity"),
        rows=tuple(
            (
                f"{row['year']}-{row['month']:02}",
                count(row["trades_count"]),
                usdt(row["net_pnl_usdt"]),
                percent(row["net_ratio"]),
            )
            for row in document["monthly"]
        ),
    )


def _trades(document: Document) -> Table:
    ordered = sorted(document["round_trips"], key=lambda row: row["pnl_usdt"])
    worst = ordered[:TRADES_SHOWN_COUNT]
    best = [row for row in ordered[-TRADES_SHOWN_COUNT:] if row not in worst]
    return Table(
        title="Best and worst trades",
        note="All of them are in round_trips.csv.",
        columns=("Market", "Side", "Entered (UTC)", "Held", "DCA fills", "Net, USDT", "MAE, USDT", "MFE, USDT", "Exit"),
        rows=tuple(
            (
                row["market"],
                row["side"],
                row["entered_at"][:16].replace("T", " "),
                span(row["holding_time_s"]),
                count(row["dca_fills"]),
                usdt(row["pnl_usdt"]),
                usdt(row["mae_usdt"]),
                usdt(row["mfe_usdt"]),
                row["exit_reason"] + (" (cut off)" if row["is_truncated"] else ""),
            )
            for row in [*reversed(best), *reversed(worst)]
        ),
    )


def _counts(document: Document) -> Table:
    counts = document["counts"]
    source = counts["source"]
    rows = [
        ("Rows read", count(source["rows_count"])),
        ("Normalised", count(source["normalised_count"])),
        ("Duplicates", count(source["duplicates_count"])),
        *((f"Rejected: {reason}", count(number)) for reason, number in source["rejected"].items()),
        ("Episodes", count(counts["episodes_count"])),
        ("of them closed", count(counts["closed_count"])),
        ("Tested (round trips)", count(counts["tested_count"])),
        *((f"Skipped: {reason}", count(number)) for reason, number in counts["skipped"].items()),
        *((f"Blocked: {reason}", count(number)) for reason, number in counts["blocked"].items()),
        *((f"Trades on {market}", count(number)) for market, number in counts["markets"].items()),
        ("First signal (UTC)", counts["first_signal_at"] or NONE),
        ("Last exit (UTC)", counts["last_exit_at"] or NONE),
    ]
    return Table(title="From rows to trades", note="", columns=("", "Count"), rows=tuple(rows))


def _legacy(document: Document) -> Table | None:
    legacy = document["legacy"]
    if legacy is None:
        return None
    return Table(
        title="Artefact: the original contrarian study, run again",
        note=legacy["why"],
        columns=(
            "Rungs",
            "Tested",
            "Skipped",
            "Net, USDT",
            "Original net, USDT",
            "Difference",
            "because of untested trades",
            "because of other bars",
            "Win rate",
            "Profit factor",
            "Max drawdown",
        ),
        rows=tuple(
            (
                count(row["rungs_count"]),
                count(row["tested_count"]),
                count(row["skipped_count"]),
                usdt(row["net_pnl_usdt"]),
                usdt(row["original_net_pnl_usdt"]),
                usdt(row["difference_usdt"]),
                usdt(row["untested_usdt"]),
                usdt(row["bars_usdt"]),
                percent(row["win_ratio"]),
                number(row["profit_factor"]),
                percent(row["max_drawdown_ratio"]),
            )
            for row in legacy["rows"]
        ),
    )


def _assumptions(document: Document) -> Table:
    return Table(
        title="What these numbers assume",
        note="",
        columns=("Assumption", "Value", "Where it comes from"),
        rows=tuple((row["name"], row["value"], row["source"]) for row in document["assumptions"]),
    )


def _digests(document: Document) -> Table:
    return Table(
        title="Digests of the inputs",
        note="The same digests give the same report.",
        columns=("Input", "sha256"),
        rows=tuple((name, value) for name, value in document["digests"].items()),
    )
