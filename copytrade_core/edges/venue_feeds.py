"""Prices and faults of a virtual venue from files and from the environment. What the venue does with them is not here.

The environment keeps the names that the first version of this project used:

- `VIRTUAL_EXCHANGE_NPZ`: one file, or several with the system's path separator between them. `.npz`, `.parquet`,
  `.feather`, `.csv` and `.json` are read.
- `VIRTUAL_EXCHANGE_SYMBOLS`: `BTCUSDT,ETHUSDT` (also `BTC-USDT`, `BTC_USDT`, `BTC/USDT:USDT`).
- `VIRTUAL_EXCHANGE_ERRORS_JSON`: the faults, as `fault_json.faults_from_json` reads them, for example
  `{"reject_next_n_orders": 1, "reject_probability": 0.1, "simulate_bingx_reduceonly_reject": true,
  "max_slippage_bps": 5}` or a list of `{"kind": "lost", "call": "submit", "nth": 2}`.

An NPZ holds for each symbol six arrays of one length, `<SYMBOL>_open_time_ms`, `_open`, `_high`, `_low`, `_close` and
`_volume`: epoch milliseconds, prices in quote units, volume in base units. A file of one symbol may leave the prefix
out. A table (one market per file) has the columns of a kline file. Prices off the tick grid are rounded half to even.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from copytrade_core.edges.market.bars_files import KLINE_COLUMNS, read_market_file
from copytrade_core.edges.market.bars_parse import DataKind, parse_bars
from copytrade_core.edges.market.bars_text import FIRST_MS, LAST_MS, times_ms
from copytrade_core.model.bar import BarSeries, FundingSeries, Int32s, PriceOrigin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market, market_of_symbol
from copytrade_core.model.units import TICKS_MAX
from copytrade_core.virtual_exchange.fault_json import faults_from_json
from copytrade_core.virtual_exchange.faults import VenueFault
from copytrade_core.virtual_exchange.feeds import BarsFeed

NPZ_VARIABLE = "VIRTUAL_EXCHANGE_NPZ"
SYMBOLS_VARIABLE = "VIRTUAL_EXCHANGE_SYMBOLS"
ERRORS_VARIABLE = "VIRTUAL_EXCHANGE_ERRORS_JSON"
PRICES = ("open", "high", "low", "close")
ARRAYS = ("open_time_ms", *PRICES, "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueEnvironment:
    """What the environment asks of a virtual venue: files, markets in the order given, faults; empty where unset."""

    paths: tuple[Path, ...]
    markets: tuple[Market, ...]
    faults: tuple[VenueFault, ...]


def venue_environment(environ: Mapping[str, str]) -> VenueEnvironment:
    """Read the three variables.

    Raises:
        BadInput: a file that is not there, a symbol that names no linear market or comes twice, a fault that is unknown
            or cannot be used; names the variable.
    """
    paths = tuple(Path(part) for part in environ.get(NPZ_VARIABLE, "").split(os.pathsep) if part)
    for path in paths:
        if not path.is_file():
            raise BadInput(f"{NPZ_VARIABLE} names a file that is not there", where=Where(file=str(path)))
    names = [name.strip() for name in environ.get(SYMBOLS_VARIABLE, "").split(",") if name.strip()]
    markets = tuple(_market(name) for name in names)
    if len(set(markets)) != len(markets):
        raise BadInput(f"{SYMBOLS_VARIABLE} names a market twice", where=Where(field=SYMBOLS_VARIABLE))
    text = environ.get(ERRORS_VARIABLE, "")
    try:
        faults = faults_from_json(text.encode()) if text.strip() else ()
    except BadInput as error:
        where = Where(file=ERRORS_VARIABLE, row=error.where.row, field=error.where.field)
        raise BadInput(error.what, where=where, next_step=error.next_step) from error
    return VenueEnvironment(paths=paths, markets=markets, faults=faults)


def load_bars_feed(
    paths: Sequence[Path],
    *,
    markets: Sequence[Market],
    instruments: Mapping[Market, Instrument],
    funding: Mapping[Market, FundingSeries],
    start_ms: int,
    end_ms: int,
) -> BarsFeed:
    """The feed of a scenario, whole before anything starts.

    Args:
        paths: bar files; each market must be in exactly one of them.
        markets: the markets that the scenario trades.
        instruments: their grids.
        funding: their payments, where known.
        start_ms: when the scenario starts.
        end_ms: when it ends.

    Raises:
        BadInput: a file or array that cannot be read, a market that is in no file or in two, bars that begin late, have
            a gap or end before the scenario does; names file and field.
    """
    found: dict[Market, tuple[BarSeries, Path]] = {}
    for path in paths:
        for series in read_bars(path, markets=markets, instruments=instruments):
            if series.market in found:
                raise BadInput(
                    f"{series.market} is also in {found[series.market][1]}", where=Where(file=str(path), field="market")
                )
            found[series.market] = (series, path)
    for market in markets:
        if market not in found:
            raise BadInput(f"No file has bars of {market}", where=Where(field=SYMBOLS_VARIABLE))
        _require_span(*found[market], start_ms=start_ms, end_ms=end_ms)
    return BarsFeed({market: found[market][0] for market in markets}, instruments=instruments, funding=funding)


def read_bars(
    path: Path, *, markets: Sequence[Market], instruments: Mapping[Market, Instrument]
) -> tuple[BarSeries, ...]:
    """The bars of the wanted markets in one file: an NPZ of several, or a table of one.

    Raises:
        BadInput: unreadable, not finite, unsorted, of a market without an instrument; names file, row and field.
    """
    if path.suffix.lower() == ".npz":
        arrays = _arrays(path)
        return tuple(
            _npz_series(arrays, prefix, _instrument(instruments, market, path), path)
            for market, prefix in _prefixes(arrays, markets, path).items()
        )
    wanted = [market for market in markets if _spelled(market) in _plain(path.name)] or list(markets)
    if len(wanted) != 1:
        raise BadInput("The file's name says no wanted market", where=Where(file=str(path), field="market"))
    return (_table_series(path, _instrument(instruments, wanted[0], path)),)


def _market(name: str) -> Market:
    market = market_of_symbol(_plain(name.partition(":")[0]))
    if market is None:
        raise BadInput(
            f"{name!r} names no linear market",
            where=Where(field=SYMBOLS_VARIABLE),
            next_step="Write symbols as BTCUSDT,ETHUSDT",
        )
    return market


def _plain(name: str) -> str:
    """`BTC-USDT`, `btc_usdt` and `BTC/USDT` as `BTCUSDT`."""
    return name.upper().replace("-", "").replace("_", "").replace("/", "")


def _spelled(market: Market) -> str:
    return _plain(market.partition(":")[0])


def _instrument(instruments: Mapping[Market, Instrument], market: Market, path: Path) -> Instrument:
    found = instruments.get(market)
    if found is None:
        raise BadInput(f"{market} has no trading rules", where=Where(file=str(path), field="market"))
    return found


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        # Not by path: numpy leaves the file open when it is no archive.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"The NPZ cannot be read: {error}", where=Where(file=str(path))) from error


def _prefixes(arrays: Mapping[str, object], markets: Sequence[Market], path: Path) -> dict[Market, str]:
    """By market the prefix of its arrays; empty for a file of one symbol without prefixes."""
    if ARRAYS[0] in arrays:
        if len(markets) != 1:
            raise BadInput(
                "Arrays without a symbol are of one market, and several are wanted",
                where=Where(file=str(path), field=ARRAYS[0]),
                next_step=f"Name them <SYMBOL>_{ARRAYS[0]}",
            )
        return {markets[0]: ""}
    ending = f"_{ARRAYS[0]}"
    by_symbol = {
        _plain(name.removesuffix(ending)): name.removesuffix(ARRAYS[0]) for name in arrays if name.endswith(ending)
    }
    if not by_symbol:
        raise BadInput("The NPZ has no bars", where=Where(file=str(path), field=ARRAYS[0]))
    return {market: by_symbol[_spelled(market)] for market in markets if _spelled(market) in by_symbol}


def _npz_series(arrays: Mapping[str, NDArray[Any]], prefix: str, instrument: Instrument, path: Path) -> BarSeries:
    columns = {name: _column(arrays, prefix + name, path) for name in ARRAYS}
    times = columns["open_time_ms"]
    count = len(times)
    for name, column in columns.items():
        if len(column) != count:
            raise _fault(path, prefix + name, f"has {len(column)} values, {count} are expected")
    if count < 2:
        raise _fault(path, prefix + "open_time_ms", "needs two bars at least")
    if (times % 1 != 0).any() or (times < FIRST_MS).any() or (times > LAST_MS).any():
        raise _fault(path, prefix + "open_time_ms", "is not in epoch milliseconds")
    opened = times.astype(np.int64)
    ticks = {name: _ticks(columns[name], instrument, path, prefix + name) for name in PRICES}
    try:
        return BarSeries(
            market=instrument.market,
            interval_ms=max(0, int(np.diff(opened).min())),
            origin=PriceOrigin.RECORDED,
            open_time_ms=opened,
            volume=columns["volume"].astype(np.float64),
            **ticks,
        )
    except BadInput as error:
        where = Where(file=str(path), row=error.where.row, field=prefix + str(error.where.field))
        raise BadInput(error.what, where=where) from error


def _column(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> NDArray[Any]:
    if name not in arrays:
        raise _fault(path, name, "is not in the file")
    column = arrays[name]
    if column.ndim != 1 or column.dtype.kind not in "iuf":
        raise _fault(path, name, f"is no list of numbers: {column.dtype} of shape {column.shape}")
    wrong = ~np.isfinite(column.astype(np.float64))
    if wrong.any():
        raise BadInput(f"{name} is not finite", where=Where(file=str(path), row=int(np.argmax(wrong)), field=name))
    return column


def _ticks(prices: NDArray[Any], instrument: Instrument, path: Path, name: str) -> Int32s:
    ticks = np.rint(prices.astype(np.float64) / float(instrument.tick_size))
    wrong = (ticks < 1) | (ticks > TICKS_MAX)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise BadInput(
            f"{name} is outside 1..{TICKS_MAX} ticks of {instrument.tick_size}: {prices[row]}",
            where=Where(file=str(path), row=row, field=name),
        )
    return ticks.astype(np.int32)


def _fault(path: Path, name: str, what: str) -> BadInput:
    return BadInput(f"{name} {what}", where=Where(file=str(path), field=name))


def _table_series(path: Path, instrument: Instrument) -> BarSeries:
    rows = read_market_file(path, needed=KLINE_COLUMNS[:6], positional=KLINE_COLUMNS).rows
    apart = np.diff(times_ms(rows, "open_time"))
    if not len(apart) or int(apart.min()) <= 0:
        raise BadInput("The bars are fewer than two or not sorted", where=Where(file=str(path), field="open_time"))
    return parse_bars(
        rows,
        market=instrument.market,
        interval_ms=int(apart.min()),
        tick_size=instrument.tick_size,
        kind=DataKind.FOREIGN,
        origin=PriceOrigin.RECORDED,
        known_until_ms=None,
        drop_last=False,
    ).series


def _require_span(series: BarSeries, path: Path, *, start_ms: int, end_ms: int) -> None:
    place = Where(file=str(path), field="open_time_ms")
    if series.start_ms > start_ms:
        raise BadInput(f"The bars of {series.market} begin at {series.start_ms} ms, after the scenario", where=place)
    if series.end_ms < end_ms:
        raise BadInput(
            f"The bars of {series.market} end at {series.end_ms} ms, before the scenario ends at {end_ms} ms",
            where=place,
            next_step="Give bars that cover the whole scenario, or end it earlier",
        )
    gap_ms = series.first_gap(start_ms // series.interval_ms * series.interval_ms, end_ms)
    if gap_ms is not None:
        raise BadInput(f"The bars of {series.market} lack the one that opens at {gap_ms} ms", where=place)
