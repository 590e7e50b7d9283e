"""The broker's bytes go to one place: no other host, no proxy, no redirect, no second try."""

from __future__ import annotations

import time
from typing import Any, cast
from urllib.parse import urlsplit

import ccxt
import pytest
import requests

from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.stock_client import guarded_client
from copytrade_core.edges.venues.transport import Loopback, RealVenue, loopback_port, pinned_session
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.outcome import Unavailable, Unknown
from copytrade_core.model.venue import Venue
from tests.edges.venues import bingx_script
from tests.edges.venues.scripted_venue import KEY, NOW_MS, Reply, ScriptedVenue
from tests.edges.venues.venue_orders import ORDER_PATH, SCRIPTS, an_order


def urls_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [url for item in value.values() for url in urls_in(item)]
    return [value] if isinstance(value, str) else []


def whole_client(venue: Venue, credentials: Credentials) -> Any:
    """A guarded client on loopback with all that ccxt's exchange has, not only the part that the broker uses."""
    client = guarded_client(
        profile_of(venue),
        address=Loopback(base_url="http://127.0.0.1:9"),
        credentials=credentials,
        now_ms=lambda: NOW_MS,
        timeout_s=1.0,
    )
    return cast("Any", client.stock)


@pytest.mark.parametrize("venue", Venue)
def test_no_host_name_of_a_client_on_loopback_can_be_resolved(venue, credentials):
    client = whole_client(venue, credentials)
    urls = [url.replace("{hostname}", client.hostname) for url in urls_in(client.urls["api"])]
    assert len(urls) > 5
    assert [url for url in urls if not (urlsplit(url).hostname or "").endswith(".invalid")] == []
    stock = getattr(ccxt, profile_of(venue).ccxt_id)()
    paths = [urlsplit(url).path for url in urls_in(stock.urls["api"])]
    assert [urlsplit(url).path for url in urls] == paths, "the logical paths are the client's own"


def test_binance_maps_its_errors_by_the_same_table_on_loopback(credentials):
    """Its client compares the URL with its host name; with other names only, ten of its codes mean something else."""
    client = whole_client(Venue.BINANCE, credentials)
    stock = cast("Any", ccxt.binanceusdm())
    for one in (client, stock):
        table = one.get_exceptions_by_url(one.urls["api"]["fapiPrivate"] + "/order", "exact")
        assert table == stock.exceptions["linear"]["exact"]
        assert len(table) > 50


def test_every_name_ends_at_the_stand_in_and_nothing_else_is_let_out(scripted):
    scripted.on("GET", "/x", Reply({}))
    session, adapter = pinned_session(Loopback(base_url=scripted.base_url), ())
    assert session.get("https://open-api.bingx.invalid/x").status_code == 200
    assert adapter.sent_count == 1
    for url in ("https://open-api.bingx.com/x", "http://127.0.0.1:1/x", "https://localhost/x"):
        with pytest.raises(BadConfig, match="not allowed"):
            session.get(url)
    assert adapter.sent_count == 1
    assert len(scripted.asked) == 1


@pytest.mark.parametrize(
    "url",
    ["http://open-api.bingx.com/x", "https://bingx.com.evil.example/x", "https://evilbingx.com/", "https://127.0.0.1"],
)
def test_the_real_venue_is_reached_under_its_own_names_and_tls_only(url):
    session, adapter = pinned_session(RealVenue(), ("bingx.com",))
    with pytest.raises(BadConfig, match="not allowed"):
        session.get(url)
    assert adapter.sent_count == 0
    assert adapter.allows("https://open-api.bingx.com/openApi")


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1:80", "http://127.0.0.1", "http://10.0.0.1:80", "http://example.com:80", "x", "http://[::1]:5"],
)
def test_an_address_that_is_no_stand_in_of_this_machine_is_refused(url):
    with pytest.raises(BadConfig, match="base_url"):
        loopback_port(Loopback(base_url=url))


def test_a_proxy_of_the_environment_is_not_used(scripted, broker_at, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    bingx_script.script(scripted)
    broker = broker_at(scripted.base_url)
    assert not isinstance(broker.balance(), Unavailable)
    session, _ = pinned_session(Loopback(base_url=scripted.base_url), ())
    with pytest.raises(BadConfig, match="proxy"):
        session.get("https://x.invalid/", proxies={"https": "http://127.0.0.1:1"})


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(venue, status, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    broker.markets()
    elsewhere = Reply({}, status=status, headers={"location": "https://elsewhere.invalid/taken"})
    scripted.on("POST", ORDER_PATH[venue], elsewhere)
    assert isinstance(broker.submit(an_order()), Unknown)
    assert [asked.path for asked in scripted.asked if asked.path == "/taken"] == []
    assert len(scripted.sent("POST", ORDER_PATH[venue])) == 1


def test_without_the_limit_the_client_would_carry_the_key_along(scripted):
    """Why `max_redirects` is 0: the stock session follows, key and all."""
    scripted.on("GET", "/openApi/swap/v2/user/positions", Reply({}, status=307, headers={"location": "/taken"}))
    scripted.on("GET", "/taken", Reply({"code": 0, "data": []}))
    stock = cast(
        "Any", ccxt.bingx({"apiKey": KEY, "secret": "s", "session": requests.Session(), "enableRateLimit": False})
    )
    stock.urls["api"]["swap"] = scripted.base_url + "/openApi"
    stock.swapV2PrivateGetUserPositions({})
    assert [asked.headers["x-bx-apikey"] for asked in scripted.asked] == [KEY, KEY]


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize("failure", [Reply(status=503, raw=b"busy"), Reply(hang_up=True), Reply(status=429, raw=b"{}")])
def test_a_failed_submit_is_sent_once(venue, failure, scripted: ScriptedVenue, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    broker.markets()
    scripted.on("POST", ORDER_PATH[venue], failure)
    assert isinstance(broker.submit(an_order()), Unknown)
    assert len(scripted.sent("POST", ORDER_PATH[venue])) == 1


def test_a_failed_read_is_asked_once_too(scripted: ScriptedVenue, broker_at):
    bingx_script.script(scripted)
    broker = broker_at(scripted.base_url)
    broker.markets()
    scripted.on("GET", bingx_script.BALANCE, Reply(hang_up=True))
    assert isinstance(broker.balance(), Unavailable)
    assert len(scripted.sent("GET", bingx_script.BALANCE)) == 1


def test_an_answer_that_drips_ends_with_the_time_out(scripted: ScriptedVenue, broker_at):
    bingx_script.script(scripted)
    broker = broker_at(scripted.base_url, timeout_s=0.3)
    broker.markets()
    slow = Reply({"code": 0, "msg": "x" * 200, "data": {"order": {"orderId": 1}}}, drips=True)
    scripted.on("POST", bingx_script.ORDER, slow)
    began = time.monotonic()
    assert broker.submit(an_order()) == Unknown(why="request timeout", code="")
    assert time.monotonic() - began < 3.0, "it would take ten seconds and more"
