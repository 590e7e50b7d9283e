"""The stand-in's copy-trading endpoints in the dialect of Binance's web gateway, under both known prefixes.

What a page shows at an instant is decided in `lead_view`; here are parameters, envelopes, paging and faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from copytrade_core.edges.standins import lead_view
from copytrade_core.edges.standins.faults import HIDING, Fault, FaultBook, FaultKind
from copytrade_core.edges.standins.lead_records import HistoryRow, LeadRecord
from copytrade_core.edges.standins.market_data import ServedMarket
from copytrade_core.edges.standins.wire import Answer, json_answer
from copytrade_core.model.source import Endpoint

PREFIXES = ("/bapi/futures/v1/friendly/future", "/bapi/futures/v1/public/future")
PAGE_HEADER = "x-copytrade-page"
"""Response header: `saved` bytes, or `derived` by the stand-in from the saved history."""
LEAD_LIST_ROWS_MAX = 30
ORDER_DEPTH_ROWS = 6_100
"""Order history ends after 61 pages of 100 whatever `total` says."""
DAY_MS = 86_400_000
SUCCESS, RETIRED, BUSY, TOO_MANY = "000000", "11012028", "11012005", "90801003"
ILLEGAL_PARAMETER = "000002"

_TIME_RANGES = {"7D": 7, "30D": 30, "90D": 90, "180D": 180, "365D": 365}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRequest:
    """One parsed request: parameters of the query or of the JSON body, the instant and the faults it meets."""

    parameters: Mapping[str, Any]
    as_of_ms: int
    faults: tuple[Fault, ...]

    @property
    def lead_id(self) -> str:
        """The lead asked for, or nothing."""
        return str(self.parameters.get("portfolioId") or "")

    def fault(self, *kinds: FaultKind) -> Fault | None:
        """The first fault of these kinds that this request meets."""
        return next((fault for fault in self.faults if fault.kind in kinds), None)

    def since_ms(self) -> int:
        """Start of the asked time range."""
        return self.as_of_ms - _TIME_RANGES.get(str(self.parameters.get("timeRange")), 365) * DAY_MS


class CopyTradeApp:
    """Answers copy-trading requests from saved leads.

    Args:
        records: the leads.
        markets: by symbol, for mark prices of open rows.
        book: the faults, for those that live inside a page.
        page_rows_max: the most rows of one history page, whatever is asked (Binance: 100).
    """

    def __init__(
        self,
        records: Sequence[LeadRecord],
        *,
        markets: Mapping[str, ServedMarket],
        book: FaultBook,
        page_rows_max: int,
    ) -> None:
        self._records = {record.lead_id: record for record in records}
        self._markets = markets
        self._book = book
        self._page_rows_max = page_rows_max
        self._busy: dict[str, int] = {}
        calls: dict[tuple[str, str], Callable[[CopyRequest], Answer]] = {
            ("POST", "/copy-trade/home-page/query-list"): self._lead_list,
            ("GET", "/copy-trade/lead-portfolio/detail"): self._detail,
            ("GET", "/copy-trade/lead-data/positions"): self._positions,
            ("POST", "/copy-trade/lead-portfolio/position-history"): self._position_history,
            ("POST", "/copy-trade/lead-portfolio/order-history"): self._order_history,
            ("POST", "/copy-trade/lead-portfolio/transfer-history"): self._transfer_history,
            ("GET", "/copy-trade/lead-portfolio/performance"): self._performance,
            ("GET", "/copy-trade/lead-portfolio/chart-data"): self._chart,
        }
        self.routes = {(method, prefix + path): call for prefix in PREFIXES for (method, path), call in calls.items()}

    def answer(self, method: str, path: str, request: CopyRequest) -> Answer:
        """The answer of a known route."""
        retired = request.fault(FaultKind.RETIRED_LEAD) is not None
        if request.lead_id and (retired or request.lead_id not in self._records):
            return failure(RETIRED, "The lead portfolio does not exist.")
        if not request.lead_id and not path.endswith("query-list"):
            return failure(ILLEGAL_PARAMETER, "illegal parameter")
        if self._is_busy(path, request):
            return failure(BUSY, "The system is busy, please try again later.")
        return self.routes[method, path](request)

    def forget_busy(self) -> None:
        """Every page is new again."""
        self._busy.clear()

    def _is_busy(self, path: str, request: CopyRequest) -> bool:
        fault = request.fault(FaultKind.BUSY_FIRST)
        if fault is None:
            return False
        page = f"{path} {msgspec.json.encode(request.parameters, order='sorted').decode()}"
        self._busy[page] = self._busy.get(page, 0) + 1
        return self._busy[page] <= (fault.count or 0)

    def _record(self, request: CopyRequest) -> LeadRecord:
        return self._records[request.lead_id]

    def _position_history(self, request: CopyRequest) -> Answer:
        rows = lead_view.closed_rows(
            self._record(request),
            request.as_of_ms,
            held_back=self._book.held_back(request.lead_id),
            by_opening=request.parameters.get("sort") == "OPENING",
        )
        return self._page(request, [msgspec.Raw(row.raw) for row in rows], kind="saved")

    def _positions(self, request: CopyRequest) -> Answer:
        if (hiding := request.fault(*HIDING)) is not None:
            null = hiding.kind is FaultKind.HIDDEN_POSITIONS_NULL
            return success({"positions": None} if null else [], kind="derived")
        record = self._record(request)
        rows = lead_view.open_rows(record, request.as_of_ms, held_back=self._book.held_back(request.lead_id))
        symbols = {row.text("symbol", "") for row in record.history} - {""}
        return success(lead_view.position_slots(rows, symbols, self._markets, request.as_of_ms), kind="derived")

    def _detail(self, request: CopyRequest) -> Answer:
        record = self._record(request)
        hidden = request.fault(*HIDING) is not None
        saved = record.saved.get(Endpoint.LEAD_DETAIL)
        if saved is None:
            return success(lead_view.derived_detail(record, positions_shown=not hidden), kind="derived")
        fields = msgspec.json.decode(saved, type=dict[str, msgspec.Raw])
        if hidden:
            fields["positionShow"] = msgspec.Raw(b"false")
        return success(fields, kind="saved")

    def _order_history(self, request: CopyRequest) -> Answer:
        saved = _saved_rows(self._record(request), Endpoint.ORDER_HISTORY)
        rows = lead_view.derived_orders(self._record(request), request.as_of_ms) if saved is None else saved
        kind = "derived" if saved is None else "saved"
        return self._page(request, rows, kind=kind, depth_rows=ORDER_DEPTH_ROWS)

    def _transfer_history(self, request: CopyRequest) -> Answer:
        saved = _saved_rows(self._record(request), Endpoint.TRANSFER_HISTORY)
        return self._page(request, saved or [], kind="derived" if saved is None else "saved")

    def _performance(self, request: CopyRequest) -> Answer:
        time_range = str(request.parameters.get("timeRange", ""))
        if time_range not in _TIME_RANGES:
            return failure(ILLEGAL_PARAMETER, "illegal parameter")
        rows = self._closed(self._record(request), request)
        return success(lead_view.derived_performance(rows, time_range, request.since_ms()), kind="derived")

    def _chart(self, request: CopyRequest) -> Answer:
        data_type = str(request.parameters.get("dataType", ""))
        if data_type not in {"ROI", "PNL"} or request.parameters.get("timeRange") not in _TIME_RANGES:
            return failure(ILLEGAL_PARAMETER, "illegal parameter")
        rows = self._closed(self._record(request), request)
        return success(lead_view.derived_chart(rows, data_type, request.since_ms()), kind="derived")

    def _lead_list(self, request: CopyRequest) -> Answer:
        time_range = str(request.parameters.get("timeRange", "30D"))
        rows = [
            lead_view.list_row(
                record,
                lead_view.derived_performance(self._closed(record, request), time_range, request.since_ms()),
            )
            for record in self._records.values()
        ]
        rows.sort(key=lambda row: -float(str(row["pnl"])))
        return self._page(request, rows, kind="derived", page_rows_max=LEAD_LIST_ROWS_MAX)

    def _closed(self, record: LeadRecord, request: CopyRequest) -> list[HistoryRow]:
        held_back = self._book.held_back(record.lead_id)
        return lead_view.closed_rows(record, request.as_of_ms, held_back=held_back, by_opening=False)

    def _page(
        self,
        request: CopyRequest,
        rows: Sequence[object],
        *,
        kind: str,
        page_rows_max: int | None = None,
        depth_rows: int | None = None,
    ) -> Answer:
        number, asked = request.parameters.get("pageNumber", 1), request.parameters.get("pageSize", 10)
        if not _is_positive(number) or not _is_positive(asked):
            return failure(ILLEGAL_PARAMETER, "illegal parameter")
        most = self._page_rows_max if page_rows_max is None else page_rows_max
        rows_per_page = min(asked, most)
        reachable = rows if depth_rows is None else rows[:depth_rows]
        chosen = list(reachable[(number - 1) * rows_per_page : number * rows_per_page])
        if (short := request.fault(FaultKind.SHORT_PAGE)) is not None:
            chosen = chosen[: max(0, len(chosen) - (short.count or 0))]
        lie = request.fault(FaultKind.LYING_TOTAL)
        total = len(rows) + (0 if lie is None else lie.count or 0)
        return success({"indexValue": None, "total": total, "list": chosen}, kind=kind)


def success(data: object, *, kind: str) -> Answer:
    """HTTP 200 and code 000000 around the data."""
    envelope = {"code": SUCCESS, "message": None, "messageDetail": None, "data": data, "success": True}
    return json_answer(envelope, headers=((PAGE_HEADER, kind),))


def failure(code: str, message: str, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Another code, no data."""
    envelope = {"code": code, "message": message, "messageDetail": None, "data": None, "success": False}
    return json_answer(envelope, status=status, headers=headers)


def copy_trade_fault(fault: Fault) -> Answer | None:
    """The answer of a fault that has a form of its own in this dialect."""
    waits = (("retry-after", str(fault.retry_after_s)),)
    match fault.kind:
        case FaultKind.THROTTLED:
            return failure(TOO_MANY, "Too many requests.", status=429, headers=waits)
        case FaultKind.THROTTLED_CODE:
            return failure(TOO_MANY, "Too many requests.")
        case FaultKind.BANNED:
            return failure(TOO_MANY, "Banned.", status=418, headers=waits)
        case FaultKind.SERVER_ERROR:
            return failure("000001", "Service unavailable.", status=503)
        case FaultKind.UNKNOWN_CODE:
            return failure(fault.code or "99999999", "An unknown answer.")
        case FaultKind.DATA_NULL:
            return success(None, kind="derived")
        case _:
            return None


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="list")


def _saved_rows(record: LeadRecord, endpoint: Endpoint) -> list[msgspec.Raw] | None:
    saved = record.saved.get(endpoint)
    return None if saved is None else msgspec.json.decode(saved, type=_Rows).rows
