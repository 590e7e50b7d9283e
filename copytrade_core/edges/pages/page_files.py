"""Saved answers in files -> source pages, bytes as saved; the archive and the checks are in `page_import`."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from copytrade_core.edges.pages.http_pages import canonical_request
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.source import Endpoint, LeadId, SourcePage
from copytrade_core.sources.envelope import SUCCESS_CODE, read_payload
from copytrade_core.sources.history_walk import row_key

LEAD_IN_NAME = re.compile(r"(?<![0-9])([0-9]{16,20})(?![0-9])", re.ASCII)
CSV_REQUIRED = ("symbol", "opened", "closed", "avgCost", "avgClosePrice", "closingPnl", "closedVolume", "side")
CSV_WHOLE = ("id", "opened", "closed", "updateTime")
"""Columns that the service publishes as whole numbers; the rest stays text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPage:
    """A page and the place it was read from; `row` counts answers in the file from 1."""

    page: SourcePage
    file: Path
    row: int


class _Request(msgspec.Struct, frozen=True):
    portfolioId: str | int | None = None  # noqa: N815 - the service's name


class _Recorded(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of `position_history_pages_raw.json`."""

    page_number: int
    request: msgspec.Raw
    response: msgspec.Raw


class _Envelope(msgspec.Struct, frozen=True):
    data: Any = None
    code: Any = None


def pages_of_json(path: Path, *, lead_id: LeadId | None, now: datetime) -> list[SavedPage]:
    """The answers saved in one JSON file: a list of recorded history pages, or one bare answer.

    Raises:
        BadInput: not JSON, neither shape, or no lead id to be found.
    """
    text = _read(path)
    try:
        if text.lstrip()[:1] == b"[":
            recorded = msgspec.json.decode(text, type=list[_Recorded])
            return [_recorded(path, row, entry, lead_id, now) for row, entry in enumerate(recorded, start=1)]
        answer = msgspec.json.decode(text, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadInput(f"not a saved answer: {fault}", where=Where(file=str(path))) from fault
    endpoint = _endpoint_of(path, answer)
    lead = _lead_of(path, lead_id, _published_lead(answer.data))
    page = _page(text, lead, endpoint, page=1 if endpoint is Endpoint.POSITION_HISTORY else None, now=now,
                 request=canonical_request({"portfolioId": lead}), url_path=f"import:{path.name}")  # fmt: skip
    return [SavedPage(page=page, file=path, row=1)]


def _recorded(path: Path, row: int, entry: _Recorded, lead_id: LeadId | None, now: datetime) -> SavedPage:
    try:
        asked = msgspec.json.decode(entry.request, type=_Request).portfolioId
        parameters = msgspec.json.decode(entry.request, type=dict[str, Any])
    except msgspec.DecodeError as fault:
        where = Where(file=str(path), row=row, field="request")
        raise BadInput(f"the request is not readable: {fault}", where=where) from fault
    lead = _lead_of(path, lead_id, None if asked is None else str(asked), row=row)
    page = _page(bytes(entry.response), lead, Endpoint.POSITION_HISTORY, page=entry.page_number, now=now,
                 request=canonical_request(parameters), url_path=f"import:{path.name}")  # fmt: skip
    return SavedPage(page=page, file=path, row=row)


def pages_of_csv(
    path: Path, *, lead_id: LeadId | None, now: datetime, already: Sequence[SourcePage]
) -> list[SavedPage]:
    """Rows of `positions.csv` that no raw page holds, as one history page; values stay the text they were.

    Raises:
        BadInput: a column is missing, a line has another number of cells, or no lead id is to be found.
    """
    held = {_position_key(raw) for page in already for raw in read_payload(page).rows}
    try:
        lines = list(csv.reader(io.StringIO(_read(path).decode("utf-8-sig")), strict=True))
    except (csv.Error, UnicodeDecodeError) as fault:
        raise BadInput(f"not a CSV file: {fault}", where=Where(file=str(path))) from fault
    header = lines[0] if lines else []
    for name in CSV_REQUIRED:
        if name not in header:
            raise BadInput(f"the column {name} is missing", where=Where(file=str(path), row=1, field=name))
    rows: list[bytes] = []
    for number, cells in enumerate(lines[1:], start=2):
        if cells and len(cells) != len(header):
            raise BadInput(f"{len(cells)} cells, not {len(header)}", where=Where(file=str(path), row=number))
        encoded = msgspec.json.encode({name: _cell(name, text) for name, text in zip(header, cells, strict=False)})
        if cells and _position_key(msgspec.Raw(encoded)) not in held:
            rows.append(encoded)
    if not rows:
        return []
    body = b'{"code":"%s","data":{"total":%d,"list":[%s]}}' % (SUCCESS_CODE.encode(), len(rows), b",".join(rows))
    lead = _lead_of(path, lead_id, None)
    page = _page(body, lead, Endpoint.POSITION_HISTORY, page=1, now=now,
                 request=canonical_request({"portfolioId": lead}), url_path=f"import:{path.name}")  # fmt: skip
    return [SavedPage(page=page, file=path, row=1)]


def _cell(name: str, text: str) -> str | int | None:
    if not text.strip():
        return None
    return int(text) if name in CSV_WHOLE and text.isascii() and text.isdigit() else text


def _position_key(raw: msgspec.Raw) -> str:
    """Symbol, side and open time, without the id: what a CSV and a page of the same row share."""
    return row_key(raw).rpartition("|")[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise BadInput(f"cannot be read: {fault.strerror}", where=Where(file=str(path))) from fault


def _endpoint_of(path: Path, answer: _Envelope) -> Endpoint:
    match answer.data:
        case {"list": list(), "total": _}:
            return Endpoint.POSITION_HISTORY
        case {"positions": _} | list():
            return Endpoint.OPEN_POSITIONS
        case {"leadPortfolioId": _}:
            return Endpoint.LEAD_DETAIL
        case _:
            raise BadInput(
                "not an answer of a known page",
                where=Where(file=str(path), field="code" if answer.code is None else "data"),
                next_step="Known are position history, open positions and lead detail",
            )


def _published_lead(data: object) -> str | None:
    match data:
        case {"leadPortfolioId": str() | int() as published}:
            return str(published)
        case _:
            return None


def _lead_of(path: Path, wanted: LeadId | None, published: str | None, *, row: int | None = None) -> LeadId:
    if wanted is not None and published is not None and wanted != published:
        where = Where(file=str(path), row=row, field="portfolioId")
        raise BadInput(f"the answer is of lead {published}, not {wanted}", where=where)
    if wanted is not None or published is not None:
        return LeadId(wanted or published or "")
    for name in (path.name, path.parent.resolve().name):
        if (found := LEAD_IN_NAME.search(name)) is not None:
            return LeadId(found.group(1))
    raise BadInput(
        "nothing says which lead this is",
        where=Where(file=str(path), row=row, field="portfolioId"),
        next_step="Name the folder after the lead's id, or give the id",
    )


def _page(
    body: bytes, lead_id: LeadId, endpoint: Endpoint, *, page: int | None, now: datetime, request: str, url_path: str
) -> SourcePage:
    return SourcePage(
        lead_id=lead_id,
        endpoint=endpoint,
        page=page,
        url_path=url_path,
        request=request,
        status=200,
        headers=(),
        body=body,
        sha256=hashlib.sha256(body).hexdigest(),
        received_at=now,
    )
