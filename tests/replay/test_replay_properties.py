"""What holds for every replay: nothing is foreseen, nothing depends on order, the money ties, a mirror mirrors."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.ledger.post import opened_book
from copytrade_core.model.bar import FundingSeries
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.replay.reference import replay
from tests.trading_floor import (
    BAR_MS,
    BTC,
    CONTRARIAN,
    COSTS,
    ETH,
    FOLLOW,
    FREE,
    SPEC,
    at_ms,
    data,
    episode,
    ladder,
    leave,
    series,
    usdt,
)

BARS = 60
START = -30
LADDER = ladder("0.4", ("0.005", "0.2"), ("0.005", "0.2"), ("0.01", "0.2"))
POLICIES = [
    FOLLOW,
    replace(FOLLOW, ladder=LADDER),
    replace(FOLLOW, ladder=LADDER, exit=leave(ExitFamily.AUTONOMOUS, profit=8_000, stop=20_000, ttl_s=1800)),
    replace(FOLLOW, exit=leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=4_000, trailing=3_000, ttl_s=2400)),
    replace(CONTRARIAN, ladder=LADDER, exit=leave(ExitFamily.AUTONOMOUS, stop=15_000, ttl_s=1800)),
]
MARKET_FILLS = [FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE]
RUNG_FILLS = [FillModel.TOUCH, FillModel.CLOSE_BEYOND]


def path(rng: np.random.Generator, count: int, *, market=BTC, start: float = START):
    """A random walk with gaps between bars and spikes inside them."""
    rows, price = [], 100_000
    for _ in range(count):
        open_ = price + int(rng.integers(-300, 301))
        close = open_ + int(rng.integers(-700, 701))
        high, low = max(open_, close) + int(rng.integers(0, 900)), min(open_, close) - int(rng.integers(0, 900))
        rows.append((open_, high, low, close))
        price = close
    return series(rows, market=market, start_ms=at_ms(start))


@st.composite
def cases(draw):
    """Episodes over two markets, a policy, a spec, and the seed of the paths."""
    lives, seen = [], set()
    for start, length, side, market in draw(
        st.lists(
            st.tuples(
                st.integers(0, 120), st.integers(1, 60), st.sampled_from(list(Side)), st.sampled_from([BTC, ETH])
            ),
            max_size=7,
        )
    ):
        life = episode(start, start + length, side=side, market=market)
        if life.episode_id not in seen:
            seen.add(life.episode_id)
            lives.append(life)
    spec = replace(
        SPEC,
        market_fill=draw(st.sampled_from(MARKET_FILLS)),
        rung_fill=draw(st.sampled_from(RUNG_FILLS)),
        costs=draw(st.sampled_from([FREE, COSTS])),
        delay_s=draw(st.sampled_from([0, 60, 300, 420])),
        initial_equity=usdt(draw(st.sampled_from([900, 2500, 10_000]))),
    )
    return lives, draw(st.sampled_from(POLICIES)), spec, draw(st.integers(0, 2**32))


def markets(seed: int, *, count: int = BARS):
    rng = np.random.default_rng(seed)
    times = np.array([at_ms(minute) for minute in (0, 60, 120)], dtype=np.int64)
    funding = [
        FundingSeries(market=market, time_ms=times, rate=rng.integers(-200_000, 200_001, 3)) for market in (BTC, ETH)
    ]
    return data(path(rng, count, market=BTC), path(rng, count, market=ETH), funding=funding)


def columns(curve):
    return [column.tolist() for column in (curve.time_ms, curve.equity, curve.worst_intrabar, curve.cash, curve.gross)]


def everything(result):
    return (result.round_trips, result.skipped, result.blocked, columns(result.equity), result.fill_hash)


@given(case=cases(), order=st.randoms(use_true_random=False))
def test_the_same_inputs_give_the_same_result_in_any_order_of_episodes(case, order):
    lives, policy, spec, seed = case
    once = replay(lives, policy, spec, markets(seed))
    shuffled = list(lives)
    order.shuffle(shuffled)
    assert everything(replay(shuffled, policy, spec, markets(seed))) == everything(once)


@given(case=cases())
def test_the_money_ties(case):
    lives, policy, spec, seed = case
    result = replay(lives, policy, spec, markets(seed))
    curve = result.equity
    won = sum(trip.pnl for trip in result.round_trips)
    if len(curve.time_ms):
        assert curve.cash[-1] - spec.initial_equity == won
        assert curve.equity[-1] == curve.cash[-1]
        assert (curve.worst_intrabar <= curve.equity).all()
        assert (np.diff(curve.time_ms) > 0).all()
    for trip in result.round_trips:
        assert trip.pnl == trip.realised - trip.fees - trip.funding
        assert trip.mae <= trip.realised <= trip.mfe
        assert trip.fees == sum(fill.fee for fill in trip.fills)
        assert trip.slippage == sum(fill.slippage for fill in trip.fills)
        bought = sum(fill.quantity for fill in trip.fills if fill.kind.is_entry)
        assert bought == sum(fill.quantity for fill in trip.fills if not fill.kind.is_entry) == trip.quantity_max
        assert all(one.time_ms <= other.time_ms for one, other in pairwise(trip.fills))
    # Several markets share one book: the book a replay starts with is the one it ends with.
    assert opened_book(spec.initial_equity).cash == spec.initial_equity


@given(case=cases())
def test_every_episode_ends_as_a_trade_a_skip_or_a_refusal(case):
    lives, policy, spec, seed = case
    result = replay(lives, policy, spec, markets(seed))
    traded = {trip.episode_id for trip in result.round_trips}
    left_out = {record.episode_id for record in result.skipped}
    refused = {record.episode_id for record in result.blocked if record.leg == "base"}
    assert traded | left_out | refused == {life.episode_id for life in lives}
    assert len(traded) + len(left_out) + len(refused) == len(lives)


@given(case=cases())
def test_every_price_lies_inside_its_bar_before_slippage(case):
    lives, policy, spec, seed = case
    given_data = markets(seed)
    for trip in replay(lives, policy, spec, given_data).round_trips:
        bars = given_data.bars[trip.market]
        for fill in trip.fills:
            bar = bars.bar(bars.index_at_or_after(fill.bar_open_ms))
            assert bar.open_time_ms == fill.bar_open_ms
            if fill.leg.startswith("rung") and spec.rung_fill is FillModel.CLOSE_BEYOND:
                assert (bar.close - fill.raw_price) * fill.side.sign < 0
            else:
                assert bar.low <= fill.raw_price <= bar.high
            assert (fill.price - fill.raw_price) * (1 if fill.buys else -1) >= 0
            assert trip.signal_at_ms <= fill.time_ms


@given(case=cases(), cut=st.integers(8, BARS - 2), poison=st.integers(0, 2**32))
def test_nothing_that_comes_later_changes_what_came_before(case, cut, poison):
    """Poison: other prices from bar `cut` on and other episodes known from then on, and the past stays the past."""
    lives, policy, spec, seed = case
    clean = markets(seed)
    cut_ms = at_ms(START) + cut * BAR_MS
    other = markets(poison)
    bars = {market: _joined(clean.bars[market], other.bars[market], cut) for market in clean.bars}
    poisoned = replace(clean, bars=bars)
    late = [
        life
        for minute in (150, 155)
        if at_ms(minute) >= cut_ms
        for life in [episode(minute, minute + 30, market=ETH, side=Side.SHORT)]
        if life.episode_id not in {each.episode_id for each in lives}
    ]
    before = _past(replay(lives, policy, spec, clean), cut_ms)
    after = _past(replay([*lives, *late], policy, spec, poisoned), cut_ms)
    assert before == after


def _joined(one, other, cut):
    names = ("open", "high", "low", "close")
    return replace(
        one, **{name: np.concatenate([getattr(one, name)[:cut], getattr(other, name)[cut:]]) for name in names}
    )


def _past(result, cut_ms):
    """Fills of whole bars before the cut (of trades that end later too), refusals, and the curve."""
    fills = {
        (fill.client_order_id, fill.time_ms, fill.price, fill.quantity, fill.fee)
        for trip in result.round_trips
        for fill in trip.fills
        if fill.bar_open_ms + BAR_MS <= cut_ms
    }
    refused = {(record.episode_id, record.leg, record.at_ms) for record in result.blocked if record.at_ms < cut_ms}
    curve = [row for row in zip(*columns(result.equity), strict=True) if row[0] <= cut_ms]
    return fills, refused, curve


@given(
    seed=st.integers(0, 2**32),
    side=st.sampled_from(list(Side)),
    profit=st.none() | st.integers(1_000, 20_000),
    stop=st.none() | st.integers(1_000, 20_000),
    fills=st.tuples(st.sampled_from(MARKET_FILLS), st.sampled_from(RUNG_FILLS)),
)
def test_a_mirrored_path_gives_mirrored_trades(seed, side, profit, stop, fills):
    """Prices p become 200,000 - p and the lead's side turns: same times, mirrored prices, the same profit."""
    exits = leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=profit, stop=stop)
    policy = replace(FOLLOW, exit=exits)
    spec = replace(SPEC, market_fill=fills[0], rung_fill=fills[1])
    straight = _levelled(path(np.random.default_rng(seed), BARS), fills[0])
    one = replay([episode(0, 150, side=side)], policy, spec, data(straight))
    other = replay([episode(0, 150, side=side.opposite)], policy, spec, data(_mirrored(straight)))
    assert [_shape(trip, mirror=False) for trip in one.round_trips] == [
        _shape(trip, mirror=True) for trip in other.round_trips
    ]
    assert len(one.round_trips) == 1


@given(seed=st.integers(0, 2**32), side=st.sampled_from(list(Side)), rung_fill=st.sampled_from(RUNG_FILLS))
def test_a_mirrored_path_fills_mirrored_rungs(seed, side, rung_fill):
    policy = replace(FOLLOW, ladder=ladder("0.5", ("0.007", "0.5")))
    spec = replace(SPEC, rung_fill=rung_fill)
    straight = _levelled(path(np.random.default_rng(seed), BARS), FillModel.NEXT_BAR_OPEN)
    one = replay([episode(0, 150, side=side)], policy, spec, data(straight))
    other = replay([episode(0, 150, side=side.opposite)], policy, spec, data(_mirrored(straight)))
    shapes = [
        [
            (fill.leg, fill.time_ms, 200_000 - fill.raw_price if mirror else fill.raw_price)
            for trip in result.round_trips
            for fill in trip.fills
        ]
        for result, mirror in ((one, False), (other, True))
    ]
    assert shapes[0] == shapes[1]


def _levelled(bars, market_fill):
    """The path shifted so that mark and entry are 100,000: the axis of the mirror is then our entry."""
    first = bars.index_at_or_after(at_ms(0))
    entry = int(bars.open[first] if market_fill is FillModel.NEXT_BAR_OPEN else bars.close[first])
    names = ("open", "high", "low", "close")
    moved = {name: getattr(bars, name) + (100_000 - entry) for name in names}
    # The bar before gives the mark; making it flat at the entry leaves both sides the same quantity.
    for column in moved.values():
        column[first - 1] = 100_000
    return replace(bars, **moved)


def _mirrored(bars):
    return replace(
        bars, open=200_000 - bars.open, high=200_000 - bars.low, low=200_000 - bars.high, close=200_000 - bars.close
    )


def _shape(trip, *, mirror):
    fills = [
        (fill.leg, fill.time_ms, fill.quantity, 200_000 - fill.raw_price if mirror else fill.raw_price)
        for fill in trip.fills
    ]
    return fills, trip.pnl, trip.mae, trip.mfe, trip.bars_held, trip.exit_reason


def naive(bars, lives, *, delay_min: float, ttl_min: int, target: float):
    """A reading of the rules in floats: against the lead at its close, out after the time-to-live. No engine."""
    times = bars.open_time_ms.tolist()
    won = {}
    for life in lives:
        known = life.closed_at.timestamp() * 1000 + delay_min * 60_000
        first = next(i for i, time in enumerate(times) if time >= known)
        mark = next(float(bars.close[i]) for i in reversed(range(len(times))) if times[i] + BAR_MS <= known)
        last = next(i for i, time in enumerate(times) if time >= times[first] + ttl_min * 60_000)
        coins = int(target / mark / 1e-5 + 1e-9) * 1e-5
        direction = -1 if life.side is Side.LONG else 1
        won[life.episode_id] = direction * (float(bars.open[last]) - float(bars.open[first])) * coins
    return won


@given(seed=st.integers(0, 2**32), ends=st.sets(st.integers(0, 90), max_size=5), delay_s=st.sampled_from([0, 60, 400]))
def test_without_costs_a_contrarian_wins_what_a_naive_reading_says(seed, ends, delay_s):
    bars = path(np.random.default_rng(seed), BARS)
    lives = [episode(end - 200, end, side=list(Side)[end % 2], leave="100000") for end in sorted(ends)]
    policy = replace(CONTRARIAN, exit=leave(ExitFamily.AUTONOMOUS, ttl_s=3600))
    result = replay(lives, policy, replace(SPEC, delay_s=delay_s), data(bars))
    expected = naive(bars, lives, delay_min=delay_s / 60, ttl_min=60, target=1000)
    got = {trip.episode_id: trip.pnl / 10**8 for trip in result.round_trips}
    assert set(got) == set(expected) - {record.episode_id for record in result.skipped}
    for name, pnl in got.items():
        assert abs(pnl - expected[name]) < 1e-6
