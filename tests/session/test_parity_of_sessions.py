"""Two real paper sessions: one driver is changed, and its cause alone has the difference."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from copytrade_core.evidence.parity import Cause, ParityTable, TradePath
from copytrade_core.evidence.parity_paths import MarketRecord, Trades, compare_paths
from copytrade_core.evidence.parity_records import record_trades
from copytrade_core.flow import Record
from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.fill import Fill
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.order import Order
from copytrade_core.model.units import Ppm, Steps
from copytrade_core.session.ports import Journal, Journalled, JournalStep
from tests.paper_floor import Paper, caps_of, replayed_events
from tests.trading_floor import BTC, COSTS, FOLLOW, SPEC, at_ms, data, episode, series, usdt

RISES = [100_000 + 40 * (n % 16 if n % 16 < 8 else 16 - n % 16) for n in range(61)]
"""The market rises while episodes begin and falls while they end: being late costs twice."""
BARS = series([(a, max(a, b) + 10, min(a, b) - 10, b) for a, b in itertools.pairwise(RISES)])
KNOWN = [episode(17, 62), episode(100, 150)]
TOLD = replace(SPEC, costs=COSTS)


class Told(Journal):
    """Passes through and keeps every record."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.records: list[Record] = []

    def load(self) -> Journalled:
        return self.journal.load()

    def commit(self, step: JournalStep) -> None:
        self.journal.commit(step)
        self.records.extend(step.records)


def session(
    *, spec=TOLD, market: MarketData | None = None, change: Callable[[Record], Record] = lambda record: record, **more
) -> Trades:
    market = market or data(BARS)
    paper = Paper(replayed_events(KNOWN, FOLLOW, spec, market), FOLLOW, spec, market, **more)
    journal = Told(paper.journal)
    _ = paper.session(journal=journal).run()
    return trades([change(record) for record in journal.records], TradePath.PAPER)


def trades(records: list[Record], path: TradePath) -> Trades:
    record = MarketRecord(instruments=data(BARS).instruments, bars=data(BARS).bars)
    return record_trades(path, records, funding={}, record=record)


def causes_of(other: Trades, base: Trades | None = None) -> dict[str, float]:
    """Basis points by cause above the noise of a grid of ticks."""
    table: ParityTable = compare_paths(base or session(), other, data(BARS).instruments)
    assert table.rows
    found = {cause.value: table.bps(table.cause(cause)) for cause in Cause} | {"residual": table.bps(table.residual)}
    assert sum(found.values(), Fraction(0)) == table.bps(table.total)
    return {name: float(value) for name, value in found.items() if abs(value) > Fraction(1, 50)}


def test_a_session_of_the_same_drivers_does_not_differ() -> None:
    assert causes_of(session()) == {}


def test_slippage_and_fee_are_what_they_cost() -> None:
    slipped = replace(TOLD, costs=replace(COSTS, slippage=Ppm(600)))
    assert causes_of(session(spec=slipped)) == {"slippage": pytest.approx(3, abs=0.2)}
    dearer = replace(TOLD, costs=replace(COSTS, taker_fee=Ppm(1000)))
    assert causes_of(session(spec=dearer)) == {"fee": pytest.approx(5, abs=0.1)}


def test_funding_is_what_was_paid() -> None:
    paid = FundingSeries(market=BTC, time_ms=np.array([at_ms(40)]), rate=np.array([100_000]))
    found = causes_of(session(market=data(BARS, funding=[paid])))
    assert set(found) == {"funding"}
    assert found["funding"] > 0


def test_an_order_that_is_executable_later_met_another_market() -> None:
    found = causes_of(session(delay_ms=300_000))
    assert set(found) == {"decision"}


def test_an_order_that_a_cap_refuses_is_skipped_and_so_is_its_exit() -> None:
    tight = dict.fromkeys(("notional_gross_max", "notional_one_side_max", "notional_correlated_max"), usdt(1))
    found = session(caps=replace(caps_of(TOLD), **tight))
    assert set(causes_of(found)) == {"skipped"}
    assert compare_paths(session(), found, data(BARS).instruments).missed == ()


def test_an_episode_that_a_session_never_heard_of_is_missed() -> None:
    market = data(BARS)
    paper = Paper(replayed_events(KNOWN[:1], FOLLOW, TOLD, market), FOLLOW, TOLD, market)
    journal = Told(paper.journal)
    _ = paper.session(journal=journal).run()
    assert set(causes_of(trades(journal.records, TradePath.PAPER))) == {"missed"}


def test_a_coarser_grid_is_rounding_on_the_way_in_and_on_the_way_out() -> None:
    def coarse(record: Record) -> Record:
        match record:
            case Order():
                return replace(record, quantity=Steps(record.quantity // 100 * 100))
            case Fill():
                kept = record.quantity // 100 * 100
                return replace(record, quantity=Steps(kept), fee=record.fee * kept // record.quantity)
            case _:
                return record

    assert set(causes_of(session(change=coarse))) == {"rounding"}


def test_what_is_filled_in_part_is_partial_on_the_way_in_and_on_the_way_out() -> None:
    def half(record: Record) -> Record:
        match record:
            case Order() if not record.kind.is_entry:
                return replace(record, quantity=Steps(record.quantity // 2))
            case Fill():
                kept = record.quantity // 2
                return replace(record, quantity=Steps(kept), fee=record.fee * kept // record.quantity)
            case _:
                return record

    assert set(causes_of(session(change=half))) == {"partial"}
