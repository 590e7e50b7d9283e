"""The only way a venue client's bytes leave this process: a `requests` session pinned to where it may go.

No proxy, no environment, no redirect, no retry. What is said over it is not known here.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from copytrade_core.model.errors import BadConfig, Where

NOWHERE = ".invalid"
"""A name under which nothing can ever be found (RFC 2606): every host name of a client in loopback mode ends in it."""
_POOL_CONNECTIONS = 4
_NO_TIMEOUT_S = 60.0
_PIECE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RealVenue:
    """The venue itself, over TLS, under the host names of its profile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """A stand-in on this machine: `http://127.0.0.1:port`."""

    base_url: str


VenueAddress = RealVenue | Loopback


class PinnedAdapter(HTTPAdapter):
    """Refuses every URL that is not for the hosts it is pinned to; `sent_count` is how many requests it let out.

    It counts before a byte leaves, so an unchanged count proves that nothing did. `watcher` sees each request first.
    """

    def __init__(self) -> None:
        super().__init__(max_retries=0, pool_connections=_POOL_CONNECTIONS, pool_maxsize=_POOL_CONNECTIONS)
        self.sent_count = 0
        self.watcher: Callable[[requests.PreparedRequest], None] | None = None

    def allows(self, url: str) -> bool:
        """Whether a request to this URL may leave."""
        raise NotImplementedError

    @override
    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: str | tuple[str, str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send one request, once.

        Raises:
            BadConfig: a URL or a proxy that this session may not use; nothing was sent.
        """
        if proxies:
            raise BadConfig("a venue is never spoken to through a proxy", where=Where(field="proxies"))
        if not self.allows(request.url or ""):
            host = urlsplit(request.url or "").hostname
            raise BadConfig(f"a request to {host!r} is not allowed", where=Where(request=f"{request.method} {host}"))
        if self.watcher is not None:
            self.watcher(request)
        self.sent_count += 1
        ends_s = time.monotonic() + _total_s(timeout)
        response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies={})
        if not stream:
            _read_until(response, ends_s)
        return response


def _total_s(timeout: float | tuple[float | None, float | None] | None) -> float:
    """How long an answer may take as a whole; `requests` itself waits so long for each piece of it."""
    waits = timeout if isinstance(timeout, tuple) else (timeout,)
    return sum(wait for wait in waits if wait is not None) or _NO_TIMEOUT_S


def _read_until(response: requests.Response, ends_s: float) -> None:
    """Read the body, but no longer than until then: a server that drips would hold a session for ever."""
    raw: BaseHTTPResponse = response.raw
    body = io.BytesIO()
    try:
        while piece := raw.read1(_PIECE, decode_content=True):
            _ = body.write(piece)
            if time.monotonic() > ends_s:
                raw.close()
                raise requests.ReadTimeout("the answer drips", request=response.request)
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error, request=response.request) from error
    except HTTPError as error:
        raise requests.ConnectionError(error, request=response.request) from error
    raw.release_conn()
    _ = body.seek(0)
    response.raw = body


class LoopbackAdapter(PinnedAdapter):
    """Whatever the URL says, the connection goes to one port of 127.0.0.1; only unresolvable names are let in."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    @override
    def allows(self, url: str) -> bool:
        return (urlsplit(url).hostname or "").endswith(NOWHERE)

    @override
    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> HTTPConnectionPool:
        """The one place it can reach."""
        return self.poolmanager.connection_from_host("127.0.0.1", self._port, "http")

    @override
    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Loopback speaks no TLS."""


class TlsAdapter(PinnedAdapter):
    """Only TLS, only to host names that end in one of the venue's domains."""

    def __init__(self, domains: tuple[str, ...]) -> None:
        super().__init__()
        self._domains = domains

    @override
    def allows(self, url: str) -> bool:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "https" and any(host == name or host.endswith("." + name) for name in self._domains)


def loopback_port(address: Loopback) -> int:
    """The port of a loopback address.

    Raises:
        BadConfig: not a plain `http://127.0.0.1:port`.
    """
    parts = urlsplit(address.base_url)
    try:
        port = parts.port
        host_is_loopback = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        port, host_is_loopback = None, False
    if parts.scheme != "http" or not host_is_loopback or port is None or parts.hostname != "127.0.0.1":
        raise BadConfig(
            f"{address.base_url!r} is not a stand-in on this machine",
            where=Where(field="base_url"),
            next_step="Use http://127.0.0.1:PORT",
        )
    return port


def pinned_session(address: VenueAddress, domains: tuple[str, ...]) -> tuple[requests.Session, PinnedAdapter]:
    """A session that can go nowhere else, and its adapter.

    Args:
        address: the venue or a stand-in.
        domains: the venue's domains, for `RealVenue`.
    """
    adapter = LoopbackAdapter(loopback_port(address)) if isinstance(address, Loopback) else TlsAdapter(domains)
    session = requests.Session()
    session.trust_env = False
    session.max_redirects = 0
    session.proxies = {}
    session.adapters.clear()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session, adapter
