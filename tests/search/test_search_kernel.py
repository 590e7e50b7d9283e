"""The search on the real kernel: a drawn market, equal trials on any number of threads, the reference beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from copytrade_core.model.fill import FillModel
from copytrade_core.model.side import Side
from copytrade_core.model.trial import TrialStatus
from copytrade_core.replay.arrays import prepare_markets
from copytrade_core.replay.fill_hash import run_hash
from copytrade_core.replay.reference import replay
from copytrade_core.search.engine import KernelEngine, in_signal_order, our_sides
from copytrade_core.search.finalists import finalists_of
from copytrade_core.search.plan import policy_of
from copytrade_core.search.run import search_batches
from tests.search.landscape import contrarian, plan_of
from tests.trading_floor import BAR_MS, COSTS, SPEC, data, episode, instrument, series, usdt

SPEC_OF_SEARCH = replace(SPEC, costs=COSTS, delay_s=60, initial_equity=usdt(1000), rung_fill=FillModel.CLOSE_BEYOND)


def drawn_bars(count: int):
    """A seeded walk of about 0.1 % a bar around 100,000 with wicks."""
    draws = np.random.default_rng(7)
    close = np.round(100_000 * np.exp(np.cumsum(draws.normal(0, 0.001, count)))).astype(int)
    open_ = np.concatenate(([100_000], close[:-1]))
    wick = draws.integers(0, 60, (2, count))
    high, low = np.maximum(open_, close) + wick[0], np.minimum(open_, close) - wick[1]
    rows = zip(open_.tolist(), high.tolist(), low.tolist(), close.tolist(), strict=True)
    return [(opened, highest, lowest, closed) for opened, highest, lowest, closed in rows]


@pytest.fixture(scope="module")
def market():
    bars = series(drawn_bars(6000))
    return data(bars, instruments={bars.market: instrument(min_notional=2)})


@pytest.fixture(scope="module")
def episodes(market):
    """Forty closed positions of alternating sides; each price is the close that the lead left at."""
    closes = next(iter(market.bars.values())).close
    made = []
    for number in range(40):
        ended = 200 + number * 90
        made.append(
            episode(
                (ended - 100) * 5,
                ended * 5,
                side=Side.SHORT if number % 2 else Side.LONG,
                leave=str(int(closes[ended - 1])),
            )
        )
    return made


def searched(market, episodes, *, threads: int, trials: int = 150):
    base = contrarian()
    train = in_signal_order(tuple(reversed(episodes)), base.signal)
    markets = prepare_markets(market, BAR_MS)
    engine = KernelEngine(train, SPEC_OF_SEARCH, market, markets, threads=threads)
    plan = replace(plan_of("dca_shape_v1", trials=trials), base=base, train_sides=our_sides(train, base.signal))
    return plan, train, [trial for batch in search_batches(plan, engine, ()) for trial in batch.trials]


def test_trials_do_not_depend_on_threads_and_equal_the_reference(market, episodes):
    plan, train, trials = searched(market, episodes, threads=1)
    assert searched(market, episodes, threads=2)[2] == trials
    assert [e.closed_at for e in train] == sorted(e.closed_at for e in episodes if e.closed_at)
    assert set(plan.train_sides) == set(Side)
    assert {trial.status for trial in trials} >= {TrialStatus.COMPLETE, TrialStatus.HALVED}
    assert len({trial.fill_hash for trial in trials}) > len(trials) / 2
    for trial in [*finalists_of(plan, trials)[:3], *trials[::100]]:
        result = replay(train[: trial.signals_count], policy_of(plan, trial), SPEC_OF_SEARCH, market)
        assert trial.metrics is not None
        assert trial.metrics.trades_count == len(result.round_trips) > 0
        assert trial.metrics.net_pnl_usdt == sum(trip.pnl for trip in result.round_trips) / 1e8
        assert trial.fill_hash == f"{run_hash([trip.fills for trip in result.round_trips]):016x}"


def test_the_engine_prepares_a_span_once(market, episodes):
    train = in_signal_order(episodes, contrarian().signal)
    engine = KernelEngine(train, SPEC_OF_SEARCH, market, prepare_markets(market, BAR_MS), threads=1)
    assert engine.prepared(10) is engine.prepared(10)
    assert set(engine.prepared(10).episode_ids) == {episode.episode_id for episode in train[:10]}
    table = engine([contrarian()], 10)
    assert len(table) == 1
    assert int(table.trades_count[0]) + int(table.skipped_count[0]) == 10


def test_a_signal_that_is_still_open_is_no_train_signal(episodes):
    base = contrarian()
    still_open = episode(10_000, None)
    assert still_open not in in_signal_order([still_open, *episodes], base.signal)
    assert len(in_signal_order([still_open, *episodes], base.signal)) == 40
    assert our_sides(episodes[:2], base.signal) == (Side.SHORT, Side.LONG)
