"""The stand-in's USD-M market endpoints (`/fapi/v1/...`) in Binance's dialect.

No copy-trading data and no orders: everything here is public market data as of the virtual instant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeAlias

from copytrade_core.edges.standins.faults import Fault, FaultKind
from copytrade_core.edges.standins.market_data import INTERVALS_MS, KlineRow, ServedMarket
from copytrade_core.edges.standins.wire import Answer, json_answer
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import FUNDING_SCALE, money_to_decimal
from copytrade_core.virtual_exchange.simulated_market import FUNDING_INTERVAL_MS

MARKET_HEADER = "x-copytrade-market"
"""Response header that says whether the prices were recorded or simulated."""
KLINES_MAX, KLINES_USUAL = 1500, 500
FUNDING_ROWS_MAX, FUNDING_ROWS_USUAL = 1000, 100
_FOREVER_MS = 4_133_404_800_000
"""deliveryDate of a perpetual, as Binance publishes it."""
_ONBOARD_MS = 1_569_398_400_000

Query: TypeAlias = Mapping[str, str]


class _Refused(Exception):
    """An answer on its way out of the parameter checks; never leaves this module."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.answer = json_answer({"code": code, "msg": text}, status=400)


class FuturesApp:
    """Answers market requests from `markets` (by symbol)."""

    def __init__(self, markets: Mapping[str, ServedMarket]) -> None:
        self._markets = markets
        self.routes: dict[str, Callable[[Query, int], Answer]] = {
            "/fapi/v1/ping": lambda _query, _as_of_ms: json_answer({}),
            "/fapi/v1/time": lambda _query, as_of_ms: json_answer({"serverTime": as_of_ms}),
            "/fapi/v1/exchangeInfo": self._exchange_info,
            "/fapi/v1/klines": self._klines,
            "/fapi/v1/fundingRate": self._funding_rate,
            "/fapi/v1/premiumIndex": self._premium_index,
            "/fapi/v1/ticker/bookTicker": self._book_ticker,
        }

    def answer(self, path: str, query: Query, as_of_ms: int) -> Answer:
        """The answer of a known path as of a virtual instant."""
        try:
            return self.routes[path](query, as_of_ms)
        except _Refused as refused:
            return refused.answer

    def _klines(self, query: Query, as_of_ms: int) -> Answer:
        market = self._market(query)
        interval_ms = INTERVALS_MS.get(_present(query, "interval"))
        if interval_ms is None or not market.serves(interval_ms):
            raise _Refused(-1120, "Invalid interval.")
        start_ms, end_ms = _span(query)
        limit = _limit(query, usual=KLINES_USUAL, most=KLINES_MAX)
        rows = market.klines(interval_ms, start_ms=start_ms, end_ms=end_ms, limit=limit, as_of_ms=as_of_ms)
        text = price_text(market.instrument)
        return json_answer(
            [_kline(row, interval_ms, text, float(market.instrument.tick_size)) for row in rows],
            headers=_labelled(market.bars.origin),
        )

    def _funding_rate(self, query: Query, as_of_ms: int) -> Answer:
        markets = [self._market(query)] if "symbol" in query else list(self._markets.values())
        start_ms, end_ms = _span(query)
        limit = _limit(query, usual=FUNDING_ROWS_USUAL, most=FUNDING_ROWS_MAX)
        rows = [row for market in markets for row in _funding_rows(market, as_of_ms, start_ms, end_ms)]
        rows.sort(key=lambda row: (row["fundingTime"], row["symbol"]))
        chosen = rows[-limit:] if start_ms is None else rows[:limit]
        return json_answer(chosen, headers=_labelled(*(market.funding_origin for market in markets)))

    def _premium_index(self, query: Query, as_of_ms: int) -> Answer:
        return self._one_or_all(query, lambda market: _premium(market, as_of_ms))

    def _book_ticker(self, query: Query, as_of_ms: int) -> Answer:
        return self._one_or_all(query, lambda market: _book(market, as_of_ms))

    def _one_or_all(self, query: Query, row: Callable[[ServedMarket], dict[str, object]]) -> Answer:
        if "symbol" in query:
            market = self._market(query)
            return json_answer(row(market), headers=_labelled(market.bars.origin))
        origins = (market.bars.origin for market in self._markets.values())
        return json_answer([row(market) for market in self._markets.values()], headers=_labelled(*origins))

    def _exchange_info(self, _query: Query, as_of_ms: int) -> Answer:
        payload = {
            "timezone": "UTC",
            "serverTime": as_of_ms,
            "futuresType": "U_MARGINED",
            "rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [_symbol_rules(market) for market in self._markets.values()],
        }
        return json_answer(payload, headers=_labelled(*(market.bars.origin for market in self._markets.values())))

    def _market(self, query: Query) -> ServedMarket:
        market = self._markets.get(_present(query, "symbol"))
        if market is None:
            raise _Refused(-1121, "Invalid symbol.")
        return market


def futures_fault(fault: Fault) -> Answer | None:
    """The answer of a fault that has a form of its own in this dialect."""
    waits = (("retry-after", str(fault.retry_after_s)),)
    match fault.kind:
        case FaultKind.THROTTLED:
            return json_answer({"code": -1003, "msg": "Too many requests."}, status=429, headers=waits)
        case FaultKind.BANNED:
            return json_answer({"code": -1003, "msg": "Way too many requests; IP banned."}, status=418, headers=waits)
        case FaultKind.THROTTLED_CODE:
            return json_answer({"code": -1003, "msg": "Too many requests."}, status=429)
        case FaultKind.SERVER_ERROR:
            return json_answer({"code": -1001, "msg": "Internal error."}, status=503)
        case FaultKind.UNKNOWN_CODE:
            code = int(fault.code) if fault.code is not None else -9999
            return json_answer({"code": code, "msg": "An unknown answer."}, status=400)
        case FaultKind.DATA_NULL:
            return json_answer(None)
        case _:
            return None


def price_text(instrument: Instrument) -> Callable[[int], str]:
    """A function from ticks to the text Binance would print: exact, two decimals or more."""
    exponent = instrument.tick_size.normalize().as_tuple().exponent
    decimals = max(2, -exponent) if isinstance(exponent, int) else 2
    scale = 10**decimals
    units = int(instrument.tick_size * scale)

    def text(ticks: int) -> str:
        whole, rest = divmod(ticks * units, scale)
        return f"{whole}.{rest:0{decimals}d}"

    return text


def _kline(row: KlineRow, interval_ms: int, text: Callable[[int], str], tick_size: float) -> list[object]:
    """Binance's twelve fields; quote volume, trade count and taker volumes are derived, bars here have none."""
    quote = row.volume * row.close * tick_size
    return [
        row.open_time_ms,
        text(row.open),
        text(row.high),
        text(row.low),
        text(row.close),
        f"{row.volume:.3f}",
        row.open_time_ms + interval_ms - 1,
        f"{quote:.5f}",
        int(row.volume) + 1,
        f"{row.volume / 2:.3f}",
        f"{quote / 2:.5f}",
        "0",
    ]


def _funding_rows(
    market: ServedMarket, as_of_ms: int, start_ms: int | None, end_ms: int | None
) -> list[dict[str, object]]:
    text = price_text(market.instrument)
    last_ms = as_of_ms if end_ms is None else end_ms
    rows: list[dict[str, object]] = []
    for index in range(market.known_funding(as_of_ms)):
        time_ms = int(market.funding.time_ms[index])
        if (start_ms is not None and time_ms < start_ms) or time_ms > last_ms:
            continue
        rows.append({
            "symbol": market.symbol,
            "fundingTime": time_ms,
            "fundingRate": rate_text(int(market.funding.rate[index])),
            "markPrice": text(market.price_ticks(time_ms)),
        })  # fmt: skip
    return rows


def rate_text(rate: int) -> str:
    """A funding rate of 1e-8 as its eight published decimals."""
    return f"{Decimal(rate) / FUNDING_SCALE:.8f}"


def _premium(market: ServedMarket, as_of_ms: int) -> dict[str, object]:
    price = price_text(market.instrument)(market.price_ticks(as_of_ms))
    known = market.known_funding(as_of_ms)
    return {
        "symbol": market.symbol,
        "markPrice": price,
        "indexPrice": price,
        "estimatedSettlePrice": price,
        "lastFundingRate": rate_text(int(market.funding.rate[known - 1])) if known else "0.00000000",
        "interestRate": "0.00010000",
        "nextFundingTime": (as_of_ms // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS,
        "time": as_of_ms,
    }


def _book(market: ServedMarket, as_of_ms: int) -> dict[str, object]:
    """Best quotes one tick apart: the last price is the bid."""
    text = price_text(market.instrument)
    ticks = market.price_ticks(as_of_ms)
    quantity = f"{1000 * market.instrument.step_size:.3f}"
    return {
        "symbol": market.symbol,
        "bidPrice": text(ticks),
        "bidQty": quantity,
        "askPrice": text(ticks + 1),
        "askQty": quantity,
        "time": as_of_ms,
    }


def _symbol_rules(market: ServedMarket) -> dict[str, object]:
    rules = market.instrument
    base, quote = rules.market.split("/")[0], rules.market.split(":")[1]
    step, least = f"{rules.step_size.normalize():f}", f"{rules.quantity(rules.min_quantity).normalize():f}"
    lot = {"stepSize": step, "maxQty": "1000000", "minQty": least}
    return {
        "symbol": market.symbol,
        "pair": market.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _FOREVER_MS,
        "onboardDate": _ONBOARD_MS,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "marginAsset": quote,
        "pricePrecision": len(price_text(rules)(1).partition(".")[2]),
        "quantityPrecision": len(step.partition(".")[2]),
        "underlyingType": "COIN",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": f"{rules.tick_size:f}",
                "maxPrice": "100000000",
                "tickSize": f"{rules.tick_size:f}",
            },
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {"filterType": "MIN_NOTIONAL", "notional": f"{money_to_decimal(rules.min_notional).normalize():f}"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _labelled(*origins: PriceOrigin) -> tuple[tuple[str, str], ...]:
    simulated = PriceOrigin.SIMULATED in origins
    return ((MARKET_HEADER, (PriceOrigin.SIMULATED if simulated else PriceOrigin.RECORDED).value),)


def _present(query: Query, name: str) -> str:
    value = query.get(name, "")
    if not value:
        raise _Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return value


def _integer(query: Query, name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'.")
    return int(value)


def _span(query: Query) -> tuple[int | None, int | None]:
    start_ms, end_ms = _integer(query, "startTime"), _integer(query, "endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise _Refused(-1023, "Start time is greater than end time.")
    return start_ms, end_ms


def _limit(query: Query, *, usual: int, most: int) -> int:
    limit = _integer(query, "limit")
    if limit is None:
        return usual
    if not 1 <= limit <= most:
        raise _Refused(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit
