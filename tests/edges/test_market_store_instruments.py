"""Trading rules from files: exact, dated, with their sources; assumptions are said."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade_core.edges.market.instrument_files import (
    follower_rules,
    load_instrument_table,
    read_exchange_info,
    read_lean_table,
)
from copytrade_core.model.errors import BadConfig, BadInput

BTC = "BTC/USDT:USDT"
MARKET = """
[market."BTC/USDT:USDT"]
tick_size = "0.1"
step_size = "0.001"
min_quantity = "0.001"
min_notional_usdt = "100"
as_of = 2026-01-01T00:00:00Z
source = "assumed: test"
"""
VENUE = """
[venue.paper]
step_size = "0.0001"
min_quantity = "0.0001"
min_notional_usdt = "2"
as_of = 2026-01-01T00:00:00Z
source = "assumed: test"
"""


def test_the_projects_own_table_is_whole_and_says_what_is_assumed(project_root: Path) -> None:
    table = load_instrument_table(project_root / "settings" / "instruments.toml")
    assert {BTC, "ETH/USDT:USDT", "HYPE/USDT:USDT"} <= set(table.instruments)
    btc = table.market(BTC)
    assert (btc.tick_size, btc.step_size, btc.min_notional) == (Decimal("0.1"), Decimal("0.001"), 100 * 10**8)
    assert table.market("ETH/USDT:USDT").tick_size == Decimal("0.01")
    assert all("assumed: " in instrument.source for instrument in table.instruments.values())
    for market in table.instruments:
        ours = follower_rules(table.market(market), table.venue("paper"))
        assert ours.tick_size == table.market(market).tick_size
        assert (ours.step_size, ours.min_quantity, ours.min_notional) == (Decimal("0.0001"), 1, 2 * 10**8)
        assert table.market(market).source in ours.source
        assert "venue: assumed: BingX" in ours.source


def test_a_market_or_venue_that_is_not_in_the_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(MARKET + VENUE)
    table = load_instrument_table(path)
    with pytest.raises(BadConfig, match="XRP/USDT:USDT has no trading rules"):
        table.market("XRP/USDT:USDT")
    with pytest.raises(BadConfig, match="No venue 'moon'; there are: paper"):
        table.venue("moon")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('tick_size = "0.1"', "tick_size = 0.1", r"Expected `str`.*tick_size"),
        ('tick_size = "0.1"', 'tick_sise = "0.1"', "tick_sise|tick_size"),
        ('tick_size = "0.1"', 'tick_size = "0"', "must be positive"),
        ('tick_size = "0.1"', 'tick_size = "NaN"', "not a number"),
        ('step_size = "0.001"', 'step_size = "0.00000001"', "whole number of 1e-8"),
        ('min_notional_usdt = "100"', 'min_notional_usdt = "-1"', "not a number of zero or more"),
        ("as_of = 2026-01-01T00:00:00Z", "as_of = 2026-01-01T00:00:00", "needs an offset"),
        ("BTC/USDT:USDT", "BTCUSDT", "not a linear market"),
        ("[market", "market", "cannot be read"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, old: str, new: str, what: str) -> None:
    path = tmp_path / "instruments.toml"
    path.write_text(MARKET.replace(old, new, 1) + VENUE)
    with pytest.raises(BadConfig, match=what) as fault:
        load_instrument_table(path)
    assert fault.value.where.file == str(path)
    with pytest.raises(BadConfig, match="cannot be read"):
        load_instrument_table(tmp_path / "absent.toml")


def test_saved_exchange_info_answers_are_read_with_their_day(real_data: Path) -> None:
    folder = real_data / "metadata"
    old = read_exchange_info(
        folder / "binance_um_exchangeInfo_2021-07-22_cryptofeed.json.gz", source="Binance", assumed_min_notional=None
    )
    assert len(old.instruments) > 100
    btc = old.instruments[BTC]
    assert (btc.tick_size, btc.min_notional, btc.as_of.date()) == (
        Decimal("0.01"),
        5 * 10**8,
        datetime(2021, 7, 21, tzinfo=UTC).date(),
    )
    assert not old.unusable
    newer = read_exchange_info(
        folder / "binance_um_exchangeInfo_2022-02-19_sample_nautilus.json", source="Binance", assumed_min_notional=None
    )
    assert newer.instruments[BTC].tick_size == Decimal("0.1")


def test_leans_grids_are_read_and_their_minimums_are_assumptions(real_data: Path) -> None:
    rules = read_lean_table(
        real_data / "metadata" / "lean_symbol_properties_binance_bybit_cryptofuture.csv",
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="tick and step: Lean 2026",
        assumed_min_notional=Decimal(5),
    )
    hype = rules.instruments["HYPE/USDT:USDT"]
    assert (hype.tick_size, hype.step_size, hype.min_quantity) == (Decimal("0.001"), Decimal("0.01"), 1)
    assert hype.source == "tick and step: Lean 2026; assumed: min_notional 5, min_quantity one step"
    assert len(rules.instruments) > 300


def test_a_file_that_is_no_such_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "info.json"
    path.write_text('{"serverTime": 1, "symbols": [{"symbol": "BTCUSDT"}]}')
    with pytest.raises(BadInput, match="contractType"):
        read_exchange_info(path, source="x", assumed_min_notional=None)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="no column market"):
        read_lean_table(path, as_of=datetime(2026, 1, 1, tzinfo=UTC), source="x", assumed_min_notional=Decimal(5))
