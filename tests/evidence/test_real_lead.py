"""The recorded lead: what its own page suggests, and the original study's accounting as the report shows it."""

from __future__ import annotations

import csv
import math
from datetime import datetime
from pathlib import Path

from copytrade_core.evidence.baselines import lead_record
from copytrade_core.evidence.legacy_comparison import ORIGINAL_NETS_USDT, LegacyRun, compare_legacy
from copytrade_core.evidence.native_copy import MONDAY_MS, WEEK_MS
from copytrade_core.evidence.original_study import ORIGINAL_LEAD_ID, ORIGINAL_PNL
from copytrade_core.model.side import Side


def rows(real_data: Path, name: str) -> list[dict[str, str]]:
    with (real_data / "leads" / ORIGINAL_LEAD_ID / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_leads_page_shows_47_winners_of_47(made, real_data):
    episodes = [
        made.episode(
            opened_h=index,
            closed_h=index + 1,
            entry=row["lead_avg_cost"],
            exit_price=row["lead_avg_close"],
            side=Side(row["lead_side"].lower()),
        )
        for index, row in enumerate(rows(real_data, "plain_trades.csv"))
    ]
    found = lead_record(episodes, notional_usdt=100)
    assert (found.episodes_count, found.winners_count) == (47, 47)


def test_the_original_trades_run_through_the_comparison_without_a_difference(real_data):
    for rungs_count, (name, net) in ORIGINAL_NETS_USDT.items():
        pnl = {row["id"]: float(row["pnl"]) for row in rows(real_data, f"{name}_trades.csv")}
        run = LegacyRun(
            rungs_count=rungs_count,
            interval_ms=60_000,
            skipped_count=0,
            net_pnl_usdt=net,
            win_ratio=None,
            profit_factor=None,
            max_drawdown_ratio=0,
            dca_fills_mean=0,
            pnl_by_source_id=pnl,
        )
        found = compare_legacy(ORIGINAL_LEAD_ID, [run], {rungs_count: pnl})
        assert found is not None
        row = found.rows[0]
        assert row.difference_usdt == 0
        assert row.untested_usdt is not None
        assert abs(row.untested_usdt) < 1e-9


def test_weeks_begin_on_monday_at_midnight_utc():
    monday = datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    assert (int(monday.timestamp() * 1000) - MONDAY_MS) % WEEK_MS == 0


def test_the_reference_trades_add_up_to_the_original_summary_to_the_last_bit():
    for rungs_count, (_, net) in ORIGINAL_NETS_USDT.items():
        assert math.fsum(ORIGINAL_PNL[rungs_count].values()) == net
        assert len(ORIGINAL_PNL[rungs_count]) == 47


def test_the_reference_trades_equal_the_recorded_ones(real_data):
    for rungs_count, (name, _) in ORIGINAL_NETS_USDT.items():
        recorded = {row["id"]: float(row["pnl"]) for row in rows(real_data, f"{name}_trades.csv")}
        assert recorded == ORIGINAL_PNL[rungs_count]
