"""A study comes back from the store exactly as it went in, or not at all."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from copytrade_core.edges.lake import Lake
from copytrade_core.edges.stages.code_version import tree_digest
from copytrade_core.edges.stages.study_store import load_study, name_of, store_study
from copytrade_core.edges.stages.workplace import utc_now
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.errors import StoreFault
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.round_trip import (
    Blocked,
    CostModel,
    EquityCurve,
    ReplayResult,
    ReplaySpec,
    RoundTrip,
    Skipped,
)
from copytrade_core.model.side import Side
from copytrade_core.model.study import Scenario, Study
from copytrade_core.model.units import Money, Ppm, Steps, Ticks

BTC = Market("BTC/USDT:USDT")


def fill(time_ms: int) -> Fill:
    return Fill(
        client_order_id=f"c{time_ms}",
        kind=IntentKind.OPEN,
        episode_id="e",
        market=BTC,
        side=Side.LONG,
        leg="base",
        buys=True,
        time_ms=time_ms,
        bar_open_ms=0,
        raw_price=Ticks(900_000),
        price=Ticks(900_450),
        quantity=Steps(7),
        fee=Money(11),
        slippage=Money(12),
        model=FillModel.NEXT_BAR_OPEN,
        reason="signal",
    )


def trip(number: int) -> RoundTrip:
    amounts = ("entered", "realised", "fees", "slippage", "funding", "pnl", "mae", "mfe", "notional_skipped")
    return RoundTrip(
        episode_id="e",
        source_id=None if number else "1768318446214",
        market=BTC,
        side=Side.SHORT,
        signal_at_ms=1,
        entered_at_ms=2,
        exited_at_ms=3 + number,
        quantity_max=Steps(9),
        bars_held=4,
        dca_fills=1,
        rungs_skipped=0,
        rungs_planned=3,
        exit_reason="ttl",
        is_truncated=bool(number),
        fills=tuple(fill(number * 10 + index) for index in range(number + 1)),
        **{name: Money(-index * 10**12) for index, name in enumerate(amounts)},
    )


@pytest.fixture
def study() -> Study:
    costs = CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(500), source="made")
    spec = ReplaySpec(
        market_fill=FillModel.NEXT_BAR_OPEN,
        rung_fill=FillModel.CLOSE_BEYOND,
        costs=costs,
        delay_s=60,
        initial_equity=Money(10**11),
        lead_margin_balance=None,
        interval_ms=300_000,
        caps=UNCAPPED_REPLAY,
    )
    curve = EquityCurve(**{name: np.array([1, -(2**62)]) for name in EquityCurve.__slots__})
    result = ReplayResult(
        policy="p",
        policy_digest="d",
        spec=spec,
        origin=PriceOrigin.SIMULATED,
        funding_known=True,
        round_trips=(trip(0), trip(1)),
        skipped=(Skipped(episode_id="s", source_id=None, market=BTC, reason="no_bars", detail="none"),),
        blocked=(Blocked(episode_id="b", leg="base", reason="gross", at_ms=5, numbers=(("gross", 7),)),),
        equity=curve,
        fill_hash=2**64 - 1,
    )
    main = Scenario(label="as assumed", policy="p", delay_s=60, slippage_multiple=Fraction(1), fee_multiple=Fraction(1))
    worse = replace(main, label="worse", fee_multiple=Fraction(3, 2))
    empty = replace(result, round_trips=(), skipped=(), blocked=(), equity=EquityCurve(**_no_points()))
    return Study(
        main=main,
        by_strategy=(main,),
        delay_slippage=(worse,),
        stressed={"fees_x1.5": worse},
        results={main: result, worse: empty},
    )


def _no_points() -> dict[str, np.ndarray]:
    return {name: np.array([], dtype=np.int64) for name in EquityCurve.__slots__}


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path, now=utc_now)


def test_a_study_comes_back_exactly(lake, study):
    _ = store_study(lake, "1", study, code_version="test", parents={})
    back = load_study(lake, "1")
    assert (back.main, back.by_strategy, back.delay_slippage) == (study.main, study.by_strategy, study.delay_slippage)
    assert back.stressed == study.stressed
    for scenario, result in study.results.items():
        found = back.results[scenario]
        assert replace(found, equity=result.equity) == result
        for name in EquityCurve.__slots__:
            assert np.array_equal(getattr(found.equity, name), getattr(result.equity, name))


def test_two_round_trips_of_one_episode_keep_their_own_fills(lake, study):
    _ = store_study(lake, "1", study, code_version="test", parents={})
    trips = load_study(lake, "1").main_result.round_trips
    assert [len(one.fills) for one in trips] == [1, 2]


def test_a_reader_never_mixes_two_studies(lake, study):
    """A crash after the tables and before the document leaves the old study whole."""
    _ = store_study(lake, "1", study, code_version="test", parents={})
    head = lake.require("round_trips", "1")
    _ = lake.put_table(
        "round_trips",
        "1",
        lake.table("round_trips", "1").head(0),
        schema_version=head.schema_version,
        code_version="later",
        parents={},
    )
    assert len(load_study(lake, "1").main_result.round_trips) == 2


def test_changed_bytes_are_not_read(lake, study):
    heads = store_study(lake, "1", study, code_version="test", parents={})
    path = lake.object_path(heads[1].digest, heads[1].kind)
    _ = path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreFault, match="changed"):
        _ = load_study(lake, "1")


def test_scenarios_are_named_by_policy_and_label(study):
    assert name_of(study.main) == "p: as assumed"


def test_the_code_version_is_of_every_source_file_and_of_no_line_end(tmp_path):
    (tmp_path / "p").mkdir()
    file = tmp_path / "p" / "a.py"
    _ = file.write_bytes(b"x = 1\n")
    first = tree_digest(tmp_path, ("p",))
    _ = file.write_bytes(b"x = 1\r\n")
    assert tree_digest(tmp_path, ("p",)) == first
    _ = file.rename(tmp_path / "p" / "b.py")
    assert tree_digest(tmp_path, ("p",)) != first
