"""What a venue's answer to a submit proves: placed, not placed, known already, or nothing."""

from __future__ import annotations

import pytest

from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.envelope import VenueAnswer
from copytrade_core.model.outcome import (
    Absent,
    Accepted,
    CancelOutcome,
    DefiniteReject,
    Exists,
    RejectReason,
    Unavailable,
    Unknown,
)
from copytrade_core.model.venue import Venue
from tests.edges.venues import binance_script, bingx_script, gate_script
from tests.edges.venues.scripted_venue import Reply, ScriptedVenue
from tests.edges.venues.venue_orders import BTC, ID, ORDER_PATH, SCRIPTS, an_order

R = RejectReason
BINGX, GATE, BINANCE = Venue.BINGX, Venue.GATE, Venue.BINANCE

REJECTS = [
    (BINGX, 101204, "Insufficient margin", R.INSUFFICIENT_FUNDS),
    (BINGX, 80012, '{"Code":101253,"Msg":"margin is not enough"}', R.INSUFFICIENT_FUNDS),
    (BINGX, 101205, "No position to close", R.NO_POSITION),
    (BINGX, 109420, "position not exist", R.NO_POSITION),
    (BINGX, 101290, "The Reduce Only order can only decrease the position", R.REDUCE_ONLY),
    (BINGX, 109400, "In the Hedge mode, the 'ReduceOnly' field can not be filled.", R.REDUCE_ONLY),
    (BINGX, 109400, "In the One-way mode, the 'Side' field can only be set to BOTH.", R.POSITION_MODE),
    (BINGX, 109400, "Invalid parameters, err:type: field is required", R.BAD_REQUEST),
    (BINGX, 101400, "The minimum order amount is 0.0001 BTC.", R.INVALID_ORDER),
    (BINGX, 110425, "minimum nominal value", R.INVALID_ORDER),
    (BINGX, 100421, "Null timestamp or timestamp mismatch", R.BAD_REQUEST),
    (BINGX, 100413, "Incorrect apiKey", R.AUTHENTICATION),
    (BINGX, 100001, "Signature verification failed", R.AUTHENTICATION),
    (BINGX, 100004, "Permission denied", R.PERMISSION),
    (BINGX, 100419, "IP does not match IP whitelist", R.PERMISSION),
    (GATE, "INSUFFICIENT_AVAILABLE", "", R.INSUFFICIENT_FUNDS),
    (GATE, "POSITION_EMPTY", "", R.NO_POSITION),
    (GATE, "INCREASE_POSITION", "", R.REDUCE_ONLY),
    (GATE, "INVALID_PARAM_VALUE", "invalid argument: size", R.BAD_REQUEST),
    (GATE, "SIZE_TOO_SMALL", "", R.INVALID_ORDER),
    (GATE, "INVALID_KEY", "Invalid key provided", R.AUTHENTICATION),
    (GATE, "REQUEST_EXPIRED", "gap between request Timestamp and server time exceeds 60", R.AUTHENTICATION),
    (GATE, "READ_ONLY", "", R.PERMISSION),
    (BINANCE, -2019, "Margin is insufficient.", R.INSUFFICIENT_FUNDS),
    (BINANCE, -2022, "ReduceOnly Order is rejected.", R.REDUCE_ONLY),
    (BINANCE, -4061, "Order's position side does not match user's setting.", R.POSITION_MODE),
    (BINANCE, -4164, "Order's notional must be no smaller than 100", R.INVALID_ORDER),
    (BINANCE, -1111, "Precision is over the maximum", R.INVALID_ORDER),
    (BINANCE, -1021, "Timestamp for this request is outside of the recvWindow.", R.BAD_REQUEST),
    (BINANCE, -2015, "Invalid API-key, IP, or permissions for action.", R.AUTHENTICATION),
    (BINANCE, -2017, "API Keys are locked on this account.", R.PERMISSION),
]
EXISTING = [
    (BINGX, 101481, "clientOrderID cannot be repeated"),
    (BINGX, 109201, "The same order number is only allowed to be submitted once within 1 second."),
    (BINGX, 101400, "clientOrderID cannot be repeated"),
    (BINGX, 109400, "clientOrderID: already exists"),
    (GATE, "REPEATED_CREATION", ""),
    (BINANCE, -4116, "ClientOrderId is duplicated."),
]
NOTHING_PROVED = [
    (BINGX, 100410, "The current system is busy, please try again later"),
    (BINGX, 100500, "The current system is busy, please try again later"),
    (BINGX, 109500, "busy"),
    (BINGX, 80001, "request failed"),
    (BINGX, 101400, "something that nobody has seen"),
    (BINGX, 109400, "something that nobody has seen"),
    (BINGX, 999999, "a new code"),
    (GATE, "INTERNAL", ""),
    (GATE, "SERVER_ERROR", ""),
    (GATE, "TOO_BUSY", ""),
    (GATE, "INVALID_PARAM_VALUE", ""),
    (GATE, "A_NEW_LABEL", "x"),
    (BINANCE, -1000, "An unknown error occurred while processing the request."),
    (BINANCE, -1001, "Internal error"),
    (BINANCE, -1006, "An unexpected response was received from the message bus. Execution status unknown."),
    (BINANCE, -1007, "Timeout waiting for response from backend server. Send status unknown"),
    (BINANCE, -1008, "Server is currently overloaded"),
    (BINANCE, -9999, "a new code"),
]


def refusal(venue: Venue, code: object, message: str) -> Reply:
    return SCRIPTS[venue].refusal(code, message)


@pytest.fixture
def submit(scripted: ScriptedVenue, broker_at):
    """Submit one order to a venue that answers so."""

    def to(venue: Venue, *answers):
        SCRIPTS[venue].script(scripted)
        broker = broker_at(scripted.base_url, venue, timeout_s=0.4)
        broker.markets()
        scripted.on("POST", ORDER_PATH[venue], *answers)
        return broker.submit(an_order())

    return to


@pytest.mark.parametrize(("venue", "code", "message", "reason"), REJECTS)
def test_a_code_that_proves_not_placed_is_a_definite_reject(venue, code, message, reason, submit):
    outcome = submit(venue, refusal(venue, code, message))
    assert outcome == DefiniteReject(reason=reason, code=str(code), message=message)


@pytest.mark.parametrize(("venue", "code", "message"), EXISTING)
def test_a_duplicate_id_is_no_reject(venue, code, message, submit):
    assert submit(venue, refusal(venue, code, message)) == Exists(code=str(code))


@pytest.mark.parametrize(("venue", "code", "message"), NOTHING_PROVED)
def test_a_code_that_is_not_in_the_table_proves_nothing(venue, code, message, submit):
    assert submit(venue, refusal(venue, code, message)) == Unknown(why="unlisted_code", code=str(code))


@pytest.mark.parametrize(("venue", "code", "message", "reason"), REJECTS)
@pytest.mark.parametrize("status", [408, 418, 429, 500, 502, 503, 504])
def test_a_reject_with_a_status_of_the_way_in_between_proves_nothing(venue, code, message, reason, status):
    answer = VenueAnswer(status=status, code=str(code), message=message)
    assert profile_of(venue).errors.outcome(answer) == Unknown(why=f"http_{status}", code=str(code))
    assert reason


@pytest.mark.parametrize("venue", Venue)
@pytest.mark.parametrize(
    "answer",
    [
        Reply(hang_up=True),
        Reply(delay_s=1.0),
        Reply(status=500, raw=b"oops"),
        Reply(status=504, raw=b""),
        Reply(status=429, payload={}),
        Reply(status=400, raw=b"no json"),
        Reply(status=404, payload={"path": "unknown"}),
        Reply(status=304, raw=b""),
        Reply(raw=b'{"code":0,"data":{"order":{"orderId":null}}}'),
        Reply(raw=b'{"code":0,"data":{"order":{"orderId":""}}}'),
        Reply(raw=b'{"code":0,"data":{"order":{"orderId":"None"}}}'),
    ],
    ids=["hang up", "time-out", "500", "504", "429", "400", "404", "304", "null id", "empty id", "None as id"],
)
def test_no_answer_or_one_that_says_nothing_is_unknown(venue, answer, submit):
    assert isinstance(submit(venue, answer), Unknown)


@pytest.mark.parametrize("venue", Venue)
def test_a_503_that_carries_a_reject_is_unknown(venue, submit):
    code, message = {BINGX: (101204, "x"), GATE: ("INSUFFICIENT_AVAILABLE", ""), BINANCE: (-2019, "x")}[venue]
    reply = refusal(venue, code, message)
    assert isinstance(submit(venue, Reply(reply.payload, status=503)), Unknown)


@pytest.mark.parametrize("venue", Venue)
def test_a_well_formed_answer_with_an_id_is_accepted(venue, submit, scripted):
    SCRIPTS[venue].script(scripted)
    good = scripted.answers["POST", ORDER_PATH[venue]][0]
    assert submit(venue, good) == Accepted(venue_order_id=str(SCRIPTS[venue].VENUE_ID))


@pytest.mark.parametrize(
    ("venue", "row"),
    [
        (BINGX, {"code": 0, "data": {"order": bingx_script.order_row("cother")}}),
        (GATE, gate_script.order_row("cother")),
        (BINANCE, binance_script.order_row("cother")),
    ],
)
def test_the_answer_to_another_order_is_not_ours(venue, row, submit):
    assert isinstance(submit(venue, Reply(row)), Unknown)


def test_both_create_answers_of_bingx_are_read(submit):
    flat = bingx_script.ok({"symbol": "BTC-USDT", "orderId": 5})
    rich = bingx_script.ok({"order": bingx_script.order_row(ID, orderId=6, status="FILLED")})
    assert submit(BINGX, flat) == Accepted(venue_order_id="5")
    assert submit(BINGX, rich) == Accepted(venue_order_id="6")


def test_bingx_may_answer_with_the_id_in_lower_case(submit):
    rich = bingx_script.ok({"order": bingx_script.order_row(ID.upper())})
    assert isinstance(submit(BINGX, rich), Accepted)


ABSENT = [(BINGX, 80016), (BINGX, 109421), (GATE, "ORDER_NOT_FOUND"), (GATE, "CLIENT_ID_NOT_FOUND"), (BINANCE, -2013)]
NOT_OPEN = [
    *((BINGX, code) for code in (80016, 80018, 109414, 109421)),
    *((GATE, label) for label in ("ORDER_NOT_FOUND", "ORDER_FINISHED")),
    (BINANCE, -2011),
]


def order_url(venue: Venue) -> str:
    return f"{ORDER_PATH[venue]}/t-{ID}" if venue is GATE else ORDER_PATH[venue]


@pytest.mark.parametrize(("venue", "code"), ABSENT)
def test_only_the_code_for_no_such_order_is_an_absence(venue, code, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    scripted.on("GET", order_url(venue), refusal(venue, code, "x"))
    assert broker.order(BTC, ID) == Absent()
    for status in (429, 500, 503):
        scripted.on("GET", order_url(venue), Reply(refusal(venue, code, "x").payload, status=status))
        assert isinstance(broker.order(BTC, ID), Unavailable)
    for bad in (Reply(status=404, raw=b"x"), Reply(hang_up=True), Reply(status=404, payload={})):
        scripted.on("GET", order_url(venue), bad)
        assert isinstance(broker.order(BTC, ID), Unavailable)


@pytest.mark.parametrize(("venue", "code"), NOT_OPEN)
def test_a_cancel_of_what_is_not_open_says_so_and_other_failures_are_unknown(venue, code, scripted, broker_at):
    SCRIPTS[venue].script(scripted)
    broker = broker_at(scripted.base_url, venue)
    assert broker.cancel(BTC, ID) is CancelOutcome.DONE
    scripted.on("DELETE", order_url(venue), refusal(venue, code, "x"))
    assert broker.cancel(BTC, ID) is CancelOutcome.NOT_OPEN
    for bad in (Reply(status=500, raw=b"x"), Reply(hang_up=True), Reply({})):
        scripted.on("DELETE", order_url(venue), bad)
        assert broker.cancel(BTC, ID) is CancelOutcome.UNKNOWN
