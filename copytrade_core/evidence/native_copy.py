"""What Binance's own copy button would have done with the same episodes.

Its published rules: opens go out as immediate-or-cancel orders that may not be further from the lead's price than
0.5 % (BTC, ETH) or 1.5 % (others), so a market that has run away is a missed open; closes are uncapped market orders;
an order costs at most a ratio of the balance and at most a discounted share of what is free; the lead takes a share of
new profit. Our own strategies do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from copytrade_core.evidence.drawdown import DAY_MS, max_drawdown_ratio
from copytrade_core.model.bar import BarSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.side import Side
from copytrade_core.model.units import (
    NOTIONAL_MAX,
    RATE_SCALE,
    Money,
    Ppm,
    Ticks,
    against,
    fee,
    money_to_float,
    ticks_down,
    ticks_up,
)

TIGHT_BASES = ("BTC", "ETH")
WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""1970-01-05, the first Monday after the epoch: weeks are counted from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCopyRules:
    """The exchange's rules as numbers.

    Rates in ppm: the two price caps, the share of the balance per order, the discount on what is free, and the lead's
    share of new profit over the high-water mark (settled every Monday 00:00 UTC and at the end). `delay_s` is from the
    lead's trade to the copied order. Positions are unlevered, like our own.
    """

    cap_tight: Ppm
    cap_wide: Ppm
    balance_share: Ppm
    available_discount: Ppm
    profit_share: Ppm
    delay_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCopy:
    """The counterfactual. `missed_count` opens whose market was beyond the cap; `uncovered_count` without bars."""

    trades_count: int
    missed_count: int
    too_small_count: int
    uncovered_count: int
    net_pnl_usdt: float
    net_ratio: float
    win_ratio: float | None
    fees_usdt: float
    profit_share_usdt: float
    max_drawdown_realised_ratio: float


@dataclass(slots=True, kw_only=True)
class _Account:
    """Running state of the copier's wallet, money."""

    cash: int
    high_water: int
    week: int
    used: int = 0
    fees: int = 0
    shared: int = 0
    equity: list[int] = field(default_factory=list[int])
    nets: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    episode: Episode
    quantity: int
    entry_notional: int
    entry_fee: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """One copied order: the bar it would trade on, opening or closing."""

    at_ms: int
    opens: bool
    episode: Episode
    price: int
    lead_price: Decimal
    """The market when the lead opened; history's average cost was not known then."""


def native_copy(
    episodes: Sequence[Episode], data: MarketData, *, rules: NativeCopyRules, costs: CostModel, initial_equity: Money
) -> NativeCopy:
    """Copies every closed episode whose open and close have bars, in time order, by the exchange's rules."""
    account = _Account(cash=initial_equity, high_water=initial_equity, week=0, equity=[initial_equity])
    orders, uncovered = _orders(episodes, data, rules)
    account.week = _week(orders[0].at_ms) if orders else 0
    held: dict[str, _Held] = {}
    missed, too_small = 0, 0
    for order in orders:
        _settle_weeks(account, order.at_ms, rules)
        instrument = data.instruments[order.episode.market]
        if not order.opens:
            if (position := held.pop(order.episode.episode_id, None)) is not None:
                _close(account, position, order.price, instrument, costs)
            continue
        price = _capped_price(order, instrument, rules, costs)
        if price is None:
            missed += 1
        elif (position := _open(account, order.episode, price, instrument, rules, costs)) is None:
            too_small += 1
        else:
            held[order.episode.episode_id] = position
    _share_profit(account, rules)
    net = account.cash - initial_equity
    return NativeCopy(
        trades_count=len(account.nets),
        missed_count=missed,
        too_small_count=too_small,
        uncovered_count=uncovered,
        net_pnl_usdt=money_to_float(net),
        net_ratio=net / initial_equity,
        win_ratio=sum(value > 0 for value in account.nets) / len(account.nets) if account.nets else None,
        fees_usdt=money_to_float(account.fees),
        profit_share_usdt=money_to_float(account.shared),
        max_drawdown_realised_ratio=max_drawdown_ratio(np.array(account.equity, dtype=np.int64)),
    )


def _orders(episodes: Sequence[Episode], data: MarketData, rules: NativeCopyRules) -> tuple[list[_Order], int]:
    orders: list[_Order] = []
    uncovered = 0
    for episode in episodes:
        series = data.bars.get(episode.market)
        if episode.closed_at is None:
            continue
        opened = _first_open(series, round(episode.opened_at.timestamp() * 1000) + rules.delay_s * 1000)
        closed = _first_open(series, round(episode.closed_at.timestamp() * 1000) + rules.delay_s * 1000)
        lead_price = data.price_when_opened(episode)
        if opened is None or closed is None or lead_price is None:
            uncovered += 1
            continue
        orders.append(_Order(at_ms=opened[0], opens=True, episode=episode, price=opened[1], lead_price=lead_price))
        orders.append(_Order(at_ms=closed[0], opens=False, episode=episode, price=closed[1], lead_price=lead_price))
    # At one instant opens come first: money that a close frees is not there yet, and an episode opens before it closes.
    return sorted(orders, key=lambda order: (order.at_ms, not order.opens, order.episode.episode_id)), uncovered


def _first_open(series: BarSeries | None, at_ms: int) -> tuple[int, int] | None:
    if series is None or len(series) == 0 or at_ms < series.start_ms:
        return None
    index = series.index_at_or_after(at_ms)
    if index >= len(series):
        return None
    return int(series.open_time_ms[index]), int(series.open[index])


def _capped_price(order: _Order, instrument: Instrument, rules: NativeCopyRules, costs: CostModel) -> Ticks | None:
    """The price paid, slippage included but never beyond the cap; None when the market is beyond it already."""
    base = order.episode.market.partition("/")[0]
    cap = Decimal(rules.cap_tight if base in TIGHT_BASES else rules.cap_wide) / RATE_SCALE
    buys = order.episode.side.entry_buys
    slipped = against(order.price, costs.slippage, buying=buys)
    if buys:
        limit = ticks_down(order.lead_price * (1 + cap), instrument.tick_size)
        return None if order.price > limit else min(slipped, limit)
    limit = ticks_up(order.lead_price * (1 - cap), instrument.tick_size)
    return None if order.price < limit else max(slipped, limit)


def _open(
    account: _Account, episode: Episode, price: Ticks, instrument: Instrument, rules: NativeCopyRules, costs: CostModel
) -> _Held | None:
    free = max(0, account.cash - account.used)
    affordable = min(
        max(0, account.cash) * rules.balance_share // RATE_SCALE, free * rules.available_discount // RATE_SCALE
    )
    quantity = instrument.quantity_for(min(affordable, NOTIONAL_MAX), price)
    if instrument.is_below_minimum(price, quantity):
        return None
    notional = instrument.notional(price, quantity)
    paid = fee(notional, costs.taker_fee)
    account.cash -= paid
    account.fees += paid
    account.used += notional
    return _Held(episode=episode, quantity=quantity, entry_notional=notional, entry_fee=paid)


def _close(account: _Account, position: _Held, price: int, instrument: Instrument, costs: CostModel) -> None:
    side: Side = position.episode.side
    paid_price = against(price, costs.slippage, buying=side.exit_buys)
    notional = instrument.notional(paid_price, position.quantity)
    paid = fee(notional, costs.taker_fee)
    gross = side.sign * (notional - position.entry_notional)
    account.cash += gross - paid
    account.fees += paid
    account.used -= position.entry_notional
    account.nets.append(gross - paid - position.entry_fee)
    account.equity.append(account.cash)


def _week(at_ms: int) -> int:
    return (at_ms - MONDAY_MS) // WEEK_MS


def _settle_weeks(account: _Account, at_ms: int, rules: NativeCopyRules) -> None:
    if _week(at_ms) > account.week:
        _share_profit(account, rules)
        account.week = _week(at_ms)


def _share_profit(account: _Account, rules: NativeCopyRules) -> None:
    new_profit = account.cash - account.high_water
    if new_profit > 0:
        taken = -(-new_profit * rules.profit_share // RATE_SCALE)
        account.cash -= taken
        account.shared += taken
        account.high_water = account.cash
        account.equity.append(account.cash)


AVAILABLE_DISCOUNT_ASSUMED = Ppm(950_000)
"""The exchange does not publish the discount as a number; 95 % of what is free is assumed."""
PROFIT_SHARE_DEFAULT = Ppm(100_000)
"""10 %: what leads usually ask; used when the lead's own share is not known."""


def published_rules(*, balance_share: Ppm, profit_share: Ppm | None) -> NativeCopyRules:
    """The exchange's rules as published, without delay.

    Args:
        balance_share: share of the copier's balance per order.
        profit_share: the lead's, or None when its detail page has not been read.
    """
    return NativeCopyRules(
        cap_tight=Ppm(5_000),
        cap_wide=Ppm(15_000),
        balance_share=balance_share,
        available_discount=AVAILABLE_DISCOUNT_ASSUMED,
        profit_share=PROFIT_SHARE_DEFAULT if profit_share is None else profit_share,
        delay_s=0,
    )
