"""Status, headers and bytes of an answer -> its payload, or one typed error.

Rows are not looked at here (`normalise_history`, `normalise_open`) and nothing is asked again (`edges.http_pages`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, NoReturn

import msgspec

from copytrade_core.model.errors import CopytradeError, Where
from copytrade_core.model.source import Endpoint, SourcePage

SUCCESS_CODE = "000000"
BUSY_CODE = "11012005"
TOO_MANY_REQUESTS_CODE = "90801003"
TRANSIENT_CODE = "100001003"
LOGIN_CODES = frozenset({"003998", "003999"})
RETIRED_CODE = "11012028"
EVIDENCE_BYTES = 120
"""How much of a body an error message may quote."""

PAGED = frozenset({Endpoint.POSITION_HISTORY, Endpoint.ORDER_HISTORY, Endpoint.TRANSFER_HISTORY, Endpoint.LEAD_LIST})


class SourceError(CopytradeError):
    """An answer that is no payload. Carries endpoint, page, request and whether asking again can help.

    `retry_after_s` is what the service asked for, when it did; `advice` is the next step for this kind.
    """

    advice: ClassVar[str | None] = None

    def __init__(
        self,
        what: str,
        *,
        answer: SourcePage,
        code: str | None = None,
        transient: bool = False,
        field: str | None = None,
    ) -> None:
        self.endpoint = answer.endpoint
        self.page = answer.page
        self.request = answer.request
        self.status = answer.status
        self.code = code
        self.transient = transient
        self.page_sha256 = answer.sha256
        self.retry_after_s = _retry_after_s(answer)
        place = f"{answer.endpoint.value} page {answer.page}" if answer.page is not None else answer.endpoint.value
        super().__init__(what, where=Where(request=f"{place} {answer.request}", field=field), next_step=self.advice)


class Throttled(SourceError):
    """The host asks for patience: 429, 418 or a busy code."""

    advice = "Wait longer between requests"


class Blocked(SourceError):
    """A firewall, country block or login page answered instead of the data."""

    advice = "Stop asking from this address; the raw answer is in the archive"


class HiddenPositions(SourceError):
    """The lead does not show its positions: no information, not flat."""


class LeadNotFound(SourceError):
    """The portfolio does not exist any more. Final for this lead."""


class UpstreamError(SourceError):
    """The service answered with a failure of its own."""


class MalformedPage(SourceError):
    """Success was claimed but the body does not have the documented shape."""


class Paged(msgspec.Struct, frozen=True, gc=False):
    """`data` of a paged answer; rows stay raw JSON."""

    rows: list[msgspec.Raw] | None = msgspec.field(name="list", default=None)
    total: Any = None


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    code: Any = None
    message: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a successful answer holds. `rows` are raw JSON objects; a single-object answer has exactly one row.

    `total` is the row count that the service claims, None when the endpoint is not paged.
    """

    rows: Sequence[msgspec.Raw]
    total: int | None


def read_payload(answer: SourcePage) -> Payload:
    """The payload of an answer.

    Raises:
        Throttled, Blocked, HiddenPositions, LeadNotFound, UpstreamError, MalformedPage: see each class.
    """
    _refuse_status(answer)
    data = _data_of(answer)
    if answer.endpoint in PAGED:
        return _paged(answer, data)
    if answer.endpoint is Endpoint.OPEN_POSITIONS:
        return Payload(rows=_open_rows(answer, data), total=None)
    if answer.endpoint is Endpoint.LEAD_CHART:
        return Payload(rows=_rows_of(answer, data), total=None)
    if not data.startswith(b"{"):
        raise MalformedPage("data is not an object", answer=answer, field="data")
    return Payload(rows=(msgspec.Raw(data),), total=None)


def is_success(answer: SourcePage) -> bool:
    """Whether an archived answer holds a payload."""
    try:
        _ = read_payload(answer)
    except SourceError:
        return False
    return True


def _refuse_status(answer: SourcePage) -> None:
    status = answer.status
    if status in (429, 418):
        raise Throttled(f"HTTP {status}", answer=answer, code=_code_or_none(answer), transient=True)
    if status in (202, 403, 451):
        if (code := _code_or_none(answer)) is not None:
            _refuse_code(answer, code)
        raise Blocked(f"HTTP {status}: {_evidence(answer)}", answer=answer)
    if status == 408 or status >= 500:
        raise UpstreamError(f"HTTP {status}", answer=answer, transient=True)
    if 300 <= status < 400:
        raise UpstreamError(f"HTTP {status}: a redirect is not followed", answer=answer)
    if status != 200:
        if (code := _code_or_none(answer)) is not None:
            _refuse_code(answer, code)
        raise UpstreamError(f"HTTP {status}: {_evidence(answer)}", answer=answer)


def _refuse_code(answer: SourcePage, code: str) -> NoReturn:
    if code in (BUSY_CODE, TOO_MANY_REQUESTS_CODE):
        raise Throttled(f"code {code}", answer=answer, code=code, transient=True)
    if code == RETIRED_CODE:
        raise LeadNotFound(f"lead {answer.lead_id} no longer exists (code {code})", answer=answer, code=code)
    if code in LOGIN_CODES:
        raise Blocked(f"code {code}: this path wants a login", answer=answer, code=code)
    if code == TRANSIENT_CODE:
        raise UpstreamError(f"code {code}", answer=answer, code=code, transient=True)
    if code == SUCCESS_CODE:
        raise UpstreamError(f"HTTP {answer.status} with a success code", answer=answer, code=code)
    raise UpstreamError(f"unknown code {code}: {_evidence(answer)}", answer=answer, code=code)


def _data_of(answer: SourcePage) -> bytes:
    body = answer.body.strip()
    if body[:1] == b"<":
        raise Blocked(f"HTML instead of JSON: {_evidence(answer)}", answer=answer)
    try:
        envelope = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as fault:
        raise MalformedPage(f"not the documented JSON ({fault}): {_evidence(answer)}", answer=answer) from fault
    code = str(envelope.code) if envelope.code is not None else None
    if code is None:
        raise MalformedPage("the envelope has no code", answer=answer, field="code")
    if code != SUCCESS_CODE:
        _refuse_code(answer, code)
    return bytes(envelope.data).strip()


def _paged(answer: SourcePage, data: bytes) -> Payload:
    if data == b"null":
        raise MalformedPage("success with data null is not an empty page", answer=answer, field="data")
    try:
        paged = msgspec.json.decode(data, type=Paged)
    except (msgspec.DecodeError, msgspec.ValidationError) as fault:
        raise MalformedPage(f"data is not a page ({fault})", answer=answer, field="data") from fault
    if paged.rows is None:
        raise MalformedPage("the page has no list", answer=answer, field="list")
    if isinstance(paged.total, bool) or not isinstance(paged.total, int) or paged.total < 0:
        raise MalformedPage(f"total is {paged.total!r}, not a count", answer=answer, field="total")
    return Payload(rows=paged.rows, total=paged.total)


class _PositionsObject(msgspec.Struct, frozen=True):
    positions: list[msgspec.Raw] | None


def _open_rows(answer: SourcePage, data: bytes) -> Sequence[msgspec.Raw]:
    if not data.startswith(b"{"):
        return _rows_of(answer, data)
    try:
        rows = msgspec.json.decode(data, type=_PositionsObject).positions
    except (msgspec.DecodeError, msgspec.ValidationError) as fault:
        raise MalformedPage(f"data is neither a list nor positions ({fault})", answer=answer, field="data") from fault
    if rows is None:
        raise HiddenPositions(f"lead {answer.lead_id} hides its positions", answer=answer, field="positions")
    return rows


def _rows_of(answer: SourcePage, data: bytes) -> Sequence[msgspec.Raw]:
    try:
        return msgspec.json.decode(data, type=list[msgspec.Raw])
    except (msgspec.DecodeError, msgspec.ValidationError) as fault:
        raise MalformedPage(f"data is not a list ({fault})", answer=answer, field="data") from fault


def _retry_after_s(answer: SourcePage) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or an HTTP date relative to when the answer arrived."""
    text = next((value.strip() for name, value in answer.headers if name == "retry-after"), "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - answer.received_at).total_seconds())


def _code_or_none(answer: SourcePage) -> str | None:
    try:
        code = msgspec.json.decode(answer.body, type=_Envelope).code
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None
    return str(code) if code is not None else None


def _evidence(answer: SourcePage) -> str:
    return repr(answer.body[:EVIDENCE_BYTES].decode("utf-8", "replace")) if answer.body else "empty body"
