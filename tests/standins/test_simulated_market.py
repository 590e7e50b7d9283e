"""The simulated market passes through the recorded prices, keeps every rule of bars and is equal on every machine."""

from __future__ import annotations

import hashlib
import math
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, CopytradeError, OutOfBounds
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps
from copytrade_core.virtual_exchange.simulated_market import simulated_bars, simulated_funding

START = 1_700_000_100_000 // 300_000 * 300_000
SPAN = 300_000 * 288


def instrument(tick: str = "0.1", market: str = "BTC/USDT:USDT") -> Instrument:
    return Instrument(
        market=Market(market),
        tick_size=Decimal(tick),
        step_size=Decimal("0.001"),
        min_quantity=Steps(1),
        min_notional=Money(1),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="test",
    )


def simulated(
    anchors, *, tick="0.1", market="BTC/USDT:USDT", interval_ms=300_000, seed=1, volatility_bps=60, span=SPAN
):
    return simulated_bars(
        anchors,
        instrument(tick, market),
        interval_ms=interval_ms,
        start_ms=START,
        end_ms=START + span,
        seed=seed,
        volatility_bps=volatility_bps,
    )


def digest(series: BarSeries) -> str:
    columns = (series.open_time_ms, series.open, series.high, series.low, series.close, series.volume)
    return hashlib.sha256(
        b"".join(column.astype(column.dtype.newbyteorder("<")).tobytes() for column in columns)
    ).hexdigest()


anchor_lists = st.lists(
    st.tuples(
        st.integers(START - 600_000, START + SPAN + 600_000),
        st.decimals("0.5", "200000", places=8),
    ),
    min_size=1,
    max_size=30,
)


@given(
    anchors=anchor_lists,
    seed=st.integers(0, 2**40),
    volatility_bps=st.integers(0, 2_000),
    interval_ms=st.sampled_from([60_000, 300_000, 3_600_000]),
)
def test_every_anchor_lies_inside_its_bar_and_every_rule_of_bars_holds(anchors, seed, volatility_bps, interval_ms):
    anchors = [*anchors, (START + 1, Decimal("100.05"))]
    series = simulated(anchors, seed=seed, volatility_bps=volatility_bps, interval_ms=interval_ms)
    assert series.origin is PriceOrigin.SIMULATED
    assert series.first_gap(START, START + SPAN) is None
    assert np.array_equal(series.open[1:], series.close[:-1])
    assert (series.volume > 0).all()
    rules = instrument()
    for at_ms, price in anchors:
        if series.start_ms <= at_ms < series.end_ms:
            bar = series.bar(int(np.searchsorted(series.open_time_ms, at_ms, side="right")) - 1)
            assert rules.price(bar.low) <= price <= rules.price(bar.high)


@given(anchors=anchor_lists, seed=st.integers(0, 2**40), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_anchors_does_not_matter(anchors, seed, shuffle):
    anchors = [*anchors, (START, Decimal(100))]
    before = digest(simulated(anchors, seed=seed))
    shuffle.shuffle(anchors)
    assert digest(simulated(anchors, seed=seed)) == before


def test_the_bytes_are_the_ones_of_every_other_machine():
    anchors = [(START + 1_000, Decimal("76247.40865858")), (START + SPAN // 2, Decimal("76716.96798367"))]
    assert digest(simulated(anchors)) == "60b41053f5612ec436dd1ae8f79b28cead0717a92c187bb5d68a7cc391efdc2c"
    funding = simulated_funding(Market("BTC/USDT:USDT"), start_ms=START, end_ms=START + 20 * SPAN, seed=1)
    assert (
        hashlib.sha256(funding.rate.astype("<i8").tobytes()).hexdigest()
        == "3c5d4458ff3839d7953d8bfdf567abaacc3d45af219482d52cd5fef8630e94fc"
    )


def test_seeds_and_markets_move_differently_between_the_same_anchors():
    anchors = [(START, Decimal(100))]
    moves = {
        digest(simulated(anchors, seed=seed, market=market))
        for seed in (1, 2)
        for market in ("A/USDT:USDT", "B/USDT:USDT")
    }
    assert len(moves) == 4


def test_an_hour_moves_by_about_the_asked_volatility():
    series = simulated([(START, Decimal(50_000))], volatility_bps=60, span=300_000 * 12 * 24 * 60)
    hours = np.log(series.close[11::12].astype(float))
    assert float(np.diff(hours).std()) * 10_000 == pytest.approx(60, rel=0.1)


def test_without_volatility_the_path_is_the_geometric_line_between_anchors():
    last = START + 300_000 * 256
    series = simulated([(START, Decimal(1_000)), (last, Decimal(4_000))], volatility_bps=0)
    middle = series.bar(128)
    assert middle.open == pytest.approx(math.sqrt(1_000 * 4_000) * 10, abs=1)


def test_prices_before_the_first_and_after_the_last_anchor_are_free_but_join_it():
    at_ms = START + SPAN // 2
    series = simulated([(at_ms, Decimal(100))], tick="0.01")
    assert series.first_gap(START, START + SPAN) is None
    assert int(series.close[-1]) != int(series.open[0]) != 10_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"anchors": []}, "no anchor"),
        ({"anchors": [(START - 1, Decimal(5))]}, "no anchor"),
        ({"anchors": [(START, Decimal("0.09"))]}, "outside 1"),
        ({"anchors": [(START, Decimal(-5))]}, "outside 1"),
        ({"anchors": [(START, Decimal(10**10))]}, "outside 1"),
        ({"seed": -1}, "seed"),
        ({"volatility_bps": -1}, "volatility"),
        ({"span": 0}, "empty"),
        ({"interval_ms": 0}, "must last"),
    ],
)
def test_arguments_that_make_no_market_are_refused(change, says):
    rest = {name: value for name, value in change.items() if name != "anchors"}
    with pytest.raises(BadInput, match=says):
        _ = simulated(change.get("anchors", [(START, Decimal(100))]), **rest)


def test_a_path_that_leaves_the_range_of_ticks_is_refused_not_wrapped():
    with pytest.raises(OutOfBounds):
        _ = simulated([(START, Decimal(100_000_000))], volatility_bps=50_000)
    with pytest.raises(CopytradeError):
        _ = simulated([(START, Decimal(100))], volatility_bps=10_000_000)


def test_funding_is_every_eight_hours_and_ordinary():
    day_ms = 86_400_000
    funding = simulated_funding(Market("BTC/USDT:USDT"), start_ms=START, end_ms=START + 100 * day_ms, seed=3)
    assert len(funding.time_ms) == 300
    assert (funding.time_ms % (day_ms // 3) == 0).all()
    assert int(np.abs(funding.rate).max()) < 20_000
    none = simulated_funding(Market("BTC/USDT:USDT"), start_ms=day_ms + 1, end_ms=day_ms + 2, seed=3)
    assert len(none.time_ms) == 0
    with pytest.raises(BadInput):
        _ = simulated_funding(Market("BTC/USDT:USDT"), start_ms=1, end_ms=1, seed=3)
