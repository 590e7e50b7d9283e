"""Whatever a request says, BingX's stand-in answers in the venue's words: no fault of its own, nothing off the grid."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.standins.bingx_dialect import BingxDialect, bingx_settings
from copytrade_core.edges.standins.bingx_numbers import money_text
from copytrade_core.edges.standins.venue_dialect import Success, VenueError, VenueRequest
from copytrade_core.edges.standins.venue_run import Ground, VenueRun, begun
from copytrade_core.model.units import MONEY_SCALE
from copytrade_core.model.venue import PositionMode
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from tests.standins.venue_desk import NOW, run_setup

GROUND = Ground(dialect_of=lambda options: BingxDialect(bingx_settings(options)), markets={}, feed=None)
UNFILLED = re.compile(r"\{[a-z_]*\}")
ODD = (
    *("", "0", "1", "-1", "0.5", "0.0002", "1e400", "-1e-400", "NaN", "Infinity", "9" * 30, "None", "null"),
    *(
        "true",
        "FALSE",
        "{}",
        "[1]",
        "ä",
        "\x00",
        "٣",
        "²",
        "c1",
        "C1",
        "BTC-USDT",
        "BTCUSDT",
        "XYZ-USDT",
        "BUY",
        "SELL",
    ),
    *("LONG", "SHORT", "BOTH", "MARKET", "LIMIT", "STOP_MARKET", "TWAP", "GTC", "PostOnly", "IOC", "1m", "1w", "1M"),
    *("60000", "60000.05", "59000", str(NOW), str(NOW + 1), "1000000000000000001", "7", "126", "1441"),
)
NAMES = (
    *("symbol", "side", "positionSide", "type", "quantity", "price", "stopPrice", "reduceOnly", "timeInForce"),
    *("clientOrderID", "clientOrderId", "orderId", "interval", "startTime", "endTime", "startTs", "endTs", "limit"),
    *("leverage", "dualSidePosition", "tradingUnit", "timestamp"),
)
USUAL = {
    "symbol": "BTC-USDT",
    "type": "MARKET",
    "side": "BUY",
    "positionSide": "LONG",
    "quantity": "0.01",
    "interval": "1m",
    "leverage": "5",
    "startTs": str(NOW - 5),
    "endTs": str(NOW),
    "clientOrderID": "c1",
    "dualSidePosition": "true",
}


def asked(run: VenueRun, method: str, path: str, parameters: dict[str, str]) -> VenueRequest:
    return VenueRequest(
        method=method,
        path=path,
        query="",
        body=b"",
        headers={},
        parameters=parameters,
        now_ms=run.engine.now_ms,
        key=run.key,
        place=run.engine.place,
        as_of_ms=None,
    )


@given(
    data=st.data(),
    mode=st.sampled_from(PositionMode),
    create=st.sampled_from(("lean", "rich")),
    wishes=st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ODD), max_size=4), max_size=8),
)
def test_no_request_is_too_odd_to_be_answered(data, mode, create, wishes):
    run = begun(run_setup(position_mode=mode, options={"create_answer": create}), GROUND)
    dialect = run.dialect
    for odd in wishes:
        route = data.draw(st.sampled_from(dialect.routes))
        done = route.handler(asked(run, route.method, route.path, USUAL | odd), run.engine)
        if isinstance(done, Success):
            assert b'"code":0' in msgspec.json.encode(dialect.success(done, NOW).payload)
            continue
        error = dialect.words_for(done) if isinstance(done, VenueRefusal) else done
        told = msgspec.json.decode(msgspec.json.encode(dialect.failure(error, NOW).payload))
        assert isinstance(told["code"], int)
        assert told["code"] != 0
        assert UNFILLED.search(error.message.replace("{}", "")) is None
    for order in run.engine.all_orders():
        assert order.quantity > 0
        assert order.client_order_id is None or order.client_order_id == order.client_order_id.lower()


@pytest.mark.parametrize("odd", ["²", "٣", "1" * 5000, "-1", "1.5", "9" * 20])
def test_a_number_that_is_none_is_refused_wherever_it_stands(odd):
    run = begun(run_setup(), GROUND)
    names = {"orderId": "/v2/trade/order", "limit": "/v2/trade/allOrders", "startTs": "/v2/trade/allFillOrders"}
    for name, path in names.items():
        route = next(each for each in run.dialect.routes if each.path.endswith(path) and each.method == "GET")
        done = route.handler(asked(run, "GET", route.path, USUAL | {name: odd}), run.engine)
        assert isinstance(done, VenueError)
        assert done.code == "109400"
    signed = replace(
        asked(run, "GET", "/", {"timestamp": odd, "signature": "²"}), headers={"x-bx-apikey": run.key.api_key}
    )
    denied = run.dialect.denied(signed)
    assert denied is not None
    assert denied.code == "100001"


@given(st.integers(-(10**16), 10**16))
def test_money_is_written_with_all_its_digits_and_at_least_four(money):
    text = money_text(money)
    assert msgspec.json.decode(f"[{text}]") is not None
    whole, _, decimals = text.partition(".")
    assert len(decimals) >= 4
    sign = -1 if text.startswith("-") else 1
    assert sign * (abs(int(whole)) * MONEY_SCALE + int(decimals.ljust(8, "0"))) == money
