"""Saved pages of leads, read leniently: what the stand-in has to serve.

Rows are kept byte for byte and are never judged here; a row that cannot be placed in time is always served, so that
the reader's own checks meet it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.source import Endpoint, SourcePage


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    """One closed-history row: the bytes to serve and what the stand-in could read of them."""

    raw: bytes
    fields: dict[str, Any]
    opened_ms: int | None
    closed_ms: int | None

    def text(self, name: str, otherwise: str) -> str:
        """A field as exact text."""
        value = self.fields.get(name)
        return otherwise if value is None else str(value)

    def number(self, name: str) -> Decimal | None:
        """A field as an exact finite number, or None."""
        try:
            value = Decimal(str(self.fields.get(name)).replace(",", ""))
        except InvalidOperation:
            return None
        return value if value.is_finite() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRecord:
    """All that is saved of one lead. `saved` holds other endpoints' `data`, byte for byte, newest page last seen."""

    lead_id: str
    history: tuple[HistoryRow, ...]
    saved: dict[Endpoint, bytes]


class _Envelope(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Paged(msgspec.Struct):
    rows: list[msgspec.Raw] = msgspec.field(name="list")


_EXACT = msgspec.json.Decoder(Any, float_hook=str)
"""Numbers with a fraction stay text, so that no digit is lost."""


class _SavedPage(msgspec.Struct):
    request: dict[str, Any]
    response: msgspec.Raw


def records_from_pages(pages: Iterable[SourcePage]) -> tuple[LeadRecord, ...]:
    """Leads from archived pages, any order; pages that are not usable JSON are skipped as the archive keeps those too.

    History rows are united over all pages, equal rows once.
    """
    gathered: dict[str, _Gathered] = {}
    for page in sorted(pages, key=lambda page: page.received_at):
        gathered.setdefault(page.lead_id, _Gathered()).add(page.endpoint, page.body)
    return tuple(found.record(lead_id) for lead_id, found in gathered.items())


def records_from_directory(directory: Path) -> tuple[LeadRecord, ...]:
    """Leads from a folder of saved pages, or from a folder of such folders named by lead id.

    Understands lists of `{request, response}` and bare saved answers (`*.json`); other files are left alone.

    Raises:
        BadInput: not a directory, or no history row in it.
    """
    if not directory.is_dir():
        raise BadInput(
            "the folder of saved pages does not exist",
            where=Where(file=str(directory)),
            next_step="Give a folder such as data/sample/leads/4751838302089254401",
        )
    gathered: dict[str, _Gathered] = {}
    for path in sorted(directory.rglob("*.json")):
        _add_file(path, gathered)
    records = tuple(found.record(lead_id) for lead_id, found in gathered.items())
    if not any(record.history for record in records):
        raise BadInput(
            "no position history page was found in the folder",
            where=Where(file=str(directory)),
            next_step="Save at least one position-history answer there as .json",
        )
    return records


class _Gathered:
    """What has been found of one lead so far."""

    def __init__(self) -> None:
        self.rows: dict[bytes, HistoryRow] = {}
        self.saved: dict[Endpoint, bytes] = {}

    def add(self, endpoint: Endpoint, body: bytes) -> None:
        try:
            data = bytes(msgspec.json.decode(body, type=_Envelope).data)
            if endpoint is Endpoint.POSITION_HISTORY:
                for raw in msgspec.json.decode(data, type=_Paged).rows:
                    row = _history_row(bytes(raw))
                    _ = self.rows.setdefault(row.raw, row)
            elif data != b"null":
                self.saved[endpoint] = data
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return

    def record(self, lead_id: str) -> LeadRecord:
        rows = sorted(self.rows.values(), key=lambda row: -(row.closed_ms or 0))
        return LeadRecord(lead_id=lead_id, history=tuple(rows), saved=dict(self.saved))


def _add_file(path: Path, gathered: dict[str, _Gathered]) -> None:
    body = path.read_bytes()
    folder = path.parent.name
    try:
        pages = msgspec.json.decode(body, type=list[_SavedPage])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        endpoint = _endpoint_of(body)
        if endpoint is not None and folder.isdigit():
            gathered.setdefault(folder, _Gathered()).add(endpoint, body)
        return
    for page in pages:
        endpoint = _endpoint_of(bytes(page.response))
        if endpoint is not None:
            lead_id = str(page.request.get("portfolioId", folder))
            gathered.setdefault(lead_id, _Gathered()).add(endpoint, bytes(page.response))


def _endpoint_of(body: bytes) -> Endpoint | None:
    """Which endpoint a saved answer came from, by its fields."""
    try:
        data: Any = msgspec.json.decode(body).get("data")
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        return None
    if isinstance(data, dict):
        rows = data.get("list")
        if isinstance(rows, list):
            return _paged_endpoint(rows[0] if rows else {})
        if "positionShow" in data or "leadPortfolioId" in data:
            return Endpoint.LEAD_DETAIL
        return Endpoint.LEAD_PERFORMANCE if "winOrders" in data else None
    if isinstance(data, list) and data and isinstance(data[0], dict):
        if "positionSide" in data[0]:
            return Endpoint.OPEN_POSITIONS
        return Endpoint.LEAD_CHART if "dataType" in data[0] else None
    return None


def _paged_endpoint(row: object) -> Endpoint | None:
    if not isinstance(row, dict):
        return None
    for name, endpoint in (
        ("avgCost", Endpoint.POSITION_HISTORY),
        ("closedVolume", Endpoint.POSITION_HISTORY),
        ("orderTime", Endpoint.ORDER_HISTORY),
        ("transType", Endpoint.TRANSFER_HISTORY),
        ("leadPortfolioId", Endpoint.LEAD_LIST),
    ):
        if name in row:
            return endpoint
    return None


def _history_row(raw: bytes) -> HistoryRow:
    compact = msgspec.json.format(raw, indent=-1)
    decoded: Any = _EXACT.decode(compact)
    fields: dict[str, Any] = decoded if isinstance(decoded, dict) else {}
    return HistoryRow(
        raw=compact, fields=fields, opened_ms=_instant(fields.get("opened")), closed_ms=_instant(fields.get("closed"))
    )


def _instant(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) else None
