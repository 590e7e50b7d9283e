"""Gate's public endpoints over the engine: time, contracts, tickers, candles. No account is read here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from copytrade_core.edges.standins.gate_errors import InvalidRequest
from copytrade_core.edges.standins.gate_parameters import contract_asked, invalid, speaks_text
from copytrade_core.edges.standins.gate_rows import Row, contract_row, sized
from copytrade_core.edges.standins.plain_numbers import count_of, plain
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.feeds import bars_of
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

DAY_MS = 86_400_000
CANDLES_USUAL, CANDLES_MAX = 100, 2000
INTERVALS_S: Mapping[str, int] = MappingProxyType(
    {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14_400, "8h": 28_800, "1d": 86_400}
)
Answer = Success | VenueError


def server_time(request: VenueRequest, _engine: VenueEngine) -> Answer:
    """`GET spot/time`: the only clock that Gate shows."""
    return Success(payload={"server_time": request.now_ms})


def contracts(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/contracts`."""
    return Success(payload=[_contract(request, engine, market) for market in engine.markets.values()])


def one_contract(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/contracts/{contract}`."""
    market = contract_asked(request, engine)
    return market if isinstance(market, VenueError) else Success(payload=_contract(request, engine, market))


def tickers(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/tickers`, of one contract or of all."""
    if not request.parameters.get("contract"):
        return Success(payload=[_ticker(engine, market) for market in engine.markets.values()])
    market = contract_asked(request, engine)
    return market if isinstance(market, VenueError) else Success(payload=[_ticker(engine, market)])


def candlesticks(request: VenueRequest, engine: VenueEngine) -> Answer:
    """`GET futures/usdt/candlesticks`: whole candles only, so nothing of the future is told; volume is not told."""
    market = contract_asked(request, engine)
    if isinstance(market, VenueError):
        return market
    given = request.parameters
    interval_s = INTERVALS_S.get(given.get("interval") or "5m")
    if interval_s is None:
        return invalid(InvalidRequest.UNREADABLE, "interval")
    if given.get("limit") and (given.get("from") or given.get("to")):
        return invalid(InvalidRequest.UNREADABLE, "limit")
    now_s = engine.now_ms // 1000
    read = [count_of(given.get(name) or str(usual)) for name, usual in (("to", now_s), ("limit", CANDLES_USUAL))]
    to_s, limit = read
    if to_s is None or limit is None or not 1 <= limit <= CANDLES_MAX:
        return invalid(InvalidRequest.UNREADABLE, "limit")
    from_s = count_of(given.get("from") or str(max(0, to_s // interval_s - limit) * interval_s))
    if from_s is None or (to_s - from_s) // interval_s > CANDLES_MAX:
        return invalid(InvalidRequest.UNREADABLE, "from")
    return Success(payload=_candles(request, engine, market, interval_s, (from_s, to_s)))


def _candles(
    request: VenueRequest, engine: VenueEngine, market: VenueMarket, interval_s: int, span_s: tuple[int, int]
) -> list[Row]:
    instrument, interval_ms = market.instrument, interval_s * 1000
    until_ms = min(span_s[1] * 1000 + 1, engine.now_ms - interval_ms + 1)
    bars = bars_of(engine.feed, instrument.market, interval_ms=interval_ms, from_ms=span_s[0] * 1000, to_ms=until_ms)
    nothing = sized(0, market, as_text=speaks_text(request))
    return [
        {
            "t": bar.open_time_ms // 1000,
            "o": plain(instrument.price(bar.open)),
            "h": plain(instrument.price(bar.high)),
            "l": plain(instrument.price(bar.low)),
            "c": plain(instrument.price(bar.close)),
            "v": nothing,
            "sum": "0",
        }
        for bar in bars
    ]


def _contract(request: VenueRequest, engine: VenueEngine, market: VenueMarket) -> Row:
    mark = engine.mark(market.instrument.market)
    return contract_row(market, engine.rules, mark, as_text=speaks_text(request))


def _ticker(engine: VenueEngine, market: VenueMarket) -> Row:
    instrument = market.instrument
    mark = engine.mark(instrument.market)
    first_ms = max(engine.feed.starts_ms(instrument.market), engine.now_ms - DAY_MS)
    opens = engine.feed.price(instrument.market, first_ms)
    low, high = engine.feed.range(instrument.market, first_ms, engine.now_ms) or (mark, mark)
    price = plain(instrument.price(mark))
    return {
        "contract": market.symbol,
        "last": price,
        "mark_price": price,
        "index_price": price,
        "lowest_ask": price,
        "highest_bid": plain(instrument.price(Ticks(max(1, mark - 1)))),
        "low_24h": plain(instrument.price(min(low, opens))),
        "high_24h": plain(instrument.price(max(high, opens))),
        "change_percentage": "0",
        "total_size": "0",
        "volume_24h": "0",
        "volume_24h_base": "0",
        "volume_24h_quote": "0",
        "volume_24h_settle": "0",
        "funding_rate": "0",
        "funding_rate_indicative": "0",
    }
