from __future__ import annotations

import pytest

from copytrade_core.evidence.legacy_comparison import LegacyRun, compare_legacy
from copytrade_core.evidence.original_study import ORIGINAL_LEAD_ID


def run(rungs_count: int, pnl: dict[str, float], *, interval_ms: int = 300_000) -> LegacyRun:
    return LegacyRun(
        rungs_count=rungs_count,
        interval_ms=interval_ms,
        skipped_count=4,
        net_pnl_usdt=sum(pnl.values()),
        win_ratio=0.5,
        profit_factor=1.2,
        max_drawdown_ratio=0.3,
        dca_fills_mean=0,
        pnl_by_source_id=pnl,
    )


def test_the_difference_is_split_into_untested_trades_and_other_bars():
    """The original earned 28.2057 on all: 30 on a and b, the rest on what we cannot test; ours earned 31 on a and b."""
    found = compare_legacy(
        ORIGINAL_LEAD_ID, [run(0, {"a": 11, "b": 20})], {0: {"a": 10, "b": 20, "c": -1.79425745530661}}
    )
    assert found is not None
    row = found.rows[0]
    assert row.original_net_pnl_usdt == 28.20574254469339
    assert row.difference_usdt == pytest.approx(31 - 28.20574254469339)
    assert row.untested_usdt == pytest.approx(1.79425745530661)
    assert row.bars_usdt == pytest.approx(1)
    assert row.label == "artefact_price"


def test_the_reason_names_the_interval_and_the_missing_positions():
    found = compare_legacy(ORIGINAL_LEAD_ID, [run(3, {str(i): 1.0 for i in range(43)})], {})
    assert found is not None
    assert "bars of 5 minutes" in found.why
    assert "4 of the 47 positions could not be tested" in found.why
    assert found.rows[0].original_name == "dca3"
    assert found.rows[0].bars_usdt is None


def test_rungs_that_the_original_never_ran_have_no_original():
    found = compare_legacy(ORIGINAL_LEAD_ID, [run(1, {"a": 1})], {})
    assert found is not None
    assert found.rows[0].original_net_pnl_usdt is None
    assert found.rows[0].difference_usdt is None


def test_another_lead_has_no_original_table():
    found = compare_legacy("1", [run(0, {"a": 1})], {})
    assert found is not None
    assert found.rows[0].original_net_pnl_usdt is None
    assert "no original table" in found.why


def test_without_runs_there_is_nothing_to_compare():
    assert compare_legacy(ORIGINAL_LEAD_ID, [], {}) is None
