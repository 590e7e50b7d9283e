"""What tests of trading stand on: a market on a coarse grid, hand-made bars, episodes and policies.

The grid is chosen to be read: one tick is 1 USDT, one step 0.00001 coins, so at 100,000 one step is worth one USDT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from copytrade_core.model.bar import Bar, BarSeries, FundingSeries, PriceOrigin, QuoteSeries
from copytrade_core.model.book import Holding
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.event import View
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
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
from copytrade_core.model.units import MONEY_SCALE, Money, Ppm, Steps, Ticks
from copytrade_core.replay.timeline import closed_event, opened_event
from copytrade_core.strategies.machine import strategy_of

BTC = Market("BTC/USDT:USDT")
ETH = Market("ETH/USDT:USDT")
LEAD = LeadId("4751838302089254401")
START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
BAR_MS = 300_000
Ohlc = tuple[int, int, int, int]


def usdt(amount: float) -> Money:
    return Money(round(amount * MONEY_SCALE))


def at(minutes: float) -> datetime:
    """So many minutes after ten o'clock."""
    return START + timedelta(minutes=minutes)


def at_ms(minutes: float) -> int:
    return round(at(minutes).timestamp() * 1000)


def instrument(
    market: Market = BTC, *, tick: str = "1", step: str = "0.00001", min_quantity: int = 1, min_notional: float = 0
) -> Instrument:
    return Instrument(
        market=market,
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        min_quantity=Steps(min_quantity),
        min_notional=usdt(min_notional),
        as_of=START,
        source="a test",
    )


def series(
    bars: Sequence[Ohlc], *, market: Market = BTC, start_ms: int = START_MS, interval_ms: int = BAR_MS
) -> BarSeries:
    columns = np.array(bars, dtype=np.int32).reshape(-1, 4)
    return BarSeries(
        market=market,
        interval_ms=interval_ms,
        origin=PriceOrigin.RECORDED,
        open_time_ms=start_ms + np.arange(len(bars), dtype=np.int64) * interval_ms,
        open=columns[:, 0].copy(),
        high=columns[:, 1].copy(),
        low=columns[:, 2].copy(),
        close=columns[:, 3].copy(),
        volume=np.ones(len(bars)),
    )


def bar(open_: int, high: int, low: int, close: int, *, market: Market = BTC, minutes: float = 0) -> Bar:
    return Bar(
        market=market,
        open_time_ms=at_ms(minutes),
        interval_ms=BAR_MS,
        open=Ticks(open_),
        high=Ticks(high),
        low=Ticks(low),
        close=Ticks(close),
    )


def data(
    *bars: BarSeries,
    funding: Iterable[FundingSeries] = (),
    quotes: Iterable[QuoteSeries] = (),
    instruments: Mapping[str, Instrument] | None = None,
) -> MarketData:
    return MarketData(
        bars={each.market: each for each in bars},
        funding={each.market: each for each in funding},
        quotes={each.market: each for each in quotes},
        instruments=instruments if instruments is not None else {each.market: instrument(each.market) for each in bars},
    )


def episode(
    opened: float,
    closed: float | None,
    *,
    side: Side = Side.LONG,
    market: Market = BTC,
    entry: str = "100000",
    leave: str = "100000",
    provenance: Provenance = Provenance.RECONSTRUCTED,
    open_known: float | None = None,
    close_known: float | None = None,
    quantity: str = "1",
    leverage: str | None = "10",
) -> Episode:
    """An episode of the lead; times in minutes after ten o'clock."""
    closed_at = None if closed is None else at(closed)
    known = closed if close_known is None else close_known
    return Episode(
        episode_id=episode_id(LEAD, market, side, at(opened)),
        lead_id=LEAD,
        market=market,
        side=side,
        state=EpisodeState.OPEN if closed is None else EpisodeState.CLOSED,
        provenance=provenance,
        opened_at=at(opened),
        open_known_at=at(opened if open_known is None else open_known),
        closed_at=closed_at,
        close_known_at=None if known is None else at(known),
        entry_price=Decimal(entry),
        exit_price=None if closed is None else Decimal(leave),
        quantity_max=Decimal(quantity),
        closed_volume=None,
        source_id=None if closed is None else f"row {market} {opened}",
        leverage=None if leverage is None else Decimal(leverage),
    )


def opened(known: Episode, delay_s: int = 0):
    return opened_event(known, delay_s, known.entry_price)


def closed(known: Episode, delay_s: int = 0):
    event = closed_event(known, delay_s)
    assert event is not None
    return event


SINGLE = LadderSpec(
    name="single",
    base_share=Fraction(1),
    steps=(),
    weights=(),
    add_mode=AddMode.MULTIPLIER,
    anchor=Anchor.OWN_FILL,
)


def ladder(base: str, *rungs: tuple[str, str], add_mode: AddMode = AddMode.FIXED) -> LadderSpec:
    """A ladder of (step, weight) pairs; with FIXED a weight is a share of the target."""
    return LadderSpec(
        name="test_ladder",
        base_share=Fraction(base),
        steps=tuple(Fraction(step) for step, _ in rungs),
        weights=() if add_mode is AddMode.MIN_ORDER else tuple(Fraction(weight) for _, weight in rungs),
        add_mode=add_mode,
        anchor=Anchor.OWN_FILL,
    )


def leave(
    family: ExitFamily = ExitFamily.SOURCE_CLOSE_FOLLOWS,
    *,
    profit: int | None = None,
    stop: int | None = None,
    trailing: int | None = None,
    ttl_s: int | None = None,
) -> ExitSpec:
    """An exit family; rates in ppm."""
    return ExitSpec(
        family=family,
        take_profit_ppm=None if profit is None else Ppm(profit),
        stop_loss_ppm=None if stop is None else Ppm(stop),
        trailing_callback_ppm=None if trailing is None else Ppm(trailing),
        ttl_s=ttl_s,
    )


FOLLOW = PolicySpec(
    signal=SignalMode.FOLLOW_OPEN,
    entry=EntryRules(side=SideFilter.BOTH, signal_age_s_max=900, entry_drift_ppm_max=Ppm(50_000)),
    ladder=SINGLE,
    exit=leave(),
    sizing=SizingSpec(rule=SizingRule.FIXED, target_notional=usdt(1000), headroom_ppm=Ppm(0)),
    backoff=BackoffSpec(failures_max=3, cooldown_s=60),
)
CONTRARIAN = replace(FOLLOW, signal=SignalMode.CONTRARIAN_ON_CLOSE, exit=leave(ExitFamily.AUTONOMOUS, ttl_s=3600))


def living(policy: PolicySpec) -> Any:
    """The strategy of a policy; untyped, because a test knows which wish it got."""
    return strategy_of(policy)


FREE = CostModel(taker_fee=Ppm(0), maker_fee=Ppm(0), slippage=Ppm(0), source="a test without costs")
COSTS = CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(300), source="a test")
SPEC = ReplaySpec(
    market_fill=FillModel.NEXT_BAR_OPEN,
    rung_fill=FillModel.TOUCH,
    costs=FREE,
    delay_s=0,
    initial_equity=usdt(10_000),
    lead_margin_balance=None,
    interval_ms=BAR_MS,
    caps=UNCAPPED_REPLAY,
)


def view(
    *,
    mark: int | None = 100_000,
    minutes: float = 0,
    holding: Holding | None = None,
    pending: tuple[str, ...] = ("stop", "take_profit", "source_close", "ttl"),
    rules: Instrument | None = None,
    equity: float = 10_000,
    lead_margin_balance: float | None = None,
) -> View:
    return View(
        now_ms=at_ms(minutes),
        instrument=rules if rules is not None else instrument(),
        mark=None if mark is None else Ticks(mark),
        holding=holding,
        pending_exits=pending,
        equity=usdt(equity),
        initial_equity=usdt(10_000),
        lead_margin_balance=None if lead_margin_balance is None else usdt(lead_margin_balance),
    )


def holding(name: str, *, price: int = 100_000, quantity: int = 100, side: Side = Side.LONG, minutes: float = 0):
    cost = instrument().notional(price, quantity)
    return Holding(
        episode_id=name,
        market=BTC,
        side=side,
        quantity=Steps(quantity),
        quantity_max=Steps(quantity),
        cost=cost,
        entered=cost,
        realised=Money(0),
        fees=Money(0),
        slippage=Money(0),
        funding=Money(0),
        opened_at_ms=at_ms(minutes),
    )


def fill(
    name: str,
    *,
    kind: IntentKind = IntentKind.OPEN,
    leg: str = "base",
    side: Side = Side.LONG,
    price: int = 100_000,
    quantity: int = 100,
    minutes: float = 0,
    fee: int = 0,
    slippage: int = 0,
    market: Market = BTC,
) -> Fill:
    return Fill(
        client_order_id=f"{name}.{kind}.{leg}",
        kind=kind,
        episode_id=name,
        market=market,
        side=side,
        leg=leg,
        buys=side.entry_buys if kind.is_entry else side.exit_buys,
        time_ms=at_ms(minutes),
        bar_open_ms=at_ms(minutes),
        raw_price=Ticks(price),
        price=Ticks(price),
        quantity=Steps(quantity),
        fee=Money(fee),
        slippage=Money(slippage),
        model=FillModel.NEXT_BAR_OPEN,
        reason="a test",
    )
