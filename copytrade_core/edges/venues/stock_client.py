"""The stock ccxt client with two methods of its own: answers are judged before they are believed, and time is ours.

Nothing else of ccxt is changed; which calls are made with it is the venue adapters' choice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

import ccxt

from copytrade_core.edges.venues.adapter import OrderRequest
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.envelope import Envelope, VenueAnswer, answer_of, body_fault
from copytrade_core.edges.venues.profiles import VenueProfile
from copytrade_core.edges.venues.transport import NOWHERE, Loopback, PinnedAdapter, VenueAddress, pinned_session
from copytrade_core.model.errors import BadConfig, BadInput, Where

CLIENT_VERSION: str = ccxt.__version__
FORBIDDEN_PARAMS = frozenset({"test", "maxRetriesOnFailure", "maxRetriesOnFailureDelay", "cost", "closePosition"})
"""`test` places a real order on two venues; retries send an order twice; the others change what an order is."""
_TRIES_OPTION = "maxRetriesOnFailure"
_LAST_LABEL = re.compile(r"(https?://[^/\s]*?)\.[A-Za-z]+(?=[/:]|$)")
_HTTP_OK = range(200, 300)
_HTTP_ERROR = 400


class StockClient(Protocol):
    """The part of a ccxt exchange that is used here; numbers are text."""

    id: str
    markets: Mapping[str, Mapping[str, object]] | None
    options: dict[str, object]
    headers: dict[str, str]

    create_order: Callable[..., Mapping[str, object]]
    create_order_request: Callable[..., Mapping[str, object]]
    cancel_order: Callable[..., object]
    set_leverage: Callable[..., object]
    parse_order: Callable[..., Mapping[str, object]]
    parse_markets: Callable[..., list[Mapping[str, object]]]
    set_markets: Callable[..., object]
    set_markets_from_exchange: Callable[..., object]


class Guard:
    """Judges each answer of one client and keeps the last: `answer` is None while nothing well-formed has arrived."""

    def __init__(self, envelope: Envelope, now_ms: Callable[[], int], adapter: PinnedAdapter) -> None:
        self._envelope = envelope
        self.now_ms = now_ms
        self.adapter = adapter
        self.answer: VenueAnswer | None = None

    @property
    def sent_count(self) -> int:
        """How many requests have left."""
        return self.adapter.sent_count

    def judge(self, status: int, method: str, url: str, body: object) -> str | None:
        """Keep the answer; the fault of a success that cannot be believed, None for one that can and for errors."""
        self.answer = answer_of(self._envelope, status, body)
        if status in _HTTP_OK and self.answer is None:
            return "not the venue's envelope"
        if status in _HTTP_OK and self.answer is not None and not self.answer.code:
            return body_fault(self._envelope, method, url, body)
        return None if status >= _HTTP_ERROR or status in _HTTP_OK else f"HTTP {status}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedClient:
    """A client and its guard."""

    stock: StockClient
    guard: Guard

    def ask(self, endpoint: str, params: Mapping[str, object]) -> object:
        """Call an implicit endpoint of ccxt by its name; the answer has been judged."""
        call = cast("Callable[[Mapping[str, object]], object]", getattr(self.stock, endpoint))
        return call(params)

    def place(self, request: OrderRequest) -> Mapping[str, object]:
        """Ask for an order, once.

        Raises:
            BadInput: a parameter that must never be sent; nothing was.
            BadConfig: the client is set to send again after a failure; nothing was sent.
        """
        taken = sorted(FORBIDDEN_PARAMS & set(request.params))
        if taken:
            raise BadInput("an order with this parameter is never sent", where=Where(field=", ".join(taken)))
        refuse_hidden_tries(self.stock)
        return self.stock.create_order(
            request.symbol, request.type, request.side, request.amount, request.price, dict(request.params)
        )


def refuse_hidden_tries(client: StockClient) -> None:
    """Stop when the client would send a request again by itself.

    Raises:
        BadConfig: `maxRetriesOnFailure` is set, for all calls or for one.
    """
    nested = [value for value in client.options.values() if isinstance(value, dict)]
    for options in (client.options, *cast("list[dict[str, object]]", nested)):
        if options.get(_TRIES_OPTION):
            raise BadConfig(
                "the venue's client is set to send a request again after a failure",
                where=Where(field=_TRIES_OPTION),
                next_step="Leave it unset: an order may be sent once only",
            )


def guarded_client(
    profile: VenueProfile,
    *,
    address: VenueAddress,
    credentials: Credentials,
    now_ms: Callable[[], int],
    timeout_s: float,
) -> GuardedClient:
    """A stock client that can reach one place only.

    Args:
        profile: the venue.
        address: the venue itself or a stand-in.
        credentials: key and secret.
        now_ms: our clock; it dates and numbers every request.
        timeout_s: how long one request may wait for a byte.
    """
    session, adapter = pinned_session(address, profile.domains)
    on_loopback = isinstance(address, Loopback)
    config: dict[str, object] = {
        "apiKey": credentials.api_key.get_secret_value(),
        "secret": credentials.secret.get_secret_value(),
        "timeout": timeout_s * 1000,
        "session": session,
        # ccxt's brake sleeps on `milliseconds`, which stands still on a virtual clock.
        "enableRateLimit": not on_loopback,
        # ccxt writes request headers, and so the key, to its logger.
        "logger": logging.Logger("silent", level=logging.CRITICAL + 1),  # noqa: LOG001 (nobody can turn it on)
        "has": {"fetchCurrencies": False},
        "options": dict(profile.options),
    }
    client = cast("_Configurable", _guarded_class(profile.ccxt_id)(config))
    guard = Guard(profile.envelope, now_ms, adapter)
    client.guard = guard
    if on_loopback:
        client.urls = _nowhere(client.urls)
        # Binance's client compares this name with the URL to choose its error table.
        client.hostname = profile.domains[0].rpartition(".")[0] + NOWHERE
    refuse_hidden_tries(client)
    return GuardedClient(stock=client, guard=guard)


class _Configurable(StockClient, Protocol):
    guard: Guard | None
    urls: object
    hostname: str


def _nowhere(urls: object) -> object:
    """The same URLs, paths and sub-domains included, under names that cannot be resolved."""
    if isinstance(urls, dict):
        return {key: _nowhere(value) for key, value in cast("dict[str, object]", urls).items()}
    if isinstance(urls, list):
        return [_nowhere(value) for value in cast("list[object]", urls)]
    if isinstance(urls, str):
        return urls if "{hostname}" in urls else _LAST_LABEL.sub(rf"\1{NOWHERE}", urls)
    return urls


@cache
def _guarded_class(ccxt_id: str) -> Callable[[Mapping[str, object]], object]:
    stock = cast("type", getattr(ccxt, ccxt_id))
    stock_milliseconds = cast("Callable[[], int]", getattr(stock, "milliseconds"))  # noqa: B009 (ccxt is untyped)
    stock_errors = cast("Callable[..., object]", getattr(stock, "handle_errors"))  # noqa: B009

    def milliseconds(self: _Configurable) -> int:
        return stock_milliseconds() if self.guard is None else self.guard.now_ms()

    def handle_errors(self: _Configurable, status: int, reason: str, url: str, method: str, *rest: object) -> object:
        if self.guard is None:
            raise ccxt.BadResponse(f"{self.id}: no guard")
        _headers, _body, response, *_request = rest
        fault = self.guard.judge(status, method, url, response)
        if fault is not None:
            raise ccxt.BadResponse(f"{self.id} {method}: {fault}")
        done = stock_errors(self, status, reason, url, method, *rest)
        if self.guard.answer is not None and self.guard.answer.code:
            raise ccxt.BadResponse(f"{self.id} {method}: code {self.guard.answer.code}")
        return done

    own = {"number": str, "guard": None, "milliseconds": milliseconds, "handle_errors": handle_errors}
    return cast("Callable[[Mapping[str, object]], object]", type(f"guarded_{ccxt_id}", (stock,), own))
