"""Bars, funding and trading rules from files on the command line: what is stored and what is refused."""

import gzip
import json
import zipfile
from pathlib import Path

import pytest

from copytrade_core.cli.exit_codes import ExitCode

BTC = "BTC/USDT:USDT"
MINUTE_MS = 60_000
START_MS = 1_777_593_600_000
"""2026-05-01T00:00:00Z."""


@pytest.fixture
def metadata(real_data: Path) -> Path:
    return real_data / "metadata"


def klines(path: Path, *, close: str = "76000.1", count: int = 5) -> str:
    """A raw kline answer of one-minute bars; returns the file's name."""
    rows = [
        [START_MS + i * MINUTE_MS, "76000.1", "76100", "75900", close, "1.5", START_MS + (i + 1) * MINUTE_MS - 1]
        for i in range(count)
    ]
    path.write_text(json.dumps([[*row, "0", 1, "0", "0", "0"] for row in rows]))
    return str(path)


def bring(copytrade, path: str, *more: str):
    return copytrade("bars", "import", path, "--market", BTC, "--interval", "1m", *more, "--json")


def test_the_day_of_download_decides_whether_the_last_bar_had_ended(copytrade, tmp_path):
    path = klines(tmp_path / "k.json")
    found = bring(copytrade, path, "--obtained-at", "2026-05-01T00:04:30Z").json
    assert (found["rows"], found["dropped_open_bar"]) == (4, True)
    found = bring(copytrade, path, "--obtained-at", "2026-05-02").json
    assert (found["rows"], found["dropped_open_bar"]) == (5, False)
    said = bring(copytrade, path, "--obtained-at", "2026-05-01T00:02:00+00:00")
    assert said.code == ExitCode.BAD_INPUT
    assert "after the file was obtained" in said.json["error"]["what"]


@pytest.mark.parametrize("text", ["2026-05-01T00:04:30", "yesterday", "20260501", "2026-13-01"])
def test_an_instant_without_an_offset_is_refused(copytrade, tmp_path, text):
    said = bring(copytrade, klines(tmp_path / "k.json"), "--obtained-at", text)
    assert said.code == ExitCode.BAD_INPUT
    assert "--obtained-at" in said.json["error"]["where"]


def test_an_import_is_told_in_words(copytrade, tmp_path):
    path = klines(tmp_path / "k.json")
    arguments = ("bars", "import", path, "--market", BTC, "--interval", "1m")
    assert "last bar had not ended" in " ".join(copytrade(*arguments).out.split())
    told = " ".join(copytrade(*arguments, "--obtained-at", "2026-05-02").out.split())
    assert "months 2026-05" in told
    assert "gaps none" in told
    assert "last bar had ended" in told
    assert "doubtful" not in told


def test_stored_bars_are_replaced_only_with_a_reason_which_is_kept(copytrade, tmp_path):
    assert bring(copytrade, klines(tmp_path / "k.json"), "--obtained-at", "2026-05-02").json["corrections"] == []
    other = klines(tmp_path / "other.json", close="76000.2")
    said = bring(copytrade, other, "--obtained-at", "2026-05-02")
    assert said.code == ExitCode.BAD_INPUT
    assert "copytrade bars import" in said.json["error"]["next_step"]
    assert bring(copytrade, other, "--obtained-at", "2026-05-02", "--correction", " ").code == ExitCode.BAD_INPUT
    found = bring(copytrade, other, "--obtained-at", "2026-05-02", "--correction", "first export was broken").json
    assert found["corrections"] == [{"reason": "first export was broken", "rows": 5}]
    assert bring(copytrade, other, "--obtained-at", "2026-05-02").code == ExitCode.OK


def test_a_price_off_the_grid_is_rounded_and_counted_or_refused(copytrade, tmp_path):
    path = klines(tmp_path / "k.json", close="76000.15")
    said = bring(copytrade, path, "--obtained-at", "2026-05-02", "--exact")
    assert said.code == ExitCode.BAD_INPUT
    assert "off the tick grid" in said.json["error"]["what"]
    assert bring(copytrade, path, "--obtained-at", "2026-05-02").json["off_grid_count"] == 5


def test_recorded_bars_and_funding_come_in_by_month(copytrade, real_data):
    path = real_data / "candles/um_1m_2026-04-30_2026-05-02/BTCUSDT_1m.json.gz"
    assert bring(copytrade, str(path), "--exact").json["rows"] == 2_999
    funding = real_data / "candles/funding_btc_2026-02-21_2026-04-29/BTCUSDT_funding_rate.json"
    drawn = " ".join(copytrade("funding", "import", str(funding), "--market", BTC).out.split())
    assert "2026-02 to 2026-04 (3 months)" in drawn
    found = copytrade("funding", "import", str(funding), "--market", BTC, "--json").json
    assert (found["rows"], found["months"]) == (200, ["2026-02", "2026-03", "2026-04"])
    assert copytrade("sql", "SELECT count(*) FROM funding", "--json").json["rows"] == [[200]]


def test_funding_of_another_market_or_another_rate_is_refused(copytrade, tmp_path):
    path = tmp_path / "BTCUSDT_funding_rate.json"

    def write(rate: str) -> str:
        row = {"symbol": "BTCUSDT", "fundingTime": START_MS + 5, "fundingRate": rate}
        path.write_text(json.dumps([row]))
        return str(path)

    wrong = copytrade("funding", "import", write("0.0001"), "--market", "ETH/USDT:USDT", "--json")
    assert wrong.code == ExitCode.BAD_INPUT
    assert copytrade("funding", "import", str(path), "--market", BTC).code == ExitCode.OK
    again = copytrade("funding", "import", write("0.0002"), "--market", BTC, "--json")
    assert again.code == ExitCode.BAD_INPUT
    assert "copytrade funding import" in again.json["error"]["next_step"]
    found = copytrade("funding", "import", str(path), "--market", BTC, "--correction", "restated", "--json").json
    assert found["corrections"] == [{"reason": "restated", "rows": 1}]


def test_an_archive_of_funding_is_read(copytrade, tmp_path):
    path = tmp_path / "BTCUSDT-fundingRate-2026-05.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            path.stem + ".csv", f"calc_time,funding_interval_hours,last_funding_rate\n{START_MS},8,0.0001\n"
        )
    found = copytrade("funding", "import", str(path), "--market", BTC, "--json").json
    assert (found["rows"], found["months"]) == (1, ["2026-05"])


def test_rules_are_stored_with_their_day_and_never_grow_older(copytrade, metadata):
    assert copytrade("instruments", "show", "--json").json == {"instruments": []}
    newer = metadata / "binance_um_exchangeInfo_2022-02-19_sample_nautilus.json"
    found = copytrade("instruments", "import", str(newer), "--source", "Binance", "--json").json
    assert found["stored"] == len(found["instruments"]) > 0
    (btc,) = copytrade("instruments", "show", "--market", BTC, "--json").json["instruments"]
    assert (btc["tick_size"], btc["as_of"][:10], btc["source"]) == ("0.1", "2022-02-19", "Binance")
    older = metadata / "binance_um_exchangeInfo_2021-07-22_cryptofeed.json.gz"
    said = copytrade("instruments", "import", str(older), "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "2021-07-21" in said.json["error"]["what"]
    assert copytrade("instruments", "show", "--json").json["instruments"] == found["instruments"], "nothing was stored"
    assert copytrade("instruments", "import", str(older), "--market", "SOL/USDT:USDT", "--json").json["stored"] == 1
    drawn = copytrade("instruments", "show")
    assert "SOL/USDT:USDT" in drawn.out


def test_a_table_of_grids_needs_its_day_and_an_assumed_minimum(copytrade, metadata):
    path = str(metadata / "lean_symbol_properties_binance_bybit_cryptofuture.csv")
    for given in ([], ["--as-of", "2026-01-01"], ["--as-of", "2026-01-01", "--min-notional", "-5"]):
        assert copytrade("instruments", "import", path, *given, "--json").code == ExitCode.BAD_INPUT
    whole = ("--as-of", "2026-01-01", "--min-notional", "5", "--source", "Lean 2026")
    found = copytrade("instruments", "import", path, *whole, "--market", "HYPE/USDT:USDT", "--json").json
    (hype,) = found["instruments"]
    assert (hype["tick_size"], hype["min_notional_usdt"], hype["as_of"][:10]) == ("0.001", "5", "2026-01-01")
    assert hype["source"] == "Lean 2026; assumed: min_notional 5, min_quantity one step"
    assert copytrade("instruments", "import", path, *whole, "--json").json["stored"] > 300


def test_a_market_without_usable_rules_is_told_with_the_reason(copytrade, tmp_path):
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
    ]
    symbol = {
        "symbol": "BTCUSDT",
        "contractType": "PERPETUAL",
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "filters": filters,
    }
    path = tmp_path / "info.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"serverTime": START_MS, "symbols": [symbol]}).encode()))
    said = copytrade("instruments", "import", str(path), "--market", BTC, "--json")
    assert said.code == ExitCode.BAD_INPUT
    assert "MIN_NOTIONAL is absent" in said.json["error"]["what"]
    assert copytrade("instruments", "import", str(path), "--json").code == ExitCode.BAD_INPUT
    assert copytrade("instruments", "import", str(path), "--as-of", "2026-01-01", "--json").code == ExitCode.BAD_INPUT
    assumed = copytrade("instruments", "import", str(path), "--min-notional", "100", "--market", BTC, "--json").json
    assert "assumed: min_notional 100" in assumed["instruments"][0]["source"]
    assert copytrade("instruments", "show", "--market", "XRP/USDT:USDT", "--json").code == ExitCode.NOT_STORED
