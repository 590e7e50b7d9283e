"""The tables after the main ones: stress, sensitivity, parts, months, trades, counts, the original study, assumptions.

No number is computed here; units and words only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from copytrade_core.edges.reports.report_tables import MEASURE_ROWS
from copytrade_core.edges.reports.report_text import NONE, Document, Table, count, delay_label, number, percent, span, usdt

TRADES_SHOWN_COUNT = 5


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
            (delay_label(document, delay), *(usdt(cells.get((delay, multiple))) for multiple in multiples))
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
