"""Files of bars and funding: every kind is read exactly, every bad value is named with file, row and field."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.bars_import import BarsImportResult, import_bars, import_funding
from copytrade_core.edges.market.bars_parse import DataKind
from copytrade_core.edges.market.intervals import epoch_ms, interval_ms_of
from copytrade_core.edges.market.market_store import load_bars, load_funding
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps

BTC = "BTC/USDT:USDT"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
START = epoch_ms(datetime(2026, 1, 31, 23, 50, tzinfo=UTC))
FIVE = 300_000
Row = list[str | int | None]


def rules(market: str = BTC, tick: str = "0.1") -> Instrument:
    return Instrument(
        market=Market(market),
        tick_size=Decimal(tick),
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(5 * 10**8),
        as_of=NOW,
        source="assumed: test",
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "data", now=lambda: NOW)


def bring(lake: Lake, path: Path, **changed: object) -> BarsImportResult:
    arguments: dict[str, object] = {
        "market": BTC,
        "interval_ms": FIVE,
        "instrument": rules(),
        "code_version": "t",
        **changed,
    }
    return import_bars(lake, path, **arguments)  # pyright: ignore[reportArgumentType]


def klines(count: int = 4) -> list[Row]:
    """Rows in Binance's order; prices 80000.1, 80000.2 ..."""
    return [
        [
            START + k * FIVE,
            f"{80000 + k}.1",
            f"{80000 + k}.90",
            f"{79999 + k}.5",
            f"{80000 + k}.3",
            f"{k + 1}.25",
            START + (k + 1) * FIVE - 1,
            "1",
            7,
            "0",
            "0",
            "0",
        ]
        for k in range(count)
    ]


def csv_text(rows: list[Row], header: str | None = None) -> str:
    lines = [",".join("" if value is None else str(value) for value in row) for row in rows]
    return "\n".join(([header] if header else []) + lines) + "\n"


def as_csv(path: Path, rows: list[Row]) -> Path:
    target = path / "BTCUSDT-5m.csv"
    target.write_text(csv_text(rows))
    return target


def as_csv_gz_with_header(path: Path, rows: list[Row]) -> Path:
    target = path / "prices.csv.gz"
    dated: list[Row] = [[f"{datetime.fromtimestamp(int(str(r[0])) / 1000, UTC):%F %T}", *r[1:6]] for r in rows]
    target.write_bytes(gzip.compress(csv_text(dated, "ts,open,high,low,close,vol").encode()))
    return target


def as_json(path: Path, rows: list[Row]) -> Path:
    target = path / "BTCUSDT_5m.json"
    target.write_text(json.dumps(rows))
    return target


def as_json_gz_numbers(path: Path, rows: list[Row]) -> Path:
    target = path / "BTCUSDT_5m.json.gz"
    target.write_bytes(gzip.compress(json.dumps([[r[0], *map(float, r[1:6])] for r in rows]).encode()))  # pyright: ignore[reportArgumentType]
    return target


def frame(rows: list[Row]) -> pl.DataFrame:
    floats = {name: [float(str(r[k])) for r in rows] for k, name in enumerate(("open", "high", "low", "close"), 1)}
    at = pl.from_epoch(pl.Series([int(str(r[0])) for r in rows]), time_unit="ms").dt.replace_time_zone("UTC")
    return pl.DataFrame({"date": at.dt.cast_time_unit("ns"), **floats, "volume": [float(str(r[5])) for r in rows]})


def as_feather(path: Path, rows: list[Row]) -> Path:
    target = path / "BTC_USDT_USDT-5m-futures.feather"
    frame(rows).write_ipc(target, compression="lz4")
    return target


def as_parquet(path: Path, rows: list[Row]) -> Path:
    target = path / "bars.parquet"
    frame(rows).write_parquet(target)
    return target


def as_archive(path: Path, rows: list[Row]) -> Path:
    target = path / "BTCUSDT-5m-2026-01.zip"
    header = (
        "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
        "taker_buy_volume,taker_buy_quote_volume,ignore"
    )
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("BTCUSDT-5m-2026-01.csv", csv_text(rows, header))
    return target


def as_archive_without_header(path: Path, rows: list[Row]) -> Path:
    target = path / "BTCUSDT-5m-2026-01-31.zip"
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr("BTCUSDT-5m-2026-01-31.csv", csv_text(rows))
    return target


WRITERS = [
    as_csv,
    as_csv_gz_with_header,
    as_json,
    as_json_gz_numbers,
    as_feather,
    as_parquet,
    as_archive,
    as_archive_without_header,
]


@pytest.mark.parametrize("write", WRITERS)
def test_every_kind_of_file_gives_the_same_bars(lake: Lake, tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, klines())
    result = bring(lake, path, obtained_at=NOW)
    assert (result.rows, result.months, result.gaps) == (4, ("2026-01", "2026-02"), ())
    assert (result.off_grid_count, result.dropped_open_bar) == (0, False)
    assert result.first == datetime(2026, 1, 31, 23, 50, tzinfo=UTC)
    bars = load_bars(lake, BTC, FIVE, START, START + 4 * FIVE)
    assert bars.open_time_ms.tolist() == [START + k * FIVE for k in range(4)]
    assert bars.open.tolist() == [800_001, 800_011, 800_021, 800_031]
    assert bars.high.tolist() == [800_009, 800_019, 800_029, 800_039]
    assert bars.low.tolist() == [799_995, 800_005, 800_015, 800_025]
    assert bars.volume.tolist() == [1.25, 2.25, 3.25, 4.25]
    assert lake.require("bars", f"{BTC}|5m|2026-01").parents == {path.name: result.file_sha256}


def test_importing_the_same_file_twice_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    path = as_csv(tmp_path, klines())
    assert bring(lake, path) == bring(lake, path)


def test_the_running_bar_of_a_raw_answer_is_dropped_unless_the_download_proves_it_ended(
    lake: Lake, tmp_path: Path
) -> None:
    path = as_json(tmp_path, klines())
    result = bring(lake, path)
    assert (result.rows, result.dropped_open_bar) == (3, True)
    during = datetime.fromtimestamp((START + 4 * FIVE) / 1000 - 0.001, UTC)
    assert bring(lake, as_csv(tmp_path, klines()), obtained_at=during).dropped_open_bar
    with pytest.raises(BadInput, match="ends after the file was obtained"):
        bring(lake, path, obtained_at=datetime.fromtimestamp((START + 2 * FIVE) / 1000, UTC))


def test_a_last_bar_that_looks_unfinished_is_said_so(lake: Lake, tmp_path: Path) -> None:
    rows = klines()
    rows[-1][5] = "0.01"
    assert bring(lake, as_csv(tmp_path, rows)).last_bar_doubtful


def test_gaps_are_reported_and_stored_as_gaps(lake: Lake, tmp_path: Path) -> None:
    rows = klines(6)
    del rows[2:4]
    result = bring(lake, as_csv(tmp_path, rows))
    assert [(gap.open_time_ms, gap.missing_count) for gap in result.gaps] == [(START + 2 * FIVE, 2)]
    assert load_bars(lake, BTC, FIVE, START, START + 6 * FIVE).first_gap(START, START + 6 * FIVE) == START + 2 * FIVE


def test_prices_off_the_grid_are_counted_in_foreign_data_and_refused_in_venue_data(lake: Lake, tmp_path: Path) -> None:
    rows = klines()
    rows[1][4] = "80001.35"
    rows[2][4] = "80002.250000000001"
    path = as_csv(tmp_path, rows)
    with pytest.raises(BadInput, match=r"off the tick grid of 0\.1: '80001\.35'") as fault:
        bring(lake, path, kind=DataKind.VENUE)
    assert (fault.value.where.row, fault.value.where.field) == (2, "close")
    assert bring(lake, path).off_grid_count == 2
    closes = load_bars(lake, BTC, FIVE, START, START + 4 * FIVE).close.tolist()
    assert closes == [800_003, 800_014, 800_023, 800_033], "half to even, and above half up"


BAD_VALUES: list[tuple[int, int, object, str, str]] = [
    (2, 1, "", "open", "absent or not a finite"),
    (2, 1, "NaN", "open", "not a finite"),
    (2, 2, "Infinity", "high", "not a finite"),
    (2, 1, "80,001.1", "open", "not a finite|values, 12 are expected"),
    (1, 3, "-1", "low", "not positive"),
    (1, 3, "0", "low", "not positive"),
    (1, 3, "0.04", "low", "not positive on the tick grid"),
    (1, 2, "99999999999", "high", "beyond 2147483647 ticks"),
    (1, 2, "8" * 13, "high", "too many digits"),
    (3, 2, "79999", "high", "high is below low"),
    (3, 1, "81000", "open", "open is outside"),
    (3, 4, "70000", "close", "close is outside"),
    (0, 5, "-1", "volume", "volume is absent, negative"),
    (0, 5, "nan", "volume", "volume is absent"),
    (2, 0, "tomorrow", "open_time", "not an instant"),
    (2, 0, START // 1000, "open_time", "in seconds"),
    (2, 0, 0, "open_time", "impossible"),
    (2, 0, START + 2 * FIVE + 1, "open_time", "off the 5m grid"),
    (2, 0, START, "open_time", "not sorted"),
    (2, 6, START + 3 * FIVE - 2, "close_time", "a bar is not 5m long"),
]


@pytest.mark.parametrize(("row", "column", "value", "field", "what"), BAD_VALUES)
@pytest.mark.parametrize("write", [as_csv, as_json, as_archive])
def test_a_bad_value_is_named_with_file_row_and_field_and_nothing_is_stored(
    lake: Lake, tmp_path: Path, write: Callable[..., Path], row: int, column: int, value: object, field: str, what: str
) -> None:
    rows = klines(6)
    rows[row][column] = value  # pyright: ignore[reportArgumentType, reportCallIssue]
    path = write(tmp_path, rows)
    with pytest.raises(BadInput, match=what) as fault:
        bring(lake, path)
    where = fault.value.where
    assert where.file == str(path)
    assert where.row == row + 1 + (write is as_archive)
    assert where.field in {field, None}
    assert not lake.root.exists()


def test_a_repeated_bar_says_whether_it_is_equal_or_another(lake: Lake, tmp_path: Path) -> None:
    rows = klines()
    with pytest.raises(BadInput, match="row 2 is repeated with equal values") as fault:
        bring(lake, as_csv(tmp_path, [*rows[:2], rows[1], *rows[2:]]))
    assert fault.value.where.row == 3
    other = [*rows[1]]
    other[5] = "9"
    with pytest.raises(BadInput, match="row 2 is repeated with another volume"):
        bring(lake, as_csv(tmp_path, [*rows[:2], other, *rows[2:]]))


@pytest.mark.parametrize("interval", ["1m", "15m"])
def test_bars_of_another_interval_are_refused(lake: Lake, tmp_path: Path, interval: str) -> None:
    path = as_parquet(tmp_path, klines(6))
    with pytest.raises(BadInput, match="wrong interval"):
        bring(lake, path, interval_ms=interval_ms_of(interval))
    with pytest.raises(BadInput, match=f"says 5m bars, not {interval}"):
        bring(lake, as_csv(tmp_path, klines(6)), interval_ms=interval_ms_of(interval))


def test_bars_of_another_market_are_refused(lake: Lake, tmp_path: Path) -> None:
    eth = {"market": "ETH/USDT:USDT", "instrument": rules("ETH/USDT:USDT")}
    for write in (as_csv, as_archive, as_feather):
        with pytest.raises(BadInput, match="name says BTC/USDT:USDT, not ETH/USDT:USDT"):
            bring(lake, write(tmp_path, klines()), **eth)
    path = tmp_path / "bars.csv"
    header = "symbol,open_time,open,high,low,close,volume"
    path.write_text(csv_text([["BTCUSDT", *row[:6]] for row in klines()], header))
    assert bring(lake, path).rows == 4
    with pytest.raises(BadInput, match="a row of 'BTCUSDT' in a file of ETH/USDT:USDT") as fault:
        bring(lake, path, **eth)
    assert (fault.value.where.row, fault.value.where.field) == (2, "symbol")
    with pytest.raises(BadInput, match="Trading rules of BTC/USDT:USDT"):
        bring(lake, path, market="ETH/USDT:USDT")
    with pytest.raises(BadInput, match="not a linear market"):
        bring(lake, path, market="BTCUSDT")


BAD_FILES: list[tuple[str, bytes, str]] = [
    ("empty.csv", b"", "no rows"),
    ("header.csv", b"ts,open,high,low,close,vol\n", "no rows"),
    ("columns.csv", b"ts,open,high,low,vol\n1,1,1,1,1\n", "no column close"),
    ("binary.csv", b"\xff\xfe\x00", "not UTF-8"),
    ("quote.csv", b'1,"2', "CSV cannot be read"),
    ("short.csv", b"1,2,3,4,5,6\n1,2,3\n", "3 values, 6 are expected"),
    ("html.json", b"<html>", "JSON cannot be read"),
    ("deep.json", b"[" * 100_000, "JSON cannot be read"),
    ("cut.json", b"[[1,2,3", "JSON cannot be read"),
    ("error.json", b'{"code":-1121,"msg":"Invalid symbol."}', "Invalid symbol"),
    ("empty.json", b"[]", "no rows"),
    ("entry.json", b"[[1,2]]", "not a row"),
    ("mixed.json", b'[["1","2","3","4","5","6"],null]', "not a row"),
    ("bad.csv.gz", b"not gzip", "cannot be unpacked"),
    ("cut.csv.gz", gzip.compress(b"1,2,3,4,5,6\n" * 50, mtime=0)[:-9], "cannot be unpacked"),
    ("bad.zip", b"PK nonsense", "cannot be unpacked"),
    ("bad.parquet", b"PAR1nonsense", "table cannot be read"),
    ("bad.feather", b"FEA1nonsense", "table cannot be read"),
    ("bars.xlsx", b"", "kind of file is not known"),
]


@pytest.mark.parametrize(("name", "content", "what"), BAD_FILES)
def test_an_unreadable_file_is_an_error_that_names_it(
    lake: Lake, tmp_path: Path, name: str, content: bytes, what: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=what) as fault:
        bring(lake, path)
    assert fault.value.where.file == str(path)


def test_an_absent_file_and_an_archive_of_two_files_are_errors(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        bring(lake, tmp_path / "absent.csv")
    path = tmp_path / "two.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.csv", csv_text(klines()))
        packed.writestr("b.csv", csv_text(klines()))
    with pytest.raises(BadInput, match="holds 2 CSV files"):
        bring(lake, path)


EIGHT = 8 * 3_600_000
DUE = epoch_ms(datetime(2026, 1, 31, 16, tzinfo=UTC))


def write_funding(tmp_path: Path, kind: str) -> Path:
    late = [(DUE + k * EIGHT + k, rate) for k, rate in enumerate(("0.00003235", "-0.00012365", "0.0001"))]
    if kind == "json":
        path = tmp_path / "BTCUSDT_funding_rate.json"
        entries = [{"symbol": "BTCUSDT", "fundingTime": t, "fundingRate": r, "markPrice": "1"} for t, r in late]
        path.write_text(json.dumps(entries))
        return path
    if kind == "zip":
        path = tmp_path / "BTCUSDT-fundingRate-2026-01.zip"
        with zipfile.ZipFile(path, "w") as packed:
            header = "calc_time,funding_interval_hours,last_funding_rate"
            packed.writestr("BTCUSDT-fundingRate-2026-01.csv", csv_text([[t, 8, r] for t, r in late], header))
        return path
    path = tmp_path / "BTC_USDT_USDT-8h-funding_rate.feather"
    at = pl.from_epoch(pl.Series([t for t, _ in late]), time_unit="ms").dt.replace_time_zone("UTC")
    pl.DataFrame({"date": at, "open": [float(r) for _, r in late], "high": 0.0}).write_ipc(path)
    return path


@pytest.mark.parametrize("kind", ["json", "zip", "feather"])
def test_every_kind_of_funding_file_gives_the_same_payments_at_the_full_hour(
    lake: Lake, tmp_path: Path, kind: str
) -> None:
    result = import_funding(lake, write_funding(tmp_path, kind), market=BTC, code_version="t")
    assert (result.rows, result.months) == (3, ("2026-01", "2026-02"))
    funding = load_funding(lake, BTC, DUE, DUE + 3 * EIGHT)
    assert funding.time_ms.tolist() == [DUE, DUE + EIGHT, DUE + 2 * EIGHT]
    assert funding.rate.tolist() == [3235, -12365, 10000]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"fundingTime": DUE + EIGHT, "fundingRate": "nan"}, "not a finite"),
        ({"fundingTime": DUE + EIGHT, "fundingRate": "0.2"}, "beyond 10 %"),
        ({"fundingTime": DUE + EIGHT + 120_000, "fundingRate": "0"}, "not at a full hour"),
        ({"fundingTime": DUE + 5, "fundingRate": "0"}, "repeated"),
        ({"fundingTime": DUE - EIGHT, "fundingRate": "0"}, "not sorted"),
        ({"fundingTime": DUE + EIGHT, "fundingRate": "0", "symbol": "ETHUSDT"}, "ETHUSDT"),
    ],
)
def test_bad_funding_is_named_with_its_row(lake: Lake, tmp_path: Path, entry: dict[str, object], what: str) -> None:
    path = tmp_path / "funding.json"
    first = {"fundingTime": DUE, "fundingRate": "0.0001", "symbol": "BTCUSDT"}
    path.write_text(json.dumps([first, {"symbol": "BTCUSDT", **entry}]))
    with pytest.raises(BadInput, match=what) as fault:
        import_funding(lake, path, market=BTC, code_version="t")
    assert fault.value.where.row == 2
    assert not np.any([lake.root.exists()])
