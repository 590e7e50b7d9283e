"""The recorded lead and its markets, read straight from the shared files: no importer stands between."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.instrument import Instrument, Market, market_of_symbol
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.side import MarginMode, Side
from copytrade_core.model.source import ClosedPosition, PositionStatus
from copytrade_core.sources.episodes import episodes_from_history
from tests.trading_floor import BAR_MS, LEAD, instrument

# Steps finer than the venue’s, so that a base leg of 21 USDT can be placed.
GRIDS = {"BTCUSDT": ("0.1", "0.0001", 5), "ETHUSDT": ("0.01", "0.001", 5)}


def at_ms(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, tz=UTC)


def bars_of(folder, symbol: str) -> BarSeries:
    with gzip.open(folder / f"candles/um_5m_2025-11_2026-05/{symbol}_5m.csv.gz", "rt", encoding="ascii") as file:
        rows = list(csv.reader(file))[1:]
    ticks = [np.array([round(float(row[i]) / float(GRIDS[symbol][0])) for row in rows], np.int32) for i in range(1, 5)]
    market = market_of_symbol(symbol)
    assert market is not None
    return BarSeries(
        market=market,
        interval_ms=BAR_MS,
        origin=PriceOrigin.RECORDED,
        open_time_ms=np.array([row[0] for row in rows], dtype="datetime64[ms]").astype(np.int64),
        open=ticks[0],
        high=ticks[1],
        low=ticks[2],
        close=ticks[3],
        volume=np.array([float(row[5]) for row in rows]),
    )


def position_of(row: dict) -> ClosedPosition:
    market = market_of_symbol(row["symbol"])
    assert market is not None
    return ClosedPosition(
        lead_id=LEAD,
        source_id=str(row["id"]),
        symbol=row["symbol"],
        market=market,
        side=Side(row["side"].lower()),
        opened_at=at_ms(row["opened"]),
        closed_at=at_ms(row["closed"]),
        updated_at=None,
        avg_cost=Decimal(str(row["avgCost"])),
        avg_close_price=Decimal(str(row["avgClosePrice"])),
        max_open_interest=Decimal(str(row["maxOpenInterest"])),
        closed_volume=Decimal(str(row["closedVolume"])),
        closing_pnl=Decimal(str(row["closingPnl"])),
        roi=None,
        leverage=Decimal(10),
        margin_mode=MarginMode.CROSS,
        status=PositionStatus.CLOSED,
        page_sha256="",
        first_seen_at=at_ms(row["closed"]),
    )


@pytest.fixture(scope="session")
def real_market(real_data) -> MarketData:
    """Five-minute bars of BTC and ETH with assumed trading rules."""
    bars: dict[str, BarSeries] = {series.market: series for series in (bars_of(real_data, symbol) for symbol in GRIDS)}
    rules: dict[str, Instrument] = {
        market: instrument(Market(market), tick=tick, step=step, min_notional=least)
        for market, (tick, step, least) in zip(bars, GRIDS.values(), strict=True)
    }
    return MarketData(bars=bars, funding={}, quotes={}, instruments=rules)


@pytest.fixture(scope="session")
def real_positions(real_data) -> list[ClosedPosition]:
    pages = json.loads((real_data / f"leads/{LEAD}/position_history_pages_raw.json").read_text("utf-8"))
    return [position_of(row) for page in pages for row in page["response"]["data"]["list"]]


@pytest.fixture(scope="session")
def real_episodes(real_positions):
    return episodes_from_history(real_positions, ())
