"""The markets a stand-in serves: given bars where there are some, a simulated market through the lead's prices else.

No HTTP, and no bar is ever invented inside a given series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from copytrade_core.edges.standins.lead_records import LeadRecord
from copytrade_core.edges.standins.market_data import ServedMarket
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market, market_of_symbol, symbol_of_market
from copytrade_core.model.units import MONEY_SCALE, Money, Steps
from copytrade_core.virtual_exchange.simulated_market import simulated_bars, simulated_funding

FIRST_POSSIBLE_MS = 1_567_296_000_000
"""2019-09-01: no USD-M position is older."""
BARS_MAX = 2_000_000
"""Most simulated bars of one market: 3.8 years of minutes, about 2 s of work and 100 MB."""
_TICK_DIGITS = 6
DAY_MS = 86_400_000
"""Simulated spans are whole days, so that bars of every interval are whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationPlan:
    """How markets without given bars are simulated; `margin_ms` is added before the first and after the last anchor."""

    seed: int
    volatility_bps: int
    interval_ms: int
    margin_ms: int


def built_markets(
    records: Sequence[LeadRecord],
    *,
    bars: Sequence[BarSeries],
    funding: Sequence[FundingSeries],
    instruments: Sequence[Instrument],
    plan: SimulationPlan,
) -> dict[str, ServedMarket]:
    """Markets by symbol: all that have given bars, and all that the records name.

    Raises:
        BadInput: two series of one market, an empty series, or a span too long to simulate.
    """
    rules = {instrument.market: instrument for instrument in instruments}
    payments = {series.market: series for series in funding}
    markets: list[ServedMarket] = []
    for market, series in _by_market(bars).items():
        instrument = rules.get(market)
        if instrument is None:
            raise BadInput(
                f"{market}: bars were given without the market's rules",
                where=Where(field="instruments"),
                next_step="Give the instrument whose tick size the bars use",
            )
        markets.append(_served(series, instrument, payments.get(market), plan))
    given = {market.instrument.market for market in markets}
    for market, prices in recorded_prices(records).items():
        if market not in given:
            instrument = rules.get(market) or assumed_instrument(market, max(price for _, price in prices))
            markets.append(_served(_simulated(prices, instrument, plan), instrument, payments.get(market), plan))
    return {market.symbol: market for market in sorted(markets, key=lambda market: market.symbol)}


def recorded_prices(records: Sequence[LeadRecord]) -> dict[Market, list[tuple[int, Decimal]]]:
    """Prices of the history by market: avgCost at `opened`, avgClosePrice at `closed`; unusable ones left out."""
    found: dict[Market, list[tuple[int, Decimal]]] = {}
    for row in (row for record in records for row in record.history):
        market = market_of_symbol(row.text("symbol", ""))
        for at_ms, name in ((row.opened_ms, "avgCost"), (row.closed_ms, "avgClosePrice")):
            price = row.number(name)
            if market is not None and at_ms is not None and at_ms >= FIRST_POSSIBLE_MS and price and price > 0:
                found.setdefault(market, []).append((at_ms, price))
    return found


def assumed_instrument(market: Market, highest_price: Decimal) -> Instrument:
    """Rules for a market nobody gave rules for: a grid of six significant digits, labelled assumed."""
    tick = Decimal(1).scaleb(highest_price.adjusted() - _TICK_DIGITS + 1)
    return Instrument(
        market=market,
        tick_size=tick,
        step_size=max(Decimal("0.001"), Decimal("1e-8") / tick),
        min_quantity=Steps(1),
        min_notional=Money(5 * MONEY_SCALE),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="assumed by the stand-in: six significant digits, step 0.001, minimum notional 5",
    )


def _by_market(bars: Sequence[BarSeries]) -> dict[Market, BarSeries]:
    given: dict[Market, BarSeries] = {}
    for series in bars:
        if series.market in given or not len(series):
            what = "two bar series were given" if series.market in given else "the bar series is empty"
            raise BadInput(f"{series.market}: {what}", where=Where(field="bars"))
        given[series.market] = series
    return given


def _simulated(prices: Sequence[tuple[int, Decimal]], instrument: Instrument, plan: SimulationPlan) -> BarSeries:
    times = [at_ms for at_ms, _ in prices]
    start_ms = (min(times) - plan.margin_ms) // DAY_MS * DAY_MS
    end_ms = -(-(max(times) + plan.margin_ms) // DAY_MS) * DAY_MS
    if (end_ms - start_ms) // plan.interval_ms > BARS_MAX:
        raise BadInput(
            f"{instrument.market}: the history spans more than {BARS_MAX} bars",
            where=Where(field="interval_ms"),
            next_step="Simulate longer bars, or leave out rows with impossible times",
        )
    return simulated_bars(
        prices,
        instrument,
        interval_ms=plan.interval_ms,
        start_ms=start_ms,
        end_ms=end_ms,
        seed=plan.seed,
        volatility_bps=plan.volatility_bps,
    )


def _served(
    bars: BarSeries, instrument: Instrument, funding: FundingSeries | None, plan: SimulationPlan
) -> ServedMarket:
    payments = funding or simulated_funding(bars.market, start_ms=bars.start_ms, end_ms=bars.end_ms, seed=plan.seed)
    return ServedMarket(
        symbol=symbol_of_market(bars.market),
        instrument=instrument,
        bars=bars,
        funding=payments,
        funding_origin=PriceOrigin.SIMULATED if funding is None else PriceOrigin.RECORDED,
    )
