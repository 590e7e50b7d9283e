"""What the pinned client sends for each call, against stored facts: a ccxt upgrade that sends anything else fails here.

The facts were read once and are changed by hand only, after reading what the difference means for an order.
"""

from __future__ import annotations

import json

import pytest

from copytrade_core.edges.venues.certify import certify
from copytrade_core.edges.venues.request_capture import Specimen
from copytrade_core.model.errors import BadInput
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue
from tests.edges.venues.scripted_venue import NOW_MS, Reply
from tests.edges.venues.venue_orders import BTC, ORDER_PATH, SCRIPTS

QUANTITY = {Venue.BINGX: Steps(100), Venue.GATE: Steps(100), Venue.BINANCE: Steps(10)}


@pytest.fixture
def certified(scripted, credentials):
    """Certify a venue against its script."""

    def make(venue: Venue, answers=lambda venue, scripted: None):
        def stand_in(mode: PositionMode) -> str:
            hedged = mode is PositionMode.HEDGE
            SCRIPTS[venue].script(scripted, dual=str(hedged).lower() if venue is Venue.BINGX else hedged)
            answers(venue, scripted)
            return scripted.base_url

        specimen = Specimen(market=BTC, quantity=QUANTITY[venue], resting_price=Ticks(300_000), now_ms=NOW_MS)
        return certify(
            venue, stand_in=stand_in, credentials=credentials, specimen=specimen, timeout_s=2.0, made_at_ms=NOW_MS
        )

    return make


@pytest.mark.parametrize("venue", Venue)
def test_the_client_sends_what_was_certified(venue, certified, facts):
    stored = json.loads((facts / f"{venue}.json").read_text())
    sent = certified(venue)
    seen = [[r.call, r.method, r.path, dict(r.params)] for r in sent.requests]
    assert sent.ccxt_version == stored["ccxt_version"]
    assert seen == stored["requests"]


@pytest.mark.parametrize("venue", Venue)
def test_every_call_of_the_broker_is_among_the_facts_in_both_modes(venue, facts):
    stored = json.loads((facts / f"{venue}.json").read_text())
    calls = {row[0] for row in stored["requests"]}
    wanted = {
        *("markets", "probe", "set_leverage", "order", "orders", "open_orders", "fills", "positions", "position"),
        *("balance", "cancel", "submit market", "submit limit", "submit post-only", "submit reduce-only market"),
    }
    for mode in PositionMode:
        assert {f"{mode} {call}" for call in wanted} <= calls


@pytest.mark.parametrize("venue", Venue)
def test_a_stand_in_that_does_not_answer_like_the_venue_certifies_nothing(venue, certified):
    def refuses(venue, scripted):
        scripted.on("POST", ORDER_PATH[venue], Reply({"code": 1, "msg": "no", "label": "NO"}, status=400))

    with pytest.raises(BadInput, match="submit market"):
        certified(venue, refuses)
