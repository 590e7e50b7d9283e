"""Whatever a request says, Gate's and Binance's stand-ins answer in the venue's words and book whole contracts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.edges.standins.binance_usdm_dialect import BinanceUsdmDialect
from copytrade_core.edges.standins.gate_dialect import GateDialect
from copytrade_core.edges.standins.plain_numbers import (
    count_of,
    decimal_of,
    money_padded,
    money_plain,
    multiples_of,
    on_grid,
    plain,
)
from copytrade_core.edges.standins.venue_dialect import Route, StandinKey, Success, VenueError, VenueRequest
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import MONEY_SCALE, Money, Steps, Ticks
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.virtual_exchange.feeds import ScriptedPath
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine

NOW_MS = 1_790_000_000_000
BTC = Market("BTC/USDT:USDT")
CONTRACT = 10
DIALECTS = (GateDialect(), BinanceUsdmDialect())
UNFILLED = re.compile(r"\{[a-z_]+\}")
KEY = StandinKey(api_key="k", secret="s")
NASTY = (
    *("", "0", "1", "-1", "3", "0.5", "1e400", "-1e-400", "NaN", "Infinity", "9" * 30, "1" * 5000, "None", "null"),
    *("true", "False", "{}", "[1]", "ä", "\x00", "t-", "t-c1", "c1", "BTC_USDT", "BTCUSDT", "XYZ", "BUY", "SELL"),
    *("LONG", "BOTH", "MARKET", "LIMIT", "GTC", "GTX", "gtc", "ioc", "poc", "RESULT", "1m", "1h", "open", "finished"),
    *("60000", "60000.05", "59000", "1790000000", "1790000000000", "1000000000000000001", "close_long", "7"),
)
NAMES = (
    *("contract", "size", "price", "tif", "text", "reduce_only", "close", "auto_size", "order_id", "status", "limit"),
    *("offset", "from", "to", "interval", "dual_mode", "leverage", "cross_leverage_limit", "holding", "symbol", "side"),
    *("type", "quantity", "timeInForce", "newClientOrderId", "origClientOrderId", "orderId", "positionSide"),
    *("reduceOnly", "newOrderRespType", "startTime", "endTime", "dualSidePosition"),
)
USUAL = msgspec.json.decode(
    b"""{
    "contract": "BTC_USDT", "size": "3", "price": "0", "tif": "ioc", "order_id": "t-c1", "status": "finished",
    "symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.03", "interval": "1h", "leverage": "5",
    "orderId": "1000000000000000001", "dual_mode": "true", "dualSidePosition": "true"
    }""",
    type=dict[str, str],
)


def an_engine(dialect: GateDialect | BinanceUsdmDialect, mode: PositionMode) -> VenueEngine:
    instrument = Instrument(
        market=BTC,
        tick_size=Decimal("0.1"),
        step_size=Decimal("0.001"),
        min_quantity=Steps(10),
        min_notional=Money(5 * MONEY_SCALE),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
    )
    market = VenueMarket(
        instrument=instrument, symbol=dialect.symbol_of(BTC), contract_steps=Steps(CONTRACT), is_open=True
    )
    feed = ScriptedPath({BTC: [(NOW_MS - 7_200_000, Ticks(600_000))]})
    engine = VenueEngine(
        rules=dialect.rules, markets={BTC: market}, feed=feed, cash=Money(10_000 * MONEY_SCALE), now_ms=NOW_MS
    )
    assert engine.set_position_mode(mode) is None
    return engine


def asked(route: Route, engine: VenueEngine, parameters: dict[str, str]) -> VenueRequest:
    return VenueRequest(
        method=route.method,
        path=route.path,
        query="",
        body=b"",
        headers={},
        parameters=parameters,
        now_ms=engine.now_ms,
        key=KEY,
        place=engine.place,
        as_of_ms=None,
    )


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.venue)
@given(
    data=st.data(),
    mode=st.sampled_from(PositionMode),
    wishes=st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NASTY), max_size=4), max_size=6),
)
def test_no_request_is_too_odd_to_be_answered(dialect, data, mode, wishes):
    engine = an_engine(dialect, mode)
    for odd in wishes:
        route = data.draw(st.sampled_from(dialect.routes))
        done = route.handler(asked(route, engine, USUAL | odd), engine)
        if isinstance(done, Success):
            assert msgspec.json.decode(msgspec.json.encode(dialect.success(done, engine.now_ms).payload)) is not None
            continue
        error = dialect.words_for(done) if isinstance(done, VenueRefusal) else done
        assert isinstance(error, VenueError)
        assert UNFILLED.search(error.message) is None
        assert dialect.failure(error, engine.now_ms).status >= 400
    for order in engine.all_orders():
        assert order.quantity % CONTRACT == 0
        assert order.quantity > 0
    for fill in engine.all_fills():
        assert fill.quantity % CONTRACT == 0


@given(st.text(max_size=50) | st.decimals().map(str) | st.integers().map(str))
def test_text_becomes_a_sane_number_or_nothing(text):
    value, count = decimal_of(text), count_of(text)
    assert value is None or value.is_finite()
    assert count is None or 0 <= count < 10**18


@given(st.integers(-(10**15), 10**15), st.sampled_from(["0.1", "0.001", "1", "0.05", "10"]))
def test_grid_values_are_written_without_exponent_and_read_back(count, unit):
    step = Decimal(unit)
    for written in (on_grid(count * step, step), plain(count * step)):
        assert "E" not in written
        assert multiples_of(Decimal(written), step) == count
    assert multiples_of(count * step + step / 3, step) is None


@given(st.integers(-(10**16), 10**16))
def test_money_is_written_with_all_its_digits(money):
    assert Decimal(money_plain(money)) * MONEY_SCALE == Decimal(money_padded(money)) * MONEY_SCALE == money
