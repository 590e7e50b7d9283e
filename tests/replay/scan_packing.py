"""Replay inputs as flat arrays for the plain bar scan. How it trades is in `scan_kernel`.

It reads what the reference reads and nothing of the fast engine, so that the two never share a mistake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from copytrade_core.model.bar import Int64s
from copytrade_core.model.episode import Episode, Provenance
from copytrade_core.model.fill import FillModel
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import AddMode, Anchor, PolicySpec, SignalMode, SizingRule
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.units import Money, ticks_nearest, under_headroom
from copytrade_core.replay.coverage import epoch_ms
from copytrade_core.replay.timeline import closed_event, opened_event
from copytrade_core.strategies.dca_ladder import base_notional, level_ratios, rung_notionals
from copytrade_core.strategies.entry import drift_ppm

RUNGS_MAX = 5
NEVER_MS = 2**62
FOLLOW, FOLLOW_TO_CLOSE, CONTRARIAN = 0, 1, 2
"""Which events a candidate hears: openings, openings and closes, or closes."""


def table(*names: str) -> np.dtype:
    """Rows of int64 fields."""
    return np.dtype([(name, "i8") for name in names], align=True)


MARKET = table("money_per_tick_step", "min_quantity", "min_notional")
SETTINGS = table(
    *("start_ms", "interval_ms", "initial_equity", "taker_fee", "maker_fee", "slippage", "rungs_by_touch"),
    *("notional_gross_max", "daily_loss_max"),
)
EPISODE = table("market", "is_long", "is_seeded", "close_known_ms")
SIGNAL = table("known_ms", "age_ms", "drift_ppm", "source_entry", "mark")
"""One episode as a signal; `known_ms` is -1 when it is none. First index: 0 its opening, 1 its close."""
CANDIDATE = table(
    *("hears", "contrarian", "allows_long", "allows_short", "age_ms_max", "drift_ppm_max", "anchors_at_source"),
    *("base_notional", "base_usable", "rungs", "take_profit_ppm", "stop_loss_ppm", "trailing_ppm", "ttl_ms"),
    *("failures_max", "cooldown_ms"),
)
"""Rates and `ttl_ms` are -1 when the exit family has none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedMarket:
    """Everything but the candidates.

    `bars` `(n_markets, n_bars, 4)` int32 open, high, low, close; funding `(n_markets, n)` padded with NEVER_MS; events
    of each kind of listener as `(n, 3)` rows of known_ms, is_close, episode, in the order they are told.
    """

    bars: np.ndarray
    funding_ms: Int64s
    funding_rate: Int64s
    rules: np.ndarray
    settings: np.ndarray
    episodes: np.ndarray
    signals: np.ndarray
    events: tuple[Int64s, Int64s, Int64s]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedCandidates:
    """`rows` `(n,)` of CANDIDATE; rungs `(n, RUNGS_MAX)`, their ratios `(n, 2, RUNGS_MAX)` for long and short."""

    rows: np.ndarray
    rung_ratio: Int64s
    rung_notional: Int64s
    rung_usable: Int64s


def pack_market(episodes: Sequence[Episode], spec: ReplaySpec, data: MarketData) -> PackedMarket:
    """Gapless bars on one grid, market orders at the next open: what the scan is written for, and it is checked."""
    assert spec.market_fill is FillModel.NEXT_BAR_OPEN, "the scan fills market orders at the next open only"
    names = sorted(data.bars)
    series = [data.bars[name] for name in names]
    first = series[0].open_time_ms
    assert all(np.array_equal(each.open_time_ms, first) for each in series), "markets share one grid"
    assert (np.diff(first) == spec.interval_ms).all(), "bars are gapless"
    ordered = sorted(episodes, key=lambda life: life.episode_id)
    funding = [data.funding.get(name) for name in names]
    widest = max((len(each.time_ms) for each in funding if each is not None), default=0) + 1
    times = np.full((len(names), widest), NEVER_MS, dtype=np.int64)
    rates = np.zeros((len(names), widest), dtype=np.int64)
    for row, each in enumerate(funding):
        if each is not None:
            times[row, : len(each.time_ms)] = each.time_ms
            rates[row, : len(each.rate)] = each.rate
    return PackedMarket(
        bars=np.stack([np.stack([s.open, s.high, s.low, s.close], axis=1) for s in series]).astype(np.int32),
        funding_ms=times,
        funding_rate=rates,
        rules=_rules(names, data),
        settings=_settings(spec, int(first[0])),
        episodes=_episodes(ordered, spec, names),
        signals=np.stack([_signals(ordered, spec, data, opening=True), _signals(ordered, spec, data, opening=False)]),
        events=_events(ordered, spec, data),
    )


def _rules(names: Sequence[str], data: MarketData) -> np.ndarray:
    rules = [data.instruments[name] for name in names]
    return np.array([(r.money_per_tick_step, max(1, r.min_quantity), r.min_notional) for r in rules], dtype=MARKET)


def _settings(spec: ReplaySpec, start_ms: int) -> np.ndarray:
    costs, caps = spec.costs, spec.caps
    return np.array(
        [
            (
                start_ms,
                spec.interval_ms,
                spec.initial_equity,
                costs.taker_fee,
                costs.maker_fee,
                costs.slippage,
                int(spec.rung_fill is FillModel.TOUCH),
                -1 if caps.notional_gross_max is None else caps.notional_gross_max,
                -1 if caps.daily_loss_max is None else caps.daily_loss_max,
            )
        ],
        dtype=SETTINGS,
    )


def _episodes(ordered: Sequence[Episode], spec: ReplaySpec, names: Sequence[str]) -> np.ndarray:
    rows: list[Any] = []
    for life in ordered:
        closed = closed_event(life, spec.delay_s)
        rows.append(
            (
                names.index(life.market),
                int(life.side is Side.LONG),
                int(life.provenance is Provenance.SEEDED),
                -1 if closed is None else epoch_ms(closed.known_at),
            )
        )
    return np.array(rows, dtype=EPISODE)


def _signals(ordered: Sequence[Episode], spec: ReplaySpec, data: MarketData, *, opening: bool) -> np.ndarray:
    rows: list[Any] = []
    for life in ordered:
        price = data.price_when_opened(life) if opening else life.exit_price
        event = None
        if price is not None:
            event = opened_event(life, spec.delay_s, price) if opening else closed_event(life, spec.delay_s)
        if event is None or price is None:
            rows.append((-1, 0, 0, 0, 0))
            continue
        known_ms = epoch_ms(event.known_at)
        rules = data.instruments[life.market]
        mark = data.mark(life.market, known_ms)
        drift = 0 if mark is None else drift_ppm(price, rules.price(mark))
        age_ms = known_ms - epoch_ms(event.happened_at)
        rows.append((known_ms, age_ms, drift, ticks_nearest(price, rules.tick_size), 0 if mark is None else mark))
    return np.array(rows, dtype=SIGNAL)


def _events(ordered: Sequence[Episode], spec: ReplaySpec, data: MarketData) -> tuple[Int64s, Int64s, Int64s]:
    opens: list[tuple[int, int, int]] = []
    closes: list[tuple[int, int, int]] = []
    for index, life in enumerate(ordered):
        price = data.price_when_opened(life)
        if price is not None:
            opens.append((epoch_ms(opened_event(life, spec.delay_s, price).known_at), 0, index))
        closed = closed_event(life, spec.delay_s)
        if closed is not None:
            closes.append((epoch_ms(closed.known_at), 1, index))

    def told(events: list[tuple[int, int, int]]) -> Int64s:
        return np.array(sorted(events), dtype=np.int64).reshape(-1, 3)

    return told(opens), told(opens + closes), told(closes)


def pack_candidates(policies: Sequence[PolicySpec]) -> PackedCandidates:
    """Policies as rows: fixed target, weighted rungs; every rate that does not depend on a price worked out."""
    shape = (len(policies), RUNGS_MAX)
    packed = PackedCandidates(
        rows=np.zeros(len(policies), dtype=CANDIDATE),
        rung_ratio=np.zeros((len(policies), 2, RUNGS_MAX), dtype=np.int64),
        rung_notional=np.zeros(shape, dtype=np.int64),
        rung_usable=np.zeros(shape, dtype=np.int64),
    )
    for row, policy in enumerate(policies):
        assert policy.sizing.rule is SizingRule.FIXED, "the scan sizes by a fixed target"
        assert policy.ladder.add_mode is not AddMode.MIN_ORDER, "the scan's rungs have weights"
        rungs, headroom = len(policy.ladder.steps), policy.sizing.headroom_ppm
        assert rungs <= RUNGS_MAX
        packed.rows[row] = _candidate(policy)
        notionals = rung_notionals(policy.ladder, policy.sizing.target_notional, ())
        packed.rung_notional[row, :rungs] = notionals
        packed.rung_usable[row, :rungs] = [under_headroom(each, headroom) for each in notionals]
        for which, side in enumerate((Side.LONG, Side.SHORT)):
            packed.rung_ratio[row, which, :rungs] = level_ratios(policy.ladder, side)
    return packed


def _candidate(policy: PolicySpec) -> tuple[int, ...]:
    leaves, entry, target = policy.exit, policy.entry, policy.sizing.target_notional
    contrarian = policy.signal is SignalMode.CONTRARIAN_ON_CLOSE
    base: Money = base_notional(policy.ladder, target)

    def or_none(value: int | None) -> int:
        return -1 if value is None else value

    return (
        CONTRARIAN if contrarian else FOLLOW_TO_CLOSE if leaves.follows_source_close else FOLLOW,
        int(contrarian),
        int(entry.side is not SideFilter.SHORT_ONLY),
        int(entry.side is not SideFilter.LONG_ONLY),
        entry.signal_age_s_max * 1000,
        entry.entry_drift_ppm_max,
        int(policy.ladder.anchor is Anchor.SOURCE_ENTRY),
        base,
        under_headroom(base, policy.sizing.headroom_ppm),
        len(policy.ladder.steps),
        or_none(leaves.take_profit_ppm),
        or_none(leaves.stop_loss_ppm),
        or_none(leaves.trailing_callback_ppm),
        -1 if leaves.ttl_s is None else leaves.ttl_s * 1000,
        policy.backoff.failures_max,
        policy.backoff.cooldown_s * 1000,
    )
