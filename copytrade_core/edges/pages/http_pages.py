"""The client of the public copy-trading pages: asks, archives, and only then looks.

The only place that knows these URLs. Rows are read in `sources`; nothing here ever signs in or sends an order.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from copytrade_core.edges.http_retry import (
    HOST_LIMITER,
    BoundedHttp,
    HostLimiter,
    HttpAnswer,
    HttpLimits,
    TransportFault,
    deadline,
    with_retries,
)
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.edges.pages.page_origin import refuse_mixed
from copytrade_core.edges.settings_url import origin_of
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.envelope import (
    LOGIN_CODES,
    TOO_MANY_REQUESTS_CODE,
    SourceError,
    Throttled,
    UpstreamError,
    read_payload,
)
from copytrade_core.sources.history_walk import HistoryWalk, WalkLimits, walk_history

FRIENDLY = "/bapi/futures/v1/friendly/future/copy-trade"
PUBLIC = "/bapi/futures/v1/public/future/copy-trade"
PATHS: Mapping[Endpoint, tuple[str, str]] = {
    Endpoint.OPEN_POSITIONS: ("GET", "/lead-data/positions"),
    Endpoint.POSITION_HISTORY: ("POST", "/lead-portfolio/position-history"),
    Endpoint.LEAD_DETAIL: ("GET", "/lead-portfolio/detail"),
    Endpoint.LEAD_PERFORMANCE: ("GET", "/lead-portfolio/performance"),
    Endpoint.LEAD_CHART: ("GET", "/lead-portfolio/chart-data"),
    Endpoint.ORDER_HISTORY: ("POST", "/lead-portfolio/order-history"),
    Endpoint.TRANSFER_HISTORY: ("POST", "/lead-portfolio/transfer-history"),
    Endpoint.LEAD_LIST: ("POST", "/home-page/query-list"),
}
PREFIXES = (FRIENDLY, PUBLIC)
"""Asked in this order; the one that answered is in the page's `url_path`."""

HEADERS_KEPT = frozenset({
    "age", "cache-control", "content-length", "content-type", "date", "retry-after", "server", "x-amzn-waf-action",
    "x-cache", "x-copytrade-market",
})  # fmt: skip
HEADERS_SENT = {"clienttype": "web", "lang": "en"}
LISTS = LeadId("_lists")
"""The archive's name for answers that belong to no single lead."""

Parameters = dict[str, str | int | bool]


class LeadPages:
    """Reads public pages of leads from one host. Every answer is archived before it is parsed."""

    def __init__(
        self, *, base_url: str, limits: HttpLimits, archive: PageArchive, limiter: HostLimiter = HOST_LIMITER
    ) -> None:
        self._http = BoundedHttp(base_url, limits, limiter=limiter)
        self._origin = origin_of(base_url)
        self._limits = limits
        self._archive = archive
        self._unmixed: set[LeadId] = set()
        self._answered: dict[Endpoint, str] = {}

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def open_positions(self, lead_id: LeadId) -> SourcePage:
        """The live holdings, unpaged.

        Raises:
            SourceError: no payload (`HiddenPositions` when the lead hides them).
            TransportFault, AnswerTooLarge, DeadlineExceeded: no answer.
        """
        return self.call(Endpoint.OPEN_POSITIONS, lead_id, {"portfolioId": lead_id})

    def detail(self, lead_id: LeadId) -> SourcePage:
        """The lead's own page; `LeadNotFound` when it was retired."""
        return self.call(Endpoint.LEAD_DETAIL, lead_id, {"portfolioId": lead_id})

    def performance(self, lead_id: LeadId, *, time_range: str) -> SourcePage:
        """Published statistics of a range such as `90D`; its percentages are not ours."""
        return self.call(Endpoint.LEAD_PERFORMANCE, lead_id, {"portfolioId": lead_id, "timeRange": time_range})

    def chart(self, lead_id: LeadId, *, data_type: str, time_range: str) -> SourcePage:
        """Published curve, `data_type` ROI or PNL."""
        asked: Parameters = {"dataType": data_type, "portfolioId": lead_id, "timeRange": time_range}
        return self.call(Endpoint.LEAD_CHART, lead_id, asked)

    def history_page(self, lead_id: LeadId, *, page: int, page_rows: int) -> SourcePage:
        """One page of the closed history, newest closes first; no reading of all of it."""
        return self._paged(Endpoint.POSITION_HISTORY, lead_id, page=page, page_rows=page_rows)

    def order_history_page(self, lead_id: LeadId, *, page: int, page_rows: int) -> SourcePage:
        """One page of the lead's own fills, where shown."""
        return self._paged(Endpoint.ORDER_HISTORY, lead_id, page=page, page_rows=page_rows)

    def transfer_history_page(self, lead_id: LeadId, *, page: int, page_rows: int) -> SourcePage:
        """One page of the lead's deposits and withdrawals."""
        return self._paged(Endpoint.TRANSFER_HISTORY, lead_id, page=page, page_rows=page_rows)

    def lead_list_page(self, *, page: int, page_rows: int, time_range: str, data_type: str) -> SourcePage:
        """One page of the public list (30 rows at most, whatever is asked)."""
        asked: Parameters = {
            "pageNumber": page, "pageSize": page_rows, "timeRange": time_range, "dataType": data_type,
            "favoriteOnly": False, "hideFull": False, "nickname": "", "order": "DESC", "userAsset": 0,
            "portfolioType": "ALL", "useAiRecommended": False,
        }  # fmt: skip
        return self.call(Endpoint.LEAD_LIST, LISTS, asked, page=page)

    def history(self, lead_id: LeadId, *, walk: WalkLimits, time_range: str | None) -> HistoryWalk:
        """The closed history, walked until the claimed total is covered; the walk is recorded in the archive.

        Raises:
            SourceError, TransportFault, AnswerTooLarge, DeadlineExceeded: a page could not be had.
        """

        def fetch(page: int) -> SourcePage:
            more: Parameters = {} if time_range is None else {"timeRange": time_range}
            return self._paged(Endpoint.POSITION_HISTORY, lead_id, page=page, page_rows=walk.page_rows, more=more)

        done = walk_history(fetch, lead_id=lead_id, limits=walk)
        self._archive.append_walk(done, finished_at=datetime.now(UTC))
        return done

    def _paged(
        self, endpoint: Endpoint, lead_id: LeadId, *, page: int, page_rows: int, more: Parameters | None = None
    ) -> SourcePage:
        asked: Parameters = {"portfolioId": lead_id, "pageNumber": page, "pageSize": page_rows, **(more or {})}
        return self.call(endpoint, lead_id, asked, page=page)

    def call(
        self, endpoint: Endpoint, lead_id: LeadId, parameters: Parameters, *, page: int | None = None
    ) -> SourcePage:
        """One successful answer, whichever path gives it; all tries and waits within `deadline_s`.

        Raises:
            SourceError, TransportFault, AnswerTooLarge, DeadlineExceeded: see `open_positions`.
            BadInput: the archive holds answers of another host about the lead; nothing was asked.
        """
        if lead_id not in self._unmixed:
            refuse_mixed(self._archive, lead_id, self._origin)
            self._unmixed.add(lead_id)
        until = deadline(self._limits)
        preferred = self._answered.get(endpoint)
        prefixes = PREFIXES if preferred is None else (preferred, *(one for one in PREFIXES if one != preferred))
        for last, prefix in ((prefix == prefixes[-1], prefix) for prefix in prefixes):
            try:
                answer = self._retried(prefix, endpoint, lead_id, parameters, page, until)
            except SourceError as fault:
                if last or not _other_path_may_answer(fault) or time.monotonic() >= until:
                    raise
            else:
                self._answered[endpoint] = prefix
                return answer
        raise AssertionError("the last prefix returns or raises")

    def _retried(
        self, prefix: str, endpoint: Endpoint, lead_id: LeadId, parameters: Parameters, page: int | None, until: float
    ) -> SourcePage:
        def backoff(fault: Exception) -> bool | float:
            if isinstance(fault, TransportFault):
                return True
            if not isinstance(fault, SourceError) or not fault.transient:
                return False
            return self._patience(fault)

        def attempt() -> SourcePage:
            method, path = PATHS[endpoint]
            answer = self._ask(method, prefix + path, parameters, until)
            seen = replace(_page(answer, endpoint, lead_id, page, prefix + path, parameters), origin=self._origin)
            _ = self._archive.append(seen)
            _ = read_payload(seen)
            return seen

        return with_retries(attempt, limits=self._limits, until=until, backoff=backoff)

    def _patience(self, fault: SourceError) -> bool | float:
        """The wait the server asked for, a long one when it is angry, else the usual."""
        if isinstance(fault, Throttled):
            named = fault.retry_after_s
            if named is None and (fault.status == 418 or fault.code == TOO_MANY_REQUESTS_CODE):
                named = self._limits.backoff_max_s
            if named is not None:
                self._http.hold(named)
                return named
        return True if fault.retry_after_s is None else fault.retry_after_s

    def _ask(self, method: str, path: str, parameters: Parameters, until: float) -> HttpAnswer:
        if method == "GET":
            query = {name: str(value) for name, value in parameters.items()}
            return self._http.request(method, path, until=until, params=query, headers=HEADERS_SENT)
        body = msgspec.json.encode(parameters)
        return self._http.request(method, path, until=until, json=body, headers=HEADERS_SENT)


def _other_path_may_answer(fault: SourceError) -> bool:
    return fault.code in LOGIN_CODES or isinstance(fault, UpstreamError)


def _page(
    answer: HttpAnswer, endpoint: Endpoint, lead_id: LeadId, page: int | None, url_path: str, asked: Parameters
) -> SourcePage:
    return SourcePage(
        lead_id=lead_id,
        endpoint=endpoint,
        page=page,
        url_path=url_path,
        request=canonical_request(asked),
        status=answer.status,
        headers=tuple((name, value) for name, value in answer.headers if name in HEADERS_KEPT),
        body=answer.body,
        sha256=hashlib.sha256(answer.body).hexdigest(),
        received_at=answer.received_at,
    )


def canonical_request(parameters: Mapping[str, object]) -> str:
    """The parameters as JSON with sorted names: equal requests are equal text."""
    return msgspec.json.encode(dict(parameters), order="sorted").decode()
