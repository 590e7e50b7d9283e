"""Brokers that speak to scripted venues."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import CcxtBroker, LoadedMarkets, ccxt_broker
from copytrade_core.edges.venues.certificate import VenueCertificate
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.venue import PositionMode, Venue
from tests.edges.venues.scripted_venue import KEY, NOW_MS, SECRET, ScriptedVenue, handler_of


@pytest.fixture
def scripted() -> Iterator[ScriptedVenue]:
    venue = ScriptedVenue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(venue))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    venue.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield venue
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(api_key=SecretStr(KEY), secret=SecretStr(SECRET))


def _certificate_for(venue: Venue) -> VenueCertificate:
    return certificate_of(profile_of(venue), requests=(), made_at_ms=NOW_MS)


@pytest.fixture
def broker_at(credentials: Credentials) -> Callable[..., CcxtBroker]:
    """A broker that speaks to an address."""

    def make(
        base_url: str,
        venue: Venue = Venue.BINGX,
        *,
        mode: PositionMode = PositionMode.HEDGE,
        now_ms: Callable[[], int] = lambda: NOW_MS,
        timeout_s: float = 2.0,
        markets: LoadedMarkets | None = None,
    ) -> CcxtBroker:
        return ccxt_broker(
            profile_of(venue),
            credentials=credentials,
            address=Loopback(base_url=base_url),
            certificate=_certificate_for(venue),
            now_ms=now_ms,
            timeout_s=timeout_s,
            position_mode=mode,
            markets=markets,
        )

    return make


@pytest.fixture
def facts() -> Path:
    """The folder of committed facts about what the pinned client sends."""
    return Path(__file__).parent / "facts"


@pytest.fixture
def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
