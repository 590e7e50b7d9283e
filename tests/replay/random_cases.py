"""Random replays from a seed: small, coarse and crowded, so that every corner of the rules is met often and cheaply.

A case is data only. What two engines make of it is compared in `test_equivalence.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

import numpy as np

from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.caps import ReplayCaps
from copytrade_core.model.episode import Episode, EpisodeState, Provenance
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import (
    AddMode,
    Anchor,
    BackoffSpec,
    EntryRules,
    ExitFamily,
    ExitSpec,
    LadderSpec,
    PolicySpec,
    SignalMode,
    SizingRule,
    SizingSpec,
)
from copytrade_core.model.round_trip import CostModel, ReplaySpec
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.units import Money, Ppm, Steps
from tests.trading_floor import LEAD, usdt

MARKETS = (Market("AAA/USDT:USDT"), Market("BBB/USDT:USDT"), Market("CCC/USDT:USDT"))
NOWHERE = Market("ZZZ/USDT:USDT")
"""A market of which no bars are stored, or a series without any."""
MIDNIGHT_MS = 1_767_571_200_000
"""2026-01-05 00:00 UTC."""
INTERVALS_MS = (60_000, 300_000, 420_000)
"""The last does not divide a day: its bars lie across midnight."""
LONG = 1_000
"""More bars than this wander in small steps, or they would end on the floor."""
STRETCH = 12
"""How much longer holdings are meant to last on long histories."""
TARGET_MAX = usdt(250_000)
"""The fast engine refuses to aim at more."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything one replay needs."""

    seed: int
    episodes: tuple[Episode, ...]
    policy: PolicySpec
    spec: ReplaySpec
    data: MarketData


class Dice:
    """Draws in plain words from one seeded generator."""

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.rng.integers(len(options)))]


def case(seed: int) -> Case:
    """The case of a seed: the same on every machine."""
    dice = Dice(seed)
    interval_ms = dice.pick(INTERVALS_MS)
    # A few histories are long enough for every level of a tree over their bars, and so are their holdings.
    is_long = dice.chance(0.02)
    count = dice.pick((3_000, 9_000)) if is_long else dice.pick((60, 90, 140, 240, 400))
    start_ms = (MIDNIGHT_MS - dice.whole(0, count) * interval_ms) // interval_ms * interval_ms
    markets = MARKETS[: dice.pick((1, 1, 2, 3))]
    # So rich that a holding whose price runs away leaves the range of integer money.
    is_rich = dice.chance(0.04)
    surges = 0.8 if is_rich else 0.05
    data = _market_data(dice, markets, start_ms, count, interval_ms, surges)
    spec = _spec(dice, interval_ms, is_rich=is_rich)
    return Case(
        seed=seed,
        episodes=_episodes(dice, data.bars, stretch=STRETCH if is_long else 1),
        policy=random_policy(dice, spec, patience=STRETCH if is_long else 1),
        spec=spec,
        data=data,
    )


def sibling_policies(of: Case, count: int) -> list[PolicySpec]:
    """Other policies that may be replayed on the same case."""
    patience = STRETCH if any(len(bars) > LONG for bars in of.data.bars.values()) else 1
    return [random_policy(Dice(of.seed, 1 + index), of.spec, patience=patience) for index in range(count)]


# -- markets ----------------------------------------------------------------------------------------------------------


def _market_data(
    dice: Dice, markets: Sequence[Market], start_ms: int, count: int, interval_ms: int, surges: float
) -> MarketData:
    bars, funding, rules = {}, {}, {}
    for market in markets:
        level = 100_000 if count > LONG else dice.pick((40, 200, 1000, 100_000))
        rules[market] = _instrument(dice, market, level)
        bars[market] = _bars(dice, market, level, start_ms, count, interval_ms)
        if dice.chance(surges):
            bars[market] = _surged(bars[market], dice.whole(8, 40))
        if dice.chance(0.6):
            funding[market] = _funding(dice, market, start_ms, count * interval_ms, interval_ms)
    if dice.chance(0.05):
        rules[NOWHERE] = _instrument(dice, NOWHERE, 200)
        bars[NOWHERE] = _first_bars(replace(bars[markets[0]], market=NOWHERE), 0)
    return MarketData(bars=bars, funding=funding, quotes={}, instruments=rules)


def _instrument(dice: Dice, market: Market, level: int) -> Instrument:
    # One step at this level is worth a fraction of a USDT, about one, or so much that rounding decides.
    step = {40: "0.001", 200: "0.0001", 1000: "0.001", 100_000: "0.00001"}[level]
    coarse = dice.pick((1, 1, 10, 100))
    return Instrument(
        market=market,
        tick_size=Decimal(1),
        step_size=Decimal(step) * coarse,
        min_quantity=Steps(dice.pick((0, 1, 1, 40))),
        min_notional=usdt(dice.pick((0, 0, 0, 5, 5, 10, 60))),
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        source="a random case",
    )


def _bars(dice: Dice, market: Market, level: int, start_ms: int, count: int, interval_ms: int) -> BarSeries:
    """A walk on a coarse grid: many equal prices, some wide bars, some opens far from the close before."""
    rng, move = dice.rng, max(1, level * (1 if count > LONG else dice.pick((15, 40, 125))) // 5000)
    reach = dice.pick((1, 2, 4))
    body = rng.integers(-reach, reach + 1, count) * move // 2
    jump = np.where(rng.random(count) < dice.pick((0.0, 0.05, 0.3)), rng.integers(-3 * reach, 3 * reach + 1, count), 0)
    closes = level + np.cumsum(body + jump * move)
    opens = np.concatenate([[level], closes[:-1]]) + jump * move
    up, down = (rng.integers(0, reach + 1, count) * (rng.random(count) < 0.6) * move for _ in range(2))
    prices = [opens, np.maximum(opens, closes) + up, np.minimum(opens, closes) - down, closes]
    keep = _kept(dice, count)
    columns = [np.clip(each, 3, 2 * level).astype(np.int32)[keep] for each in prices]
    return BarSeries(
        market=market,
        interval_ms=interval_ms,
        origin=PriceOrigin.RECORDED,
        open_time_ms=(start_ms + np.arange(count, dtype=np.int64) * interval_ms)[keep],
        open=columns[0],
        high=columns[1],
        low=columns[2],
        close=columns[3],
        volume=np.ones(len(columns[0])),
    )


def _surged(bars: BarSeries, at: int) -> BarSeries:
    """Fifteen times the price from one bar on."""
    factor = np.where(np.arange(len(bars)) >= at, 15, 1).astype(np.int32)
    return replace(bars, **{name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")})


def _first_bars(bars: BarSeries, count: int) -> BarSeries:
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return replace(bars, **{name: getattr(bars, name)[:count] for name in names})


def _kept(dice: Dice, count: int) -> np.ndarray:
    keep = np.ones(count, dtype=np.bool_)
    if dice.chance(0.12):
        for _ in range(dice.whole(1, 3)):
            first = dice.whole(0, count - 1)
            keep[first : first + dice.whole(1, 4)] = False
    return keep if keep.any() else ~keep


def _funding(dice: Dice, market: Market, start_ms: int, length_ms: int, interval_ms: int) -> FundingSeries:
    """Payments on the grid, a few milliseconds late, or several in one bar; sometimes ruinous."""
    is_storm = dice.chance(0.25)
    count = 5 * length_ms // interval_ms if is_storm else dice.whole(1, 40)
    times = start_ms + dice.rng.integers(-interval_ms, length_ms, count)
    if dice.chance(0.5):
        times = times // interval_ms * interval_ms + dice.rng.integers(0, 4, count) * dice.pick((0, 1, 7))
    top = 10_000_000 if is_storm else dice.pick((20_000, 750_000, 10_000_000))
    low = -top // 20 if is_storm else -top
    unique = np.unique(times)
    return FundingSeries(market=market, time_ms=unique, rate=dice.rng.integers(low, top + 1, len(unique)))


# -- episodes ---------------------------------------------------------------------------------------------------------


def _episodes(dice: Dice, bars: Mapping[str, BarSeries], *, stretch: int) -> tuple[Episode, ...]:
    crowded = dice.chance(0.6)
    first = dice.whole(2, 12) if crowded else None
    traded = [each for each in bars.values() if len(each)]
    names = dice.rng.permutation(90)[: dice.whole(1, 8)]
    episodes = [_episode(dice, f"e{int(name) + 10}", dice.pick(traded), first, stretch) for name in names]
    if len(episodes) > 1 and dice.chance(0.3):
        episodes[1] = _twin(episodes[0], episodes[1])
    return tuple(replace(e, market=NOWHERE) if dice.chance(0.01) else e for e in episodes)


def _episode(dice: Dice, name: str, bars: BarSeries, near: int | None, stretch: int) -> Episode:
    interval_ms = bars.interval_ms
    bar = dice.whole(-1, len(bars)) if near is None else near + dice.whole(0, 12)
    opened_ms = bars.start_ms + bar * interval_ms + _moment(dice, interval_ms)
    closed_ms = opened_ms + dice.pick((0, 1, 2, 5, 12, 25, 50)) * stretch * interval_ms + _moment(dice, interval_ms)
    if closed_ms <= opened_ms:
        closed_ms = opened_ms + 1
    is_open = dice.chance(0.03)
    provenance = dice.pick((Provenance.RECONSTRUCTED,) * 10 + (Provenance.OBSERVED,) * 5 + (Provenance.SEEDED,))
    seen_late = dice.pick((0, 0, 1, 20_000, interval_ms, 3 * interval_ms + 17))
    close_seen_late = dice.pick((0, 0, 1, 45_000, 2 * interval_ms))
    price = int(bars.close[dice.whole(0, len(bars) - 1)])
    return Episode(
        episode_id=name,
        lead_id=LEAD,
        market=bars.market,
        side=dice.pick(tuple(Side)),
        state=EpisodeState.OPEN if is_open else EpisodeState.CLOSED,
        provenance=provenance,
        opened_at=_at(opened_ms),
        open_known_at=_at(opened_ms + seen_late),
        closed_at=None if is_open else _at(closed_ms),
        close_known_at=None if is_open or dice.chance(0.1) else _at(closed_ms + close_seen_late),
        entry_price=Decimal(price),
        exit_price=None if is_open else Decimal(price * dice.pick((96, 99, 100, 100, 101, 103))) / 100,
        quantity_max=Decimal(dice.whole(1, 2000)) / 100,
        closed_volume=None,
        source_id=None if is_open or dice.chance(0.01) else f"row {name}",
        leverage=None if dice.chance(0.06) else Decimal(dice.pick((1, 7, 50))),
    )


def _twin(first: Episode, second: Episode) -> Episode:
    """The second with the times of the first: which of them comes first is a question of its id alone."""
    source_id = None if first.source_id is None else f"row {second.episode_id}"
    return replace(first, episode_id=second.episode_id, side=second.side, source_id=source_id)


def _moment(dice: Dice, interval_ms: int) -> int:
    """Milliseconds into a bar: on its open, beside it, in its middle."""
    kind = dice.whole(0, 5)
    return (0, 0, 1, interval_ms - 1, interval_ms // 2, dice.whole(0, interval_ms - 1))[kind]


def _at(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


# -- assumptions and policy -------------------------------------------------------------------------------------------


def _spec(dice: Dice, interval_ms: int, *, is_rich: bool) -> ReplaySpec:
    equity = 3_000_000 if is_rich else dice.pick((300, 1000, 1000, 3000, 50_000))
    capped = dice.chance(0.3)
    interval_s = interval_ms // 1000
    return ReplaySpec(
        market_fill=dice.pick((FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE)),
        rung_fill=dice.pick((FillModel.TOUCH, FillModel.CLOSE_BEYOND)),
        costs=CostModel(
            taker_fee=Ppm(dice.pick((0, 500, 500, 90_000))),
            maker_fee=Ppm(dice.pick((0, 200, 200, 7_777))),
            slippage=Ppm(dice.pick((0, 0, 300, 5_000, 90_000))),
            source="a random case",
        ),
        delay_s=dice.pick((0, 0, 1, 30, interval_s, interval_s + 1, 3 * interval_s)),
        initial_equity=usdt(equity),
        lead_margin_balance=None if dice.chance(0.06) else usdt(dice.pick((500, 5_000, 80_000))),
        interval_ms=interval_ms,
        caps=ReplayCaps(
            notional_gross_max=usdt(equity * dice.pick((0.3, 0.7, 0.95))) if capped and dice.chance(0.7) else None,
            daily_loss_max=usdt(equity * dice.pick((0.0005, 0.005, 0.03))) if capped and dice.chance(0.7) else None,
        ),
    )


def random_policy(dice: Dice, spec: ReplaySpec, *, patience: int) -> PolicySpec:
    """Any policy that may be replayed with these assumptions; `patience` stretches its time-to-live."""
    interval_s = spec.interval_ms // 1000
    signal = dice.pick(tuple(SignalMode))
    contrarian = signal is SignalMode.CONTRARIAN_ON_CLOSE
    rules = tuple(SizingRule) if contrarian else (SizingRule.FIXED, SizingRule.COMPOUND, SizingRule.COMPOUND)
    equity = spec.initial_equity
    return PolicySpec(
        signal=signal,
        entry=EntryRules(
            side=dice.pick((SideFilter.BOTH,) * 20 + tuple(SideFilter)),
            signal_age_s_max=dice.pick((30, interval_s, *(10**6,) * 20)),
            entry_drift_ppm_max=Ppm(dice.pick((1_000, 30_000, *(10**9,) * 20))),
        ),
        ladder=_ladder(dice),
        exit=_exit(dice, interval_s, patience, contrarian=contrarian),
        sizing=SizingSpec(
            rule=dice.pick(rules),
            target_notional=Money(
                min(TARGET_MAX, equity * dice.pick((5, 20, 30, 45, 45, 60, 80, 95, 100, 130)) // 100)
            ),
            headroom_ppm=Ppm(dice.pick((0, 0, 1_000, 20_000))),
        ),
        backoff=BackoffSpec(
            failures_max=dice.whole(1, 4), cooldown_s=dice.pick((1, interval_s, 2 * interval_s + 1, 20 * interval_s))
        ),
    )


def _ladder(dice: Dice) -> LadderSpec:
    rungs = dice.pick((0, 1, 2, 3, 3, 5))
    add_mode = dice.pick(tuple(AddMode))
    step = dice.pick((1, 3, 6, 15, 40))
    return LadderSpec(
        name="random",
        base_share=Fraction(1) if rungs == 0 and dice.chance(0.5) else Fraction(dice.whole(1, 6), dice.whole(7, 9)),
        steps=tuple(Fraction(step * dice.whole(1, 3), 1000) for _ in range(rungs)),
        weights=()
        if add_mode is AddMode.MIN_ORDER
        else tuple(Fraction(dice.whole(1, 12), dice.whole(5, 9)) for _ in range(rungs)),
        add_mode=add_mode,
        anchor=dice.pick((Anchor.OWN_FILL, Anchor.OWN_FILL, Anchor.SOURCE_ENTRY)),
    )


def _exit(dice: Dice, interval_s: int, patience: int, *, contrarian: bool) -> ExitSpec:
    family = ExitFamily.AUTONOMOUS if contrarian else dice.pick(tuple(ExitFamily))
    if family is ExitFamily.SOURCE_CLOSE_FOLLOWS:
        return ExitSpec(family=family, take_profit_ppm=None, stop_loss_ppm=None, trailing_callback_ppm=None, ttl_s=None)
    profit = Ppm(dice.pick((1_000, 5_000, 10_000, 40_000))) if dice.chance(0.7) else None
    stop = Ppm(dice.pick((1_000, 5_000, 12_000, 40_000, 300_000))) if dice.chance(0.7) else None
    trailing = Ppm(dice.pick((1, 2_000, 8_000, 30_000))) if profit is not None and dice.chance(0.35) else None
    short = (1, interval_s // 2, interval_s, interval_s + 1, 2 * interval_s, 5 * interval_s - 1)
    ttl_s = (
        patience * dice.pick((*short, 25 * interval_s, 60 * interval_s))
        if family is ExitFamily.AUTONOMOUS or dice.chance(0.5)
        else None
    )
    return ExitSpec(
        family=family, take_profit_ppm=profit, stop_loss_ppm=stop, trailing_callback_ppm=trailing, ttl_s=ttl_s
    )
