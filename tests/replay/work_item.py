"""Work item W of the benchmark: two markets, 180 days, 200 episodes, 1,000 candidates. Same seed, same W, anywhere.

The market is a simulated five-second walk; bars of a minute are the same walk, folded. What is measured is elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.caps import UNCAPPED_REPLAY, ReplayCaps
from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
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
from copytrade_core.model.source import LeadId
from copytrade_core.model.units import Money, Ppm
from copytrade_core.virtual_exchange.simulated_market import simulated_bars, simulated_funding
from tests.trading_floor import BTC, ETH, instrument, usdt

SEED = 20_260_101
START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
DAY_MS = 86_400_000
MINUTE_MS = 60_000
FINE_MS = 5_000
CHUNK_DAYS = 15
VOLATILITY_BPS = 50
"""Per hour: 0.065 % a minute, an ordinary month of BTC and ETH."""
PRICES = {BTC: Decimal(60_000), ETH: Decimal(3_000)}
RULES: dict[str, Instrument] = {
    BTC: instrument(BTC, tick="0.1", step="0.001", min_notional=100),
    ETH: instrument(ETH, tick="0.01", step="0.001", min_notional=20),
}
LEAD = LeadId("1")
COSTS = CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(500), source="work item W")
EQUITY = usdt(100_000)
TARGET = usdt(5_000)
TIGHT = ReplayCaps(notional_gross_max=usdt(12_000), daily_loss_max=usdt(60))
"""ReplayCaps under which some opens, some rungs and some days are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """W, or a smaller W: markets by bar length, episodes, what is assumed, candidates."""

    minute: MarketData
    fine: MarketData
    """The same market in bars of five seconds."""
    episodes: tuple[Episode, ...]
    spec: ReplaySpec
    policies: tuple[PolicySpec, ...]


def work_item(*, days: int = 180, episodes_count: int = 200, policies_count: int = 1_000, seed: int = SEED) -> WorkItem:
    """W with `days` of bars; a smaller one keeps its durations as far as they fit into its days."""
    fine = {market: _walk(market, days, seed) for market in PRICES}
    minute = {market: folded(series, MINUTE_MS) for market, series in fine.items()}
    funding = {
        market: simulated_funding(market, start_ms=START_MS, end_ms=START_MS + days * DAY_MS, seed=seed)
        for market in PRICES
    }
    data = _data(minute, funding)
    rng = np.random.Generator(np.random.PCG64(seed))
    return WorkItem(
        minute=data,
        fine=_data(fine, funding),
        episodes=_episodes(rng, data, days, episodes_count),
        spec=ReplaySpec(
            market_fill=FillModel.NEXT_BAR_OPEN,
            rung_fill=FillModel.CLOSE_BEYOND,
            costs=COSTS,
            delay_s=60,
            initial_equity=EQUITY,
            lead_margin_balance=None,
            interval_ms=MINUTE_MS,
            caps=UNCAPPED_REPLAY,
        ),
        policies=candidates(policies_count, seed),
    )


def candidates(count: int, seed: int = SEED) -> tuple[PolicySpec, ...]:
    """Policies of the DCA and exit families, each drawn from its own stream: a longer list begins with a shorter."""
    return tuple(_policy(np.random.Generator(np.random.PCG64([seed, number]))) for number in range(count))


def folded(series: BarSeries, interval_ms: int) -> BarSeries:
    """Bars folded into longer ones."""
    each = interval_ms // series.interval_ms
    whole = len(series) // each * each

    def parts(column: str):
        return getattr(series, column)[:whole].reshape(-1, each)

    return BarSeries(
        market=series.market,
        interval_ms=interval_ms,
        origin=series.origin,
        open_time_ms=parts("open_time_ms")[:, 0].copy(),
        open=parts("open")[:, 0].copy(),
        high=parts("high").max(axis=1),
        low=parts("low").min(axis=1),
        close=parts("close")[:, -1].copy(),
        volume=parts("volume").sum(axis=1),
    )


def _data(bars: Mapping[Market, BarSeries], funding: Mapping[Market, FundingSeries]) -> MarketData:
    return MarketData(bars={**bars}, funding={**funding}, quotes={}, instruments=RULES)


def _walk(market, days: int, seed: int) -> BarSeries:
    """Five-second bars, a fortnight at a time so that memory stays small; each part begins where the last one ended."""
    rules, price, parts = RULES[market], PRICES[market], []
    for first in range(0, days, CHUNK_DAYS):
        start_ms = START_MS + first * DAY_MS
        part = simulated_bars(
            [(start_ms, price)],
            rules,
            interval_ms=FINE_MS,
            start_ms=start_ms,
            end_ms=START_MS + min(first + CHUNK_DAYS, days) * DAY_MS,
            seed=seed + first,
            volatility_bps=VOLATILITY_BPS,
        )
        price = rules.price(int(part.close[-1]))
        parts.append(part)
    columns = ("open_time_ms", "open", "high", "low", "close", "volume")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return BarSeries(market=market, interval_ms=FINE_MS, origin=PriceOrigin.SIMULATED, **joined)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return low * math.exp(rng.random() * math.log(high / low))


def _episodes(rng: np.random.Generator, data: MarketData, days: int, count: int) -> tuple[Episode, ...]:
    """Ten minutes to ten days, evenly, both sides, both markets, overlapping; opened anywhere but in the first day."""
    lives: dict[str, Episode] = {}
    longest = min(10.0, days / 4)
    while len(lives) < count:
        market = list(PRICES)[int(rng.random() * 2)]
        side = Side.LONG if rng.random() < 0.5 else Side.SHORT
        lasts_ms = 10 * MINUTE_MS + rng.random() * (longest * DAY_MS - 10 * MINUTE_MS)
        duration = timedelta(milliseconds=round(lasts_ms))
        room_ms = (days - 1.1) * DAY_MS - duration / timedelta(milliseconds=1)
        opened_at = START + timedelta(milliseconds=round(DAY_MS + rng.random() * room_ms))
        life = _episode(data, market, side, opened_at, opened_at + duration, 1 + (rng.random() - 0.5) / 500)
        lives[life.episode_id] = life
    return tuple(lives.values())


def _episode(data: MarketData, market, side: Side, opened_at, closed_at, off: float) -> Episode:
    """A life whose artefact prices are within 0.1 % of the market's."""

    def price(at: datetime) -> Decimal:
        mark = data.mark(market, round(at.timestamp() * 1000))
        assert mark is not None
        return RULES[market].price(round(mark * off))

    return Episode(
        episode_id=episode_id(LEAD, market, side, opened_at),
        lead_id=LEAD,
        market=market,
        side=side,
        state=EpisodeState.CLOSED,
        provenance=Provenance.RECONSTRUCTED,
        opened_at=opened_at,
        open_known_at=opened_at,
        closed_at=closed_at,
        close_known_at=closed_at,
        entry_price=price(opened_at),
        exit_price=price(closed_at),
        quantity_max=Decimal(1),
        closed_volume=None,
        source_id=f"{market} {side} {opened_at.timestamp()}",
        leverage=Decimal(10),
    )


FAMILIES: Sequence[tuple[SignalMode, ExitFamily]] = (
    (SignalMode.FOLLOW_OPEN, ExitFamily.SOURCE_CLOSE_FOLLOWS),
    (SignalMode.FOLLOW_OPEN, ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS),
    (SignalMode.FOLLOW_OPEN, ExitFamily.AUTONOMOUS),
    (SignalMode.CONTRARIAN_ON_CLOSE, ExitFamily.AUTONOMOUS),
)


def _policy(rng: np.random.Generator) -> PolicySpec:
    """A quarter of each family; a fifth of the ladders hang from the source's price, two thirds multiply the base."""
    signal, family = FAMILIES[int(rng.random() * 4)]
    return PolicySpec(
        signal=signal,
        entry=EntryRules(side=SideFilter.BOTH, signal_age_s_max=900, entry_drift_ppm_max=Ppm(5_000)),
        ladder=_ladder(rng),
        exit=_exit(rng, family),
        sizing=SizingSpec(rule=SizingRule.FIXED, target_notional=Money(TARGET), headroom_ppm=Ppm(1_000)),
        backoff=BackoffSpec(failures_max=3, cooldown_s=1_800),
    )


def _ladder(rng: np.random.Generator) -> LadderSpec:
    """Ranges of `settings/spaces/dca_shape_v1.toml`: steps and weights that grow or shrink from rung to rung."""
    rungs = int(rng.random() * 6)
    multiplies = rng.random() < 2 / 3
    step, step_growth = _log_uniform(rng, 0.001, 0.02), 0.8 + rng.random()
    weight, weight_growth = (0.5 + 1.5 * rng.random()) / (1 if multiplies else 10), 0.7 + 0.9 * rng.random()
    return LadderSpec(
        name=f"rungs_{rungs}",
        base_share=Fraction(15 + int(rng.random() * 56), 100) if rungs else Fraction(1),
        steps=tuple(Fraction(round(10_000 * step * step_growth**rung), 10_000) for rung in range(rungs)),
        weights=tuple(Fraction(round(100 * weight * weight_growth**rung) or 1, 100) for rung in range(rungs)),
        add_mode=AddMode.MULTIPLIER if multiplies else AddMode.FIXED,
        anchor=Anchor.SOURCE_ENTRY if rng.random() < 0.2 else Anchor.OWN_FILL,
    )


def _exit(rng: np.random.Generator, family: ExitFamily) -> ExitSpec:
    """Ranges of the same space; an exit that also follows the source needs no time-to-live, so half have none."""
    if family is ExitFamily.SOURCE_CLOSE_FOLLOWS:
        return ExitSpec(family=family, take_profit_ppm=None, stop_loss_ppm=None, trailing_callback_ppm=None, ttl_s=None)
    profit = Ppm(round(_log_uniform(rng, 3_000, 60_000)))
    stop = Ppm(round(_log_uniform(rng, 10_000, 150_000)))
    trailing = Ppm(round(_log_uniform(rng, 1_000, 12_000)))
    ttl_s = 3_600 * (4 + int(rng.random() * 69))
    has_ttl = family is ExitFamily.AUTONOMOUS or rng.random() < 0.5
    trails, takes, stops = rng.random() < 0.25, rng.random() < 0.8, rng.random() < 0.7
    return ExitSpec(
        family=family,
        take_profit_ppm=profit if trails or takes else None,
        stop_loss_ppm=stop if stops else None,
        trailing_callback_ppm=trailing if trails else None,
        ttl_s=ttl_s if has_ttl else None,
    )
