"""Our `legacy_contrarian_v1` runs beside the original study of lead 4751838302089254401, and why they differ.

The study's entries are the lead's average close prices: artefact prices, shown for comparison only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.evidence.original_study import ORIGINAL_LEAD_ID

ORIGINAL_NETS_USDT = {0: ("plain", 28.20574254469339), 3: ("dca3", 39.3724231702957)}
"""Rungs -> name and net of the original summary table: 47 trades, 1-minute candles."""
ORIGINAL_TRADES_COUNT = 47
ORIGINAL_INTERVAL_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRun:
    """One run of the study on our bars; `pnl_by_source_id` are its trades. Ratios are shares of the 100 USDT target."""

    rungs_count: int
    interval_ms: int | None
    skipped_count: int
    net_pnl_usdt: float
    win_ratio: float | None
    profit_factor: float | None
    max_drawdown_ratio: float
    dca_fills_mean: float
    pnl_by_source_id: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyRow:
    """One line of the comparison.

    `difference_usdt` = ours - original = `untested_usdt` (what the original earned on trades that we cannot test,
    taken away) + `bars_usdt` (the same trades on other bars). The last two need the original's single trades.
    """

    label: str
    rungs_count: int
    tested_count: int
    skipped_count: int
    net_pnl_usdt: float
    win_ratio: float | None
    profit_factor: float | None
    max_drawdown_ratio: float
    dca_fills_mean: float
    original_name: str | None
    original_net_pnl_usdt: float | None
    difference_usdt: float | None
    untested_usdt: float | None
    bars_usdt: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyComparison:
    """The rows and, in plain words, why ours differ from the original."""

    rows: tuple[LegacyRow, ...]
    why: str


def compare_legacy(
    lead_id: str, runs: Sequence[LegacyRun], original_pnl: Mapping[int, Mapping[str, float]]
) -> LegacyComparison | None:
    """Puts the runs beside the original summary; None without runs.

    Args:
        lead_id: the original table exists for one lead only.
        runs: ours, by number of rungs.
        original_pnl: the original's single trades by rungs and source id, where they are at hand (may be empty).
    """
    if not runs:
        return None
    rows = tuple(_row(lead_id, run, original_pnl.get(run.rungs_count)) for run in runs)
    return LegacyComparison(rows=rows, why=_why(lead_id, runs, rows))


def _row(lead_id: str, run: LegacyRun, original: Mapping[str, float] | None) -> LegacyRow:
    name, net = ORIGINAL_NETS_USDT.get(run.rungs_count, (None, None)) if lead_id == ORIGINAL_LEAD_ID else (None, None)
    untested: float | None = None
    if original is not None and net is not None:
        untested = sum(pnl for source_id, pnl in original.items() if source_id in run.pnl_by_source_id) - net
    difference = None if net is None else run.net_pnl_usdt - net
    return LegacyRow(
        label="artefact_price",
        rungs_count=run.rungs_count,
        tested_count=len(run.pnl_by_source_id),
        skipped_count=run.skipped_count,
        net_pnl_usdt=run.net_pnl_usdt,
        win_ratio=run.win_ratio,
        profit_factor=run.profit_factor,
        max_drawdown_ratio=run.max_drawdown_ratio,
        dca_fills_mean=run.dca_fills_mean,
        original_name=name,
        original_net_pnl_usdt=net,
        difference_usdt=difference,
        untested_usdt=untested,
        bars_usdt=None if untested is None or difference is None else difference - untested,
    )


def _why(lead_id: str, runs: Sequence[LegacyRun], rows: Sequence[LegacyRow]) -> str:
    if lead_id != ORIGINAL_LEAD_ID:
        return "There is no original table for this lead; the runs only show what the original recipe makes of it."
    run = runs[0]
    tested = len(run.pnl_by_source_id)
    said = ["The original used 1-minute candles and tested all 47 positions."]
    if run.interval_ms is not None and run.interval_ms != ORIGINAL_INTERVAL_MS:
        minutes = run.interval_ms / 60_000
        said.append(
            f"On bars of {minutes:g} minutes the first bar begins up to {minutes:g} minutes after the lead's close "
            "instead of within one, so rungs touched in between are not seen, and the exit is the close of a bar that "
            f"may end up to {minutes:g} minutes later."
        )
    if tested < ORIGINAL_TRADES_COUNT:
        said.append(f"{ORIGINAL_TRADES_COUNT - tested} of the 47 positions could not be tested on the bars at hand.")
    said.extend(
        f"With {row.rungs_count} rungs the difference of {row.difference_usdt:+.2f} USDT is {row.untested_usdt:+.2f} "
        f"from leaving those positions out and {row.bars_usdt:+.2f} from the other bars."
        for row in rows
        if row.difference_usdt is not None and row.untested_usdt is not None and row.bars_usdt is not None
    )
    said.append(
        "Both enter at the lead's average close price without any delay, which nobody could trade at: the executable "
        "results above are the ones that count."
    )
    return " ".join(said)
