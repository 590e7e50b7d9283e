"""The client of Binance's public USD-M market data: bars, funding, mark price, best quote, trading rules.

The only place that knows these URLs. It reads; it never signs in or sends an order, and it stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256

import msgspec
import numpy as np

from copytrade_core.edges.http_retry import (
    HOST_LIMITER,
    BoundedHttp,
    HostLimiter,
    HttpAnswer,
    HttpLimits,
    TransportFault,
    deadline,
    retry_after_s,
    with_retries,
)
from copytrade_core.edges.market.bars_files import FUNDING_ARCHIVE_COLUMNS, KLINE_COLUMNS, rows_from_json
from copytrade_core.edges.market.bars_parse import DataKind, ParsedBars, ParsedFunding, parse_bars, parse_funding
from copytrade_core.edges.market.bars_text import Rows
from copytrade_core.edges.market.intervals import instant, interval_text
from copytrade_core.edges.market.market_answers import (
    BestQuote,
    MarkPrice,
    PublishedRules,
    best_quote_of,
    mark_price_of,
    rules_of_exchange_info,
    server_time_ms_of,
)
from copytrade_core.edges.market.market_joined import joined_bars, joined_funding
from copytrade_core.edges.market.market_snapshot import (
    FundingPayment,
    best_quotes_of,
    funding_payments_of,
    mark_prices_of,
)
from copytrade_core.model.bar import BarSeries, FundingSeries, Int64s, PriceOrigin
from copytrade_core.model.errors import CopytradeError, Where
from copytrade_core.model.instrument import Market, symbol_of_market

KLINES_PATH = "/fapi/v1/klines"
FUNDING_PATH = "/fapi/v1/fundingRate"
KLINES_PAGE_ROWS = 1500
FUNDING_PAGE_ROWS = 1000
ORIGIN_HEADER = "x-copytrade-market"
"""Set by our own stand-in only: whether its prices were recorded or simulated."""


class MarketRefused(CopytradeError):
    """The exchange answered with an error.

    `status` is HTTP's, `code` the exchange's own (-1121 unknown symbol) or None, `wait_s` what it asks to wait.
    """

    def __init__(self, what: str, *, where: Where, status: int, code: int | None, wait_s: float | None) -> None:
        super().__init__(what, where=where)
        self.status = status
        self.code = code
        self.wait_s = wait_s

    @property
    def transient(self) -> bool:
        """Whether asking again later can help."""
        return self.status in {418, 429} or self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedBars:
    """Closed bars of a span, perhaps none, and the sha256 of every answer they came from, by request."""

    series: BarSeries
    answers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFunding:
    """Funding of a span, perhaps none, its origin, and the sha256 of every answer, by request."""

    series: FundingSeries
    origin: PriceOrigin
    answers: dict[str, str]


class _ErrorBody(msgspec.Struct):
    code: int
    msg: str


class FuturesMarket:
    """Reads public market data from one host.

    Raises (every call):
        MarketRefused: an error answer.
        BadInput: an answer that cannot be used, or a name that is no linear market.
        TransportFault, AnswerTooLarge, DeadlineExceeded: no complete answer.
    """

    def __init__(self, *, base_url: str, limits: HttpLimits, limiter: HostLimiter = HOST_LIMITER) -> None:
        self._http = BoundedHttp(base_url, limits, limiter=limiter)
        self._limits = limits
        self._base_url = base_url

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def server_time(self) -> datetime:
        """The exchange's clock."""
        return instant(self._server_time_ms())

    def bars(self, market: str, *, interval_ms: int, start_ms: int, end_ms: int, tick_size: Decimal) -> FetchedBars:
        """Closed bars that open in `[start_ms, end_ms)`; the running bar is never among them.

        Every price must lie on the tick grid: this is the venue's own data.
        """
        asked = {"symbol": symbol_of_market(market), "interval": interval_text(interval_ms)}
        now_ms = self._server_time_ms()
        # A bar that opens after this has not ended yet by the exchange's clock.
        last_ms = min(end_ms - 1, now_ms - interval_ms)
        pages: list[ParsedBars] = []
        answers: dict[str, str] = {}
        cursor = start_ms
        while cursor <= last_ms:
            span = {"startTime": str(cursor), "endTime": str(last_ms), "limit": str(KLINES_PAGE_ROWS)}
            answer = self._get(KLINES_PATH, {**asked, **span})
            rows = self._rows(answer, KLINES_PATH, cursor, ("open_time", *KLINE_COLUMNS[1:6]), KLINE_COLUMNS, answers)
            if not len(rows):
                break
            page = parse_bars(
                rows,
                market=Market(market),
                interval_ms=interval_ms,
                tick_size=tick_size,
                kind=DataKind.VENUE,
                origin=_origin(answer),
                known_until_ms=None,
                drop_last=False,
            )
            _refuse_outside(rows, page.series.open_time_ms, cursor, last_ms, "open_time")
            pages.append(page)
            cursor = page.series.end_ms
        return FetchedBars(series=joined_bars(pages, Market(market), interval_ms), answers=answers)

    def funding(self, market: str, *, start_ms: int, end_ms: int) -> FetchedFunding:
        """Funding payments due in `[start_ms, end_ms)`."""
        asked = {"symbol": symbol_of_market(market), "limit": str(FUNDING_PAGE_ROWS)}
        pages: list[ParsedFunding] = []
        answers: dict[str, str] = {}
        origin = PriceOrigin.RECORDED
        cursor = start_ms
        while cursor < end_ms:
            # Payments are recorded milliseconds after they are due: a page's first may be due just before the cursor.
            answer = self._get(FUNDING_PATH, {**asked, "startTime": str(cursor), "endTime": str(end_ms - 1)})
            rows = self._rows(answer, FUNDING_PATH, cursor, ("time", "rate"), FUNDING_ARCHIVE_COLUMNS, answers)
            if not len(rows):
                break
            page = parse_funding(rows, market=Market(market))
            origin = _origin(answer)
            _refuse_outside(rows, page.series.time_ms, cursor - cursor % 60_000, end_ms, "time")
            pages.append(page)
            if len(rows) < FUNDING_PAGE_ROWS:
                break
            cursor = int(page.series.time_ms[-1]) + 60_000
        return FetchedFunding(series=joined_funding(pages, Market(market)), origin=origin, answers=answers)

    def mark_price(self, market: str) -> MarkPrice:
        """Mark price, index price and the funding rate due next."""
        path = "/fapi/v1/premiumIndex"
        answer = self._get(path, {"symbol": symbol_of_market(market)})
        return mark_price_of(answer.body, _where(path), Market(market))

    def best_quote(self, market: str) -> BestQuote:
        """Best bid and ask."""
        path = "/fapi/v1/ticker/bookTicker"
        answer = self._get(path, {"symbol": symbol_of_market(market)})
        return best_quote_of(answer.body, _where(path), Market(market))

    def best_quotes(self) -> dict[Market, BestQuote]:
        """Best bid and ask of every market, in one request."""
        path = "/fapi/v1/ticker/bookTicker"
        return best_quotes_of(self._get(path, {}).body, _where(path))

    def mark_prices(self) -> dict[Market, MarkPrice]:
        """Mark prices and funding of every market, in one request."""
        path = "/fapi/v1/premiumIndex"
        return mark_prices_of(self._get(path, {}).body, _where(path))

    def settled_funding(self, market: str, *, start_ms: int, end_ms: int) -> tuple[FundingPayment, ...]:
        """The first payments (1000 at the most) that were due in `[start_ms, end_ms)`, with the marks they were on."""
        # Payments are recorded milliseconds after they are due: one more minute at the end, and none before the start.
        span = {"startTime": str(start_ms), "endTime": str(end_ms + 60_000), "limit": str(FUNDING_PAGE_ROWS)}
        answer = self._get(FUNDING_PATH, {"symbol": symbol_of_market(market), **span})
        rows = funding_payments_of(answer.body, _where(FUNDING_PATH), Market(market))
        return tuple(row for row in rows if start_ms <= row.time_ms < end_ms)

    def trading_rules(self) -> PublishedRules:
        """Trading rules of every linear perpetual, as of the exchange's clock."""
        path = "/fapi/v1/exchangeInfo"
        answer = self._get(path, {})
        label = " (simulated market)" if _origin(answer) is PriceOrigin.SIMULATED else ""
        source = f"exchangeInfo of {self._base_url}{label}"
        return rules_of_exchange_info(answer.body, _where(path), source=source, assumed_min_notional=None)

    def _server_time_ms(self) -> int:
        path = "/fapi/v1/time"
        return server_time_ms_of(self._get(path, {}).body, _where(path))

    def _rows(
        self,
        answer: HttpAnswer,
        path: str,
        cursor: int,
        needed: tuple[str, ...],
        positional: tuple[str, ...],
        answers: dict[str, str],
    ) -> Rows:
        request = f"GET {path} from {instant(cursor):%Y-%m-%dT%H:%M:%SZ}"
        answers[request] = sha256(answer.body).hexdigest()
        return rows_from_json(answer.body, Where(request=request), needed=needed, positional=positional)

    def _get(self, path: str, parameters: dict[str, str]) -> HttpAnswer:
        until = deadline(self._limits)
        return with_retries(
            self._attempt(path, parameters, until), limits=self._limits, until=until, backoff=self._patience
        )

    def _attempt(self, path: str, parameters: dict[str, str], until: float) -> Callable[[], HttpAnswer]:
        def attempt() -> HttpAnswer:
            answer = self._http.request("GET", path, until=until, params=parameters)
            if answer.status != 200:
                raise _refused(answer, path, parameters)
            return answer

        return attempt

    def _patience(self, fault: Exception) -> bool | float:
        """False to give up, True for the usual wait, seconds when the exchange named them (all clients then wait)."""
        match fault:
            case TransportFault():
                return True
            case MarketRefused(transient=True, wait_s=None, status=418):
                self._http.hold(self._limits.backoff_max_s)
                return self._limits.backoff_max_s
            case MarketRefused(transient=True, wait_s=None):
                return True
            case MarketRefused(transient=True, wait_s=float(wait_s)):
                self._http.hold(wait_s)
                return wait_s
            case _:
                return False


def _refused(answer: HttpAnswer, path: str, parameters: dict[str, str]) -> MarketRefused:
    code, said = None, answer.body[:120].decode("utf-8", errors="replace")
    try:
        body = msgspec.json.decode(answer.body, type=_ErrorBody)
        code, said = body.code, f"{body.code} {body.msg}"
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # a proxy's or firewall's page: its first characters are shown as they are
    shown = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return MarketRefused(
        f"The exchange answered {answer.status}: {said}",
        where=Where(request=f"GET {path} {shown}".strip()),
        status=answer.status,
        code=code,
        wait_s=retry_after_s(answer),
    )


def _origin(answer: HttpAnswer) -> PriceOrigin:
    label = answer.header(ORIGIN_HEADER)
    return PriceOrigin.RECORDED if label in {None, PriceOrigin.RECORDED.value} else PriceOrigin.SIMULATED


def _where(path: str) -> Where:
    return Where(request=f"GET {path}")


def _refuse_outside(rows: Rows, times: Int64s, first_ms: int, last_ms: int, field: str) -> None:
    outside = (times < first_ms) | (times > last_ms)
    if outside.any():
        raise rows.fault(int(np.argmax(outside)), field, "the answer has a row outside the span asked for")
