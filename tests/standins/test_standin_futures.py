"""The market endpoints of the stand-in answer as Binance's do, from simulated or given bars, and say which."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np
import pytest

from copytrade_core.edges.standins.binance import BinanceStandin, StandinConfig, running_standin, standin_app
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps

LEAD = "4751838302089254401"
HISTORY = "/bapi/futures/v1/friendly/future/copy-trade/lead-portfolio/position-history"
FIVE_MINUTES = 300_000
AS_OF = 1_779_131_767_622
BTC = Market("BTC/USDT:USDT")
RULES = Instrument(
    market=BTC,
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_quantity=Steps(1),
    min_notional=Money(100 * 10**8),
    as_of=datetime(2026, 5, 1, tzinfo=UTC),
    source="test",
)


def klines(client: httpx.Client, **query) -> list[list]:
    answer = client.get("/fapi/v1/klines", params={"symbol": "BTCUSDT", "interval": "5m", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_kline_has_the_types_of_a_recorded_one(client, real_data: Path):
    recorded = json.loads(
        gzip.decompress((real_data / "candles/um_1m_2026-04-30_2026-05-02/BTCUSDT_1m.json.gz").read_bytes())
    )
    served = klines(client, limit=1)[0]
    assert [type(value) for value in served] == [type(value) for value in recorded[0]]
    assert [len(served[field].partition(".")[2]) for field in (1, 4, 5)] == [
        len(recorded[0][field].partition(".")[2]) for field in (1, 4, 5)
    ]


def test_recorded_prices_lie_inside_the_served_bars(standin, client):
    body = {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100}
    rows = client.post(HISTORY, json=body).json()["data"]["list"]
    for row in rows:
        for at_ms, price in ((row["opened"], row["avgCost"]), (row["closed"], row["avgClosePrice"])):
            open_ms = at_ms // FIVE_MINUTES * FIVE_MINUTES
            (bar,) = klines(client, symbol=row["symbol"], startTime=open_ms, limit=1)
            if open_ms + FIVE_MINUTES <= AS_OF:
                assert bar[0] == open_ms
                assert float(bar[3]) <= price <= float(bar[2])


def test_klines_page_by_start_end_and_limit_as_binance_does(client):
    first = AS_OF // FIVE_MINUTES * FIVE_MINUTES - 100 * FIVE_MINUTES
    last = first + 50 * FIVE_MINUTES
    times = [row[0] for row in klines(client, startTime=first, endTime=last)]
    assert times == list(range(first, last + 1, FIVE_MINUTES))
    assert [row[0] for row in klines(client, startTime=first, endTime=last, limit=3)] == times[:3]
    assert [row[0] for row in klines(client, endTime=last, limit=3)] == times[-3:]
    assert [row[0] for row in klines(client, startTime=first + 1, limit=1)] == [first + FIVE_MINUTES]
    assert len(klines(client)) == 500
    assert len(klines(client, limit=1500)) == 1500
    assert klines(client, startTime=AS_OF + 1) == []


def test_the_running_bar_is_served_last_and_grows_with_the_clock(standin, client):
    open_ms = AS_OF // FIVE_MINUTES * FIVE_MINUTES
    standin.control.set_time(open_ms + 2 * FIVE_MINUTES)
    (whole,) = klines(client, startTime=open_ms, limit=1)
    standin.control.set_time(open_ms)
    just_opened = klines(client, limit=1)[0]
    assert just_opened[0] == open_ms
    assert just_opened[1] == just_opened[2] == just_opened[3] == just_opened[4] == whole[1]
    reach = 0.0
    for elapsed in (60_000, 150_000, 299_999):
        standin.control.set_time(open_ms + elapsed)
        running = klines(client, limit=1)[0]
        assert running[6] == open_ms + FIVE_MINUTES - 1
        assert float(whole[3]) <= float(running[3]) <= float(running[4]) <= float(running[2]) <= float(whole[2])
        assert float(running[2]) - float(running[3]) >= reach
        reach = float(running[2]) - float(running[3])
        mark = client.get("/fapi/v1/premiumIndex", params={"symbol": "BTCUSDT"}).json()["markPrice"]
        assert mark == running[4]


def test_longer_bars_are_made_of_the_shorter_ones(client):
    hour = AS_OF // 3_600_000 * 3_600_000 - 3_600_000
    (long_bar,) = klines(client, interval="1h", startTime=hour, limit=1)
    parts = klines(client, startTime=hour, limit=12)
    assert long_bar[1] == parts[0][1]
    assert float(long_bar[2]) == max(float(part[2]) for part in parts)
    assert float(long_bar[3]) == min(float(part[3]) for part in parts)
    assert long_bar[4] == parts[-1][4]
    assert float(long_bar[5]) == pytest.approx(sum(float(part[5]) for part in parts), abs=0.01)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, -1102),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"symbol": "NOPEUSDT", "interval": "5m"}, -1121),
        ({"symbol": "BTCUSDT", "interval": "7m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "1m"}, -1120),
        ({"symbol": "BTCUSDT", "interval": "5m", "limit": "1501"}, -1130),
        ({"symbol": "BTCUSDT", "interval": "5m", "limit": "0"}, -1130),
        ({"symbol": "BTCUSDT", "interval": "5m", "startTime": "-1"}, -1100),
        ({"symbol": "BTCUSDT", "interval": "5m", "startTime": "2", "endTime": "1"}, -1023),
    ],
)
def test_wrong_parameters_get_binances_codes(client, query, code):
    answer = client.get("/fapi/v1/klines", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_funding_is_ascending_known_and_limited(client, real_data: Path):
    recorded = json.loads(
        (real_data / "candles/funding_btc_2026-02-21_2026-04-29/BTCUSDT_funding_rate.json").read_text()
    )
    latest = client.get("/fapi/v1/fundingRate", params={"symbol": "BTCUSDT"}).json()
    assert {name: type(value) for name, value in latest[0].items()} == {
        name: type(value) for name, value in recorded[0].items()
    }
    assert len(latest[0]["fundingRate"].partition(".")[2]) == 8
    times = [row["fundingTime"] for row in latest]
    assert len(times) == 100
    assert times == sorted(times)
    assert AS_OF - 8 * 3_600_000 < times[-1] <= AS_OF
    span = {"symbol": "BTCUSDT", "startTime": times[3], "endTime": times[9], "limit": 5}
    assert [row["fundingTime"] for row in client.get("/fapi/v1/fundingRate", params=span).json()] == times[3:8]
    every = client.get("/fapi/v1/fundingRate", params={"limit": 1000, "startTime": times[0]}).json()
    assert {row["symbol"] for row in every} == {"BTCUSDT", "ETHUSDT"}


def test_premium_quotes_time_and_ping_agree_on_the_instant(client):
    premium = client.get("/fapi/v1/premiumIndex", params={"symbol": "BTCUSDT"}).json()
    quotes = client.get("/fapi/v1/ticker/bookTicker", params={"symbol": "BTCUSDT"}).json()
    assert premium["time"] == quotes["time"] == client.get("/fapi/v1/time").json()["serverTime"] == AS_OF
    assert premium["nextFundingTime"] % 28_800_000 == 0
    assert Decimal(quotes["askPrice"]) - Decimal(quotes["bidPrice"]) == Decimal("0.1")
    assert [row["symbol"] for row in client.get("/fapi/v1/premiumIndex").json()] == ["BTCUSDT", "ETHUSDT"]
    assert len(client.get("/fapi/v1/ticker/bookTicker").json()) == 2
    assert client.get("/fapi/v1/ping").json() == {}


def test_exchange_info_has_the_fields_of_a_recorded_one(client, real_data: Path):
    recorded = json.loads((real_data / "metadata/binance_um_exchangeInfo_2022-02-19_sample_nautilus.json").read_text())
    served = client.get("/fapi/v1/exchangeInfo").json()
    assert set(served) == set(recorded)
    assert set(served["symbols"][0]) <= set(recorded["symbols"][0])
    btc = {rule["filterType"]: rule for rule in served["symbols"][0]["filters"]}
    real = {rule["filterType"]: rule for rule in recorded["symbols"][0]["filters"]}
    assert all(set(btc[name]) == set(real[name]) for name in btc)
    assert (btc["PRICE_FILTER"]["tickSize"], btc["LOT_SIZE"]["stepSize"]) == ("0.1", "0.001")


def test_a_simulated_market_is_labelled_in_every_answer_and_in_the_state(standin, client):
    for path in (
        "klines?symbol=BTCUSDT&interval=5m",
        "fundingRate",
        "premiumIndex",
        "ticker/bookTicker",
        "exchangeInfo",
    ):
        assert client.get(f"/fapi/v1/{path}").headers["x-copytrade-market"] == "simulated"
    state = standin.control.state()
    assert state["market_origin"] == "simulated"
    assert {market["origin"] for market in state["markets"]} == {"simulated"}
    assert "assumed" in state["markets"][0]["rules"]


def test_a_page_holds_fifteen_hundred_klines(client):
    assert len(klines(client, limit=1500)) == 1500


@pytest.fixture(scope="module")
def recorded_bars(real_data: Path) -> tuple[BarSeries, list[list[str]]]:
    """The recorded 5-minute BTC bars and their text."""
    with gzip.open(real_data / "candles/um_5m_2025-11_2026-05/BTCUSDT_5m.csv.gz", "rt") as lines:
        rows = list(csv.reader(lines))[1:]
    opened = [datetime.strptime(row[0], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for row in rows]
    prices = [np.array([int(Decimal(row[field]) * 10) for row in rows], dtype=np.int32) for field in (1, 2, 3, 4)]
    series = BarSeries(
        market=BTC,
        interval_ms=FIVE_MINUTES,
        origin=PriceOrigin.RECORDED,
        open_time_ms=np.array([int(at.timestamp() * 1000) for at in opened], dtype=np.int64),
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=np.array([float(row[5]) for row in rows]),
    )
    return series, rows


@pytest.fixture(scope="module")
def recorded_standin(sample_config: StandinConfig, recorded_bars) -> Generator[BinanceStandin]:
    series, _ = recorded_bars
    with running_standin(replace(sample_config, bars=(series,), instruments=(RULES,))) as standin:
        yield standin


def test_given_bars_are_served_as_given_and_labelled_recorded(recorded_standin: BinanceStandin, recorded_bars):
    series, rows = recorded_bars
    with httpx.Client(base_url=recorded_standin.base_url, trust_env=False) as client:
        query = {"symbol": "BTCUSDT", "interval": "5m", "startTime": series.start_ms, "limit": 1500}
        answer = client.get("/fapi/v1/klines", params=query)
        btc = client.get("/fapi/v1/premiumIndex", params={"symbol": "BTCUSDT"})
        eth = client.get("/fapi/v1/premiumIndex", params={"symbol": "ETHUSDT"})
        funding = client.get("/fapi/v1/fundingRate", params={"symbol": "BTCUSDT"})
    assert [[float(value) for value in row[1:6]] for row in answer.json()] == [
        [float(value) for value in row[1:6]] for row in rows[:1500]
    ]
    origins = [reply.headers["x-copytrade-market"] for reply in (answer, btc, eth, funding)]
    assert origins == ["recorded", "recorded", "simulated", "simulated"]
    markets = {market["symbol"]: market for market in recorded_standin.control.state()["markets"]}
    assert (markets["BTCUSDT"]["origin"], markets["ETHUSDT"]["origin"]) == ("recorded", "simulated")


def test_given_funding_is_served_as_given(sample_config: StandinConfig, recorded_bars):
    series, _ = recorded_bars
    given = FundingSeries(
        market=BTC,
        time_ms=np.array([1_771_689_600_005, 1_771_718_400_001], dtype=np.int64),
        rate=np.array([3_235, -730], dtype=np.int64),
    )
    config = replace(sample_config, bars=(series,), instruments=(RULES,), funding=(given,))
    with running_standin(config) as standin:
        answer = httpx.get(f"{standin.base_url}/fapi/v1/fundingRate?symbol=BTCUSDT", trust_env=False)
    assert [(row["fundingTime"], row["fundingRate"]) for row in answer.json()] == [
        (1_771_689_600_005, "0.00003235"), (1_771_718_400_001, "-0.00000730"),
    ]  # fmt: skip
    assert answer.headers["x-copytrade-market"] == "recorded"


def test_a_gap_in_given_bars_stays_a_gap(sample_config: StandinConfig, recorded_bars):
    series, _ = recorded_bars
    keep = np.ones(len(series), dtype=bool)
    keep[10:30] = False
    columns = {name: getattr(series, name)[keep] for name in ("open_time_ms", "open", "high", "low", "close", "volume")}
    config = replace(sample_config, bars=(replace(series, **columns),), instruments=(RULES,))
    with running_standin(config) as standin, httpx.Client(base_url=standin.base_url, trust_env=False) as client:
        times = [row[0] for row in klines(client, startTime=series.start_ms, limit=15)]
        expected = [*series.open_time_ms[:10].tolist(), *series.open_time_ms[30:35].tolist()]
        assert times == expected
        for index in range(10, 30):
            standin.control.set_time(int(series.open_time_ms[index]))
            assert all(len(klines(client, interval=interval, limit=2)) <= 2 for interval in ("5m", "15m", "1h"))


def test_bars_without_rules_or_twice_or_empty_are_refused(sample_config: StandinConfig, recorded_bars):
    series, _ = recorded_bars
    empty = {name: getattr(series, name)[:0] for name in ("open_time_ms", "open", "high", "low", "close", "volume")}
    for bars, instruments, says in (
        ((series,), (), "without the market's rules"),
        ((series, series), (RULES,), "two bar series"),
        ((replace(series, **empty),), (RULES,), "empty"),
    ):
        with pytest.raises(BadInput, match=says):
            _ = standin_app(replace(sample_config, bars=bars, instruments=instruments))
