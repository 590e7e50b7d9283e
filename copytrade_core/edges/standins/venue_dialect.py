"""What a venue's stand-in must say to speak for that venue: routes, access check, envelope, and words for refusals.

The account itself is `virtual_exchange.venue_engine`; the wire, the faults and the controls are `venue_app`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from copytrade_core.model.instrument import Market
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk, Placed, VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule, VenueRules


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinKey:
    """The one key that a stand-in accepts. It is made up: no venue ever issued it.

    `is_revoked` makes the venue answer as for an unknown key; the rights are what the permission call tells.
    """

    api_key: str
    secret: str
    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True
    is_revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRequest:
    """One request to the venue.

    Attributes:
        method: upper case.
        path: as sent, without the query.
        query: as sent, without `?`: what a signature is computed over.
        body: as sent.
        headers: names in lower case.
        parameters: pieces of the route's path (`{name}`), the query, and the form or the members of the JSON body, all
            as text (JSON numbers as they were written, booleans as `true` and `false`, nested values as JSON).
        now_ms: the venue's own clock (skewed when a fault says so).
        key: the key of this stand-in, for the permission call.
        place: how a new order gets into the engine: `VenueEngine.place` with what a fault does to it. Handlers of new
            orders call this, never the engine's own.
        as_of_ms: the instant that reads of orders, fills and positions show (None: now); handlers pass it on.
    """

    method: str
    path: str
    query: str
    body: bytes
    headers: Mapping[str, str]
    parameters: Mapping[str, str]
    now_ms: int
    key: StandinKey
    place: Callable[[PlaceAsk], Placed | VenueRefusal]
    as_of_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueError:
    """A refusal in the venue's own words. `code` is the venue's (a number as text, or Gate's label)."""

    status: int
    code: str
    message: str
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A whole answer before it becomes bytes; `payload` is what msgspec can write as JSON."""

    status: int
    payload: object
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """What a handler answers when the venue did what was asked: the payload inside the venue's envelope."""

    payload: object
    status: int = 200


Handler = Callable[[VenueRequest, VenueEngine], Success | VenueError | VenueRefusal]
"""Reads the parameters, asks the engine, answers. A `VenueRefusal` is put into words by the dialect's `words_for`.

It never checks keys and never moves the engine's clock: `venue_app` has done both.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint.

    Attributes:
        method: upper case.
        path: absolute, a variable segment as `{name}`: `/api/v4/futures/usdt/orders/{order_id}`.
        call: which faults hit it; None for an endpoint that no fault names (server time alone).
        is_signed: whether the access check runs before the handler.
        basis: where the shape of its answer is from.
        handler: what answers.
    """

    method: str
    path: str
    call: VenueCall | None
    is_signed: bool
    basis: Basis
    handler: Handler


class VenueDialect(Protocol):
    """One venue's REST language over an engine. Implementations hold settings (which create answer) but no account."""

    @property
    def venue(self) -> Venue:
        """Which venue it speaks for."""
        ...

    def symbol_of(self, market: Market) -> str:
        """What the venue calls a unified market, when a run's setup does not say it."""
        ...

    @property
    def rules(self) -> VenueRules:
        """The engine's rules of this venue: uniqueness of ids, position modes, fees, each with its basis."""
        ...

    @property
    def routes(self) -> tuple[Route, ...]:
        """Everything the venue answers; anything else is 404 and fails the run."""
        ...

    @property
    def errors(self) -> Mapping[VenueRule, VenueError]:
        """The error table; a rule that is missing is refused when the stand-in is built."""
        ...

    def denied(self, request: VenueRequest) -> VenueError | None:
        """Why the venue does not let the request in (key, signature, receive window); None lets it in."""
        ...

    def words_for(self, refusal: VenueRefusal) -> VenueError:
        """The venue's code and message for what the engine refused, with the facts of the case filled in."""
        ...

    def success(self, answer: Success, now_ms: int) -> Spoken:
        """The answer in the venue's envelope."""
        ...

    def failure(self, error: VenueError, now_ms: int) -> Spoken:
        """A refusal in the venue's envelope, with the HTTP status the venue uses for it."""
        ...
