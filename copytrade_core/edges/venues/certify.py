"""Makes a venue's certificate: every call of the broker is made against a stand-in, and what the client sent is kept.

A certificate says what was sent and what the profile claims; that the real venue behaves so is not proved here.
"""

from __future__ import annotations

from collections.abc import Callable

from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import ccxt_broker
from copytrade_core.edges.venues.certificate import (
    SentRequest,
    VenueCertificate,
    certified_codes,
    installed_version,
)
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.profiles import VenueProfile
from copytrade_core.edges.venues.request_capture import Specimen, captured_requests
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.venue import PositionMode, Venue


def certify(
    venue: Venue,
    *,
    stand_in: Callable[[PositionMode], str],
    credentials: Credentials,
    specimen: Specimen,
    timeout_s: float,
    made_at_ms: int,
) -> VenueCertificate:
    """The certificate of a venue for the client that is installed.

    Args:
        venue: which.
        stand_in: gives the address (`http://127.0.0.1:port`) of an empty account in a position mode.
        credentials: the stand-in's key.
        specimen: market and numbers of the orders that are tried.
        timeout_s: how long one request may wait.
        made_at_ms: what the certificate is dated with.

    Raises:
        BadInput: the stand-in did not answer a call as that venue would; the request is named.
        BadConfig: the profile is for another version of the client.
    """
    profile = profile_of(venue)
    claimed = certificate_of(profile, requests=(), made_at_ms=made_at_ms)
    sent: list[SentRequest] = []
    for mode in profile.position_modes:
        broker = ccxt_broker(
            profile,
            credentials=credentials,
            address=Loopback(base_url=stand_in(mode)),
            certificate=claimed,
            now_ms=lambda: specimen.now_ms,
            timeout_s=timeout_s,
            position_mode=mode,
        )
        sent += captured_requests(broker, specimen)
    return certificate_of(profile, requests=tuple(sent), made_at_ms=made_at_ms)


def certificate_of(profile: VenueProfile, *, requests: tuple[SentRequest, ...], made_at_ms: int) -> VenueCertificate:
    """What a profile claims, and what was seen, for the client that is installed."""
    return VenueCertificate(
        venue=profile.venue,
        ccxt_version=installed_version(),
        made_at_ms=made_at_ms,
        position_modes=profile.position_modes,
        id_length_max=profile.limits.id_length_max,
        id_alphabet=profile.limits.id_alphabet,
        id_uniqueness=profile.id_uniqueness,
        submit_deadline_ms=profile.submit_deadline_ms,
        has_dead_man=profile.has_dead_man,
        has_stops=profile.limits.has_stops,
        requests=requests,
        codes=certified_codes(profile),
        facts=profile.facts,
    )
