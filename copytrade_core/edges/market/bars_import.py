"""Market files into the store: bars and funding, all of a file or nothing of it.

How values are judged is in `bars_parse`; how stored rows are merged in `market_merge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from copytrade_core.edges.lake import Head, Lake
from copytrade_core.edges.market.bars_claims import refuse_other_interval, refuse_other_market
from copytrade_core.edges.market.bars_files import FUNDING_ARCHIVE_COLUMNS, KLINE_COLUMNS, MarketFile, read_market_file
from copytrade_core.edges.market.bars_parse import DataKind, ParsedBars, parse_bars, parse_funding
from copytrade_core.edges.market.intervals import epoch_ms, instant
from copytrade_core.edges.market.market_store import Provenance, store_bars, store_funding
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market, symbol_of_market
from copytrade_core.sources.market_sanity import BarGap, bar_gaps

DOUBTFUL_VOLUME_RATIO = 0.02
"""A last bar with less than 2 % of the file's median volume was probably still open when the file was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsImportResult:
    """What an import of bars did.

    `rows` bars of the file are in the store, from `first` (open) to `last` (open), in `months`; `gaps` are missing
    bars inside the file, stored as missing. `off_grid_count` prices were rounded to the tick. `dropped_open_bar` says
    that the last bar was still open and left out; `last_bar_doubtful` that it was kept though it looks unfinished.
    """

    market: Market
    interval_ms: int
    rows: int
    months: tuple[str, ...]
    first: datetime
    last: datetime
    gaps: tuple[BarGap, ...]
    off_grid_count: int
    dropped_open_bar: bool
    last_bar_doubtful: bool
    file_sha256: str
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingImportResult:
    """What an import of funding did."""

    market: Market
    rows: int
    months: tuple[str, ...]
    first: datetime
    last: datetime
    file_sha256: str
    heads: tuple[Head, ...]


def import_bars(
    lake: Lake,
    path: Path,
    *,
    market: str,
    interval_ms: int,
    instrument: Instrument,
    code_version: str,
    kind: DataKind = DataKind.FOREIGN,
    origin: PriceOrigin = PriceOrigin.RECORDED,
    obtained_at: datetime | None = None,
    correction: str | None = None,
) -> BarsImportResult:
    """Reads a file of bars and merges it into the store.

    The last bar of a raw kline answer (JSON) is the running one and is dropped, unless `obtained_at` proves that it
    had ended; a last bar that ends after `obtained_at` is always dropped.

    Args:
        lake: the store.
        path: CSV, CSV.gz, JSON, JSON.gz, Parquet, freqtrade feather or a Binance archive zip.
        market: unified market name; the file's name and symbol column must not disagree.
        interval_ms: the bars' interval; the file must not disagree.
        instrument: the market's trading rules, for the tick grid.
        code_version: written into the heads.
        kind: how a price off the tick grid is judged.
        origin: recorded or simulated.
        obtained_at: when the file was downloaded, if known.
        correction: the reason for replacing stored bars that differ; None replaces nothing.

    Raises:
        BadInput: the file or a row of it cannot be used; names file, row and field; nothing is stored.
        StoreFault: the store cannot be written.
    """
    _ = symbol_of_market(market)
    if instrument.market != market:
        raise BadInput(f"Trading rules of {instrument.market} for bars of {market}", where=Where(field="instrument"))
    file = read_market_file(path, needed=KLINE_COLUMNS[:6], positional=KLINE_COLUMNS)
    refuse_other_market(path.name, file.rows, market)
    refuse_other_interval(path.name, file.rows, interval_ms)
    parsed = parse_bars(
        file.rows,
        market=Market(market),
        interval_ms=interval_ms,
        tick_size=instrument.tick_size,
        kind=kind,
        origin=origin,
        known_until_ms=epoch_ms(obtained_at or lake.now()),
        drop_last=file.ends_with_open_bar and obtained_at is None,
    )
    provenance = _provenance(path, file, code_version, correction)
    heads = store_bars(lake, parsed.series, tick_size=instrument.tick_size, provenance=provenance, rows=parsed.rows)
    return _bars_result(parsed, file, heads)


def _provenance(path: Path, file: MarketFile, code_version: str, correction: str | None) -> Provenance:
    return Provenance(
        file=str(path), code_version=code_version, parents={path.name: file.sha256}, correction=correction
    )


def _bars_result(parsed: ParsedBars, file: MarketFile, heads: list[Head]) -> BarsImportResult:
    series = parsed.series
    doubtful = not parsed.dropped_open_bar and float(series.volume[-1]) < DOUBTFUL_VOLUME_RATIO * float(
        np.median(series.volume)
    )
    return BarsImportResult(
        market=series.market,
        interval_ms=series.interval_ms,
        rows=len(series),
        months=_months(heads),
        first=instant(series.start_ms),
        last=instant(int(series.open_time_ms[-1])),
        gaps=bar_gaps(series, start_ms=series.start_ms, end_ms=series.end_ms),
        off_grid_count=parsed.off_grid_count,
        dropped_open_bar=parsed.dropped_open_bar,
        last_bar_doubtful=doubtful,
        file_sha256=file.sha256,
        heads=tuple(heads),
    )


def import_funding(
    lake: Lake,
    path: Path,
    *,
    market: str,
    code_version: str,
    origin: PriceOrigin = PriceOrigin.RECORDED,
    correction: str | None = None,
) -> FundingImportResult:
    """Reads a file of funding rates (Binance JSON or archive zip, CSV, Parquet, freqtrade feather) into the store.

    Arguments and errors as `import_bars`.
    """
    _ = symbol_of_market(market)
    file = read_market_file(path, needed=("time", "rate"), positional=FUNDING_ARCHIVE_COLUMNS)
    refuse_other_market(path.name, file.rows, market)
    parsed = parse_funding(file.rows, market=Market(market))
    provenance = _provenance(path, file, code_version, correction)
    heads = store_funding(lake, parsed.series, origin=origin, provenance=provenance, rows=parsed.rows)
    times = parsed.series.time_ms
    return FundingImportResult(
        market=Market(market),
        rows=len(times),
        months=_months(heads),
        first=instant(int(times[0])),
        last=instant(int(times[-1])),
        file_sha256=file.sha256,
        heads=tuple(heads),
    )


def _months(heads: list[Head]) -> tuple[str, ...]:
    return tuple(head.partition.rpartition("|")[2] for head in heads)
