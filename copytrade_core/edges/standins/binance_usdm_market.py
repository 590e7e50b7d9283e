"""Binance USD-M's public endpoints over the engine: time, markets, prices, klines. No account is read here."""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.edges.standins.binance_usdm_errors import InvalidRequest
from copytrade_core.edges.standins.binance_usdm_parameters import invalid, market_asked
from copytrade_core.edges.standins.binance_usdm_rows import Row, quote_text, symbol_row
from copytrade_core.edges.standins.market_data import INTERVALS_MS
from copytrade_core.edges.standins.plain_numbers import count_of, on_grid
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.bar import Bar
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.feeds import bars_of
from copytrade_core.virtual_exchange.venue_engine import FUNDING_INTERVAL_MS, VenueEngine

DAY_MS = 86_400_000
KLINES_USUAL, KLINES_MAX = 500, 1500
Answer = Success | VenueError


def server_time(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`time`: the venue's clock."""
    return Success(payload={"serverTime": request.now_ms})


def exchange_info(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`exchangeInfo`: every market with its filters."""
    return Success(
        payload={
            "timezone": "UTC",
            "serverTime": request.now_ms,
            "futuresType": "U_MARGINED",
            "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [symbol_row(market) for market in engine.markets.values()],
        }
    )


def price(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`ticker/price`: the last price."""
    return _one_or_all(request, engine, _price_row)


def day_ticker(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`ticker/24hr`: the last price and the day's range; volume is not told."""
    return _one_or_all(request, engine, _day_row)


def book_ticker(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`ticker/bookTicker`: best quotes one tick apart, the ask at the mark."""
    return _one_or_all(request, engine, _book_row)


def premium_index(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`premiumIndex`: the mark, and the next funding instant."""
    return _one_or_all(request, engine, _premium_row)


def klines(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`klines`: whole ones only, so that nothing of the future is told."""
    market = market_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    given = request.parameters
    interval_ms = INTERVALS_MS.get(given.get("interval", ""))
    if interval_ms is None:
        return invalid(InvalidRequest.BAD_INTERVAL)
    start_ms, end_ms, limit = (count_of(given.get(name) or "0") for name in ("startTime", "endTime", "limit"))
    if start_ms is None or end_ms is None or limit is None or limit > KLINES_MAX:
        return invalid(InvalidRequest.BAD_LIMIT, "limit")
    rows = limit or KLINES_USUAL
    until_ms = min(engine.now_ms, end_ms or engine.now_ms)
    bars = bars_of(
        engine.feed,
        market.instrument.market,
        interval_ms=interval_ms,
        from_ms=start_ms or max(0, until_ms // interval_ms - rows) * interval_ms,
        to_ms=until_ms - interval_ms + 1,
    )
    chosen = bars[:rows] if start_ms else bars[-rows:]
    return Success(payload=[_kline_row(bar, market, engine) for bar in chosen])


def _one_or_all(request: VenueRequest, engine: VenueEngine, row: Callable[[VenueMarket, VenueEngine], Row]) -> Answer:
    if not request.parameters.get("symbol"):
        return Success(payload=[row(market, engine) for market in engine.markets.values()])
    market = market_asked(request, engine)
    return market if isinstance(market, VenueError) else Success(payload=row(market, engine))


def _price_row(market: VenueMarket, engine: VenueEngine) -> Row:
    mark = engine.mark(market.instrument.market)
    return {"symbol": market.symbol, "price": _text(mark, market), "time": engine.now_ms}


def _day_row(market: VenueMarket, engine: VenueEngine) -> Row:
    name, now_ms = market.instrument.market, engine.now_ms
    opened_ms = max(engine.feed.starts_ms(name), now_ms - DAY_MS)
    opens, last = engine.feed.price(name, opened_ms), engine.mark(name)
    low, high = engine.feed.range(name, opened_ms, now_ms) or (last, last)
    change = 100 * (last - opens) / opens
    return {
        "symbol": market.symbol,
        "priceChange": _text(Ticks(last - opens), market),
        "priceChangePercent": f"{change:.3f}",
        "weightedAvgPrice": _text(last, market),
        "lastPrice": _text(last, market),
        "lastQty": "0",
        "openPrice": _text(opens, market),
        "highPrice": _text(Ticks(max(high, opens)), market),
        "lowPrice": _text(Ticks(min(low, opens)), market),
        "volume": "0",
        "quoteVolume": "0",
        "openTime": opened_ms,
        "closeTime": now_ms,
        "firstId": 0,
        "lastId": 0,
        "count": 0,
    }


def _book_row(market: VenueMarket, engine: VenueEngine) -> Row:
    mark = engine.mark(market.instrument.market)
    quantity = on_grid(1000 * market.instrument.step_size, market.instrument.step_size)
    return {
        "symbol": market.symbol,
        "bidPrice": _text(Ticks(max(1, mark - 1)), market),
        "bidQty": quantity,
        "askPrice": _text(mark, market),
        "askQty": quantity,
        "time": engine.now_ms,
    }


def _premium_row(market: VenueMarket, engine: VenueEngine) -> Row:
    name, now_ms = market.instrument.market, engine.now_ms
    text = f"{market.instrument.price(engine.mark(name)):.8f}"
    return {
        "symbol": market.symbol,
        "markPrice": text,
        "indexPrice": text,
        "estimatedSettlePrice": text,
        "lastFundingRate": "0.00000000",
        "interestRate": "0.00010000",
        "nextFundingTime": (now_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS,
        "time": now_ms,
    }


def _kline_row(bar: Bar, market: VenueMarket, engine: VenueEngine) -> list[object]:
    """Binance's twelve fields; the volume is the feed's at the open, 0 where it has no limit."""
    volume = engine.feed.traded(bar.market, bar.open_time_ms).volume or 0
    instrument = market.instrument
    quantity = on_grid(instrument.quantity(volume), instrument.step_size)
    quote = quote_text(volume, bar.close, instrument)
    prices = [_text(price, market) for price in (bar.open, bar.high, bar.low, bar.close)]
    return [bar.open_time_ms, *prices, quantity, bar.end_ms - 1, quote, 0, "0", "0", "0"]


def _text(ticks: Ticks, market: VenueMarket) -> str:
    return on_grid(market.instrument.price(ticks), market.instrument.tick_size)
