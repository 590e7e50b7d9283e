"""The market client against a real loopback server: paging, the running bar, throttling, unusable answers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from copytrade_core.edges.http_retry import AnswerTooLarge, DeadlineExceeded, HostLimiter, HttpLimits, TransportFault
from copytrade_core.edges.lake import Lake
from copytrade_core.edges.market.http_market import FuturesMarket, MarketRefused
from copytrade_core.edges.market.market_refresh import refresh_bars, refresh_funding, refresh_instruments
from copytrade_core.edges.market.market_store import load_bars, load_funding, load_instrument
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.errors import BadInput, NotStored
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps

BTC = Market("BTC/USDT:USDT")
MINUTE = 60_000
START = 1_777_593_600_000  # 2026-05-01 00:00 UTC
EIGHT = 8 * 3_600_000
Query = dict[str, str]
Answer = tuple[int, object, dict[str, str]]
TICK = Decimal("0.1")


class Exchange:
    """A small exchange: `bar_count` one-minute bars since START, the last still running; faults come first."""

    def __init__(self) -> None:
        self.bar_count = 10
        self.missing: set[int] = set()
        self.headers: dict[str, str] = {}
        self.faults: list[Answer | bytes] = []
        self.requests: list[tuple[str, Query]] = []
        self.changed: Callable[[str, list[list[object]]], object] | None = None

    @property
    def now_ms(self) -> int:
        return START + self.bar_count * MINUTE - 30_000

    def answer(self, path: str, query: Query) -> Answer | bytes:
        self.requests.append((path, query))
        if path != "/fapi/v1/time" and self.faults:
            return self.faults.pop(0)
        match path:
            case "/fapi/v1/time":
                return 200, {"serverTime": self.now_ms}, {}
            case "/fapi/v1/klines":
                return 200, self._klines(query), self.headers
            case "/fapi/v1/fundingRate":
                return 200, self._funding(query), self.headers
            case "/fapi/v1/premiumIndex":
                return 200, premium(query["symbol"]), {}
            case "/fapi/v1/ticker/bookTicker":
                return 200, book(query["symbol"]), {}
            case "/fapi/v1/exchangeInfo":
                return (
                    200,
                    {"serverTime": self.now_ms, "symbols": [listed("BTCUSDT"), listed("OLDUSDT", tick=None)]},
                    {},
                )
            case _:
                return 404, {"code": -5000, "msg": f"Path {path} is invalid"}, {}

    def _klines(self, query: Query) -> object:
        first, last, limit = int(query["startTime"]), int(query["endTime"]), int(query["limit"])
        rows = [kline(k) for k in range(self.bar_count) if k not in self.missing]
        rows = [row for row in rows if first <= int(str(row[0])) <= last][:limit]
        return self.changed("klines", rows) if self.changed else rows

    def _funding(self, query: Query) -> object:
        first, last, limit = int(query["startTime"]), int(query["endTime"]), int(query["limit"])
        late = [START + k * EIGHT + 3 for k in range(2_500)]
        rows = [
            {"symbol": "BTCUSDT", "fundingTime": t, "fundingRate": "0.00010000"} for t in late if first <= t <= last
        ]
        return rows[:limit]


def kline(k: int) -> list[object]:
    opened = START + k * MINUTE
    price = f"{80_000 + k % 1000}.10"
    return [opened, price, price, price, price, "1.500", opened + MINUTE - 1, "0", 1, "0", "0", "0"]


def premium(symbol: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "markPrice": "80000.12345678",
        "indexPrice": "80001.00000000",
        "lastFundingRate": "-0.00001234",
        "nextFundingTime": START + EIGHT,
        "time": START,
    }


def book(symbol: str) -> dict[str, object]:
    sides = {"bidPrice": "80000.1", "bidQty": "1.5", "askPrice": "80000.2", "askQty": "2"}
    return {"symbol": symbol, **sides, "time": START}


def listed(symbol: str, tick: str | None = "0.10") -> dict[str, object]:
    filters: list[dict[str, object]] = [
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.002", "maxQty": "1000"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
    ]
    if tick:
        filters.append({"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": "1", "maxPrice": "2"})
    asset = {"contractType": "PERPETUAL", "quoteAsset": "USDT", "marginAsset": "USDT"}
    return {"symbol": symbol, **asset, "filters": filters}


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def base_url(exchange: Exchange) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            answer = exchange.answer(url.path, dict(parse_qsl(url.query)))
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                self.close_connection = True
                return
            status, content, headers = answer
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client that stops reading at its byte cap hangs up
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def limits(**changed: float) -> HttpLimits:
    values: dict[str, float] = {
        "connect_timeout_s": 5,
        "read_timeout_s": 5,
        "deadline_s": 20,
        "body_bytes_max": 5_000_000,
        "attempts_max": 4,
        "backoff_initial_s": 0.01,
        "backoff_max_s": 0.05,
        "backoff_jitter_s": 0,
        "request_interval_s": 0,
    }
    return HttpLimits(**{**values, **changed})  # pyright: ignore[reportArgumentType]


@pytest.fixture
def market(base_url: str) -> Iterator[FuturesMarket]:
    made = FuturesMarket(base_url=base_url, limits=limits(), limiter=HostLimiter())
    yield made
    made.close()


def minutes(market: FuturesMarket, first: int, last: int, tick: Decimal = TICK) -> list[int]:
    """Indices of the bars fetched from minute `first` up to `last`."""
    found = market.bars(
        BTC, interval_ms=MINUTE, start_ms=START + first * MINUTE, end_ms=START + last * MINUTE, tick_size=tick
    )
    return [(int(time_ms) - START) // MINUTE for time_ms in found.series.open_time_ms]


def test_bars_are_exact_and_the_running_bar_is_never_among_them(market: FuturesMarket) -> None:
    found = market.bars(BTC, interval_ms=MINUTE, start_ms=START, end_ms=START + 100 * MINUTE, tick_size=TICK)
    assert len(found.series) == 9, "ten bars have opened, nine have ended"
    assert found.series.open.tolist() == [800_001 + 10 * k for k in range(9)]
    assert found.series.origin is PriceOrigin.RECORDED
    assert found.series.first_gap(START, START + 9 * MINUTE) is None
    assert all(len(digest) == 64 for digest in found.answers.values())


def test_a_long_span_is_walked_in_pages_of_1500(market: FuturesMarket, exchange: Exchange) -> None:
    exchange.bar_count = 4_000
    assert minutes(market, 100, 3_500) == list(range(100, 3_500))
    pages = [query for path, query in exchange.requests if path == "/fapi/v1/klines"]
    assert [int(query["startTime"]) for query in pages] == [START + k * MINUTE for k in (100, 1_600, 3_100)]
    assert {query["limit"] for query in pages} == {"1500"}


def test_a_gap_of_the_exchange_stays_a_gap(market: FuturesMarket, exchange: Exchange) -> None:
    exchange.missing = {3, 4, 5, 6}
    assert minutes(market, 2, 9) == [2, 7, 8]
    assert minutes(market, 3, 6) == []
    assert minutes(market, 5, 5) == []
    assert minutes(market, 100, 200) == []


def test_funding_is_walked_in_pages_of_1000_and_due_at_the_full_hour(market: FuturesMarket, exchange: Exchange) -> None:
    found = market.funding(BTC, start_ms=START, end_ms=START + 2_100 * EIGHT)
    assert found.series.time_ms.tolist() == [START + k * EIGHT for k in range(2_100)]
    assert set(found.series.rate.tolist()) == {10_000}
    assert len([path for path, _ in exchange.requests if path == "/fapi/v1/fundingRate"]) == 3


def test_mark_price_best_quote_and_clock_are_read(market: FuturesMarket) -> None:
    mark = market.mark_price(BTC)
    assert (mark.mark_price, mark.funding_rate) == (Decimal("80000.12345678"), -1234)
    quote = market.best_quote(BTC)
    assert (quote.bid, quote.ask, quote.ask_quantity) == (Decimal("80000.1"), Decimal("80000.2"), Decimal(2))
    assert market.server_time() == datetime(2026, 5, 1, 0, 9, 30, tzinfo=UTC)


def test_trading_rules_carry_their_day_and_what_is_unusable_is_said(market: FuturesMarket, base_url: str) -> None:
    rules = market.trading_rules()
    [instrument] = rules.instruments.values()
    assert (instrument.tick_size, instrument.step_size, instrument.min_quantity) == (TICK, Decimal("0.001"), 2)
    assert instrument.min_notional == 100 * 10**8
    assert instrument.as_of == datetime(2026, 5, 1, 0, 9, 30, tzinfo=UTC)
    assert instrument.source == f"exchangeInfo of {base_url}"
    assert [(item.symbol, item.reason) for item in rules.unusable] == [
        ("OLDUSDT", "PRICE_FILTER or LOT_SIZE is absent or not a number")
    ]


def test_prices_of_a_stand_in_are_labelled_simulated(market: FuturesMarket, exchange: Exchange) -> None:
    exchange.headers = {"x-copytrade-market": "simulated"}
    found = market.bars(BTC, interval_ms=MINUTE, start_ms=START, end_ms=START + 3 * MINUTE, tick_size=TICK)
    assert found.series.origin is PriceOrigin.SIMULATED
    assert market.funding(BTC, start_ms=START, end_ms=START + EIGHT).origin is PriceOrigin.SIMULATED


THROTTLED: Answer = (429, {"code": -1003, "msg": "Too many requests."}, {})


@pytest.mark.parametrize(
    "fault",
    [THROTTLED, (503, b"<html>busy</html>", {}), (500, {"code": -1001, "msg": "x"}, {}), b"HTTP/1.1 200 OK\r\ncont"],
)
def test_transient_faults_are_asked_again(market: FuturesMarket, exchange: Exchange, fault: Answer | bytes) -> None:
    exchange.faults = [fault, fault]
    assert minutes(market, 0, 3) == [0, 1, 2]


def test_retry_after_is_honoured(market: FuturesMarket, exchange: Exchange) -> None:
    exchange.faults = [(429, {"code": -1003, "msg": "Too many requests."}, {"retry-after": "1"})]
    started = time.monotonic()
    assert minutes(market, 0, 3) == [0, 1, 2]
    assert time.monotonic() - started >= 1.0


def test_a_wait_beyond_the_deadline_is_not_begun(base_url: str, exchange: Exchange) -> None:
    exchange.faults = [(418, {"code": -1003, "msg": "banned"}, {"retry-after": "3600"})]
    market = FuturesMarket(base_url=base_url, limits=limits(deadline_s=2), limiter=HostLimiter())
    started = time.monotonic()
    with pytest.raises(MarketRefused, match="418: -1003 banned") as fault:
        minutes(market, 0, 3)
    assert (fault.value.wait_s, fault.value.code, fault.value.transient) == (3600, -1003, True)
    with pytest.raises(DeadlineExceeded):
        minutes(market, 0, 3)
    assert time.monotonic() - started < 1.5, "a ban is not answered by asking again"
    market.close()


@pytest.mark.parametrize(("status", "code"), [(400, -1121), (403, -1), (451, 0), (302, 0)])
def test_other_refusals_are_asked_once(market: FuturesMarket, exchange: Exchange, status: int, code: int) -> None:
    exchange.faults = [(status, {"code": code, "msg": "Invalid symbol."}, {"location": "/fapi/v1/time"})] * 5
    with pytest.raises(MarketRefused, match="Invalid symbol") as fault:
        market.mark_price(BTC)
    assert (fault.value.status, len(exchange.requests)) == (status, 1)
    assert fault.value.where.request == "GET /fapi/v1/premiumIndex symbol=BTCUSDT"


def test_attempts_are_bounded(market: FuturesMarket, exchange: Exchange) -> None:
    exchange.faults = [THROTTLED] * 50
    with pytest.raises(MarketRefused, match="429"):
        market.mark_price(BTC)
    assert len(exchange.requests) == 4


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "cannot be read"),
        (b"<html>WAF</html>", "cannot be read"),
        (b'[[1777593600000,"80', "cannot be read"),
        (b"null", "list of rows is expected"),
        (b'{"code":"000000"}', "list of rows is expected"),
        (b"[[1,2,3]]", "not a row"),
        (b"[[]]", "not a row"),
        (b'[[1777593600,"1","1","1","1","1"]]', "in seconds"),
    ],
)
def test_an_unusable_answer_names_the_request(
    market: FuturesMarket, exchange: Exchange, body: bytes, what: str
) -> None:
    exchange.faults = [(200, body, {})]
    with pytest.raises(BadInput, match=what) as fault:
        minutes(market, 0, 3)
    assert fault.value.where.request == "GET /fapi/v1/klines from 2026-05-01T00:00:00Z"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda rows: [*rows[:2], kline(500)], "outside the span"),
        (lambda rows: [[START - MINUTE, *kline(0)[1:6]], *rows], "row outside the span"),
        (lambda rows: [rows[1], rows[0]], "not sorted"),
        (lambda rows: [rows[0], rows[0]], "repeated"),
        (lambda rows: [[rows[0][0], "80000.15", *rows[0][2:]]], "off the tick grid"),
        (lambda rows: [[rows[0][0], None, *rows[0][2:]]], "absent"),
        (lambda rows: [[*rows[0][:6], START + 5 * MINUTE - 1]], "wrong interval"),
    ],
)
def test_a_row_that_cannot_be_the_venues_own_is_refused(
    market: FuturesMarket, exchange: Exchange, change: Callable[[list[list[object]]], object], what: str
) -> None:
    exchange.changed = lambda _path, rows: change(rows)
    with pytest.raises(BadInput, match=what):
        minutes(market, 0, 3)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"symbol": "ETHUSDT"}, "is of 'ETHUSDT'"),
        ({"bidPrice": "NaN"}, "bidPrice is not a finite"),
        ({"askPrice": "-1"}, "askPrice is not positive"),
        ({"askPrice": "80000"}, "above ask"),
        ({"time": "soon"}, "time"),
    ],
)
def test_an_impossible_quote_is_refused(
    market: FuturesMarket, exchange: Exchange, change: dict[str, object], what: str
) -> None:
    exchange.faults = [(200, {**book("BTCUSDT"), **change}, {})]
    with pytest.raises(BadInput, match=what):
        market.best_quote(BTC)


def test_an_answer_beyond_the_byte_cap_is_not_read(base_url: str, exchange: Exchange) -> None:
    exchange.bar_count = 1_000
    market = FuturesMarket(base_url=base_url, limits=limits(body_bytes_max=10_000), limiter=HostLimiter())
    with pytest.raises(AnswerTooLarge):
        minutes(market, 0, 900)
    market.close()


def test_a_host_that_is_not_there_is_a_transport_fault() -> None:
    market = FuturesMarket(base_url="http://127.0.0.1:9", limits=limits(attempts_max=2), limiter=HostLimiter())
    with pytest.raises(TransportFault):
        market.server_time()
    market.close()


def rules() -> Instrument:
    return Instrument(
        market=BTC,
        tick_size=TICK,
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(5 * 10**8),
        as_of=datetime(2026, 4, 1, tzinfo=UTC),
        source="assumed: test",
    )


def test_a_refresh_asks_only_for_what_is_missing_and_stores_what_has_ended(
    market: FuturesMarket, exchange: Exchange, tmp_path: Path
) -> None:
    lake = Lake(tmp_path, now=lambda: datetime(2026, 5, 1, 1, tzinfo=UTC))

    def refresh(count: int) -> tuple[int, list[int]]:
        end_ms = START + count * MINUTE
        done = refresh_bars(
            lake, market, instrument=rules(), interval_ms=MINUTE, start_ms=START, end_ms=end_ms, code_version="t"
        )
        return done.fetched_count, [gap.missing_count for gap in done.gaps]

    exchange.missing = {4}
    assert refresh(20) == (8, [1, 11])
    exchange.missing = set()
    exchange.bar_count = 15
    exchange.requests.clear()
    assert refresh(14) == (6, [])
    asked = [int(query["startTime"]) for path, query in exchange.requests if path == "/fapi/v1/klines"]
    assert asked == [START + 4 * MINUTE, START + 9 * MINUTE]
    exchange.requests.clear()
    assert refresh(14) == (0, [])
    assert exchange.requests == []
    assert len(load_bars(lake, BTC, MINUTE, START, START + 14 * MINUTE)) == 14
    head = lake.require("bars", "BTC/USDT:USDT|1m|2026-05")
    assert "GET /fapi/v1/klines from 2026-05-01T00:09:00Z" in head.parents


def test_a_refresh_of_funding_and_rules_is_stored(market: FuturesMarket, tmp_path: Path) -> None:
    lake = Lake(tmp_path, now=lambda: datetime(2026, 5, 1, 1, tzinfo=UTC))
    done = refresh_funding(lake, market, market=BTC, start_ms=START, end_ms=START + 5 * EIGHT, code_version="t")
    assert done.fetched_count == len(load_funding(lake, BTC, START, START + 5 * EIGHT).time_ms) == 5
    refresh_instruments(lake, market, markets=frozenset({BTC}), code_version="t")
    assert load_instrument(lake, BTC).min_notional == 100 * 10**8
    with pytest.raises(NotStored, match="OLD/USDT:USDT: PRICE_FILTER"):
        refresh_instruments(lake, market, markets=frozenset({"OLD/USDT:USDT"}), code_version="t")
    with pytest.raises(NotStored, match="not listed"):
        refresh_instruments(lake, market, markets=frozenset({"NEW/USDT:USDT"}), code_version="t")
