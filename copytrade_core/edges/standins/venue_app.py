"""A venue's stand-in as one ASGI application: finds the endpoint, lets the faults happen, answers, takes controls.

What the venue says is its dialect, what it keeps is the engine, what a fault looks like is `venue_faults`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from copytrade_core.edges.standins.control import CONTROL_PREFIX, SetTime
from copytrade_core.edges.standins.venue_control import Inject
from copytrade_core.edges.standins.venue_dialect import Route, Success, VenueError, VenueRequest
from copytrade_core.edges.standins.venue_faults import APPLIES, faulty
from copytrade_core.edges.standins.venue_requests import Arrived, parameters_of
from copytrade_core.edges.standins.venue_run import Ground, VenueRun, begun
from copytrade_core.edges.standins.venue_setup import setup_from_json
from copytrade_core.edges.standins.wire import Answer, json_answer, send_answer
from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.side import Side
from copytrade_core.model.venue import PositionMode
from copytrade_core.virtual_exchange.call_plan import UNTOUCHED, CallPlan, plan_call
from copytrade_core.virtual_exchange.fault_json import faults_from_json
from copytrade_core.virtual_exchange.faults import VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk, Placed, VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

BODY_BYTES_MAX = 1 << 20


class VenueApp:
    """All endpoints of one venue's stand-in.

    Args:
        run: the first run.
        ground: what later runs are begun on.
    """

    def __init__(self, run: VenueRun, ground: Ground) -> None:
        self._run = run
        self._ground = ground

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        body = await _body(request)
        path = request.url.path
        if body is None:
            answer = json_answer({"error": "the request body is too large"}, status=413)
        elif path.startswith(CONTROL_PREFIX):
            answer = self._control(request.method, path.removeprefix(CONTROL_PREFIX), body)
        else:
            answer = _venue_answer(self._run, _arrived(request, body))
        await send_answer(answer, scope, receive, send)

    def _control(self, method: str, name: str, body: bytes) -> Answer:
        run = self._run
        try:
            match method, name:
                case "GET", "state":
                    run.tick()
                case "GET", "ledger":
                    run.tick()
                    return json_answer(run.ledger())
                case "POST", "time":
                    run.set_time(msgspec.json.decode(body, type=SetTime))
                case "POST", "faults":
                    run.set_faults(faults_from_json(body))
                case "POST", "inject":
                    run.inject(msgspec.json.decode(body, type=Inject))
                case "POST", "reset":
                    run = self._run = begun(setup_from_json(body), self._ground)
                case _:
                    return json_answer({"error": f"{method} {name} is no control of this stand-in"}, status=404)
        except (CopytradeError, msgspec.MsgspecError) as error:
            return json_answer({"error": str(error)}, status=400)
        return json_answer(run.state())


def _venue_answer(run: VenueRun, arrived: Arrived) -> Answer:
    named = f"{arrived.method} {arrived.path}"
    run.calls[named] += 1
    found = run.routes.find(arrived.method, arrived.path)
    if found is None:
        run.unknown_requests.append(named)
        return json_answer({"code": 404, "msg": f"{named} is not served by this stand-in"}, status=404)
    route, pieces = found
    try:
        run.tick()
        return _Exchange(run, route, arrived, parameters_of(arrived, pieces)).answer()
    except CopytradeError as error:
        run.internal_errors.append(f"{named}: {error}")
        return json_answer({"code": 500, "msg": str(error)}, status=500)


class _Looked(Exception):
    """A handler wanted to place this order while it was only looked at."""

    def __init__(self, ask: PlaceAsk) -> None:
        super().__init__()
        self.ask = ask


def _only_looking(ask: PlaceAsk) -> Placed | VenueRefusal:
    raise _Looked(ask)


class _Exchange:
    """One request to the venue and its answer."""

    def __init__(self, run: VenueRun, route: Route, arrived: Arrived, parameters: dict[str, str]) -> None:
        self._run = run
        self._route = route
        self._arrived = arrived
        self._parameters = parameters

    def answer(self) -> Answer:
        """What the client gets."""
        run, route, engine = self._run, self._route, self._run.engine
        asked = self._asked() if route.call is VenueCall.SUBMIT else None
        call = _call_counted(run, route)
        if call is not None:
            run.calls_by_kind[call] += 1
        closes = isinstance(asked, PlaceAsk) and _closes(asked, engine)
        plan = UNTOUCHED if call is None else plan_call(engine, run.book, call, closes=closes)
        slow_s = plan.slow_ms / 1000
        place = functools.partial(engine.place, terms=plan.terms)
        request = self._request(plan, place)
        denied = run.dialect.denied(request) if route.is_signed else None
        fault = plan.fault
        if denied is not None and (fault is None or fault.kind in APPLIES):
            return self._failure(denied, slow_s)
        if fault is None:
            return self._told(route.handler(request, engine), slow_s)
        if fault.kind in APPLIES:
            done = route.handler(request, engine)
            if fault.kind is VenueFaultKind.DUPLICATE_ID and not isinstance(done, Success):
                return self._told(done, slow_s)
        elif fault.kind is VenueFaultKind.DELAYED_APPLY and isinstance(asked, PlaceAsk) and denied is None:
            engine.place_later(asked, delay_ms=fault.delay_ms or 0)
        given = faulty(fault, run.dialect, len(run.book.met()))
        return self._failure(given, slow_s) if isinstance(given, VenueError) else given

    def _asked(self) -> PlaceAsk | None:
        """The order that the request would place; None when it is not even readable. Nothing is placed."""
        try:
            _ = self._route.handler(self._request(UNTOUCHED, _only_looking), self._run.engine)
        except _Looked as looked:
            return looked.ask
        return None

    def _request(self, plan: CallPlan, place: Callable[[PlaceAsk], Placed | VenueRefusal]) -> VenueRequest:
        arrived, run = self._arrived, self._run
        return VenueRequest(
            method=arrived.method,
            path=arrived.path,
            query=arrived.query,
            body=arrived.body,
            headers=arrived.headers,
            parameters=self._parameters,
            now_ms=run.engine.now_ms + plan.skew_ms,
            key=run.key,
            place=place,
            as_of_ms=plan.as_of_ms,
        )

    def _told(self, done: Success | VenueError | VenueRefusal, slow_s: float) -> Answer:
        run, route = self._run, self._route
        if isinstance(done, VenueRefusal):
            return self._failure(run.dialect.words_for(done), slow_s)
        if isinstance(done, VenueError):
            return self._failure(done, slow_s)
        run.note_words(f"{route.method} {route.path}", route.basis)
        spoken = run.dialect.success(done, run.engine.now_ms)
        return _sent(spoken.payload, spoken.status, spoken.headers, slow_s)

    def _failure(self, error: VenueError, slow_s: float) -> Answer:
        run = self._run
        run.note_words(f"error {error.code}", error.basis)
        spoken = run.dialect.failure(error, run.engine.now_ms)
        return _sent(spoken.payload, spoken.status, spoken.headers, slow_s)


def _sent(payload: object, status: int, headers: tuple[tuple[str, str], ...], slow_s: float) -> Answer:
    return replace(json_answer(payload, status=status, headers=headers), delay_s=slow_s)


def _call_counted(run: VenueRun, route: Route) -> VenueCall | None:
    """Which call the faults count this as: a venue has one request for all positions and for those of one market."""
    if route.call is not VenueCall.POSITIONS:
        return route.call
    waits = any(fault.call is VenueCall.POSITION for fault in run.book.waiting())
    return VenueCall.POSITION if waits else VenueCall.POSITIONS


def _closes(ask: PlaceAsk, engine: VenueEngine) -> bool:
    """Whether an order takes away from a position."""
    if engine.position_mode is PositionMode.HEDGE:
        return ask.buys is (ask.position_side is Side.SHORT)
    return ask.reduce_only is True


def _arrived(request: Request, body: bytes) -> Arrived:
    return Arrived(
        method=request.method,
        path=request.url.path,
        query=request.url.query,
        body=body,
        headers={name.lower(): value for name, value in request.headers.items()},
    )


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
