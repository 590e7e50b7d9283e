"""Who BingX's stand-in lets in: its own made-up key, a right signature, a timestamp within the window of its clock."""

from __future__ import annotations

from collections.abc import Generator

import httpx
import pytest

from copytrade_core.edges.standins.bingx_access import signature_of, signed_text
from copytrade_core.edges.standins.venue_control import ChangeKey
from copytrade_core.edges.standins.venue_server import VenueServerConfig, VenueStandin, running_venue
from copytrade_core.model.venue import Venue
from tests.standins.venue_desk import NOW, ORDER, BingxDesk, run_setup

BALANCE = "/openApi/swap/v3/user/balance"
PERMISSIONS = "/openApi/v1/account/apiPermissions"


@pytest.fixture(scope="module")
def running() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture
def venue(running: VenueStandin) -> VenueStandin:
    running.control.reset(run_setup())
    return running


@pytest.fixture
def desk(venue: VenueStandin) -> Generator[BingxDesk]:
    desk = BingxDesk(venue.base_url)
    with desk.client:
        yield desk


def test_the_documented_example_of_a_signature_is_reproduced():
    text = "quantity=3&symbol=ETH-USDT&timestamp=1696751141337"
    assert signature_of(text, "key") == signature_of(signed_text(f"{text}&signature=ab", b""), "key")
    assert len(signature_of(text, "key")) == 64


def test_what_is_signed_is_the_decoded_text_in_the_order_it_was_sent():
    query = "b=2&a=%7B%22x%22%3A1%7D&timestamp=5&signature=00"
    assert signed_text(query, b"") == 'b=2&a={"x":1}&timestamp=5'
    assert signed_text("a=1&signature=00", b"c=3") == "a=1&c=3"


def test_its_own_key_and_signature_are_let_in(desk: BingxDesk):
    assert desk.data("GET", BALANCE)[0]["asset"] == "USDT"


def test_another_key_is_refused(desk: BingxDesk):
    desk.api_key = "somebody-elses-key"
    assert desk.answer("GET", BALANCE) == {"code": 100413, "msg": "Incorrect apiKey", "data": {}}


def test_a_wrong_secret_is_refused_and_nothing_is_placed(desk: BingxDesk, venue: VenueStandin):
    desk.secret = "guessed"
    assert desk.place()["code"] == 100001
    assert venue.control.ledger().orders == ()


def test_a_changed_parameter_breaks_the_signature(desk: BingxDesk):
    sent = desk.request("GET", BALANCE).request.url
    changed = str(sent).replace("timestamp=", "recvWindow=60000&timestamp=")
    answer = desk.client.get(changed, headers={"X-BX-APIKEY": desk.api_key})
    assert answer.json()["code"] == 100001


def test_without_signature_or_without_timestamp_nobody_is_let_in(desk: BingxDesk):
    headers = {"X-BX-APIKEY": desk.api_key}
    assert desk.client.get(f"{BALANCE}?timestamp={NOW}", headers=headers).json()["code"] == 100412
    signature = signature_of("recvWindow=5000", desk.secret)
    answer = desk.client.get(f"{BALANCE}?recvWindow=5000&signature={signature}", headers=headers).json()
    assert answer["code"] == 100421


@pytest.mark.parametrize(
    ("age_ms", "window", "code"),
    [(5_000, None, 0), (5_001, None, 100421), (-5_001, None, 100421), (900, 1_000, 0), (1_001, 1_000, 100421)],
)
def test_a_timestamp_is_judged_by_the_venues_own_clock(desk: BingxDesk, venue: VenueStandin, age_ms, window, code):
    venue.control.set_time(NOW + 60_000)
    desk.now_ms = NOW + 60_000 - age_ms
    more = {} if window is None else {"recvWindow": window}
    assert desk.answer("GET", BALANCE, **more)["code"] == code


def test_a_late_order_is_not_placed(desk: BingxDesk, venue: VenueStandin):
    venue.control.set_time(NOW + 5_001)
    assert desk.place(recvWindow=5_000)["code"] == 100421
    assert venue.control.ledger().orders == ()


def test_a_revoked_key_is_an_unknown_key(desk: BingxDesk, venue: VenueStandin):
    assert desk.place("c1")["code"] == 0
    venue.control.inject(ChangeKey(can_trade=True, can_withdraw=False, ip_restricted=True, is_revoked=True))
    assert desk.place("c2")["code"] == 100413
    assert [order.client_order_id for order in venue.control.ledger().orders] == ["c1"]


def test_a_key_that_may_only_read_places_and_changes_nothing(desk: BingxDesk, venue: VenueStandin):
    venue.control.inject(ChangeKey(can_trade=False, can_withdraw=False, ip_restricted=True, is_revoked=False))
    assert desk.place()["code"] == 100004
    assert desk.answer("DELETE", ORDER, symbol="BTC-USDT", orderId=1)["code"] == 100004
    assert desk.answer("POST", "/openApi/swap/v1/positionSide/dual", dualSidePosition="false")["code"] == 100004
    leverage = "/openApi/swap/v2/trade/leverage"
    assert desk.answer("POST", leverage, symbol="BTC-USDT", side="LONG", leverage=5)["code"] == 100004
    assert desk.data("GET", BALANCE)[0]["asset"] == "USDT"


@pytest.mark.parametrize(
    ("can_trade", "can_withdraw", "restricted", "rights"),
    [(True, False, True, [2, 3]), (True, True, False, [2, 3, 5]), (False, False, True, [2])],
)
def test_the_permission_call_tells_the_rights_by_number(
    desk: BingxDesk, venue: VenueStandin, can_trade, can_withdraw, restricted, rights
):
    venue.control.inject(
        ChangeKey(can_trade=can_trade, can_withdraw=can_withdraw, ip_restricted=restricted, is_revoked=False)
    )
    told = desk.data("GET", PERMISSIONS)
    assert (told["apiKey"], told["permissions"]) == ("standin-bingx-key", rights)
    assert bool(told["ipAddresses"]) is restricted


def test_public_endpoints_need_no_key(venue: VenueStandin):
    with httpx.Client(base_url=venue.base_url, trust_env=False) as client:
        answer = client.get("/openApi/swap/v2/server/time").json()
    assert answer == {"code": 0, "msg": "", "data": {"serverTime": NOW}}
