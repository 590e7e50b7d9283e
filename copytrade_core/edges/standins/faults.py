"""Faults a stand-in shows on request: which one, on which path, on which calls.

What a fault looks like in a dialect belongs to the app that speaks it; only faults common to all are built here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from copytrade_core.edges.standins.wire import HTML_TYPE, JSON_TYPE, Answer, Break
from copytrade_core.model.errors import BadInput, Where


class FaultKind(StrEnum):
    """Every way in which the source is known, or must be expected, to misbehave."""

    THROTTLED = "throttled"
    """HTTP 429 with Retry-After."""
    THROTTLED_CODE = "throttled_code"
    """HTTP 200 with code 90801003."""
    BUSY_FIRST = "busy_first"
    """Code 11012005 on the first `count` calls of every new page."""
    BANNED = "banned"
    """HTTP 418 with Retry-After."""
    SERVER_ERROR = "server_error"
    """HTTP 503."""
    WAF_EMPTY = "waf_empty"
    """HTTP 202 without a body: the challenge of the firewall."""
    WAF_FORBIDDEN = "waf_forbidden"
    """HTTP 403 with an HTML page."""
    WAF_HTML = "waf_html"
    """HTTP 200 with an HTML page."""
    UNKNOWN_CODE = "unknown_code"
    """An envelope with a code nobody has seen (`code` sets it)."""
    DATA_NULL = "data_null"
    """Success with data null."""
    EMPTY_PAGE = "empty_page"
    """HTTP 200 without a body."""
    TRUNCATED_JSON = "truncated_json"
    """Half of the JSON, with a content-length that agrees."""
    TRUNCATED_BODY = "truncated_body"
    """Half of the body, with a content-length that promises all of it."""
    CONNECTION_RESET = "connection_reset"
    SLOW = "slow"
    """The true answer after `delay_s`."""
    HIDDEN_PORTFOLIO = "hidden_portfolio"
    """positionShow false and no open rows; the history stays whole."""
    HIDDEN_POSITIONS_NULL = "hidden_positions_null"
    """positionShow false and data {"positions": null}."""
    RETIRED_LEAD = "retired_lead"
    """Code 11012028."""
    SHIFTING_PAGES = "shifting_pages"
    """The newest `count` history rows close one by one, one at each matching call from `first_call` on."""
    LYING_TOTAL = "lying_total"
    """total promises `count` rows more than there are."""
    SHORT_PAGE = "short_page"
    """The page lacks its last `count` rows."""


NEEDS_COUNT = frozenset({
    FaultKind.BUSY_FIRST,
    FaultKind.SHIFTING_PAGES,
    FaultKind.LYING_TOTAL,
    FaultKind.SHORT_PAGE,
})  # fmt: skip
HIDING = frozenset({FaultKind.HIDDEN_PORTFOLIO, FaultKind.HIDDEN_POSITIONS_NULL})
"""Faults that hide a lead or its positions."""

WAF_PAGE = b"<!DOCTYPE html><html><head><title>Access denied</title></head><body>Request blocked.</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `kind`, on requests whose path ends with `path` ("" = all), on calls `first_call`..`last_call`.

    Calls count from 1 per fault, from the moment it is set; `last_call` None means for ever. `lead_id` narrows it to
    one lead. `count`, `delay_s`, `retry_after_s` and `code` are needed or used as `FaultKind` says.

    Raises:
        BadInput: a range that holds no call, or a kind without the number it needs.
    """

    kind: FaultKind
    path: str = ""
    first_call: int = 1
    last_call: int | None = None
    lead_id: str | None = None
    count: int | None = None
    delay_s: float | None = None
    retry_after_s: int | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        if self.first_call < 1 or (self.last_call is not None and self.last_call < self.first_call):
            raise BadInput(f"fault {self.kind}: no call is in its range", where=Where(field="first_call"))
        if self.kind in NEEDS_COUNT and (self.count is None or self.count < 1):
            raise BadInput(f"fault {self.kind} needs a count of 1 or more", where=Where(field="count"))
        if self.kind is FaultKind.SLOW and (self.delay_s is None or self.delay_s < 0):
            raise BadInput("fault slow needs a delay in seconds", where=Where(field="delay_s"))
        if self.kind in {FaultKind.THROTTLED, FaultKind.BANNED} and self.retry_after_s is None:
            raise BadInput(f"fault {self.kind} needs retry_after_s", where=Where(field="retry_after_s"))


def faults_from_json(body: bytes) -> tuple[Fault, ...]:
    """A JSON list of faults.

    Raises:
        BadInput: not such a list; names the field.
    """
    try:
        return tuple(msgspec.json.decode(body, type=list[Fault]))
    except msgspec.MsgspecError as error:
        raise BadInput(f"faults: {error}", where=Where(field="faults")) from error


@dataclass(slots=True)
class _Armed:
    fault: Fault
    seen: int = 0


class FaultBook:
    """The faults that are set, and how often each has been met. Used from one thread only."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._armed = [_Armed(fault) for fault in faults]

    def replace(self, faults: Sequence[Fault]) -> None:
        """Forget all faults and their counts; set these."""
        self._armed = [_Armed(fault) for fault in faults]

    def due(self, path: str, lead_id: str | None) -> tuple[Fault, ...]:
        """Count this call and give the faults that it meets."""
        met: list[Fault] = []
        for armed in self._armed:
            fault = armed.fault
            if not path.endswith(fault.path) or (fault.lead_id is not None and fault.lead_id != lead_id):
                continue
            armed.seen += 1
            if fault.kind is FaultKind.SHIFTING_PAGES or self._in_range(armed):
                met.append(fault)
        return tuple(met)

    def held_back(self, lead_id: str) -> int:
        """How many of the newest history rows of a lead have not closed yet."""
        held = 0
        for armed in self._armed:
            fault = armed.fault
            if fault.kind is FaultKind.SHIFTING_PAGES and fault.lead_id in {None, lead_id}:
                held += max(0, (fault.count or 0) - max(0, armed.seen - fault.first_call + 1))
        return held

    def state(self) -> list[dict[str, object]]:
        """The faults with their call counts, for the control endpoint."""
        return [{"fault": armed.fault, "calls_seen": armed.seen} for armed in self._armed]

    @staticmethod
    def _in_range(armed: _Armed) -> bool:
        last = armed.fault.last_call
        return armed.fault.first_call <= armed.seen and (last is None or armed.seen <= last)


def replaced_by_fault(fault: Fault) -> Answer | None:
    """The answer that hides the true one whatever the dialect, or None when the fault works otherwise."""
    match fault.kind:
        case FaultKind.WAF_EMPTY:
            return Answer(status=202, body=b"", content_type=HTML_TYPE, headers=(("x-amzn-waf-action", "challenge"),))
        case FaultKind.WAF_FORBIDDEN:
            return Answer(status=403, body=WAF_PAGE, content_type=HTML_TYPE)
        case FaultKind.WAF_HTML:
            return Answer(status=200, body=WAF_PAGE, content_type=HTML_TYPE)
        case FaultKind.EMPTY_PAGE:
            return Answer(status=200, body=b"", content_type=JSON_TYPE)
        case _:
            return None


def damaged_by_fault(fault: Fault, answer: Answer) -> Answer:
    """The true answer, damaged on its way."""
    match fault.kind:
        case FaultKind.TRUNCATED_JSON:
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        case FaultKind.TRUNCATED_BODY:
            return replace(answer, broken=Break.TRUNCATED)
        case FaultKind.CONNECTION_RESET:
            return replace(answer, broken=Break.RESET)
        case FaultKind.SLOW:
            return replace(answer, delay_s=answer.delay_s + (fault.delay_s or 0.0))
        case _:
            return answer
