"""The stand-in's own controls: its virtual clock, what it says about itself, and a client for both.

No endpoint of Binance belongs here.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from copytrade_core.edges.standins.faults import Fault
from copytrade_core.model.errors import BadInput, CopytradeError, Where

CONTROL_PREFIX = "/__standin__/"
_TIMEOUT_S = 10.0


class SetTime(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Body of the time control: the virtual instant, and how many virtual seconds pass in a real one (0 = frozen)."""

    as_of_ms: int
    speed: float = 0.0


class VirtualClock:
    """The instant the stand-in shows. It stands still unless it has a speed."""

    def __init__(self, as_of_ms: int, speed: float) -> None:
        self.set(SetTime(as_of_ms=as_of_ms, speed=speed))

    def set(self, wanted: SetTime) -> None:
        """Jump to an instant.

        Raises:
            BadInput: a negative instant or speed.
        """
        if wanted.as_of_ms < 0 or wanted.speed < 0:
            raise BadInput("the virtual time and its speed must not be negative", where=Where(field="as_of_ms"))
        self._from_ms, self.speed, self._started = wanted.as_of_ms, wanted.speed, time.monotonic()

    def now_ms(self) -> int:
        """The virtual instant in epoch milliseconds."""
        return self._from_ms + int((time.monotonic() - self._started) * 1000 * self.speed)


class StandinRefused(CopytradeError):
    """The stand-in did not accept a control request."""


class StandinControl:
    """Client of a running stand-in's controls."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    def state(self) -> dict[str, Any]:
        """Everything the stand-in says about itself: time, leads, markets with their origin, faults, calls by path."""
        return self._decoded(self._request("GET", "state", b""))

    def set_time(self, as_of_ms: int, *, speed: float = 0.0) -> None:
        """Move the virtual clock."""
        body = msgspec.json.encode(SetTime(as_of_ms=as_of_ms, speed=speed))
        _ = self._request("POST", "time", body)

    def set_faults(self, faults: Sequence[Fault]) -> None:
        """Replace all faults and start their counts anew."""
        _ = self._request("POST", "faults", msgspec.json.encode(list(faults)))

    @staticmethod
    def _decoded(body: bytes) -> dict[str, Any]:
        return msgspec.json.decode(body, type=dict[str, Any])

    def _request(self, method: str, name: str, body: bytes) -> bytes:
        url = f"{self._base_url}{CONTROL_PREFIX}{name}"
        without_authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # plain HTTP: loading the CA list costs 30 ms
        with httpx.Client(trust_env=False, timeout=_TIMEOUT_S, verify=without_authorities) as client:
            response = client.request(method, url, content=body)
        if response.status_code != 200:
            raise StandinRefused(response.text, where=Where(request=f"{method} {url}"))
        return response.content
