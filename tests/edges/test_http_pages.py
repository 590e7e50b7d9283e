from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from copytrade_core.edges.http_retry import AnswerTooLarge, DeadlineExceeded, HostLimiter, HttpLimits, TransportFault
from copytrade_core.edges.pages.http_pages import FRIENDLY, PUBLIC, LeadPages
from copytrade_core.edges.pages.page_archive import PageArchive
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.source import Endpoint, LeadId
from copytrade_core.sources.envelope import (
    Blocked,
    HiddenPositions,
    LeadNotFound,
    MalformedPage,
    Throttled,
    UpstreamError,
)
from copytrade_core.sources.history_walk import HistoryWalk, WalkLimits

LEAD = LeadId("4751838302089254401")
HISTORY = "/lead-portfolio/position-history"
LIMITS = HttpLimits(
    connect_timeout_s=2,
    read_timeout_s=2,
    deadline_s=5,
    body_bytes_max=200_000,
    attempts_max=4,
    backoff_initial_s=0.01,
    backoff_max_s=0.05,
    backoff_jitter_s=0.01,
    request_interval_s=0,
)
WALK = WalkLimits(page_rows=10, pages_max=20, restarts_max=2, short_page_asks_max=3)
Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class Asked:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class Server:
    """A real server on loopback; `answer` is called with what was asked and the number of requests before it."""

    base_url: str = ""
    asked: list[Asked] = field(default_factory=list)
    answer: Callable[[Asked, int], Answer] = lambda _asked, _n: (500, b"", {})


def ok(data: Any, **headers: str) -> Answer:
    return 200, json.dumps({"code": "000000", "message": None, "data": data, "success": True}).encode(), headers


def code(value: str, status: int = 200) -> Answer:
    return status, json.dumps({"code": value, "data": None, "success": False}).encode(), {}


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            asked = Asked(self.command, self.path, body, {k.lower(): v for k, v in self.headers.items()})
            state.asked.append(asked)
            status, content, headers = state.answer(asked, len(state.asked) - 1)
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            if int(headers.get("content-length", len(content))) != len(content):
                self.close_connection = True

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.base_url = f"http://127.0.0.1:{running.server_address[1]}"
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def archive(tmp_path: Path) -> PageArchive:
    return PageArchive(tmp_path / "raw")


@pytest.fixture
def client(server: Server, archive: PageArchive) -> Iterator[LeadPages]:
    made = LeadPages(base_url=server.base_url, limits=LIMITS, archive=archive, limiter=HostLimiter())
    yield made
    made.close()


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    """Newest first, as the service lists them."""
    return [
        {"id": n, "symbol": "BTCUSDT", "side": "Long", "opened": n} for n in range(start + count, start, -1)
    ]  # fmt: skip


def paged(all_rows: Callable[[int], list[dict[str, Any]]], total: int | None = None) -> Callable[[Asked, int], Answer]:
    """History pages of the rows that exist at the n-th request."""

    def answer(asked: Asked, n: int) -> Answer:
        listed = all_rows(n)
        first = (asked.body["pageNumber"] - 1) * asked.body["pageSize"]
        part = listed[first : first + asked.body["pageSize"]]
        return ok({"indexValue": None, "total": len(listed) if total is None else total, "list": part})

    return answer


def test_every_endpoint_asks_its_documented_path_without_a_login(server: Server, client: LeadPages) -> None:
    server.answer = lambda asked, _n: ok([] if "positions" in asked.path or "chart" in asked.path else
                                         {"total": 0, "list": []})  # fmt: skip
    _ = client.open_positions(LEAD)
    _ = client.detail(LEAD)
    _ = client.performance(LEAD, time_range="90D")
    _ = client.chart(LEAD, data_type="ROI", time_range="90D")
    _ = client.order_history_page(LEAD, page=1, page_rows=100)
    _ = client.transfer_history_page(LEAD, page=1, page_rows=100)
    _ = client.lead_list_page(page=1, page_rows=30, time_range="30D", data_type="ROI")
    _ = client.history(LEAD, walk=WALK, time_range="365D")
    assert [(asked.method, asked.path.removeprefix(FRIENDLY)) for asked in server.asked] == [
        ("GET", f"/lead-data/positions?portfolioId={LEAD}"),
        ("GET", f"/lead-portfolio/detail?portfolioId={LEAD}"),
        ("GET", f"/lead-portfolio/performance?portfolioId={LEAD}&timeRange=90D"),
        ("GET", f"/lead-portfolio/chart-data?dataType=ROI&portfolioId={LEAD}&timeRange=90D"),
        ("POST", "/lead-portfolio/order-history"),
        ("POST", "/lead-portfolio/transfer-history"),
        ("POST", "/home-page/query-list"),
        ("POST", HISTORY),
    ]
    assert server.asked[-1].body == {"portfolioId": LEAD, "pageNumber": 1, "pageSize": 10, "timeRange": "365D"}
    for asked in server.asked:
        assert asked.headers["user-agent"].startswith("copytrade/")
        assert not {"cookie", "authorization", "referer"} & set(asked.headers)


def test_an_answer_is_archived_before_it_is_understood(server: Server, client: LeadPages, archive: PageArchive) -> None:
    server.answer = lambda _asked, _n: (200, b"<html>captcha</html>", {"x-cache": "Error", "set-cookie": "a=b"})
    with pytest.raises(Blocked):
        _ = client.open_positions(LEAD)
    (page,) = archive.pages(LEAD)
    assert (page.body, page.status, page.url_path) == (b"<html>captcha</html>", 200, f"{FRIENDLY}/lead-data/positions")
    assert ("x-cache", "Error") in page.headers
    assert "set-cookie" not in dict(page.headers)
    assert len(server.asked) == 1, "a block is not asked again"


@pytest.mark.parametrize(
    "first",
    [code("11012005"), code("11012005", 400), code("90801003"), code("100001003"), (503, b"", {}), (408, b"", {}),
     (429, b"", {"retry-after": "0"}), (418, b"", {}), (200, b'{"code"', {"content-length": "99"})],
)  # fmt: skip
def test_throttling_server_faults_and_cut_answers_are_asked_again(
    server: Server, client: LeadPages, first: Answer
) -> None:
    server.answer = lambda _asked, n: first if n < 2 else ok([])
    assert client.open_positions(LEAD).status == 200
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [
        (code("11012028"), LeadNotFound, 1),
        ((202, b"", {}), Blocked, 1),
        ((403, b"<html>", {}), Blocked, 1),
        ((451, b"", {}), Blocked, 1),
        ((200, b'{"code":"000000","data":', {}), MalformedPage, 1),
        (ok({"positions": None}), HiddenPositions, 1),
        (code("003999"), Blocked, 2),
        (code("424242"), UpstreamError, 2),
        ((302, b"", {"location": "http://127.0.0.1:1/"}), UpstreamError, 2),
        ((500, b"", {}), UpstreamError, 8),
        ((429, b"", {}), Throttled, 4),
    ],
)
def test_final_answers_are_not_asked_again(
    server: Server, client: LeadPages, answer: Answer, error: type[Exception], requests: int
) -> None:
    """Requests: 2 when only the other path is tried, 4 tries per path when it may heal."""
    server.answer = lambda _asked, _n: answer
    with pytest.raises(error):
        _ = client.open_positions(LEAD)
    assert len(server.asked) == requests


def test_the_public_path_is_the_fall_back_and_is_remembered(server: Server, client: LeadPages) -> None:
    server.answer = lambda asked, _n: (404, b"", {}) if asked.path.startswith(FRIENDLY) else ok([])
    assert client.open_positions(LEAD).url_path == f"{PUBLIC}/lead-data/positions"
    _ = client.open_positions(LEAD)
    assert [asked.path.startswith(FRIENDLY) for asked in server.asked] == [True, False, False]


def test_retry_after_is_honoured(server: Server, client: LeadPages) -> None:
    server.answer = lambda _asked, n: (429, b"", {"retry-after": "1"}) if n == 0 else ok([])
    before = time.monotonic()
    _ = client.open_positions(LEAD)
    assert time.monotonic() - before >= 1


def test_a_wait_beyond_the_deadline_is_not_begun(server: Server, client: LeadPages) -> None:
    server.answer = lambda _asked, _n: (429, b"", {"retry-after": "3600"})
    before = time.monotonic()
    with pytest.raises(Throttled):
        _ = client.open_positions(LEAD)
    assert time.monotonic() - before < 1
    with pytest.raises(DeadlineExceeded):
        _ = client.detail(LEAD)


def test_an_answer_over_the_byte_cap_is_not_read(server: Server, client: LeadPages) -> None:
    server.answer = lambda _asked, _n: (200, b"x" * (LIMITS.body_bytes_max + 1), {})
    with pytest.raises(AnswerTooLarge):
        _ = client.open_positions(LEAD)
    assert len(server.asked) == 1


def test_nobody_listening_is_a_transport_fault(archive: PageArchive) -> None:
    client = LeadPages(base_url="http://127.0.0.1:9", limits=LIMITS, archive=archive, limiter=HostLimiter())
    with pytest.raises(TransportFault):
        _ = client.open_positions(LEAD)
    client.close()
    with pytest.raises(BadConfig):
        _ = LeadPages(base_url="ftp://x", limits=LIMITS, archive=archive)


def test_requests_to_one_host_keep_their_distance(server: Server, archive: PageArchive) -> None:
    slow = replace(LIMITS, request_interval_s=0.15)
    limiter = HostLimiter()
    server.answer = lambda _asked, _n: ok([])
    clients = [LeadPages(base_url=server.base_url, limits=slow, archive=archive, limiter=limiter) for _ in range(2)]
    before = time.monotonic()
    for one in (*clients, *clients):
        _ = one.open_positions(LEAD)
    assert time.monotonic() - before >= 0.45
    for one in clients:
        one.close()


def walk(client: LeadPages) -> HistoryWalk:
    return client.history(LEAD, walk=WALK, time_range=None)


def test_a_still_history_is_read_once_and_proven(server: Server, client: LeadPages, archive: PageArchive) -> None:
    server.answer = paged(lambda _n: rows(25))
    done = walk(client)
    assert (done.total_count, done.distinct_count, done.short_by, done.restarts_count) == (25, 25, 0, 0)
    assert done.is_complete
    stored = archive.newest_complete_walk(LEAD)
    assert stored is not None
    assert [page.sha256 for page in stored.pages] == [page.sha256 for page in done.pages]
    assert [page.page for page in stored.pages] == [1, 2, 3]


def test_a_row_that_closes_during_the_walk_restarts_it(server: Server, client: LeadPages) -> None:
    server.answer = paged(lambda n: rows(25 if n < 1 else 26))
    done = walk(client)
    assert (done.total_count, done.distinct_count, done.restarts_count, done.is_complete) == (26, 26, 1, True)


def test_a_row_that_vanishes_during_the_walk_restarts_it(server: Server, client: LeadPages) -> None:
    """Rows then move up and one is skipped: nothing repeats, only the claim changes."""
    server.answer = paged(lambda n: rows(26 if n < 1 else 25))
    done = walk(client)
    assert (done.total_count, done.distinct_count, done.restarts_count, done.is_complete) == (25, 25, 1, True)


def test_a_repeated_row_restarts_the_walk_even_when_the_total_lies_still(server: Server, client: LeadPages) -> None:
    server.answer = paged(lambda n: rows(25 if n < 1 else 26), total=26)
    done = walk(client)
    assert (done.distinct_count, done.restarts_count, done.is_complete) == (26, 1, True)


def test_a_history_that_never_stands_still_ends_and_is_not_called_complete(
    server: Server, client: LeadPages, archive: PageArchive
) -> None:
    server.answer = paged(lambda n: rows(25 + n))
    done = walk(client)
    assert done.restarts_count == WALK.restarts_max
    assert not done.is_complete
    assert archive.newest_complete_walk(LEAD) is None
    assert len(server.asked) < 30


@pytest.mark.parametrize(("total", "short_by"), [(60, 35), (20, 0)])
def test_a_lying_total_is_reported_and_never_loops(
    server: Server, client: LeadPages, total: int, short_by: int
) -> None:
    server.answer = paged(lambda _n: rows(25), total=total)
    done = walk(client)
    assert (done.total_count, done.short_by, done.is_complete) == (total, short_by, total == done.distinct_count)
    assert len(server.asked) < 20


def test_a_total_beyond_the_depth_cap_is_incomplete(server: Server, client: LeadPages) -> None:
    server.answer = paged(lambda _n: rows(500))
    done = walk(client)
    assert (done.distinct_count, done.short_by) == (200, 300)


def test_a_short_page_is_asked_again_and_never_ends_the_walk(server: Server, client: LeadPages) -> None:
    def hiccup(asked: Asked, n: int) -> Answer:
        status, body, headers = paged(lambda _n: rows(25))(asked, n)
        if n == 1:
            answer = json.loads(body)
            del answer["data"]["list"][4:]
            body = json.dumps(answer).encode()
        return status, body, headers

    server.answer = hiccup
    assert walk(client).is_complete
    assert len(server.asked) == 4


def test_a_page_that_stays_short_costs_rows_but_not_the_rest(server: Server, client: LeadPages) -> None:
    def always_short(asked: Asked, n: int) -> Answer:
        status, body, headers = paged(lambda _n: rows(25))(asked, n)
        answer = json.loads(body)
        if asked.body["pageNumber"] == 2:
            del answer["data"]["list"][4:]
        return status, json.dumps(answer).encode(), headers

    server.answer = always_short
    done = walk(client)
    assert (done.distinct_count, done.short_by) == (19, 6)
    assert len([page for page in done.pages if page.page == 3]) == 1


def test_data_null_in_the_middle_is_an_error_and_what_was_read_stays(
    server: Server, client: LeadPages, archive: PageArchive
) -> None:
    server.answer = lambda asked, n: ok(None) if n else paged(lambda _n: rows(25))(asked, n)
    with pytest.raises(MalformedPage) as caught:
        _ = walk(client)
    assert caught.value.page == 2
    assert len(list(archive.pages(LEAD, Endpoint.POSITION_HISTORY))) == 2
