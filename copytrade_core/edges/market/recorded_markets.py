"""The recorded markets of a store, whole: what a stand-in serves instead of simulating them.

How they are served belongs to `standins`; simulated bars are never handed on, so that a simulation is not replayed as
something that was recorded.
"""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.edges.market.market_store import StoredSpan, load_bars, load_funding, stored_spans
from copytrade_core.edges.stages.instruments import market_rules
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import NotStored
from copytrade_core.model.instrument import Instrument


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedMarkets:
    """One series a market, the finest that is stored, with its funding where there is some and its rules."""

    bars: tuple[BarSeries, ...]
    funding: tuple[FundingSeries, ...]
    instruments: tuple[Instrument, ...]


def recorded_markets(place: Workplace) -> RecordedMarkets:
    """Everything recorded that is stored.

    Raises:
        BadConfig: a stored market has no trading rules.
        StoreFault: the store cannot be read.
    """
    finest: dict[str, StoredSpan] = {}
    for span in stored_spans(place.lake):
        known = finest.get(span.market)
        if span.origin is PriceOrigin.RECORDED and (known is None or span.interval_ms < known.interval_ms):
            finest[span.market] = span
    paid = (_funding(place, span) for span in finest.values())
    return RecordedMarkets(
        bars=tuple(
            load_bars(place.lake, span.market, span.interval_ms, span.start_ms, span.end_ms) for span in finest.values()
        ),
        funding=tuple(series for series in paid if series is not None),
        instruments=tuple(market_rules(place, market) for market in finest),
    )


def _funding(place: Workplace, span: StoredSpan) -> FundingSeries | None:
    try:
        return load_funding(place.lake, span.market, span.start_ms, span.end_ms)
    except NotStored:
        return None
