"""What the command line names becomes what a venue's stand-in serves: a script, bar files, the store, or a drill."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from copytrade_core.edges.market.recorded_markets import RecordedMarkets
from copytrade_core.edges.standins.control import StandinRefused
from copytrade_core.edges.standins.venue_server import VenueServerConfig, running_venue, venue_app
from copytrade_core.edges.standins.venue_sources import NamedSources, venue_config
from copytrade_core.edges.venue_feeds import VenueEnvironment, venue_environment
from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.errors import BadInput
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps
from copytrade_core.model.venue import Venue
from tests.standins.venue_desk import BTC, NOW, BingxDesk, run_setup

NOTHING = NamedSources(
    script=None, bar_files=(), markets=(), recorded=None, faults=None, cash=None, as_of_ms=None, speed=None
)
QUIET = VenueEnvironment(paths=(), markets=(), faults=())
RULES = Instrument(
    market=Market(BTC),
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_quantity=Steps(1),
    min_notional=Money(5 * 10**8),
    as_of=datetime(2026, 5, 1, tzinfo=UTC),
    source="test",
)
START = NOW // 60_000 * 60_000


def config(named: NamedSources, environment: VenueEnvironment = QUIET, venue: Venue = Venue.BINGX) -> VenueServerConfig:
    return venue_config(venue, named, environment=environment, rules_of=lambda _: RULES, port=0, ready_file=None)


def named(**changes: Any) -> NamedSources:
    return replace(NOTHING, **changes)


def bars(minutes: int = 60, *, start_ms: int = START) -> BarSeries:
    opened = start_ms + 60_000 * np.arange(minutes, dtype=np.int64)
    ticks = np.full(minutes, 600_000, dtype=np.int32)
    return BarSeries(
        market=Market(BTC),
        interval_ms=60_000,
        origin=PriceOrigin.RECORDED,
        open_time_ms=opened,
        open=ticks,
        high=ticks + 10,
        low=ticks - 10,
        close=ticks,
        volume=np.full(minutes, 50.0),
    )


def npz(folder: Path, minutes: int = 60) -> Path:
    path = folder / "bars.npz"
    series = bars(minutes)
    prices = {f"BTCUSDT_{name}": getattr(series, name) / 10 for name in ("open", "high", "low", "close")}
    np.savez(path, BTCUSDT_open_time_ms=series.open_time_ms, BTCUSDT_volume=series.volume, **prices)
    return path


def test_nothing_named_is_a_drill_on_the_real_clock_that_a_real_client_can_use():
    served = config(NOTHING)
    assert abs(served.setup.now_ms - time.time() * 1000) < 5_000
    with running_venue(served) as venue:
        time.sleep(0.05)
        desk = BingxDesk(venue.base_url)
        with desk.client:
            desk.now_ms = int(time.time() * 1000)
            assert desk.place("c1")["code"] == 0
        assert venue.control.state()["speed"] == 1.0


def test_a_script_sets_everything_and_cash_and_faults_take_its_places(tmp_path: Path):
    script, faults = tmp_path / "run.json", tmp_path / "faults.json"
    _ = script.write_bytes(msgspec.json.encode(run_setup()))
    _ = faults.write_text('{"reject_next_n_orders": 1}')
    served = config(named(script=script, faults=faults, cash="77"))
    assert (served.setup.cash, served.setup.now_ms) == ("77", NOW)
    with running_venue(served) as venue:
        desk = BingxDesk(venue.base_url)
        with desk.client:
            assert [desk.place(f"c{number}")["code"] for number in range(2)] == [101204, 0]
        assert venue.control.ledger().cash < 77 * 10**8


@pytest.mark.parametrize("venue", [Venue.BINGX, Venue.GATE, Venue.BINANCE])
def test_bar_files_are_listed_by_every_venue_and_begin_where_they_begin(tmp_path: Path, venue: Venue):
    served = config(named(bar_files=(npz(tmp_path),), markets=(Market(BTC),)), venue=venue)
    assert served.setup.now_ms == START
    with running_venue(served) as standin:
        standin.control.set_time(START + 30 * 60_000)
        assert standin.control.ledger().venue is venue
        with pytest.raises(StandinRefused, match="no price"):
            standin.control.set_time(START + 61 * 60_000)


def test_the_environments_names_still_work(tmp_path: Path):
    environment = venue_environment(
        {
            "VIRTUAL_EXCHANGE_NPZ": str(npz(tmp_path)),
            "VIRTUAL_EXCHANGE_SYMBOLS": "BTCUSDT",
            "VIRTUAL_EXCHANGE_ERRORS_JSON": '{"reject_next_n_orders": 2}',
        }
    )
    served = config(NOTHING, environment)
    assert (list(served.markets), served.setup.now_ms) == ([BTC], START)
    assert json.loads(bytes(served.setup.faults))[0]["kind"] == "reject_next_n_orders"


def test_stored_bars_are_served():
    recorded = RecordedMarkets(bars=(bars(),), funding=(), instruments=(RULES,))
    served = config(named(recorded=recorded, as_of_ms=START + 60_000, speed=2.0))
    assert (served.setup.now_ms, served.setup.speed) == (START + 60_000, 2.0)
    _ = venue_app(served)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"script": Path("run.json"), "bar_files": (Path("x.npz"),)}, "one source"),
        ({"script": Path("nowhere.json")}, "cannot be read"),
        ({"faults": Path("nowhere.json")}, "cannot be read"),
        ({"bar_files": (Path("x.npz"),)}, "which markets"),
        ({"recorded": RecordedMarkets(bars=(), funding=(), instruments=())}, "no recorded bars"),
    ],
)
def test_what_cannot_be_served_is_a_sentence(changes, says):
    with pytest.raises(BadInput, match=says):
        _ = config(named(**changes))


def test_bars_that_end_before_the_run_begins_are_refused_before_anything_listens(tmp_path: Path):
    served = config(named(bar_files=(npz(tmp_path),), markets=(Market(BTC),), as_of_ms=START + 60 * 60_000))
    with pytest.raises(BadInput, match="do not cover"):
        _ = venue_app(served)
