"""Bars, funding and trading rules in the store: by market and month, merged, never silently overwritten.

Reading files and asking the exchange do not belong here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from copytrade_core.edges.lake import Head, Lake
from copytrade_core.edges.market.intervals import instant, interval_ms_of, interval_text, months_between
from copytrade_core.edges.market.market_merge import BARS, FUNDING, Provenance, merged, of_version
from copytrade_core.model.bar import BarSeries, FundingSeries, Int64s, PriceOrigin
from copytrade_core.model.errors import BadInput, NotStored, Where
from copytrade_core.model.instrument import Instrument, Market

INSTRUMENT_SCHEMA_VERSION = 1
INSTRUMENTS = "instruments"

__all__ = [
    "Provenance",
    "StoredSpan",
    "bar_digests",
    "bars_partition",
    "funding_partition",
    "load_bars",
    "load_funding",
    "load_instrument",
    "plain",
    "store_bars",
    "store_funding",
    "store_instrument",
    "stored_instruments",
    "stored_spans",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan:
    """What is stored of one market and interval: `start_ms` inclusive, `end_ms` exclusive, gaps not considered."""

    market: Market
    interval_ms: int
    origin: PriceOrigin
    tick_size: Decimal
    start_ms: int
    end_ms: int
    row_count: int


def bars_partition(market: str, interval_ms: int, month: str) -> str:
    """`BTC/USDT:USDT|5m|2026-01`."""
    return f"{market}|{interval_text(interval_ms)}|{month}"


def funding_partition(market: str, month: str) -> str:
    """`BTC/USDT:USDT|2026-01`."""
    return f"{market}|{month}"


def store_bars(
    lake: Lake, series: BarSeries, *, tick_size: Decimal, provenance: Provenance, rows: Int64s | None = None
) -> list[Head]:
    """Merges bars into the stored months and returns their heads. All months are checked before one is written.

    Args:
        lake: the store.
        series: the bars, in ticks of `tick_size`.
        tick_size: kept with the bars, so that no reader can take the ticks for others.
        provenance: where the bars come from.
        rows: the file's row of each bar, shape `(n_bars,)`, for error texts; None counts bars from 1.

    Raises:
        BadInput: a stored bar differs and there is no correction; another origin or tick size is stored for this
            market and interval; no bars at all. Names the row and the field.
        StoreFault: the store cannot be written.
    """
    if not len(series):
        raise BadInput(f"No bars of {series.market}", where=Where(file=provenance.file))
    frame = pl.DataFrame(
        {
            "open_time_ms": series.open_time_ms,
            "open": series.open,
            "high": series.high,
            "low": series.low,
            "close": series.close,
            "volume": series.volume,
        }
    )
    fixed = {
        "market": series.market,
        "interval": interval_text(series.interval_ms),
        "origin": series.origin.value,
        "tick_size": plain(tick_size),
    }
    key = f"{series.market}|{fixed['interval']}"
    return merged(lake, BARS, key, frame, fixed=fixed, provenance=provenance, rows=rows)


def store_funding(
    lake: Lake, series: FundingSeries, *, origin: PriceOrigin, provenance: Provenance, rows: Int64s | None = None
) -> list[Head]:
    """Merges funding payments into the stored months; errors as `store_bars`."""
    if not len(series.time_ms):
        raise BadInput(f"No funding of {series.market}", where=Where(file=provenance.file))
    frame = pl.DataFrame({"time_ms": series.time_ms, "rate": series.rate})
    fixed = {"market": series.market, "origin": origin.value}
    return merged(lake, FUNDING, series.market, frame, fixed=fixed, provenance=provenance, rows=rows)


def store_instrument(lake: Lake, instrument: Instrument, *, provenance: Provenance) -> Head:
    """Stores the trading rules of a market; newer rules replace older ones, which stay in the history.

    Raises:
        BadInput: rules as of a later day are stored already.
    """
    with lake.locked(INSTRUMENTS, instrument.market):
        if lake.head(INSTRUMENTS, instrument.market) is not None:
            stored = load_instrument(lake, instrument.market)
            if stored.as_of > instrument.as_of:
                raise BadInput(
                    f"{instrument.market}: rules as of {stored.as_of:%Y-%m-%d} are stored, these are older",
                    where=Where(file=provenance.file, field="as_of"),
                )
        return lake.put_document(
            INSTRUMENTS,
            instrument.market,
            instrument,
            schema_version=INSTRUMENT_SCHEMA_VERSION,
            code_version=provenance.code_version,
            parents=provenance.parents,
        )


def load_instrument(lake: Lake, market: str) -> Instrument:
    """The stored trading rules of a market.

    Raises:
        NotStored: none are stored.
    """
    _ = of_version(lake.require(INSTRUMENTS, market), INSTRUMENT_SCHEMA_VERSION)
    return lake.document_as(INSTRUMENTS, market, Instrument)


def stored_instruments(lake: Lake) -> dict[str, Instrument]:
    """All stored trading rules by market."""
    return {market: load_instrument(lake, market) for market in lake.partitions(INSTRUMENTS)}


def load_bars(lake: Lake, market: str, interval_ms: int, start_ms: int, end_ms: int) -> BarSeries:
    """Stored bars that overlap `[start_ms, end_ms)`, months joined. Gaps stay gaps: see `BarSeries.first_gap`.

    Raises:
        NotStored: no bar of the span is stored.
        BadInput: the trading rules stored for the market have another tick size than the bars.
        StoreFault: the store cannot be read.
    """
    heads = _bar_heads(lake, market, interval_ms)
    _same_grid(lake, market, heads)
    wanted = [head for month in months_between(start_ms - interval_ms, end_ms) if (head := heads.get(month))]
    frame = pl.concat([lake.table(BARS.asset, head.partition) for head in wanted]) if wanted else None
    if frame is not None:
        opened = pl.col("open_time_ms")
        frame = frame.filter((opened > start_ms - interval_ms) & (opened < end_ms))
    if frame is None or not frame.height:
        raise NotStored(
            f"No {interval_text(interval_ms)} bars of {market} are stored"
            f" from {instant(start_ms):%Y-%m-%d %H:%M} to {instant(end_ms):%Y-%m-%d %H:%M} UTC",
            next_step=f"Run: copytrade bars import PATH --market {market} --interval {interval_text(interval_ms)}",
        )
    return BarSeries(
        market=Market(market),
        interval_ms=interval_ms,
        origin=PriceOrigin(str(wanted[0].metadata["origin"])),
        open_time_ms=frame["open_time_ms"].to_numpy(),
        open=frame["open"].to_numpy(),
        high=frame["high"].to_numpy(),
        low=frame["low"].to_numpy(),
        close=frame["close"].to_numpy(),
        volume=frame["volume"].to_numpy(),
    )


def load_funding(lake: Lake, market: str, start_ms: int, end_ms: int) -> FundingSeries:
    """Stored funding payments due in `[start_ms, end_ms)`.

    An empty series when none is stored: whether missing funding matters is the reader's decision.
    """
    stored = set(lake.partitions(FUNDING.asset))
    names = [funding_partition(market, month) for month in months_between(start_ms, end_ms)]
    heads = [of_version(lake.require(FUNDING.asset, name), FUNDING.schema_version) for name in names if name in stored]
    tables = [lake.table(FUNDING.asset, head.partition) for head in heads]
    empty = pl.DataFrame(schema={"time_ms": pl.Int64, "rate": pl.Int64})
    frame = pl.concat([empty, *tables]).filter((pl.col("time_ms") >= start_ms) & (pl.col("time_ms") < end_ms))
    return FundingSeries(market=Market(market), time_ms=frame["time_ms"].to_numpy(), rate=frame["rate"].to_numpy())


def stored_spans(lake: Lake) -> list[StoredSpan]:
    """What bars are stored, by market and interval."""
    keys = sorted({partition.rpartition("|")[0] for partition in lake.partitions(BARS.asset)})
    return [_span(lake, *key.rsplit("|", 1)) for key in keys]


def bar_digests(lake: Lake, market: str, interval_ms: int) -> dict[str, str]:
    """Digests of the stored months by `bars/partition`: the parents of whatever is made from them."""
    return {f"{BARS.asset}/{head.partition}": head.digest for head in _bar_heads(lake, market, interval_ms).values()}


def plain(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros: one text per value."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _span(lake: Lake, market: str, interval: str) -> StoredSpan:
    interval_ms = interval_ms_of(interval)
    heads = list(_bar_heads(lake, market, interval_ms).values())
    return StoredSpan(
        market=Market(market),
        interval_ms=interval_ms,
        origin=PriceOrigin(str(heads[0].metadata["origin"])),
        tick_size=Decimal(str(heads[0].metadata["tick_size"])),
        start_ms=int(str(heads[0].metadata["first_ms"])),
        end_ms=int(str(heads[-1].metadata["last_ms"])) + interval_ms,
        row_count=sum(head.rows for head in heads),
    )


def _bar_heads(lake: Lake, market: str, interval_ms: int) -> dict[str, Head]:
    prefix = bars_partition(market, interval_ms, "")
    names = [name for name in lake.partitions(BARS.asset) if name.startswith(prefix)]
    heads = [of_version(lake.require(BARS.asset, name), BARS.schema_version) for name in names]
    return {head.partition.removeprefix(prefix): head for head in heads}


def _same_grid(lake: Lake, market: str, heads: Mapping[str, Head]) -> None:
    if not heads or lake.head(INSTRUMENTS, market) is None:
        return
    tick_size = plain(load_instrument(lake, market).tick_size)
    stored = {str(head.metadata["tick_size"]) for head in heads.values()}
    if stored != {tick_size}:
        raise BadInput(
            f"{market}: bars are stored in ticks of {', '.join(sorted(stored))}, the trading rules say {tick_size}",
            where=Where(field="tick_size"),
            next_step="Import the bars again into an empty data folder, or store the rules that fit them",
        )
