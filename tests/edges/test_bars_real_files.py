"""Every recorded candle and funding file is imported whole, exactly and fast."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.bars_claims import claim_of_name
from copytrade_core.edges.market.bars_import import BarsImportResult, import_bars, import_funding
from copytrade_core.edges.market.intervals import interval_ms_of
from copytrade_core.edges.market.market_store import load_bars, stored_spans
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps

TICKS = {"BTC": "0.1", "ETH": "0.01", "SOL": "0.01", "HYPE": "0.001"}
BAR_FILES = {
    "um_1m_2025-05-25_2025-06-24/BTC_USDT_USDT-1m-futures.feather": (43_199, 0),
    "um_1m_2025-05-25_2025-06-24/ETH_USDT_USDT-1m-futures.feather": (43_200, 0),
    "um_1m_2025-05-25_2025-06-24/SOL_USDT_USDT-1m-futures.feather": (43_199, 1),
    "um_1m_2026-04-30_2026-05-02/BTCUSDT_1m.json.gz": (2_999, 0),
    "um_1m_2026-04-30_2026-05-02/ETHUSDT_1m.json.gz": (2_999, 0),
    "um_3m_2026-01-31_2026-05-01/BTCUSDT_3m.json.gz": (43_199, 0),
    "um_3m_2026-01-31_2026-05-01/ETHUSDT_3m.json.gz": (43_199, 0),
    "um_5m_2025-11_2026-05/BTCUSDT_5m.csv.gz": (51_841, 0),
    "um_5m_2025-11_2026-05/ETHUSDT_5m.csv.gz": (51_840, 0),
    "um_freqtrade_to_2026-02-19/HYPE_USDT_USDT-5m-futures.feather": (76_399, 0),
}
FUNDING_FILES = {
    "funding_btc_2026-02-21_2026-04-29/BTCUSDT_funding_rate.json": 200,
    "um_1m_2025-05-25_2025-06-24/funding/ETH_USDT_USDT-8h-funding_rate.feather": 89,
    "um_freqtrade_to_2026-02-19/funding/BTC_USDT_USDT-1h-funding_rate.feather": 1_247,
    "um_freqtrade_to_2026-02-19/funding/HYPE_USDT_USDT-1h-funding_rate.feather": 1_592,
}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, now=lambda: datetime(2026, 11, 1, tzinfo=UTC))


def bring(lake: Lake, path: Path) -> BarsImportResult:
    claim = claim_of_name(path.name)
    assert claim.market
    assert claim.interval
    instrument = Instrument(
        market=Market(claim.market),
        tick_size=Decimal(TICKS[claim.market.partition("/")[0]]),
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(5 * 10**8),
        as_of=lake.now(),
        source="assumed: test",
    )
    return import_bars(
        lake,
        path,
        market=claim.market,
        interval_ms=interval_ms_of(claim.interval),
        instrument=instrument,
        code_version="t",
    )


@pytest.mark.parametrize("name", BAR_FILES)
def test_a_recorded_candle_file_is_imported_whole(lake: Lake, real_data: Path, name: str) -> None:
    result = bring(lake, real_data / "candles" / name)
    assert (result.rows, result.off_grid_count) == BAR_FILES[name]
    assert result.gaps == ()
    assert result.dropped_open_bar == name.endswith(".json.gz")
    [span] = stored_spans(lake)
    assert span.row_count == result.rows


@pytest.mark.parametrize("name", FUNDING_FILES)
def test_a_recorded_funding_file_is_imported_whole(lake: Lake, real_data: Path, name: str) -> None:
    path = real_data / "candles" / name
    market = claim_of_name(path.name).market
    assert market
    assert import_funding(lake, path, market=market, code_version="t").rows == FUNDING_FILES[name]


def test_51841_bars_are_imported_in_under_two_seconds(lake: Lake, real_data: Path) -> None:
    started = time.process_time()
    result = bring(lake, real_data / "candles/um_5m_2025-11_2026-05/BTCUSDT_5m.csv.gz")
    assert time.process_time() - started < 2.0
    assert (result.first, result.last) == (
        datetime(2025, 11, 14, 12, 55, tzinfo=UTC),
        datetime(2026, 5, 13, 12, 55, tzinfo=UTC),
    )
    assert result.last_bar_doubtful, "1.505 BTC in a bar that usually has hundreds"


@pytest.mark.parametrize("base", ["BTC", "ETH"])
def test_one_minute_bars_aggregate_to_the_five_minute_file_exactly(lake: Lake, real_data: Path, base: str) -> None:
    bring(lake, real_data / f"candles/um_1m_2026-04-30_2026-05-02/{base}USDT_1m.json.gz")
    bring(lake, real_data / f"candles/um_5m_2025-11_2026-05/{base}USDT_5m.csv.gz")
    minutes, five = 60_000, 300_000
    [_, fine] = sorted(stored_spans(lake), key=lambda span: -span.interval_ms)
    start = -(-fine.start_ms // five) * five
    end = fine.end_ms // five * five
    ones = load_bars(lake, f"{base}/USDT:USDT", minutes, start, end)
    fives = load_bars(lake, f"{base}/USDT:USDT", five, start, end)
    assert len(ones) == 5 * len(fives) > 2_900
    assert np.array_equal(ones.open.reshape(-1, 5)[:, 0], fives.open)
    assert np.array_equal(ones.high.reshape(-1, 5).max(axis=1), fives.high)
    assert np.array_equal(ones.low.reshape(-1, 5).min(axis=1), fives.low)
    assert np.array_equal(ones.close.reshape(-1, 5)[:, 4], fives.close)
    assert np.allclose(ones.volume.reshape(-1, 5).sum(axis=1), fives.volume, rtol=0, atol=1e-6)
