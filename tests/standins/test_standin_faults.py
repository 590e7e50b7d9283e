"""Each fault of the stand-in reaches a real client in the form that the source shows it."""

from __future__ import annotations

import time

import httpx
import pytest

from copytrade_core.edges.standins.control import StandinRefused
from copytrade_core.edges.standins.faults import Fault, FaultKind, faults_from_json
from copytrade_core.model.errors import BadInput

LEAD = "4751838302089254401"
FRIENDLY = "/bapi/futures/v1/friendly/future/copy-trade"
HISTORY = f"{FRIENDLY}/lead-portfolio/position-history"
KLINES = "/fapi/v1/klines?symbol=BTCUSDT&interval=5m&limit=20"


def ask(client: httpx.Client) -> httpx.Response:
    return client.post(HISTORY, json={"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100})


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(kind=FaultKind.THROTTLED, retry_after_s=7), 429, "90801003"),
        (Fault(kind=FaultKind.THROTTLED_CODE), 200, "90801003"),
        (Fault(kind=FaultKind.BANNED, retry_after_s=7), 418, "90801003"),
        (Fault(kind=FaultKind.SERVER_ERROR), 503, "000001"),
        (Fault(kind=FaultKind.UNKNOWN_CODE, code="424242"), 200, "424242"),
        (Fault(kind=FaultKind.RETIRED_LEAD), 200, "11012028"),
        (Fault(kind=FaultKind.DATA_NULL), 200, "000000"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else None,
)
def test_a_refusal_has_its_status_its_code_and_no_data(standin, client, fault, status, code):
    standin.control.set_faults([fault])
    answer = ask(client)
    assert (answer.status_code, answer.json()["code"], answer.json()["data"]) == (status, code, None)
    assert answer.headers.get("retry-after") == (None if fault.retry_after_s is None else "7")


@pytest.mark.parametrize("kind", [FaultKind.THROTTLED, FaultKind.BANNED])
def test_the_market_refuses_in_its_own_dialect(standin, client, kind):
    standin.control.set_faults([Fault(kind=kind, path="/fapi/v1/klines", retry_after_s=3)])
    answer = client.get(KLINES)
    assert answer.status_code in {429, 418}
    assert (answer.json()["code"], answer.headers["retry-after"]) == (-1003, "3")
    assert ask(client).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "starts"),
    [
        (FaultKind.WAF_EMPTY, 202, b""),
        (FaultKind.WAF_FORBIDDEN, 403, b"<!DOCTYPE html>"),
        (FaultKind.WAF_HTML, 200, b"<!DOCTYPE html>"),
        (FaultKind.EMPTY_PAGE, 200, b""),
    ],
)
def test_the_firewall_answers_without_json(standin, client, kind, status, starts):
    standin.control.set_faults([Fault(kind=kind)])
    for answer in (ask(client), client.get(KLINES)):
        assert answer.status_code == status
        assert answer.content.startswith(starts)
        assert (answer.content == b"") == (starts == b"")


def test_a_fault_happens_on_its_calls_of_its_path_only(standin, client):
    fault = Fault(kind=FaultKind.SERVER_ERROR, path="position-history", first_call=2, last_call=3)
    standin.control.set_faults([fault])
    assert [ask(client).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert client.get(KLINES).status_code == 200
    assert standin.control.state()["faults"][0]["calls_seen"] == 5


def test_a_fault_of_one_lead_leaves_others_alone(standin, client):
    standin.control.set_faults([Fault(kind=FaultKind.RETIRED_LEAD, lead_id="1")])
    assert ask(client).json()["code"] == "000000"


def test_the_system_is_busy_twice_on_each_new_page(standin, history, client):
    standin.control.set_faults([Fault(kind=FaultKind.BUSY_FIRST, count=2)])

    def code(page: int) -> str:
        return client.post(HISTORY, json={"portfolioId": LEAD, "pageNumber": page, "pageSize": 10}).json()["code"]

    assert [code(page) for page in (1, 1, 1, 2, 2, 2, 1)] == [
        "11012005", "11012005", "000000", "11012005", "11012005", "000000", "000000",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data"), [(FaultKind.HIDDEN_PORTFOLIO, []), (FaultKind.HIDDEN_POSITIONS_NULL, {"positions": None})]
)
def test_a_hidden_portfolio_keeps_its_history(standin, client, history, kind, data):
    standin.control.set_time(1_779_098_899_731)
    standin.control.set_faults([Fault(kind=kind)])
    asked = {"portfolioId": LEAD}
    assert client.get(f"{FRIENDLY}/lead-data/positions", params=asked).json()["data"] == data
    assert client.get(f"{FRIENDLY}/lead-portfolio/detail", params=asked).json()["data"]["positionShow"] is False
    assert history(1)["total"] == 46


def test_a_row_that_closes_during_the_walk_shifts_the_pages(standin, history):
    standin.control.set_faults([Fault(kind=FaultKind.SHIFTING_PAGES, path="position-history", first_call=2, count=1)])
    first, second, again = history(1), history(2), history(1)
    assert (first["total"], second["total"], again["total"]) == (46, 47, 47)
    assert second["list"][0] == first["list"][-1]
    assert again["list"][1:] == first["list"][:-1]


def test_a_row_that_has_not_closed_yet_is_still_held(standin, client, history):
    newest = history(1)["list"][0]
    standin.control.set_faults([Fault(kind=FaultKind.SHIFTING_PAGES, path="position-history", first_call=2, count=1)])
    slots = client.get(f"{FRIENDLY}/lead-data/positions", params={"portfolioId": LEAD}).json()["data"]
    held = [slot["entryPrice"] for slot in slots if float(slot["positionAmount"]) != 0]
    assert held == [str(newest["avgCost"])]


def test_pages_can_shift_on_every_call(standin, history):
    standin.control.set_faults([Fault(kind=FaultKind.SHIFTING_PAGES, path="position-history", count=4)])
    assert [history(page)["total"] for page in (1, 2, 3, 4, 5)] == [44, 45, 46, 47, 47]


def test_total_lies_by_as_many_rows_as_asked(standin, history):
    standin.control.set_faults([Fault(kind=FaultKind.LYING_TOTAL, count=3)])
    assert history(1)["total"] == 50
    assert history(6)["list"] == []


def test_a_short_page_is_whole_when_asked_again(standin, history):
    standin.control.set_faults([Fault(kind=FaultKind.SHORT_PAGE, last_call=1, count=4)])
    assert [len(history(2)["list"]) for _ in range(2)] == [6, 10]


def test_a_slow_answer_is_the_true_one(standin, client):
    true = ask(client).content
    standin.control.set_faults([Fault(kind=FaultKind.SLOW, delay_s=0.3)])
    began = time.monotonic()
    assert ask(client).content == true
    assert time.monotonic() - began >= 0.3


def test_a_slow_answer_runs_into_the_clients_own_limit(standin):
    standin.control.set_faults([Fault(kind=FaultKind.SLOW, delay_s=5.0)])
    with pytest.raises(httpx.ReadTimeout):
        _ = httpx.get(f"{standin.base_url}{KLINES}", timeout=0.2, trust_env=False)


def test_a_truncated_body_promises_more_than_it_sends(standin, client):
    whole = len(ask(client).content)
    standin.control.set_faults([Fault(kind=FaultKind.TRUNCATED_BODY, last_call=1)])
    body = {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100}
    with client.stream("POST", HISTORY, json=body) as answer:
        assert answer.headers["content-length"] == str(whole)
        with pytest.raises(httpx.RemoteProtocolError):
            _ = answer.read()
    assert len(ask(client).content) == whole


def test_truncated_json_is_complete_http(standin, client):
    true = ask(client).content
    standin.control.set_faults([Fault(kind=FaultKind.TRUNCATED_JSON)])
    answer = ask(client)
    assert answer.content == true[: len(true) // 2]
    assert answer.status_code == 200


def test_a_reset_connection_gives_no_answer_and_the_next_one_works(standin, client):
    standin.control.set_faults([Fault(kind=FaultKind.CONNECTION_RESET, last_call=2)])
    for _ in range(2):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            _ = ask(client)
    assert ask(client).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", "Expected `array`"),
        (b'[{"kind":"unheard_of"}]', "Invalid enum value"),
        (b'[{"kind":"lying_total"}]', "needs a count"),
        (b'[{"kind":"slow"}]', "needs a delay"),
        (b'[{"kind":"throttled"}]', "needs retry_after_s"),
        (b'[{"kind":"banned","retry_after_s":1,"first_call":2,"last_call":1}]', "no call"),
        (b'[{"kind":"banned","retry_after_s":"1"}]', "Expected `int"),
    ],
)
def test_faults_that_make_no_sense_are_refused(standin, body, says):
    with pytest.raises(BadInput, match=says):
        _ = faults_from_json(body)
    answer = httpx.post(f"{standin.base_url}/__standin__/faults", content=body, trust_env=False)
    assert answer.status_code == 400
    assert says.strip("`") in answer.text


def test_an_impossible_time_is_refused_and_changes_nothing(standin):
    before = standin.control.state()["as_of_ms"]
    with pytest.raises(StandinRefused, match="negative"):
        standin.control.set_time(-1)
    assert standin.control.state()["as_of_ms"] == before
