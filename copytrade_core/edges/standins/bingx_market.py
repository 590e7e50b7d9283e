"""BingX's public endpoints over the engine: server time, contracts, ticker, klines. They need no key."""

from __future__ import annotations

from copytrade_core.edges.standins.bingx_account_rows import contract_row
from copytrade_core.edges.standins.bingx_errors import InvalidRequest
from copytrade_core.edges.standins.bingx_numbers import money_text
from copytrade_core.edges.standins.bingx_parameters import invalid, whole_number
from copytrade_core.edges.standins.bingx_rows import Row
from copytrade_core.edges.standins.bingx_trade import Answer, market_named
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.bar import Bar
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.feeds import bars_of
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

DAY_MS = 86_400_000
INTERVALS_MS = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
KLINES, KLINES_MAX = 500, 1440


def server_time(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`server/time`: the venue's clock."""
    return Success(payload={"serverTime": request.now_ms})


def contracts(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`quote/contracts`: every market, or the one that is named."""
    symbol = request.parameters.get("symbol", "")
    if symbol:
        market = market_named(engine, symbol)
        if not isinstance(market, VenueMarket):
            return market
    listed = enumerate(engine.markets.values())
    return Success(
        payload=[contract_row(each, engine.rules, row) for row, each in listed if symbol in ("", each.symbol)]
    )


def ticker(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`quote/ticker`: the last price and the day's range; a list without a symbol."""
    symbol = request.parameters.get("symbol", "")
    if not symbol:
        return Success(payload=[_ticker_row(each, engine) for each in engine.markets.values()])
    market = market_named(engine, symbol)
    return Success(payload=_ticker_row(market, engine)) if isinstance(market, VenueMarket) else market


def klines(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`v3 quote/klines`: bars of an interval, newest first (assumed), at most 1440 and 500 without a limit."""
    market = market_named(engine, request.parameters.get("symbol", ""))
    if not isinstance(market, VenueMarket):
        return market
    wanted = request.parameters.get("interval", "")
    interval_ms = INTERVALS_MS.get(wanted)
    if interval_ms is None:
        return invalid(InvalidRequest.UNREADABLE, name="interval", value=wanted)
    given = [whole_number(request.parameters, name) for name in ("startTime", "endTime", "limit")]
    wrong = next((value for value in given if isinstance(value, VenueError)), None)
    if wrong is not None:
        return wrong
    start_ms, end_ms, limit = (value for value in given if not isinstance(value, VenueError))
    if limit is not None and not 0 < limit <= KLINES_MAX:
        return invalid(InvalidRequest.UNREADABLE, name="limit", value=str(limit))
    rows = limit or KLINES
    until_ms = min(engine.now_ms, engine.now_ms if end_ms is None else end_ms)
    unified = Market(market.instrument.market)
    first_ms = max(engine.feed.starts_ms(unified), until_ms - rows * interval_ms if start_ms is None else start_ms)
    last_ms = min(until_ms - interval_ms, first_ms + rows * interval_ms - 1)
    bars = bars_of(engine.feed, unified, interval_ms=interval_ms, from_ms=first_ms, to_ms=last_ms + 1)
    return Success(payload=[_kline_row(bar, market.instrument, engine) for bar in reversed(bars)])


def _kline_row(bar: Bar, instrument: Instrument, engine: VenueEngine) -> Row:
    volume = engine.feed.traded(bar.market, bar.open_time_ms).volume
    return {
        "open": f"{instrument.price(bar.open):f}",
        "close": f"{instrument.price(bar.close):f}",
        "high": f"{instrument.price(bar.high):f}",
        "low": f"{instrument.price(bar.low):f}",
        "volume": f"{instrument.quantity(volume or 0):f}",
        "time": bar.open_time_ms,
    }


def _ticker_row(market: VenueMarket, engine: VenueEngine) -> Row:
    instrument, unified = market.instrument, Market(market.instrument.market)
    now_ms, last = engine.now_ms, engine.mark(Market(market.instrument.market))
    opened_ms = max(now_ms - DAY_MS, engine.feed.starts_ms(unified))
    opens = engine.feed.price(unified, opened_ms)
    low, high = engine.feed.range(unified, opened_ms, now_ms) or (last, last)
    low, high = min(low, opens), max(high, opens)
    quantity = instrument.quantity(engine.feed.traded(unified, now_ms).volume or 0)
    price = f"{instrument.price(last):f}"
    change = instrument.price(last - opens)
    return {
        "symbol": market.symbol,
        "priceChange": f"{change:f}",
        "priceChangePercent": f"{100 * change / instrument.price(opens):.2f}",
        "lastPrice": price,
        "lastQty": f"{instrument.quantity(1):f}",
        "highPrice": f"{instrument.price(high):f}",
        "lowPrice": f"{instrument.price(low):f}",
        "volume": f"{quantity:f}",
        "quoteVolume": money_text(int(quantity * instrument.price(last) * 10**8)),
        "openPrice": f"{instrument.price(opens):f}",
        "openTime": opened_ms,
        "closeTime": now_ms,
        "askPrice": price,
        "askQty": f"{instrument.quantity(1):f}",
        "bidPrice": price,
        "bidQty": f"{instrument.quantity(1):f}",
    }
