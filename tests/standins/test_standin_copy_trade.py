"""The copy-trading endpoints of the stand-in have the shapes and habits that were recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from copytrade_core.edges.standins.binance import StandinConfig, running_standin
from copytrade_core.edges.standins.lead_records import LeadRecord, records_from_directory, records_from_pages
from copytrade_core.model.errors import BadInput
from copytrade_core.model.source import Endpoint, LeadId, SourcePage

LEAD = "4751838302089254401"
FRIENDLY = "/bapi/futures/v1/friendly/future/copy-trade"
PUBLIC = "/bapi/futures/v1/public/future/copy-trade"
TYPES_OF_A_ROW = {
    "id": int, "symbol": str, "type": str, "opened": int, "closed": int, "avgCost": float, "avgClosePrice": float,
    "closingPnl": float, "maxOpenInterest": float, "closedVolume": float, "isolated": str, "side": str, "status": str,
    "updateTime": int, "leverage": str, "roi": str,
}  # fmt: skip


def test_served_history_equals_the_real_rows_digit_for_digit(real_data, history):
    saved = (real_data / "leads" / LEAD / "position_history_pages_raw.json").read_text()
    real = json.loads(saved, parse_float=str)[0]["response"]["data"]["list"]
    served = [row for page in range(1, 6) for row in history(page)["list"]]
    assert [{name: str(value) for name, value in row.items()} for row in served] == [
        {name: str(value) for name, value in row.items()} for row in real
    ]


@pytest.mark.parametrize("prefix", [FRIENDLY, PUBLIC])
def test_history_is_paged_newest_closed_first_under_both_prefixes(history, prefix):
    pages = [history(page, prefix=prefix) for page in range(1, 7)]
    assert [len(page["list"]) for page in pages] == [10, 10, 10, 10, 7, 0]
    assert {page["total"] for page in pages} == {47}
    closed = [row["closed"] for page in pages for row in page["list"]]
    assert closed == sorted(closed, reverse=True)


def test_history_rows_have_the_recorded_types(history):
    row = history(1)["list"][0]
    assert {name: type(value) for name, value in row.items()} == TYPES_OF_A_ROW


def test_history_sorted_by_opening_is_newest_opened_first(history):
    opened = [row["opened"] for page in range(1, 6) for row in history(page, sort="OPENING")["list"]]
    assert len(opened) == 47
    assert opened == sorted(opened, reverse=True)


def test_history_shows_only_what_has_closed_by_the_virtual_instant(standin, history):
    newest = history(1)["list"][0]
    standin.control.set_time(newest["closed"] - 1)
    assert history(1)["total"] == 46
    assert history(1)["list"][0]["id"] != newest["id"]
    standin.control.set_time(newest["closed"])
    assert history(1)["list"][0] == newest


def test_open_positions_show_every_slot_and_fill_only_what_is_held(standin, client, history, real_data):
    newest = history(1)["list"][0]
    standin.control.set_time(newest["opened"])
    answer = client.get(f"{FRIENDLY}/lead-data/positions", params={"portfolioId": LEAD}).json()
    slots = answer["data"]
    assert answer["code"] == "000000"
    assert isinstance(slots, list)
    assert {slot["positionSide"] for slot in slots if slot["symbol"] == "SNTUSDT"} == {"BOTH", "LONG", "SHORT"}
    held = [slot for slot in slots if float(slot["positionAmount"]) != 0]
    assert [(slot["id"], slot["entryPrice"], slot["positionAmount"]) for slot in held] == [
        ("0_BTCUSDT_LONG", "76247.40865858", "24.981")
    ]
    sample = json.loads((real_data / "leads/positions_sample_3699951837954445568_first3rows.json").read_text())
    for slot in slots:
        assert {name: type(value) for name, value in slot.items()} == {
            name: type(value) for name, value in sample["data"][0].items()
        }
    assert [slot for slot in slots if slot["symbol"] == "SNTUSDT"] == sample["data"]


def test_a_short_position_is_shown_with_a_negative_quantity(standin, client, history):
    rows = [row for page in range(1, 6) for row in history(page)["list"]]
    short = next(row for row in rows if row["side"] == "Short")
    standin.control.set_time(short["opened"])
    slots = client.get(f"{FRIENDLY}/lead-data/positions", params={"portfolioId": LEAD}).json()["data"]
    held = next(slot for slot in slots if slot["id"] == f"0_{short['symbol']}_SHORT")
    assert float(held["positionAmount"]) == -short["maxOpenInterest"]
    assert isinstance(held["leverage"], int)


def test_open_and_closed_never_show_one_position_twice_and_never_lose_it(standin, client, history):
    rows = [row for page in range(1, 6) for row in history(page)["list"]]
    for row in rows[:5]:
        for at_ms, total_open in ((row["opened"], 1), (row["closed"], 0)):
            standin.control.set_time(at_ms)
            slots = client.get(f"{FRIENDLY}/lead-data/positions", params={"portfolioId": LEAD}).json()["data"]
            mine = [s for s in slots if s["entryPrice"] == str(row["avgCost"]) and float(s["positionAmount"]) != 0]
            listed = row["id"] in {r["id"] for page in range(1, 6) for r in history(page)["list"]}
            assert (len(mine), listed) == (total_open, not total_open)


def test_detail_shows_positions_and_an_active_lead(client):
    detail = client.get(f"{PUBLIC}/lead-portfolio/detail", params={"portfolioId": LEAD}).json()["data"]
    assert (detail["leadPortfolioId"], detail["positionShow"], detail["status"]) == (LEAD, True, "ACTIVE")


def test_orders_follow_from_the_history_and_say_that_they_are_derived(client):
    body = {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100}
    answer = client.post(f"{FRIENDLY}/lead-portfolio/order-history", json=body)
    data = answer.json()["data"]
    assert answer.headers["x-copytrade-page"] == "derived"
    assert data["total"] == 94
    last = data["list"][0]
    assert (last["symbol"], last["side"], last["positionSide"], last["executedQty"]) == (
        "BTCUSDT", "SELL", "LONG", 24.981,
    )  # fmt: skip


def test_transfers_performance_chart_and_lead_list_have_their_shapes(client):
    body = {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100}
    transfers = client.post(f"{FRIENDLY}/lead-portfolio/transfer-history", json=body).json()["data"]
    asked = {"portfolioId": LEAD, "timeRange": "365D"}
    performance = client.get(f"{PUBLIC}/lead-portfolio/performance", params=asked).json()["data"]
    chart = client.get(f"{PUBLIC}/lead-portfolio/chart-data", params={**asked, "dataType": "PNL"}).json()["data"]
    leads = client.post(f"{FRIENDLY}/home-page/query-list", json={"pageNumber": 1, "pageSize": 50, "timeRange": "90D"})
    assert transfers == {"indexValue": None, "total": 0, "list": []}
    assert (performance["winOrders"], performance["totalOrder"]) == (47, 47)
    assert chart[-1]["value"] == pytest.approx(float(performance["pnl"]))
    assert [row["leadPortfolioId"] for row in leads.json()["data"]["list"]] == [LEAD]


def test_the_lead_list_gives_thirty_rows_however_many_are_asked(sample_config: StandinConfig):
    record = sample_config.records[0]
    many = tuple(LeadRecord(lead_id=str(10**18 + number), history=record.history[:1], saved={}) for number in range(35))
    with running_standin(replace(sample_config, records=many)) as standin:
        url = f"{standin.base_url}{FRIENDLY}/home-page/query-list"
        pages = [
            httpx.post(url, json={"pageNumber": page, "pageSize": 50}, trust_env=False).json()["data"]
            for page in (1, 2, 3)
        ]
    assert [len(page["list"]) for page in pages] == [30, 5, 0]
    assert {page["total"] for page in pages} == {35}


def test_an_unknown_lead_no_longer_exists(client):
    answer = client.get(f"{FRIENDLY}/lead-portfolio/detail", params={"portfolioId": "1"}).json()
    assert (answer["code"], answer["data"], answer["success"]) == ("11012028", None, False)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"portfolioId":"4751838302089254401","pageNumber":0,"pageSize":10}', b'{"pageNumber":1}']
)
def test_a_request_without_its_parameters_is_an_illegal_parameter(client, body):
    answer = client.post(f"{FRIENDLY}/lead-portfolio/position-history", content=body)
    assert (answer.status_code, answer.json()["code"]) == (200, "000002")


def test_unknown_paths_are_404_json(client):
    for method, path in (("GET", "/nowhere"), ("GET", f"{FRIENDLY}/lead-portfolio/position-history")):
        answer = client.request(method, path)
        assert (answer.status_code, answer.json()["success"]) == (404, False)


def test_archived_pages_serve_as_saved_files_do(project_root: Path):
    (record,) = records_from_directory(project_root / "data/sample/leads" / LEAD)
    bodies = [
        b'{"code":"000000","data":{"total":47,"list":[' + b",".join(row.raw for row in rows) + b"]}}"
        for rows in (record.history[:30], record.history[25:])
    ]
    bodies += [b"<html>", b'{"code":"11012005","data":null}', b'{"data":{"positionShow":true,"marginBalance":"1.50"}}']
    endpoints = [Endpoint.POSITION_HISTORY] * 4 + [Endpoint.LEAD_DETAIL]
    pages = [
        _page(number, endpoint, body) for number, (endpoint, body) in enumerate(zip(endpoints, bodies, strict=True))
    ]
    (again,) = records_from_pages(pages)
    assert again.history == record.history
    assert msgspec.json.decode(again.saved[Endpoint.LEAD_DETAIL])["marginBalance"] == "1.50"


def test_a_saved_detail_page_is_served_as_saved(sample_config: StandinConfig):
    saved = {Endpoint.LEAD_DETAIL: b'{"positionShow":true,"marginBalance":"1.50","odd":1.10}'}
    records = (replace(sample_config.records[0], saved=saved),)
    with running_standin(replace(sample_config, records=records)) as standin:
        url = f"{standin.base_url}{FRIENDLY}/lead-portfolio/detail?portfolioId={LEAD}"
        answer = httpx.get(url, trust_env=False)
    assert b'"data":' + saved[Endpoint.LEAD_DETAIL] in answer.content
    assert answer.headers["x-copytrade-page"] == "saved"


def test_rows_that_cannot_be_placed_in_time_are_still_served(tmp_path: Path, sample_config: StandinConfig):
    folder = tmp_path / LEAD
    folder.mkdir()
    placed = '{"id":1,"symbol":"BTCUSDT","opened":1779098899731,"closed":1779131766622,"avgCost":"76,247.4"}'
    rows = placed + ',{"id":2,"avgCost":"x"},null'
    (folder / "page.json").write_text('{"code":"000000","data":{"total":3,"list":[' + rows + "]}}")
    (folder / "notes.json").write_text("not json")
    config = replace(sample_config, records=records_from_directory(tmp_path))
    with running_standin(config) as standin:
        body = {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 100}
        url = f"{standin.base_url}{FRIENDLY}/lead-portfolio/position-history"
        data = httpx.post(url, json=body, trust_env=False).json()["data"]
    assert data["total"] == 3
    assert data["list"][2] is None


def test_a_folder_without_history_pages_is_refused_and_named(tmp_path: Path):
    with pytest.raises(BadInput, match="no position history page") as caught:
        _ = records_from_directory(tmp_path)
    assert caught.value.where.file == str(tmp_path)
    with pytest.raises(BadInput, match="does not exist"):
        _ = records_from_directory(tmp_path / "absent")


def _page(number: int, endpoint: Endpoint, body: bytes) -> SourcePage:
    return SourcePage(
        lead_id=LeadId(LEAD),
        endpoint=endpoint,
        page=1,
        url_path="/",
        request="{}",
        status=200,
        headers=(),
        body=body,
        sha256="",
        received_at=datetime.fromtimestamp(number, tz=UTC),
    )
