from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.errors import CopytradeError
from copytrade_core.model.source import Endpoint
from copytrade_core.sources.envelope import (
    Blocked,
    HiddenPositions,
    LeadNotFound,
    MalformedPage,
    SourceError,
    Throttled,
    UpstreamError,
    is_success,
    read_payload,
)
from copytrade_core.sources.normalise_history import normalise_history

HTML = b"<!DOCTYPE html><html><body>Access denied</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "error", "transient"),
    [
        (200, HTML, Blocked, False),
        (200, b"", MalformedPage, False),
        (200, b'{"code":"000000","data":{"total":47,"list":[{"id":1', MalformedPage, False),
        (200, b'{"code":"000000","data":null}', MalformedPage, False),
        (200, b'{"code":"000000"}', MalformedPage, False),
        (200, b'{"data":{"total":0,"list":[]}}', MalformedPage, False),
        (200, b'{"code":"000000","data":[]}', MalformedPage, False),
        (200, b'{"code":"000000","data":{"total":3}}', MalformedPage, False),
        (200, b'{"code":"000000","data":{"total":"3","list":[]}}', MalformedPage, False),
        (200, b'{"code":"000000","data":{"total":-1,"list":[]}}', MalformedPage, False),
        (200, b'{"code":"000000","data":{"total":true,"list":[]}}', MalformedPage, False),
        (200, b"[]", MalformedPage, False),
        (200, b"\xff\xfe", MalformedPage, False),
        (200, b'{"code":"11012005","data":null}', Throttled, True),
        (400, b'{"code":"11012005","data":null}', Throttled, True),
        (200, b'{"code":"90801003","data":null}', Throttled, True),
        (200, b'{"code":"100001003","data":null}', UpstreamError, True),
        (200, b'{"code":"003999","data":null}', Blocked, False),
        (200, b'{"code":"003998","data":null}', Blocked, False),
        (200, b'{"code":"11012028","data":null}', LeadNotFound, False),
        (404, b'{"code":"11012028","data":null}', LeadNotFound, False),
        (200, b'{"code":"424242","data":null}', UpstreamError, False),
        (200, b'{"code":7,"data":null}', UpstreamError, False),
        (202, b"", Blocked, False),
        (403, HTML, Blocked, False),
        (451, b"", Blocked, False),
        (302, b"", UpstreamError, False),
        (404, b"nothing", UpstreamError, False),
        (429, b"", Throttled, True),
        (418, HTML, Throttled, True),
        (408, b"", UpstreamError, True),
        (500, HTML, UpstreamError, True),
        (503, b"", UpstreamError, True),
    ],
)
def test_every_answer_that_is_no_payload_is_one_typed_error(
    pages: Any, status: int, body: bytes, error: type[SourceError], transient: bool
) -> None:
    page = pages.raw(body, status=status, request='{"portfolioId":"1"}', page=3)
    with pytest.raises(SourceError) as caught:
        _ = read_payload(page)
    assert type(caught.value) is error
    assert isinstance(caught.value, CopytradeError)
    assert (caught.value.endpoint, caught.value.page, caught.value.transient) == (
        Endpoint.POSITION_HISTORY,
        3,
        transient,
    )
    assert "position_history page 3" in str(caught.value)
    assert not is_success(page)
    with pytest.raises(error):
        _ = normalise_history([page])


def test_success_needs_no_success_flag(pages: Any) -> None:
    payload = read_payload(pages.raw(b' {"code":"000000","data":{"total":9,"list":[]}}'))
    assert (list(payload.rows), payload.total) == ([], 9)


def test_hidden_positions_are_not_an_empty_list(pages: Any) -> None:
    with pytest.raises(HiddenPositions):
        _ = read_payload(pages.answer({"positions": None}, Endpoint.OPEN_POSITIONS))
    assert list(read_payload(pages.answer([], Endpoint.OPEN_POSITIONS)).rows) == []
    with pytest.raises(MalformedPage):
        _ = read_payload(pages.answer(None, Endpoint.OPEN_POSITIONS))


def test_retry_after_is_seconds_or_a_date(pages: Any) -> None:
    date = format_datetime(pages.received + timedelta(seconds=90), usegmt=True)
    for text, expected in (("7", 7.0), (date, 90.0), ("soon", None)):
        with pytest.raises(Throttled) as caught:
            _ = read_payload(pages.raw(b"", status=429, headers=(("retry-after", text),)))
        assert caught.value.retry_after_s == expected


@given(st.binary(max_size=200), st.sampled_from([200, 202, 400, 403, 429, 500]), st.sampled_from(Endpoint))
def test_no_bytes_ever_cause_another_error(pages: Any, body: bytes, status: int, endpoint: Endpoint) -> None:
    assert is_success(pages.raw(body, endpoint, status=status)) in (True, False)
