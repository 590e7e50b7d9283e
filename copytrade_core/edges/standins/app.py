"""The stand-in as one ASGI application: finds the app for a path, applies the faults, answers the controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from copytrade_core.edges.standins.control import CONTROL_PREFIX, SetTime, VirtualClock
from copytrade_core.edges.standins.copy_trade_app import CopyRequest, CopyTradeApp, copy_trade_fault
from copytrade_core.edges.standins.faults import (
    Fault,
    FaultBook,
    damaged_by_fault,
    faults_from_json,
    replaced_by_fault,
)
from copytrade_core.edges.standins.futures_app import FuturesApp, futures_fault
from copytrade_core.edges.standins.wire import Answer, json_answer, send_answer
from copytrade_core.model.errors import BadInput

BODY_BYTES_MAX = 1 << 20


class StandinApp:
    """All endpoints of the stand-in.

    Args:
        copy_trade: the copy-trading endpoints.
        futures: the market endpoints.
        book: the faults that are set.
        clock: the virtual clock.
        about: what `state` says besides time, faults and calls.
    """

    def __init__(
        self,
        *,
        copy_trade: CopyTradeApp,
        futures: FuturesApp,
        book: FaultBook,
        clock: VirtualClock,
        about: dict[str, object],
    ) -> None:
        self._copy_trade = copy_trade
        self._futures = futures
        self._book = book
        self._clock = clock
        self._about = about
        self._calls: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        body = await _body(request)
        if body is None:
            answer = _plain_failure(413, "The request body is too large.")
        elif request.url.path.startswith(CONTROL_PREFIX):
            answer = self._control(request.method, request.url.path.removeprefix(CONTROL_PREFIX), body)
        else:
            answer = self._public(request, body)
        await send_answer(answer, scope, receive, send)

    def _public(self, request: Request, body: bytes) -> Answer:
        method, path = request.method, request.url.path
        self._calls[path] += 1
        as_of_ms = self._clock.now_ms()
        if (method, path) in self._copy_trade.routes:
            parameters = dict(request.query_params) if method == "GET" else _parameters(body)
            lead_id = str(parameters.get("portfolioId") or "")
            faults = self._book.due(path, lead_id)
            asked = CopyRequest(parameters=parameters, as_of_ms=as_of_ms, faults=faults)
            return _faulted(faults, copy_trade_fault, lambda: self._copy_trade.answer(method, path, asked))
        if method == "GET" and path in self._futures.routes:
            query = dict(request.query_params)
            faults = self._book.due(path, None)
            return _faulted(faults, futures_fault, lambda: self._futures.answer(path, query, as_of_ms))
        return _plain_failure(404, f"{method} {path} is not served by this stand-in.")

    def _control(self, method: str, name: str, body: bytes) -> Answer:
        try:
            match method, name:
                case "GET", "state":
                    return json_answer(self._state())
                case "POST", "time":
                    self._clock.set(msgspec.json.decode(body, type=SetTime))
                case "POST", "faults":
                    self._book.replace(faults_from_json(body))
                    self._copy_trade.forget_busy()
                case _:
                    return _plain_failure(404, f"{method} {CONTROL_PREFIX}{name} is no control of this stand-in.")
        except (BadInput, msgspec.MsgspecError) as error:
            return _plain_failure(400, str(error))
        return json_answer(self._state())

    def _state(self) -> dict[str, object]:
        return {
            "as_of_ms": self._clock.now_ms(),
            "speed": self._clock.speed,
            **self._about,
            "faults": self._book.state(),
            "calls": dict(self._calls),
        }


def _faulted(
    faults: tuple[Fault, ...], dialect: Callable[[Fault], Answer | None], true_answer: Callable[[], Answer]
) -> Answer:
    replaced = (replaced_by_fault(fault) or dialect(fault) for fault in faults)
    answer = next((found for found in replaced if found is not None), None) or true_answer()
    for fault in faults:
        answer = damaged_by_fault(fault, answer)
    return answer


def _plain_failure(status: int, message: str) -> Answer:
    return json_answer({"code": str(status), "message": message, "data": None, "success": False}, status=status)


def _parameters(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is larger than any real request."""
    parts: list[bytes] = []
    length = 0
    async for part in request.stream():
        length += len(part)
        if length > BODY_BYTES_MAX:
            return None
        parts.append(part)
    return b"".join(parts)
