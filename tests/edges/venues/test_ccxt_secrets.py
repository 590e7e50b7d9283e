"""The key and the secret are sent to the venue and shown nowhere."""

from __future__ import annotations

import json
import logging

import pytest

from copytrade_core.edges.venues.certificate import certificate_json
from copytrade_core.edges.venues.certify import certify
from copytrade_core.edges.venues.request_capture import Specimen
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue
from tests.edges.venues.scripted_venue import KEY, NOW_MS, SECRET, Reply
from tests.edges.venues.venue_orders import BTC, ID, SCRIPTS, an_order


def everything(broker) -> list[object]:
    return [
        broker.positions(),
        broker.open_orders(),
        broker.orders(BTC, since_ms=NOW_MS),
        broker.order(BTC, ID),
        broker.fills(BTC, since_ms=NOW_MS),
        broker.balance(),
        broker.probe(),
        broker.submit(an_order()),
        broker.cancel(BTC, ID),
        broker.set_leverage(BTC, Side.LONG, 2),
    ]


@pytest.mark.parametrize("venue", Venue)
def test_a_venue_that_echoes_the_secret_finds_no_way_into_values_or_logs(
    venue, scripted, broker_at, credentials, caplog
):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    broker.markets()
    echo = f"{KEY} {SECRET}"
    payload = {"code": 101204, "msg": echo, "label": "INSUFFICIENT_AVAILABLE", "message": echo, "data": echo}
    replies = (
        Reply(payload),
        Reply(payload, status=400),
        Reply(raw=echo.encode()),
        Reply(raw=echo.encode(), status=500),
        Reply(json.dumps(echo)),
        Reply(hang_up=True),
    )
    with caplog.at_level(logging.DEBUG):
        shown = [repr((broker, credentials, vars(broker)))]
        for reply in replies:
            scripted.everywhere = reply
            shown.append(repr(everything(broker)))
    told = "\n".join([*shown, caplog.text, *(str(record.args) for record in caplog.records)])
    assert SECRET not in told
    assert KEY not in told
    sent = scripted.asked[-1].headers
    assert KEY in sent.values(), "it was really used"


def test_credentials_do_not_show_themselves(credentials):
    for shown in (repr(credentials), str(credentials), f"{credentials}"):
        assert SECRET not in shown
        assert KEY not in shown
    assert credentials.hide_in(f"a {SECRET} b {KEY}") == "a ********** b **********"


@pytest.mark.parametrize("venue", Venue)
def test_a_certificate_holds_no_secret_and_no_signature(venue, scripted, credentials):
    def stand_in(mode: PositionMode) -> str:
        SCRIPTS[venue].script(scripted)
        return scripted.base_url

    specimen = Specimen(market=BTC, quantity=Steps(100), resting_price=Ticks(300_000), now_ms=NOW_MS)
    made = certify(
        venue, stand_in=stand_in, credentials=credentials, specimen=specimen, timeout_s=2.0, made_at_ms=NOW_MS
    )
    text = certificate_json(made).decode()
    assert KEY not in text
    assert SECRET not in text
    assert {name for request in made.requests for name, _ in request.params} & {"signature", "timestamp"} == set()
