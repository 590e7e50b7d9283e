"""A certificate is for one venue, one profile and one version of the client; the order path asks for it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import ccxt_broker
from copytrade_core.edges.venues.certificate import (
    SentRequest,
    certificate_from_json,
    certificate_json,
    installed_version,
    require_certified,
)
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.stock_client import CLIENT_VERSION
from copytrade_core.edges.venues.transport import Loopback, RealVenue
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.venue import PositionMode, Venue
from tests.edges.venues.scripted_venue import NOW_MS


def certificate(venue: Venue = Venue.BINGX):
    return certificate_of(profile_of(venue), requests=(), made_at_ms=NOW_MS)


@pytest.mark.parametrize("venue", Venue)
def test_a_certificate_comes_back_from_json_as_it_was(venue):
    made = certificate(venue)
    text = certificate_json(made)
    assert certificate_from_json(text) == made
    told = json.loads(text)
    assert told["ccxt_version"] == installed_version() == CLIENT_VERSION
    assert {fact["basis"] for fact in told["facts"]} <= {"documented", "client", "assumed"}
    assert len(told["codes"]) > 20


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"venue":"nasdaq"}', b"\xff"])
def test_what_is_no_certificate_is_refused(body):
    with pytest.raises(BadInput, match="certificate"):
        certificate_from_json(body)


CHANGES = [
    ({"ccxt_version": "4.5.89"}, "ccxt_version"),
    ({"venue": Venue.GATE}, "venue"),
    ({"submit_deadline_ms": 1}, "submit_deadline_ms"),
    ({"codes": ()}, "codes"),
]


@pytest.mark.parametrize(("change", "field"), CHANGES)
def test_the_order_path_refuses_another_certificate(change, field, credentials):
    with pytest.raises(BadConfig, match=field):
        ccxt_broker(
            profile_of(Venue.BINGX),
            credentials=credentials,
            address=Loopback(base_url="http://127.0.0.1:9"),
            certificate=dataclasses.replace(certificate(), **change),
            now_ms=lambda: NOW_MS,
            timeout_s=1.0,
            position_mode=PositionMode.HEDGE,
        )


def test_another_version_of_the_client_is_refused_whatever_the_certificate_says():
    profile = profile_of(Venue.BINGX)
    with pytest.raises(BadConfig, match="ccxt_version"):
        require_certified(dataclasses.replace(certificate(), ccxt_version="9.9.9"), profile, "9.9.9")
    with pytest.raises(BadConfig, match=r"certify --venue bingx"):
        require_certified(certificate(), profile, "9.9.9")


def test_the_venue_itself_is_not_spoken_to_before_what_is_sent_was_watched(credentials):
    def at(address, made):
        return ccxt_broker(
            profile_of(Venue.BINGX),
            credentials=credentials,
            address=address,
            certificate=made,
            now_ms=lambda: NOW_MS,
            timeout_s=1.0,
            position_mode=PositionMode.HEDGE,
        )

    watched = SentRequest(call="hedge balance", method="GET", path="/x", params=())
    with pytest.raises(BadConfig, match="requests"):
        at(RealVenue(), certificate())
    at(Loopback(base_url="http://127.0.0.1:9"), certificate()).close()
    at(RealVenue(), dataclasses.replace(certificate(), requests=(watched,))).close()


def test_a_profile_without_an_error_table_is_refused():
    profile = profile_of(Venue.BINGX)
    bare = dataclasses.replace(profile, errors=dataclasses.replace(profile.errors, rules=()))
    with pytest.raises(BadConfig, match="error table"):
        require_certified(certificate(), bare, CLIENT_VERSION)


def test_a_mode_that_a_venue_is_not_traded_in_is_refused(credentials):
    profile = dataclasses.replace(profile_of(Venue.BINGX), position_modes=(PositionMode.HEDGE,))
    with pytest.raises(BadConfig, match="position_mode"):
        ccxt_broker(
            profile,
            credentials=credentials,
            address=Loopback(base_url="http://127.0.0.1:9"),
            certificate=certificate(),
            now_ms=lambda: NOW_MS,
            timeout_s=1.0,
            position_mode=PositionMode.ONE_WAY,
        )


def test_profiles_and_certificates_are_read_without_loading_the_client():
    code = (
        "import sys; import copytrade_core.edges.venues.certificate, copytrade_core.edges.venues.catalogue as c; "
        "from copytrade_core.model.venue import Venue; c.profile_of(Venue.BINGX); assert 'ccxt' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("venue", Venue)
def test_no_code_of_a_table_is_shadowed_or_contradicts_a_lookup(venue):
    errors = profile_of(venue).errors
    plain = [rule.code for rule in errors.rules if not (rule.all_of or rule.any_of)]
    assert len(plain) == len(set(plain))
    assert set(plain) & errors.absent == set(), "a code for no such order proves nothing about a new one"
    with_words = [rule.code for rule in errors.rules if rule.all_of or rule.any_of]
    assert set(plain) & set(with_words) == set(), "a catch-all has rules by message only"
    assert all(word == word.lower() for rule in errors.rules for word in (*rule.all_of, *rule.any_of))
