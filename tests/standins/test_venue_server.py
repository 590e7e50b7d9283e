"""The frame of a venue's stand-in: its process, its controls, new runs through one process, and what voids a run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from copytrade_core.edges.standins.bingx_dialect import BingxDialect
from copytrade_core.edges.standins.control import CONTROL_PREFIX, StandinRefused
from copytrade_core.edges.standins.venue_control import ForeignOrder, ForeignPosition, VenueControl
from copytrade_core.edges.standins.venue_dialect import VenueDialect, VenueError
from copytrade_core.edges.standins.venue_ledger import VenueLedger
from copytrade_core.edges.standins.venue_requests import Arrived as Request
from copytrade_core.edges.standins.venue_requests import RouteTable, parameters_of
from copytrade_core.edges.standins.venue_run import Ground, begun
from copytrade_core.edges.standins.venue_server import (
    VenueServerConfig,
    VenueStandin,
    drill_setup,
    running_venue,
    serve,
)
from copytrade_core.edges.standins.venue_setup import setup_from_json
from copytrade_core.model.errors import BadConfig, BadInput
from copytrade_core.model.side import Side
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.venue_rules import VenueRule
from tests.standins.venue_desk import BTC, ETH, NOW, BingxDesk, run_setup, with_faults

MODULE = "copytrade_core.edges.standins.venue_server"


@pytest.fixture(scope="module")
def running() -> Generator[VenueStandin]:
    with running_venue(VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)) as standin:
        yield standin


@pytest.fixture
def control(running: VenueStandin) -> VenueControl:
    running.control.reset(run_setup())
    return running.control


@pytest.fixture
def desk(running: VenueStandin) -> Iterator[BingxDesk]:
    desk = BingxDesk(running.base_url)
    with desk.client:
        yield desk


@contextmanager
def started(project_root: Path, *arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", MODULE, "--venue", "bingx", *arguments]
    process = subprocess.Popen(command, cwd=project_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        _ = process.communicate()


def test_as_its_own_process_it_says_where_it_listens_and_ends_with_zero(project_root: Path, tmp_path: Path):
    setup = tmp_path / "setup.json"
    _ = setup.write_bytes(msgspec.json.encode(run_setup()))
    with started(project_root, "--setup", str(setup)) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert (ready["pid"], ready["venue"]) == (process.pid, "bingx")
        desk = BingxDesk(ready["base_url"])
        with desk.client, VenueControl(ready["base_url"]) as control:
            assert desk.place("c1")["code"] == 0
            assert [order.client_order_id for order in control.ledger().orders] == ["c1"]
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")


def test_a_bad_setup_file_ends_with_two_and_a_sentence(project_root: Path, tmp_path: Path):
    setup = tmp_path / "setup.json"
    for text, says in (('{"now_ms": 5}', "cash"), ('{"now_ms": 5, "cash": "1"}', "neither prices")):
        _ = setup.write_text(text)
        with started(project_root, "--setup", str(setup)) as process:
            output, errors = process.communicate(timeout=20)
        assert (process.returncode, output) == (2, "")
        assert says in errors
        assert "Traceback" not in errors


def test_it_listens_on_loopback_only():
    config = VenueServerConfig(venue=Venue.BINGX, setup=run_setup(), port=0)
    with pytest.raises(BadConfig, match="never listens"):
        serve(replace(config, host="0.0.0.0"))


def test_a_new_run_knows_nothing_of_the_one_before(desk: BingxDesk, control: VenueControl):
    assert desk.place("c1")["code"] == 0
    control.set_time(NOW + 5_000)
    control.reset(run_setup())
    ledger = control.ledger()
    assert (ledger.as_of_ms, ledger.orders, ledger.cash, ledger.calls) == (NOW, (), 10_000 * 10**8, {})
    assert desk.place("c1")["code"] == 0


def test_hundreds_of_runs_a_minute_go_through_one_process(desk: BingxDesk, control: VenueControl):
    started_at = time.monotonic()
    for number in range(50):
        control.reset(run_setup(seed=number))
        assert desk.place("c1")["code"] == 0
        control.set_time(NOW + 1_000)
        assert len(control.ledger().fills) == 1
    assert time.monotonic() - started_at < 10, "slower than 300 runs a minute"


def test_what_the_venue_does_not_have_is_404_and_recorded(desk: BingxDesk, control: VenueControl):
    assert desk.request("GET", "/openApi/swap/v2/quote/depth").status_code == 404
    assert desk.request("POST", "/openApi/swap/v2/trade/batchOrders").status_code == 404
    assert control.ledger().unknown_requests == (
        "GET /openApi/swap/v2/quote/depth",
        "POST /openApi/swap/v2/trade/batchOrders",
    )
    control.reset(run_setup())
    assert control.ledger().unknown_requests == ()


def test_calls_rules_and_words_that_were_used_are_told(desk: BingxDesk, control: VenueControl):
    _ = desk.place("c1")
    _ = desk.place("c2", side="SELL", positionSide="SHORT", quantity="5")
    ledger = control.ledger()
    assert ledger.calls == {"POST /openApi/swap/v2/trade/order": 2}
    assert ledger.calls_by_kind == {"submit": 2}
    assert ledger.rules_used["slippage"] == "assumed"
    assert ledger.rules_used["insufficient_margin"] == "documented"
    assert ledger.dialect_used == {"POST /openApi/swap/v2/trade/order": "fixture", "error 101204": "documented"}


def test_the_ledger_survives_the_wire(desk: BingxDesk, control: VenueControl):
    _ = desk.place("c1", type="LIMIT", price="50000")
    ledger = control.ledger()
    assert msgspec.json.decode(msgspec.json.encode(ledger), type=VenueLedger) == ledger
    line = ledger.orders[0]
    assert (line.kind, line.price, line.position_side, line.status) == ("limit", 500_000, Side.LONG, "open")


def test_the_clock_never_goes_back_and_may_run(desk: BingxDesk, control: VenueControl):
    control.set_time(NOW + 1_000)
    with pytest.raises(StandinRefused, match="never goes back"):
        control.set_time(NOW)
    control.set_time(NOW + 2_000, speed=1_000.0)
    time.sleep(0.05)
    shown = desk.client.get("/openApi/swap/v2/server/time").json()["data"]["serverTime"]
    assert shown >= NOW + 2_000 + 50_000


def test_somebody_else_can_trade_on_the_account_and_is_refused_like_us(control: VenueControl):
    control.inject(ForeignPosition(market=BTC, side=Side.SHORT, quantity="0.01"))
    control.inject(ForeignOrder(market=ETH, buys=True, quantity="0.5", price="2900.00", position_side=Side.LONG))
    ledger = control.ledger()
    assert [(each.side, each.quantity) for each in ledger.positions] == [(Side.SHORT, 100)]
    assert [order.client_order_id for order in ledger.orders] == [None, None]
    for what, says in (
        (ForeignOrder(market=ETH, buys=True, quantity="0.5", price="2900.00"), "position_side_mismatch"),
        (ForeignOrder(market=ETH, buys=True, quantity="0.001"), "no positive multiple"),
        (ForeignPosition(market="DOGE/USDT:USDT", side=Side.LONG, quantity="1"), "no market DOGE"),
    ):
        with pytest.raises(StandinRefused, match=says):
            control.inject(what)


def test_a_run_that_is_refused_leaves_the_one_before_alone(desk: BingxDesk, control: VenueControl):
    assert desk.place("c1")["code"] == 0
    with pytest.raises(StandinRefused, match="do not cover"):
        control.reset(run_setup(now_ms=NOW - 1))
    assert len(control.ledger().orders) == 1


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("POST", "time", b"soon", 400),
        ("POST", "faults", b'[{"kind": "gremlins"}]', 400),
        ("POST", "faults", b'[{"kind": "reject", "call": "submit"}]', 400),
        ("POST", "inject", b'{"type": "earthquake"}', 400),
        ("POST", "reset", b'{"now_ms": 1}', 400),
        ("GET", "secrets", b"", 404),
        ("DELETE", "ledger", b"", 404),
    ],
)
def test_a_control_that_makes_no_sense_is_refused_and_changes_nothing(
    desk: BingxDesk, control: VenueControl, method, name, body, status
):
    _ = desk.place("c1")
    before = control.ledger()
    answer = desk.client.request(method, CONTROL_PREFIX + name, content=body)
    assert answer.status_code == status
    assert len(answer.json()["error"]) > 10
    assert control.ledger() == before


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cash": "-5"}, "cash must be a positive number"),
        ({"cash": "much"}, "no number"),
        ({"prices": {BTC: [[NOW, "60000.0"]]}}, "markets and prices differ in ETH"),
        ({"prices": {BTC: [[NOW, "60000.05"]], ETH: [[NOW, "3000.00"]]}}, "off the grid"),
        ({"prices": {BTC: [[NOW + 5, "60000.0"]], ETH: [[NOW, "3000.00"]]}}, "do not cover"),
        ({"prices": {BTC: [[NOW, "1.0"], [NOW, "2.0"]], ETH: [[NOW, "3000.00"]]}}, "increasing times"),
        ({"until_ms": NOW + 60_000}, "ends at"),
        ({"prices": None}, "neither prices in the setup nor bars"),
        ({"options": {"create_answer": "fancy"}}, "create_answer cannot be fancy"),
        ({"options": {"colour": "red"}}, "no option colour"),
        ({"faults": [{"kind": "gremlins"}]}, "gremlins"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_run_that_cannot_be_is_refused_by_name_before_it_begins(control: VenueControl, changes, says):
    document = json.loads(msgspec.json.encode(run_setup())) | changes
    with pytest.raises((BadInput, StandinRefused), match=says):
        control.reset(setup_from_json(json.dumps(document).encode()))


def test_a_market_that_the_venue_could_not_list_is_refused_before_the_run_begins(control: VenueControl):
    setup = run_setup()
    assert setup.markets is not None
    odd = [msgspec.structs.replace(market, tick_size="0.5") for market in setup.markets]
    with pytest.raises(StandinRefused, match=r"cannot list a step of 0\.5"):
        control.reset(msgspec.structs.replace(setup, markets=odd))


class _WithoutWords(BingxDialect):
    """BingX with a hole in its error table."""

    @property
    def errors(self) -> Mapping[VenueRule, VenueError]:
        return {rule: error for rule, error in super().errors.items() if rule is not VenueRule.NO_POSITION}


def test_a_dialect_with_a_hole_in_its_error_table_is_refused():
    def dialect_of(_options: Mapping[str, str]) -> VenueDialect:
        return _WithoutWords()

    with pytest.raises(BadInput, match="no words for no_position"):
        _ = begun(run_setup(), Ground(dialect_of=dialect_of, markets={}, feed=None))


def test_faults_that_are_set_later_keep_what_was_met_before(desk: BingxDesk, control: VenueControl):
    control.reset(with_faults({"kind": "reject_next_n_orders"}))
    _ = desk.place("c1")
    control.set_faults([])
    assert [(line.kind, line.count) for line in control.ledger().faults_met] == [("reject_next_n_orders", 1)]


def test_a_run_without_a_file_has_two_markets_that_stand_still():
    run = begun(drill_setup(NOW, "500"), Ground(dialect_of=lambda _: BingxDialect(), markets={}, feed=None))
    assert list(run.engine.markets) == [BTC, ETH]
    assert (run.engine.cash, run.engine.now_ms) == (500 * 10**8, NOW)


def test_a_route_with_a_variable_segment_gives_its_piece_and_a_plain_one_wins():
    plain = BingxDialect().routes[0]
    routes = RouteTable([replace(plain, path="/orders/{order_id}"), replace(plain, path="/orders/open")])
    assert routes.find("GET", "/orders/open") == (replace(plain, path="/orders/open"), {})
    found = routes.find("GET", "/orders/a%2Fb")
    assert found is not None
    assert found[1] == {"order_id": "a/b"}
    assert routes.find("POST", "/orders/5") is None
    assert routes.find("GET", "/orders/5/6") is None


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ("a=1&b=", b"", {"a": "1", "b": ""}),
        ("a=1", b"a=2&c=3", {"a": "2", "c": "3"}),
        ("", b'{"size": -1, "text": "t-1", "reduce_only": true, "price": 0.10}', None),
        ("", b"{broken", {}),
    ],
)
def test_parameters_are_text_wherever_they_stand(query, body, expected):
    wanted = {"size": "-1", "text": "t-1", "reduce_only": "true", "price": "0.10"} if expected is None else expected
    arrived = Request(method="POST", path="/", query=query, body=body, headers={})
    assert parameters_of(arrived, {}) == wanted
