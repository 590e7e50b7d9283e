"""Bars and faults of a virtual venue from files and the environment: what is read, what is refused and how."""

from __future__ import annotations

import os
from dataclasses import replace
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from copytrade_core.edges.venue_feeds import load_bars_feed, read_bars, venue_environment
from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Market
from tests.trading_floor import BTC, ETH, START_MS, instrument

MINUTE = 60_000
RULES = {BTC: instrument(tick="0.1", step="0.001"), ETH: instrument(ETH, tick="0.01", step="0.01")}
SOL = Market("SOL/USDT:USDT")


def arrays(
    count: int = 5, *, prefix: str = "", start_ms: int = START_MS, price: float = 100.0
) -> dict[str, np.ndarray]:
    close = np.round(price + np.arange(count) * 0.1, 1)
    return {
        f"{prefix}open_time_ms": start_ms + np.arange(count, dtype=np.int64) * MINUTE,
        f"{prefix}open": close,
        f"{prefix}high": np.round(close + 0.3, 1),
        f"{prefix}low": np.round(close - 0.3, 1),
        f"{prefix}close": close,
        f"{prefix}volume": np.full(count, 2.5),
    }


def npz(folder, content, name="bars.npz"):
    file = folder / name
    np.savez(file, **content)
    return file


def feed(*paths, markets=(BTC,), start_ms=START_MS, end_ms=START_MS + 5 * MINUTE, funding=None):
    return load_bars_feed(
        paths, markets=markets, instruments=RULES, funding=funding or {}, start_ms=start_ms, end_ms=end_ms
    )


def refused(call) -> BadInput:
    with pytest.raises(BadInput) as caught:
        call()
    return caught.value


def test_arrays_of_two_symbols_become_two_markets(tmp_path):
    file = npz(tmp_path, arrays(prefix="BTCUSDT_") | arrays(prefix="ETH-USDT_", price=50))
    rates = FundingSeries(market=BTC, time_ms=np.array([START_MS]), rate=np.array([7]))
    made = feed(file, markets=(ETH, BTC), funding={BTC: rates})
    assert (made.price(BTC, START_MS), made.price(ETH, START_MS)) == (1_000, 5_000)
    assert made.range(BTC, START_MS - 1, START_MS + MINUTE - 1) == (997, 1_003)
    assert made.traded(BTC, START_MS).volume == 2_500
    assert made.funding_rate(BTC, START_MS) == 7
    assert made.ends_ms(BTC) == START_MS + 5 * MINUTE


def test_arrays_without_a_symbol_are_of_the_one_market_that_is_wanted(tmp_path):
    file = npz(tmp_path, arrays())
    assert feed(file).price(BTC, START_MS) == 1_000
    error = refused(lambda: feed(file, markets=(BTC, ETH)))
    assert (error.where.file, error.where.field) == (str(file), "open_time_ms")


def test_whole_number_prices_and_times_in_floats_are_read_too(tmp_path):
    content = arrays() | {name: np.full(5, 100) for name in ("open", "high", "low", "close")}
    content["open_time_ms"] = content["open_time_ms"].astype(np.float64)
    assert feed(npz(tmp_path, content)).price(BTC, START_MS) == 1_000


def test_markets_may_be_spread_over_files_and_kinds_of_files(tmp_path):
    first = npz(tmp_path, arrays(), "BTC.npz")
    columns = arrays(price=50)
    second = tmp_path / "ETHUSDT-1m.parquet"
    pl.DataFrame(columns).write_parquet(second)
    with_prefix = npz(tmp_path, arrays(prefix="BTCUSDT_"), "two.npz")
    made = feed(with_prefix, second, markets=(BTC, ETH))
    assert made.price(ETH, START_MS + MINUTE) == 5_010
    assert "also in" in refused(lambda: feed(first, with_prefix)).what


def test_a_table_must_say_which_market_it_is(tmp_path):
    file = tmp_path / "bars.parquet"
    pl.DataFrame(arrays()).write_parquet(file)
    assert feed(file).price(BTC, START_MS) == 1_000
    assert refused(lambda: feed(file, markets=(BTC, ETH))).where.file == str(file)


def test_recorded_candles_are_a_feed(real_data):
    file = real_data / "candles/um_1m_2025-05-25_2025-06-24/BTC_USDT_USDT-1m-futures.feather"
    (bars,) = read_bars(file, markets=(BTC,), instruments=RULES)
    made = feed(file, start_ms=bars.start_ms, end_ms=bars.end_ms)
    assert bars.interval_ms == MINUTE
    assert len(bars) > 40_000
    assert made.price(BTC, bars.start_ms) == bars.open[0]
    assert made.range(BTC, bars.start_ms - 1, bars.end_ms - 1) == (bars.low.min(), bars.high.max())


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"close": None}, "close"),
        ({"close": np.array([100.0, 100.1, np.nan, 100.3, 100.4])}, "close"),
        ({"volume": np.array([1.0, np.inf, 1.0, 1.0, 1.0])}, "volume"),
        ({"volume": np.array([1.0, -1.0, 1.0, 1.0, 1.0])}, "volume"),
        ({"low": np.zeros(5)}, "low"),
        ({"open": np.full(5, 1e12)}, "open"),
        ({"open": np.full(4, 100.0)}, "open"),
        ({"open": np.full((5, 1), 100.0)}, "open"),
        ({"open": np.full(5, "100")}, "open"),
        ({"high": np.full(5, 1.0)}, "high"),
        ({"open_time_ms": np.arange(5) + 1_700_000_000}, "open_time_ms"),
        ({"open_time_ms": np.full(5, START_MS)}, "open_time_ms"),
        ({"open_time_ms": START_MS - np.arange(5) * MINUTE}, "open_time_ms"),
        ({"open_time_ms": START_MS + 7 + np.arange(5) * MINUTE}, "open_time_ms"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused_by_file_and_field(tmp_path, change, field):
    content = {name: array for name, array in (arrays() | change).items() if array is not None}
    file = npz(tmp_path, {f"BTCUSDT_{name}": array for name, array in content.items()})
    error = refused(lambda: feed(file))
    assert error.where.file == str(file)
    assert (error.where.field or "").endswith(field) or field == "open_time_ms"


def test_the_first_bad_row_is_named(tmp_path):
    prices = np.array([100.0, 100.1, np.nan, 100.3, np.nan])
    assert refused(lambda: feed(npz(tmp_path, arrays() | {"close": prices}))).where.row == 2


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"nonsense" * 9], ids=["empty", "zip", "text"])
def test_a_file_that_is_no_npz_is_refused(tmp_path, content):
    file = tmp_path / "bars.npz"
    file.write_bytes(content)
    assert refused(lambda: feed(file)).where.file == str(file)


def test_pickled_objects_are_never_loaded(tmp_path):
    file = npz(tmp_path, arrays() | {"open": np.array([object()] * 5, dtype=object)})
    assert refused(lambda: feed(file)).where.file == str(file)


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [(0, 6, "end at"), (-1, 5, "begin at")],
)
def test_bars_that_do_not_cover_the_scenario_are_refused_before_it_starts(tmp_path, start, end, said):
    file = npz(tmp_path, arrays())
    error = refused(lambda: feed(file, start_ms=START_MS + start * MINUTE, end_ms=START_MS + end * MINUTE))
    assert said in error.what
    assert error.where.file == str(file)


def test_a_missing_bar_inside_the_scenario_is_refused_and_outside_it_is_not(tmp_path):
    content = arrays(6)
    kept = np.array([0, 1, 2, 4, 5])
    file = npz(tmp_path, {name: array[kept] for name, array in content.items()})
    assert "lack" in refused(lambda: feed(file)).what
    assert feed(file, end_ms=START_MS + 3 * MINUTE).price(BTC, START_MS) == 1_000


def test_a_market_without_bars_or_rules_is_refused(tmp_path):
    file = npz(tmp_path, arrays(prefix="BTCUSDT_") | arrays(prefix="SOLUSDT_"))
    assert "No file has bars of ETH" in refused(lambda: feed(file, markets=(BTC, ETH))).what
    assert "no trading rules" in refused(lambda: feed(file, markets=(SOL,))).what
    assert "no bars" in refused(lambda: feed(npz(tmp_path, {"x": np.zeros(1)}, "x.npz"))).what


def test_a_tick_that_is_not_exact_in_binary_does_not_move_a_price(tmp_path):
    prices = np.array([0.1 * n for n in range(1_000, 6_000)])
    content = dict.fromkeys(("open", "high", "low", "close"), prices)
    content |= {"open_time_ms": START_MS + np.arange(5_000) * MINUTE, "volume": np.ones(5_000)}
    (bars,) = read_bars(npz(tmp_path, content), markets=(BTC,), instruments=RULES)
    assert bars.close.tolist() == list(range(1_000, 6_000))
    coarse = {BTC: replace(RULES[BTC], tick_size=Decimal(1))}
    (rounded,) = read_bars(npz(tmp_path, content), markets=(BTC,), instruments=coarse)
    assert rounded.close[:6].tolist() == [100, 100, 100, 100, 100, 100]


def test_the_environment_names_files_symbols_and_faults(tmp_path):
    files = [npz(tmp_path, arrays(), name) for name in ("a.npz", "b.npz")]
    asked = venue_environment(
        {
            "VIRTUAL_EXCHANGE_NPZ": os.pathsep.join(map(str, files)),
            "VIRTUAL_EXCHANGE_SYMBOLS": "BTCUSDT, ETH-USDT,SOL/USDT:USDT",
            "VIRTUAL_EXCHANGE_ERRORS_JSON": '{"reject_next_n_orders": 1, "max_slippage_bps": 5}',
        }
    )
    assert asked.paths == tuple(files)
    assert asked.markets == (BTC, ETH, SOL)
    assert [fault.kind.value for fault in asked.faults] == ["reject_next_n_orders", "max_slippage_bps"]


def test_an_empty_environment_asks_for_nothing():
    asked = venue_environment({"VIRTUAL_EXCHANGE_ERRORS_JSON": " "})
    assert (asked.paths, asked.markets, asked.faults) == ((), (), ())


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"VIRTUAL_EXCHANGE_NPZ": "/nowhere/bars.npz"}, "/nowhere/bars.npz"),
        ({"VIRTUAL_EXCHANGE_SYMBOLS": "BTCUSDT,bitcoin"}, "VIRTUAL_EXCHANGE_SYMBOLS"),
        ({"VIRTUAL_EXCHANGE_SYMBOLS": "BTCUSDT,BTC-USDT"}, "VIRTUAL_EXCHANGE_SYMBOLS"),
        ({"VIRTUAL_EXCHANGE_ERRORS_JSON": "{"}, "VIRTUAL_EXCHANGE_ERRORS_JSON"),
        ({"VIRTUAL_EXCHANGE_ERRORS_JSON": '{"losst": 1}'}, "VIRTUAL_EXCHANGE_ERRORS_JSON"),
        ({"VIRTUAL_EXCHANGE_ERRORS_JSON": '[{"kind": "slow", "call": "order"}]'}, "VIRTUAL_EXCHANGE_ERRORS_JSON"),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused_by_variable(environ, named):
    error = refused(lambda: venue_environment(environ))
    assert named in str(error)
