"""The controls of a venue's stand-in and a client for them: time, faults, what others do to the account, a new run.

Nothing that the venue itself would answer belongs here.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from copytrade_core.edges.standins.control import CONTROL_PREFIX, SetTime, StandinRefused
from copytrade_core.edges.standins.venue_ledger import VenueLedger
from copytrade_core.edges.standins.venue_setup import VenueSetup
from copytrade_core.model.errors import Where
from copytrade_core.model.side import Side
from copytrade_core.virtual_exchange.fault_json import faults_to_json
from copytrade_core.virtual_exchange.faults import VenueFault

_TIMEOUT_S = 30.0


class ForeignOrder(msgspec.Struct, tag="order", forbid_unknown_fields=True, kw_only=True):
    """Somebody else places an order. `quantity` and `price` are decimal text; a market order has no price."""

    market: str
    buys: bool
    quantity: str
    price: str | None = None
    position_side: Side | None = None
    reduce_only: bool | None = None
    client_order_id: str | None = None


class ForeignPosition(msgspec.Struct, tag="position", forbid_unknown_fields=True, kw_only=True):
    """Somebody else opens a position by hand, refused by nothing."""

    market: str
    side: Side
    quantity: str


class FlipMode(msgspec.Struct, tag="flip_mode", forbid_unknown_fields=True):
    """Somebody else changes the position mode."""


class ChangeKey(msgspec.Struct, tag="key", forbid_unknown_fields=True, kw_only=True):
    """Somebody else changes what the key may do, or revokes it."""

    can_trade: bool
    can_withdraw: bool
    ip_restricted: bool
    is_revoked: bool


Inject = ForeignOrder | ForeignPosition | FlipMode | ChangeKey


class VenueControl:
    """Client of a venue stand-in's controls; one connection for all of them. A context manager."""

    def __init__(self, base_url: str) -> None:
        without_authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP: loading the CA list costs 30 ms
        self._client = httpx.Client(base_url=base_url, trust_env=False, timeout=_TIMEOUT_S, verify=without_authorities)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def state(self) -> dict[str, Any]:
        """Venue, time, markets, faults that are set and met, calls."""
        return msgspec.json.decode(self._request("GET", "state", b""), type=dict[str, Any])

    def ledger(self) -> VenueLedger:
        """Everything a run is judged by."""
        return msgspec.json.decode(self._request("GET", "ledger", b""), type=VenueLedger)

    def set_time(self, as_of_ms: int, *, speed: float = 0.0) -> None:
        """Move the venue's clock; never backwards. `speed` is virtual seconds per real second."""
        _ = self._request("POST", "time", msgspec.json.encode(SetTime(as_of_ms=as_of_ms, speed=speed)))

    def set_faults(self, faults: Sequence[VenueFault]) -> None:
        """Replace all faults and start their counts anew."""
        _ = self._request("POST", "faults", faults_to_json(faults))

    def inject(self, what: Inject) -> None:
        """Somebody else does something with the account."""
        _ = self._request("POST", "inject", msgspec.json.encode(what))

    def reset(self, setup: VenueSetup) -> None:
        """Begin a new run: empty account, own clock, prices and faults."""
        _ = self._request("POST", "reset", msgspec.json.encode(setup))

    def _request(self, method: str, name: str, body: bytes) -> bytes:
        response = self._client.request(method, CONTROL_PREFIX + name, content=body)
        if response.status_code != 200:
            raise StandinRefused(response.text, where=Where(request=f"{method} {response.request.url}"))
        return response.content
