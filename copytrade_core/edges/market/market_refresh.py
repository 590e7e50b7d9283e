"""Brings the store's market data up to date: asks only for what is missing and stores only what has ended.

How answers are read is in `http_market`; how rows are merged in `market_merge`.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.edges.lake import Head, Lake
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.market.market_store import Provenance, load_bars, store_bars, store_funding, store_instrument
from copytrade_core.model.errors import NotStored
from copytrade_core.model.instrument import Instrument, symbol_of_market
from copytrade_core.sources.market_sanity import BarGap, bar_gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshResult:
    """What a refresh did: rows the exchange gave, heads of the months they are in, and bars that it does not have."""

    fetched_count: int
    heads: tuple[Head, ...]
    gaps: tuple[BarGap, ...]


def refresh_bars(
    lake: Lake,
    exchange: FuturesMarket,
    *,
    instrument: Instrument,
    interval_ms: int,
    start_ms: int,
    end_ms: int,
    code_version: str,
) -> RefreshResult:
    """Fetches the missing closed bars of `[start_ms, end_ms)` and merges them into the store.

    Gaps that remain (the market did not trade yet, the running bar, an outage) are returned, never filled.

    Raises:
        MarketRefused, TransportFault, AnswerTooLarge, DeadlineExceeded: the exchange gave no usable answer; what was
            stored before stays.
        BadInput: an answer that cannot be used, or one that contradicts the store.
        StoreFault: the store cannot be written.
    """
    market = instrument.market
    heads: dict[str, Head] = {}
    fetched_count = 0
    for gap in _missing(lake, market, interval_ms, start_ms, end_ms):
        found = exchange.bars(
            market,
            interval_ms=interval_ms,
            start_ms=gap.open_time_ms,
            end_ms=gap.open_time_ms + gap.missing_count * interval_ms,
            tick_size=instrument.tick_size,
        )
        if len(found.series):
            fetched_count += len(found.series)
            stored = store_bars(
                lake,
                found.series,
                tick_size=instrument.tick_size,
                provenance=_answers(f"klines of {market}", found.answers, code_version),
            )
            heads.update((head.partition, head) for head in stored)
    return RefreshResult(
        fetched_count=fetched_count,
        heads=tuple(heads.values()),
        gaps=_missing(lake, market, interval_ms, start_ms, end_ms),
    )


def refresh_funding(
    lake: Lake, exchange: FuturesMarket, *, market: str, start_ms: int, end_ms: int, code_version: str
) -> RefreshResult:
    """Fetches the funding due in `[start_ms, end_ms)` and merges it into the store; errors as `refresh_bars`."""
    found = exchange.funding(market, start_ms=start_ms, end_ms=end_ms)
    count = len(found.series.time_ms)
    if not count:
        return RefreshResult(fetched_count=0, heads=(), gaps=())
    heads = store_funding(
        lake,
        found.series,
        origin=found.origin,
        provenance=_answers(f"funding of {market}", found.answers, code_version),
    )
    return RefreshResult(fetched_count=count, heads=tuple(heads), gaps=())


def refresh_instruments(
    lake: Lake, exchange: FuturesMarket, *, markets: frozenset[str], code_version: str
) -> tuple[Head, ...]:
    """Stores the exchange's present trading rules of some markets.

    Raises:
        NotStored: the exchange has no usable rules of one of them.
    """
    rules = exchange.trading_rules()
    for market in sorted(markets - set(rules.instruments)):
        reasons = [item.reason for item in rules.unusable if item.symbol == symbol_of_market(market)]
        raise NotStored(f"The exchange has no usable trading rules of {market}: {', '.join(reasons) or 'not listed'}")
    provenance = Provenance(file="exchangeInfo", code_version=code_version, parents={}, correction=None)
    return tuple(store_instrument(lake, rules.instruments[name], provenance=provenance) for name in sorted(markets))


def _missing(lake: Lake, market: str, interval_ms: int, start_ms: int, end_ms: int) -> tuple[BarGap, ...]:
    try:
        return bar_gaps(load_bars(lake, market, interval_ms, start_ms, end_ms), start_ms=start_ms, end_ms=end_ms)
    except NotStored:
        first_ms = -(-start_ms // interval_ms) * interval_ms
        count = max(0, -(-(end_ms - first_ms) // interval_ms))
        return (BarGap(open_time_ms=first_ms, missing_count=count),) if count else ()


def _answers(what: str, answers: dict[str, str], code_version: str) -> Provenance:
    return Provenance(file=what, code_version=code_version, parents=answers, correction=None)
