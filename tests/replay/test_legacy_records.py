"""From the recorded fills of the original study its published summary follows, to the last bit."""

from __future__ import annotations

import csv
import json

import pytest

from copytrade_core.model.errors import BadInput
from copytrade_core.replay.legacy_accounting import summarise
from copytrade_core.replay.legacy_records import trade_from_record

LEAD = "leads/4751838302089254401"
STUDIES = {"plain": 0, "dca3": 3}


def recorded(real_data, label) -> list[dict[str, str]]:
    with (real_data / LEAD / f"{label}_trades.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def settled(real_data, label):
    return [
        trade_from_record(record, rungs_count=STUDIES[label], file=f"{label}_trades.csv", row=row)
        for row, record in enumerate(recorded(real_data, label), 2)
    ]


@pytest.mark.parametrize("label", STUDIES)
def test_the_published_summary_follows_to_the_last_bit(real_data, label):
    published = json.loads((real_data / LEAD / "summary.json").read_text("utf-8"))[label]
    summary = summarise(settled(real_data, label), skipped=0)
    assert summary.count == published["count"] == 47
    assert summary.net_pnl_usdt == published["net_pnl"]
    assert summary.profit_factor == published["pf"]
    assert summary.win_ratio * 100 == published["win_rate_pct"]
    assert -summary.max_drawdown_ratio * 100 == published["max_dd_pct"]
    assert summary.dca_fills_mean == published["avg_dca_fills"]
    assert summary.period_days == published["period_days"]
    assert summary.net_ratio_per_30d * 100 == pytest.approx(published["net_pct_per_30d"], rel=1e-14)


@pytest.mark.parametrize(("label", "net"), [("plain", 28.20574254469339), ("dca3", 39.3724231702957)])
def test_every_recorded_trade_is_reproduced_to_the_last_bit(real_data, label, net):
    trades, records = settled(real_data, label), recorded(real_data, label)
    assert [trade.pnl_usdt for trade in trades] == [float(record["pnl"]) for record in records]
    assert [trade.dca_fills for trade in trades] == [int(record["dca_fills"]) for record in records]
    assert [trade.source_id for trade in trades] == [record["id"] for record in records]
    assert summarise(trades, skipped=0).net_pnl_usdt == net


GOOD = {
    "id": "1",
    "symbol": "BTCUSDT",
    "side": "LONG",
    "entry_utc": "2026-01-19T00:41:28.787000Z",
    "exit_utc": "2026-01-22T00:41:00Z",
    "entry": "100.0",
    "exit": "110.0",
    "fills_json": "[]",
}


def test_a_trade_without_rungs_is_its_price_return_less_costs():
    trade = trade_from_record(GOOD, rungs_count=0, file="x", row=2)
    assert trade.pnl_usdt == pytest.approx(10 - 0.1 - 0.18760459831305322)
    assert (trade.notional_usdt, trade.dca_fills, trade.is_truncated) == (100.0, 0, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("side", "UP"),
        ("entry", "much"),
        ("exit", None),
        ("entry_utc", "yesterday"),
        ("exit_utc", "2026-01-22T00:41:00"),
        ("fills_json", "[{}]"),
        ("fills_json", "["),
        ("fills_json", '[{"level": 1, "notional": 2}]'),
        ("symbol", "BTCUSD_PERP"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(field, value):
    with pytest.raises(BadInput) as caught:
        trade_from_record({**GOOD, field: value}, rungs_count=0, file="plain_trades.csv", row=7)
    assert (caught.value.where.file, caught.value.where.row) == ("plain_trades.csv", 7)
