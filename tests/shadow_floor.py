"""A venue's stand-in on the machine's clock, with the key, the certificate and the settings that a shadow needs."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from copytrade_core.edges.stages.canary_shadow import KEY, SECRET
from copytrade_core.edges.stages.instruments import trading_rules
from copytrade_core.edges.stages.preflight_facts import CERTIFICATE
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.certificate import certificate_json
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.model.venue import PositionMode, Venue
from tests.trading_floor import BTC


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def venue_beside(
    place: Workplace, venue: Venue, environ: pytest.MonkeyPatch, *, step: str | None = None, **changes: Any
) -> Generator[tuple[Workplace, VenueStandin]]:
    """A venue's stand-in, the key to it, its certificate, and settings that name it: in the workplace, and in the
    environment for a process or a command line of its own."""
    rules = trading_rules(place, BTC)[0]
    grid = step or f"{rules.step_size:f}"
    key, listed = changes.pop("key", KeySetup()), changes.pop("listed", BTC)
    market = MarketSetup(
        market=listed,
        tick_size=f"{rules.tick_size:f}",
        step_size=grid,
        min_quantity=grid,
        min_notional=changes.pop("min_notional", "2"),
        contract_size=grid if venue is Venue.GATE else None,
    )
    setup = VenueSetup(
        now_ms=now_ms(),
        cash="100",
        position_mode=changes.pop("position_mode", PositionMode.HEDGE),
        key=key,
        markets=[market],
        prices={listed: [(now_ms() - 3_600_000, "90000")]},
        speed=1.0,
        **changes,
    )
    certificate = certificate_of(profile_of(venue), requests=(), made_at_ms=0)
    _ = place.lake.put_document(
        CERTIFICATE,
        venue.value,
        msgspec.json.decode(certificate_json(certificate)),
        schema_version=1,
        code_version=place.code_version,
        parents={},
        metadata={},
    )
    fake = fake_key(venue, key)
    environ.setenv(KEY, fake.api_key)
    environ.setenv(SECRET, fake.secret)
    environ.setenv("COPYTRADE_PREFLIGHT__VENUE", venue.value)
    with running_venue(VenueServerConfig(venue=venue, setup=setup, port=0)) as running:
        environ.setenv("COPYTRADE_SHADOW__BASE_URL", running.base_url)
        shadow = place.settings.shadow.model_copy(update={"base_url": running.base_url, "timeout_s": 2.0})
        preflight = place.settings.preflight.model_copy(update={"venue": venue})
        settings = place.settings.model_copy(update={"shadow": shadow, "preflight": preflight})
        yield replace(place, settings=settings), running


def nothing_was_sent(standin: VenueStandin) -> bool:
    """No order, no position, no request that the venue does not have, and nothing but reads."""
    ledger = standin.control.ledger()
    odd = (ledger.orders, ledger.positions, ledger.fills, ledger.unknown_requests, ledger.internal_errors)
    return not any(odd) and ledger.calls != {} and all(call.startswith("GET ") for call in ledger.calls)
