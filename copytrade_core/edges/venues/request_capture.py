"""What the pinned client really sends for each call of the broker: method, path and parameters.

Key, signature and time of the request are left out; whether the venue likes what it gets is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import msgspec
import requests

from copytrade_core.edges.venues.ccxt_broker import CcxtBroker
from copytrade_core.edges.venues.certificate import SentRequest
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind, LimitStyle, MarketStyle, OrderStyle, StopStyle
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Accepted, CancelOutcome, Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import VenueOrder, VenueProbe

_NOT_KEPT = frozenset({"signature", "timestamp"})
_HEADERS = ("x-gate-exptime", "x-gate-size-decimal")
"""Headers that change what an order is or when it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """What the captured orders are about.

    Attributes:
        market: a market of the stand-in.
        quantity: of each order, on the venue's grid.
        resting_price: a price at which a buy rests and a stop of a long position does not trigger.
        now_ms: the stand-in's clock.
    """

    market: Market
    quantity: Steps
    resting_price: Ticks
    now_ms: int


def captured_requests(broker: CcxtBroker, specimen: Specimen) -> tuple[SentRequest, ...]:
    """Every call of a broker, made once against a stand-in, and what was sent for it.

    Args:
        broker: on loopback, an empty account that can trade, nothing called yet.
        specimen: market and numbers of the orders.

    Raises:
        BadInput: a call was not answered as the venue would; it is named.
    """
    kept: list[SentRequest] = []
    mode = broker.position_mode
    now = ""

    def keep(request: requests.PreparedRequest) -> None:
        kept.append(sent_request(f"{mode} {now}", request))

    broker.watch(keep)
    try:
        for now, call, is_good in _calls(broker, specimen):
            answer = call()
            if isinstance(answer, Unavailable) or not is_good(answer):
                raise BadInput(
                    f"the stand-in of {broker.profile.venue} did not answer as that venue would: {answer}",
                    where=Where(request=f"{mode} {now}"),
                    next_step="Give an empty account that can trade, with a price and enough cash",
                )
    finally:
        broker.watch(None)
    return tuple(kept)


_Call = tuple[str, Callable[[], object], Callable[[object], bool]]


def _calls(broker: CcxtBroker, specimen: Specimen) -> tuple[_Call, ...]:
    market = specimen.market
    resting = LimitStyle(price=specimen.resting_price, post_only=False)
    maker = LimitStyle(price=specimen.resting_price, post_only=True)
    opening = _order(specimen, "a", MarketStyle(), reduces=False)
    limit = _order(specimen, "b", resting, reduces=False)
    since_ms = specimen.now_ms - 1000

    def submit(name: str, order: Order) -> _Call:
        return f"submit {name}", lambda: broker.submit(order), lambda answer: isinstance(answer, Accepted)

    def read(name: str, call: Callable[[], object]) -> _Call:
        return name, call, lambda _answer: True

    stop = _order(specimen, "d", StopStyle(trigger=specimen.resting_price), reduces=True)
    stops = (submit("stop", stop),) if broker.profile.limits.has_stops else ()
    return (
        read("markets", broker.markets),
        ("probe", broker.probe, lambda answer: isinstance(answer, VenueProbe) and not answer.can_withdraw),
        ("set_leverage", lambda: broker.set_leverage(market, Side.LONG, 2), lambda answer: answer is True),
        submit("market", opening),
        submit("limit", limit),
        submit("post-only", _order(specimen, "c", maker, reduces=False)),
        *stops,
        submit("reduce-only market", _order(specimen, "e", MarketStyle(), reduces=True)),
        (
            "order",
            lambda: broker.order(market, limit.client_order_id),
            lambda answer: isinstance(answer, VenueOrder) and answer.client_order_id == limit.client_order_id,
        ),
        read("orders", lambda: broker.orders(market, since_ms=since_ms)),
        read("open_orders", broker.open_orders),
        read("fills", lambda: broker.fills(market, since_ms=since_ms)),
        read("positions", broker.positions),
        read("position", lambda: broker.position(market)),
        read("balance", broker.balance),
        ("cancel", lambda: broker.cancel(market, limit.client_order_id), lambda a: a is CancelOutcome.DONE),
    )


def _order(specimen: Specimen, letter: str, style: OrderStyle, *, reduces: bool) -> Order:
    """An order that nobody wished for: it only ever goes to a stand-in, to see what the client makes of it."""
    return Order(
        client_order_id=f"c{letter * 25}",
        kind=IntentKind.CLOSE if reduces else IntentKind.OPEN,
        episode_id="certify",
        market=specimen.market,
        side=Side.LONG,
        leg="",
        replaces="",
        buys=not reduces,
        reduce_only=reduces,
        style=style,
        quantity=specimen.quantity,
        live_from_ms=specimen.now_ms,
        expires_at_ms=None,
        reason="certify",
        worst_notional=Money(0),
    )


def sent_request(call: str, request: requests.PreparedRequest) -> SentRequest:
    """A request without what differs from one to the next."""
    parts = urlsplit(request.url or "")
    given = parse_qsl(parts.query, keep_blank_values=True)
    body = request.body
    text = body.decode() if isinstance(body, bytes) else str(body or "")
    if text.startswith("{"):
        members = cast("dict[str, object]", msgspec.json.decode(text))
        given += [
            (name, value if isinstance(value, str) else msgspec.json.encode(value).decode())
            for name, value in members.items()
        ]
    else:
        given += parse_qsl(text, keep_blank_values=True)
    given += [(f"header {name}", str(request.headers[name])) for name in _HEADERS if name in request.headers]
    return SentRequest(
        call=call,
        method=request.method or "",
        path=parts.path,
        params=tuple(sorted((name, value) for name, value in given if name not in _NOT_KEPT)),
    )
