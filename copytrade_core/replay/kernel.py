"""The fast engine: many candidates per call, following events instead of bars, equal to the reference bit for bit.

It holds no rule of its own: `reference.py` is the truth and `equivalence.py` the proof. Integers only, but for the
statistics at the end; the only module that knows numba.

A short is judged as a long on the mirrored market, so "adverse" is always down. What a trade does next depends on
nothing but its own orders, so its next fill is searched once, when its orders change: the first bar whose low reaches
the stop or a rung, whose high reaches the take-profit or moves the trailing stop, or whose close is beyond a rung. Fills
of all trades are then taken in the order of time, because they share equity, caps and the entry brake. What still walks
bar by bar: a trade whose rungs were refused asks again at every bar's end, as the reference does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, prange

from copytrade_core.replay.arrays import BRANCH, NEVER

# Stages inside a bar, in the reference's order; a key is bar << 12 | stage << 8 | market.
AT_OPEN, EXIT_OPEN, ENTRY_OPEN, INSIDE, EXIT_CLOSE, ENTRY_CLOSE, MID_BAR, BAR_END = 0, 2, 3, 4, 5, 6, 7, 9
BAR_SHIFT, STAGE_SHIFT = 12, 8
NO_KEY = 2**62
DAY_MS = 86_400_000
PPM, LEVEL, FUNDING = 10**6, 10**9, 10**8
NOTIONAL_MAX = 10**14
RUNGS = 8

# Columns of a signal row (signals.SIGNAL_COLUMNS).
(G_MARKET, G_SIGN, G_KNOWN, G_BAR, G_AGE, G_DRIFT, G_TICKS, G_SEEDED, G_COVERED, G_CLOSE, G_CLOSE_BAR, G_MARGIN,
 G_RANK) = range(13)  # fmt: skip
# Columns of a candidate row (candidates.CANDIDATE_COLUMNS).
(C_SOURCE, C_SIZING, C_TARGET, C_DENOMINATOR, C_HEADROOM, C_AGE, C_DRIFT, C_SIDE, C_RUNGS, C_MIN_ORDER, C_FROM_SOURCE,
 C_PROFIT, C_STOP, C_CALLBACK, C_TTL, C_FAILURES, C_COOLDOWN, C_BASE) = range(18)  # fmt: skip
# Columns of a trade.
(T_EPISODE, T_ROW, T_MARKET, T_SIGN, T_UNIT, T_QUANTITY, T_COST, T_ENTERED, T_FEES, T_SLIPPAGE, T_FUNDING, T_ENTRY_BAR,
 T_ENTRY_MS, T_POS, T_STOP, T_STOP_WHY, T_PROFIT, T_START, T_PEAK, T_RUNGS, T_FILLED, T_PLACED, T_PLANNED, T_SKIPPED,
 T_SKIPPED_MONEY, T_LAST_TTL, T_LAST_CLOSE, T_MAE, T_MFE, T_LOW, T_HIGH, T_ADDS, T_LEAVING, T_WHY, T_KEY, T_PAID,
 T_REFUSED, T_RESERVED, T_HASH, T_TARGET, T_COLUMNS) = range(41)  # fmt: skip
# The account.
(A_CASH, A_SIGNED_COST, A_RESERVED, A_FAILURES, A_UNTIL, A_DAY, A_DAY_CASH, A_STATUS, A_EVENTS, A_FILLS, A_TRIPS, A_DUE,
 A_DUE_MS, A_REAL, A_REAL_PEAK, A_COLUMNS) = range(16)  # fmt: skip
# Integer outputs (SweepTable without its ratios, in its order).
(O_STATUS, O_TRADES, O_LONGS, O_WINS, O_NET, O_WON, O_LOST, O_BEST, O_WORST, O_REALISED, O_FEES, O_SLIPPAGE, O_FUNDING,
 O_ENTERED, O_MAE, O_MAE_WORST, O_MFE, O_MFE_BEST, O_BARS, O_ADDS, O_ADDS_MAX, O_PLANNED, O_SKIPPED_RUNGS,
 O_SKIPPED_MONEY, O_HELD_MS, O_HELD_MS_MAX, O_SKIPPED, O_BLOCKED, O_GROSS, O_EQUITY_WORST, O_HASH,
 O_COLUMNS) = range(32)  # fmt: skip
F_SQUARES, F_REALISED, F_MARKED, F_INTRABAR, F_COLUMNS = range(5)

SOURCE_CLOSE, TTL, STOP_LOSS, TRAILING, TAKE_PROFIT = 100, 101, 102, 103, 104
OUT_OF_BOUNDS = 1
DAILY_LOSS, GROSS, EQUITY = 1, 2, 3


class Bars(NamedTuple):
    """`PreparedMarkets` as the kernel takes it."""

    interval_ms: int
    first_bar: int
    count: int
    open: np.ndarray
    close: np.ndarray
    low: np.ndarray
    high: np.ndarray
    close_min: np.ndarray
    offsets: np.ndarray
    coarse_shift: int
    coarse_low: np.ndarray
    coarse_close_min: np.ndarray
    rules: np.ndarray
    funding_start: np.ndarray
    funding_bar: np.ndarray
    funding_rate: np.ndarray
    funding_slot: np.ndarray
    funding_bars: np.ndarray


class Assumptions(NamedTuple):
    """`ReplaySpec` as the kernel takes it; a cap of 0 is none, a balance of 0 unknown."""

    at_close: bool
    touch: bool
    taker: int
    maker: int
    slippage: int
    equity: int
    lead_balance: int
    gross_max: int
    daily_loss_max: int


class Desk(NamedTuple):
    """Working arrays of one thread; their content means nothing between candidates."""

    trades: np.ndarray
    rung_price: np.ndarray
    rung_steps: np.ndarray
    rung_asked: np.ndarray
    rung_reserved: np.ndarray
    rung_from: np.ndarray
    rung_leg: np.ndarray
    active: np.ndarray
    pending: np.ndarray
    slot_of: np.ndarray
    account: np.ndarray
    net: np.ndarray
    gross: np.ndarray
    waiting: np.ndarray
    asked: np.ndarray
    free: np.ndarray
    events: np.ndarray
    paid: np.ndarray
    due: np.ndarray
    states: np.ndarray
    unsure: np.ndarray
    seen: np.ndarray
    counts: np.ndarray
    fills: np.ndarray
    trips: np.ndarray


jit = njit(cache=True, error_model="numpy", nogil=True, boundscheck=False)


# --- money: the rounding rules of model/units.py -----------------------------------------------------------------------


@jit
def _up(numerator, denominator):
    return -((-numerator) // denominator)


@jit
def _against(price, rate, buying):
    if buying:
        return _up(price * (PPM + rate), PPM)
    return max(1, price * (PPM - rate) // PPM)


@jit
def _offset(price, rate, buying):
    scaled = price * (PPM + rate)
    return max(1, _up(scaled, PPM) if buying else scaled // PPM)


@jit
def _at_level(anchor, ratio, buying):
    scaled = anchor * ratio
    return max(1, _up(scaled, LEVEL) if buying else scaled // LEVEL)


@jit
def _share(amount, numerator, denominator):
    """amount * numerator // denominator for non-negative factors whose product leaves int64: long division by bytes."""
    quotient = 0
    rest = 0
    for shift in range(56, -1, -8):
        rest = (rest << 8) + ((amount >> shift) & 255) * numerator
        quotient = (quotient << 8) + rest // denominator
        rest = rest % denominator
    return quotient


@jit
def _funding_cost(notional, signed_rate):
    units = notional // FUNDING
    return units * signed_rate + _up((notional - units * FUNDING) * signed_rate, FUNDING)


# --- the range-extreme trees -------------------------------------------------------------------------------------------


@jit
def _next_hit(bars, row, start, stop, low_at, high_at, close_at):
    """The first bar in [start, stop) with low <= low_at, high >= high_at or close <= close_at; `stop` when there is none.

    Returns (bar, lowest low, highest high over the bars before it). Climbs whole blocks, then descends.
    """
    low, high, close = bars.low[row], bars.high[row], bars.close_min[row]
    lowest, highest = NEVER, -NEVER
    level, node, found = 0, start, False
    while True:
        base = bars.offsets[level]
        block_end = (node // BRANCH + 1) * BRANCH
        limit = min(block_end, stop >> (4 * level))
        while node < limit:
            at = base + node
            if low[at] <= low_at or high[at] >= high_at or close[at] <= close_at:
                found = True
                break
            lowest = min(lowest, low[at])
            highest = max(highest, high[at])
            node += 1
        if found or node < block_end or level + 2 >= len(bars.offsets):
            break
        level += 1
        node //= BRANCH
    while level > 0:
        level -= 1
        base = bars.offsets[level]
        node *= BRANCH
        limit = node + BRANCH if found else stop >> (4 * level)
        while node < limit:
            at = base + node
            if low[at] <= low_at or high[at] >= high_at or close[at] <= close_at:
                found = True
                break
            lowest = min(lowest, low[at])
            highest = max(highest, high[at])
            node += 1
    return node, lowest, highest


# --- one trade ---------------------------------------------------------------------------------------------------------


@jit
def _protect(trade, candidate):
    """Stop, take-profit and the level that starts a trailing stop, from the average entry; mirrored ticks."""
    sign, unit = trade[T_SIGN], trade[T_QUANTITY] * trade[T_UNIT]
    cost = trade[T_COST]
    average = _up(cost, unit) if sign > 0 else cost // unit
    fixed = -NEVER
    if candidate[C_STOP] > 0:
        fixed = sign * _offset(average, -sign * candidate[C_STOP], sign < 0)
    trade[T_PROFIT] = trade[T_START] = NEVER
    if candidate[C_PROFIT] > 0:
        level = sign * _offset(average, sign * candidate[C_PROFIT], sign < 0)
        if candidate[C_CALLBACK] == 0:
            trade[T_PROFIT] = level
        else:
            trade[T_START] = level
    _stop(trade, candidate, fixed)


@jit
def _stop(trade, candidate, fixed):
    if trade[T_START] != NEVER and trade[T_PEAK] >= trade[T_START]:
        sign = trade[T_SIGN]
        trailing = sign * _offset(sign * trade[T_PEAK], -sign * candidate[C_CALLBACK], sign < 0)
        trade[T_STOP] = max(max(fixed, trailing), trade[T_STOP])
        trade[T_STOP_WHY] = STOP_LOSS if trade[T_STOP] == fixed else TRAILING
    elif fixed != -NEVER or trade[T_STOP] == -NEVER:
        trade[T_STOP] = fixed
        trade[T_STOP_WHY] = STOP_LOSS


@jit
def _bar_ended(trade, candidate, low, high):
    """A bar ended while the trade was held: excursion, and the trailing stop when the peak moved."""
    trade[T_LOW] = min(trade[T_LOW], low)
    trade[T_HIGH] = max(trade[T_HIGH], high)
    if high > trade[T_PEAK]:
        trade[T_PEAK] = high
        if high >= trade[T_START]:
            _protect(trade, candidate)


@jit
def _phase_ended(desk, trade):
    """The quantity is about to change: settle the excursions marked with it."""
    if trade[T_LOW] != NEVER:
        unit, cost = trade[T_QUANTITY] * trade[T_UNIT], trade[T_SIGN] * trade[T_COST]
        if unit > NOTIONAL_MAX // (trade[T_HIGH] if trade[T_SIGN] > 0 else -trade[T_LOW]):
            desk.account[A_STATUS] = OUT_OF_BOUNDS
        trade[T_MAE] = min(trade[T_MAE], unit * trade[T_LOW] - cost)
        trade[T_MFE] = max(trade[T_MFE], unit * trade[T_HIGH] - cost)
    trade[T_LOW], trade[T_HIGH] = NEVER, -NEVER


@jit
def _plan(bars, assumed, candidate, trade, price, since):
    """Find the trade's next moment: its key, or NO_KEY when only the source's close can end it."""
    last = min(trade[T_LAST_TTL], trade[T_LAST_CLOSE])
    row, market = trade[T_ROW], trade[T_MARKET]
    asks_again = trade[T_PLACED] < trade[T_RUNGS]
    while trade[T_POS] <= last:
        pos = trade[T_POS]
        stop = pos + 1 if asks_again else last + 1
        low_at, close_at = trade[T_STOP], -NEVER
        rung, has_rung = trade[T_FILLED], trade[T_FILLED] < trade[T_PLACED]
        if has_rung and assumed.touch:
            low_at = max(low_at, price[rung])
        elif has_rung:
            close_at = price[rung] - 1
        trails = trade[T_START] != NEVER
        high_at = max(trade[T_START], trade[T_PEAK] + 1) if trails else trade[T_PROFIT]
        hit, lowest, highest = _next_hit(bars, row, pos, stop, low_at, high_at, close_at)
        trade[T_LOW] = min(trade[T_LOW], lowest)
        trade[T_HIGH] = max(trade[T_HIGH], highest)
        trade[T_PEAK] = max(trade[T_PEAK], highest)
        trade[T_POS] = hit
        if hit < stop:
            low, high, close = bars.low[row, hit], bars.high[row, hit], bars.close_min[row, hit]
            live = has_rung and since[rung] <= hit
            reached = low <= trade[T_STOP] or high >= trade[T_PROFIT]
            touched = live and assumed.touch and low <= low_at
            if reached or touched or (live and close <= close_at and hit < last):
                return (hit << BAR_SHIFT) | (INSIDE << STAGE_SHIFT) | market
            _bar_ended(trade, candidate, low, high)
            trade[T_POS] = hit + 1
        if asks_again:
            return ((trade[T_POS] - 1) << BAR_SHIFT) | (BAR_END << STAGE_SHIFT) | market
    if trade[T_LAST_TTL] <= trade[T_LAST_CLOSE]:
        return (trade[T_LAST_TTL] << BAR_SHIFT) | (BAR_END << STAGE_SHIFT) | market
    return NO_KEY


# --- the account -------------------------------------------------------------------------------------------------------


@jit
def _pay_funding(bars, desk, trade, until):
    """Book the funding of one trade that is due up to and including a bar."""
    market, sign = trade[T_MARKET], trade[T_SIGN]
    end = bars.funding_start[market + 1]
    at = trade[T_PAID]
    total = 0
    unit = trade[T_QUANTITY] * trade[T_UNIT]
    while at < end and bars.funding_bar[at] <= until:
        price = np.int64(bars.open[market, bars.funding_bar[at]])
        if unit > NOTIONAL_MAX // price:
            desk.account[A_STATUS] = OUT_OF_BOUNDS
        cost = _funding_cost(price * unit, bars.funding_rate[at] * sign)
        desk.paid[bars.funding_slot[at]] += cost
        total += cost
        at += 1
    trade[T_PAID] = at
    trade[T_FUNDING] += total
    desk.account[A_CASH] -= total


@jit
def _pay_all(bars, desk, count, until):
    for index in range(count):
        _pay_funding(bars, desk, desk.trades[desk.active[index, 0]], until)


@jit
def _on_day(bars, desk, count, now_ms):
    """The cash with which the day of `now_ms` began, as `flow` keeps it at its first step of that day."""
    day = now_ms // DAY_MS
    if day > desk.account[A_DAY]:
        _pay_all(bars, desk, count, _up(day * DAY_MS, bars.interval_ms) - 1 - bars.first_bar)
        desk.account[A_DAY] = day
        desk.account[A_DAY_CASH] = desk.account[A_CASH]


@jit
def _worth(bars, desk, mark):
    """Equity and notional used (held and reserved) at the closes of bar `mark`."""
    used = desk.account[A_RESERVED]
    worth = desk.account[A_CASH] - desk.account[A_SIGNED_COST]
    for market in range(len(desk.net)):
        if desk.gross[market] != 0 or desk.waiting[market] != 0:
            price = bars.close[market, mark]
            worth += desk.net[market] * price
            used += (desk.gross[market] + desk.waiting[market]) * price
    return worth, used


@jit
def _refusal(bars, assumed, desk, mark, asked):
    """Risk's answer to an entry: 0, or the first reason against it (risk/gate.py)."""
    worth, used = _worth(bars, desk, mark)
    if assumed.daily_loss_max > 0 and worth - desk.account[A_DAY_CASH] <= -assumed.daily_loss_max:
        return DAILY_LOSS
    if assumed.gross_max > 0 and used + asked > assumed.gross_max:
        return GROSS
    return EQUITY if used + asked > worth else 0


@jit
def _entry_failed(candidate, account, now_ms):
    account[A_FAILURES] += 1
    if account[A_FAILURES] >= candidate[C_FAILURES]:
        account[A_UNTIL] = now_ms + candidate[C_COOLDOWN]


@jit
def _log(desk, bar, market, net, gross, worth, cash, is_fresh):
    """One change of the portfolio at a bar: units held (with sign, and without), money not in prices, cash."""
    at = desk.account[A_EVENTS]
    desk.account[A_EVENTS] = at + 1
    event = desk.events[at]
    event[0], event[1], event[2], event[3], event[4], event[5], event[6] = bar, market, net, gross, worth, cash, is_fresh
    desk.net[market] += net
    desk.gross[market] += gross
    desk.account[A_CASH] += cash
    desk.account[A_SIGNED_COST] += cash - worth


@jit
def _enter(bars, assumed, desk, trade, bar, raw, steps, rate, leg, time_ms, is_fresh):
    """Book an entry at a raw price (as it is, not mirrored)."""
    sign, unit = trade[T_SIGN], trade[T_UNIT]
    price = _against(raw, assumed.slippage, sign > 0)
    notional = price * steps * unit
    fee = _up(notional * rate, PPM)
    slippage = abs(notional - raw * steps * unit)
    if steps * unit > NOTIONAL_MAX // max(price, raw):
        desk.account[A_STATUS] = OUT_OF_BOUNDS
    trade[T_QUANTITY] += steps
    trade[T_COST] += notional
    trade[T_ENTERED] += notional
    trade[T_FEES] += fee
    trade[T_SLIPPAGE] += slippage
    _log(desk, bar, trade[T_MARKET], sign * steps * unit, steps * unit, -fee - sign * notional, -fee, is_fresh)
    _note(bars, desk, trade, leg, bar, time_ms, sign > 0, raw, price, steps, fee, slippage)
    return price


@jit
def _note(bars, desk, trade, leg, bar, time_ms, buys, raw, price, steps, fee, slippage):
    """Chain the fill into the trade's hash, and keep it when somebody asked for fills."""
    value = trade[T_HASH]
    buy = np.int64(1) if buys else np.int64(0)
    for part in (leg, (bar + bars.first_bar) * bars.interval_ms, buy, price, steps):
        value = (value ^ part) * np.int64(0x100000001B3)
    trade[T_HASH] = value
    if len(desk.fills) > 0:
        fill = desk.fills[desk.account[A_FILLS]]
        fill[0], fill[1], fill[2], fill[3] = trade[T_EPISODE], leg, (bar + bars.first_bar) * bars.interval_ms, time_ms
        fill[4], fill[5], fill[6], fill[7], fill[8], fill[9] = buy, raw, price, steps, fee, slippage
    desk.account[A_FILLS] += 1


# --- a trade begins ----------------------------------------------------------------------------------------------------


@jit
def _legs(candidate, target, desk):
    """What each leg asks for and may order, for one target."""
    for leg in range(1 + candidate[C_RUNGS]):
        asked = candidate[C_BASE + leg]
        if candidate[C_DENOMINATOR] > 0:
            asked = _share(target, asked, candidate[C_DENOMINATOR])
        desk.asked[leg] = asked
        desk.free[leg] = _share(asked, PPM, PPM + candidate[C_HEADROOM])


@jit
def _target(bars, assumed, desk, candidate, signal, mark):
    """The target notional (strategies/sizing.py); -1 when there is none."""
    if candidate[C_SIZING] == 0:
        return candidate[C_TARGET]
    worth, _ = _worth(bars, desk, mark)
    if candidate[C_SIZING] == 1:
        return _share(candidate[C_TARGET], worth, assumed.equity) if worth > 0 else -1
    if assumed.lead_balance <= 0 or signal[G_MARGIN] < 0 or worth <= 0:
        return -1
    # Split, so that a margin far above the balance leaves int64 nowhere: the target bounds it anyway.
    times = signal[G_MARGIN] // assumed.lead_balance
    if times > 0 and worth >= _up(candidate[C_TARGET], times):
        return candidate[C_TARGET]
    rest = signal[G_MARGIN] - times * assumed.lead_balance
    asked = worth * times + _share(worth, rest, assumed.lead_balance)
    return min(candidate[C_TARGET], asked) if asked > 0 else -1


@jit
def _is_held_back(candidate, signal, account):
    """The entry rules that need no size (strategies/entry.py)."""
    if signal[G_SEEDED] or candidate[C_SIDE] * signal[G_SIGN] < 0:
        return True
    if signal[G_AGE] > candidate[C_AGE] or signal[G_DRIFT] > candidate[C_DRIFT]:
        return True
    return signal[G_KNOWN] < account[A_UNTIL]


@jit
def _is_covered(bars, candidate, signal):
    """Whether bars reach from the signal to the latest exit (replay/coverage.py)."""
    latest = signal[G_CLOSE]
    if candidate[C_TTL] > 0:
        latest = min(latest, signal[G_KNOWN] + candidate[C_TTL])
    return latest + 3 * bars.interval_ms <= signal[G_COVERED]


@jit
def _on_signal(bars, assumed, desk, candidate, signal, episode, bar, out, counts):
    """A signal: held back, refused by risk, or an order that fills at `fill_bar`. counts = (active, pending)."""
    account, market = desk.account, signal[G_MARKET]
    if not _is_covered(bars, candidate, signal) or _is_held_back(candidate, signal, account):
        out[O_SKIPPED] += 1
        return
    known = signal[G_KNOWN]
    mark = known // bars.interval_ms - 1 - bars.first_bar
    _pay_all(bars, desk, counts[0], bar - 1 if known % bars.interval_ms == 0 else bar)
    target = _target(bars, assumed, desk, candidate, signal, mark)
    if target < 0:
        out[O_SKIPPED] += 1
        return
    if candidate[C_SIZING] != 0:
        _legs(candidate, target, desk)
    price, unit = bars.close[market, mark], bars.rules[market, 0]
    steps = desk.free[0] // (price * unit)
    if steps < bars.rules[market, 1] or price * steps * unit < bars.rules[market, 2]:
        out[O_SKIPPED] += 1
        return
    if _refusal(bars, assumed, desk, mark, desk.asked[0]) > 0:
        out[O_BLOCKED] += 1
        _entry_failed(candidate, account, known)
        return
    order = desk.pending[counts[1]]
    counts[1] += 1
    stage = ENTRY_CLOSE if assumed.at_close else ENTRY_OPEN
    order[0] = (signal[G_BAR] << BAR_SHIFT) | (stage << STAGE_SHIFT) | market
    order[1], order[2], order[3] = episode, steps, target
    desk.waiting[market] += steps * unit


@jit
def _ladder(bars, candidate, ratios, trade, slot, anchor, desk):
    """Lay out the rungs that can be placed (strategies/dca_ladder.py); count those that cannot."""
    market, sign, unit = trade[T_MARKET], trade[T_SIGN], trade[T_UNIT]
    fewest, least = bars.rules[market, 1], bars.rules[market, 2]
    trade[T_PLANNED] = candidate[C_RUNGS]
    used, room = 0, trade[T_TARGET] - desk.asked[0]
    for rung in range(candidate[C_RUNGS]):
        price = _at_level(anchor, np.int64(ratios[rung if sign > 0 else RUNGS + rung]), sign > 0)
        asked, free = desk.asked[1 + rung], desk.free[1 + rung]
        if candidate[C_MIN_ORDER]:
            steps = max(fewest, _up(least, price * unit))
            asked = _up(steps * unit * price * (PPM + candidate[C_HEADROOM]), PPM)
            used += asked
            asked = asked if used <= room else 0
            free = _share(asked, PPM, PPM + candidate[C_HEADROOM])
        steps = free // (price * unit)
        if steps < fewest or price * steps * unit < least:
            trade[T_SKIPPED] += 1
            trade[T_SKIPPED_MONEY] += asked
            continue
        at = trade[T_RUNGS]
        trade[T_RUNGS] = at + 1
        desk.rung_leg[slot, at] = 1 + rung
        desk.rung_price[slot, at] = sign * price
        desk.rung_steps[slot, at] = steps
        desk.rung_asked[slot, at] = asked
        desk.rung_reserved[slot, at] = price * steps * unit


@jit
def _place_rungs(bars, assumed, desk, candidate, trade, slot, mark, now_ms, live_from, out):
    """Rest the rungs that do not rest yet; after the first refusal the others are not tried in this pass."""
    account = desk.account
    while trade[T_PLACED] < trade[T_RUNGS]:
        rung = trade[T_PLACED]
        reason = _refusal(bars, assumed, desk, mark, desk.rung_asked[slot, rung])
        if reason > 0:
            seen = np.int64(1) << (rung * 3 + reason)
            if trade[T_REFUSED] & seen == 0:
                trade[T_REFUSED] |= seen
                out[O_BLOCKED] += 1
            _entry_failed(candidate, account, now_ms)
            return
        account[A_RESERVED] += desk.rung_reserved[slot, rung]
        trade[T_RESERVED] += desk.rung_reserved[slot, rung]
        desk.rung_from[slot, rung] = live_from
        trade[T_PLACED] = rung + 1


@jit
def _open(bars, assumed, desk, candidate, ratios, signal, order, slot, bar, out):
    """An entry order fills: the trade exists, its exits and rungs rest. The account has been paid up to this bar."""
    trade, account = desk.trades[slot], desk.account
    trade[:] = 0
    market, sign = signal[G_MARKET], signal[G_SIGN]
    trade[T_EPISODE], trade[T_MARKET], trade[T_SIGN], trade[T_UNIT] = order[1], market, sign, bars.rules[market, 0]
    trade[T_ROW] = 2 * market + (0 if sign > 0 else 1)
    trade[T_TARGET], trade[T_HASH] = order[3], np.int64(-3750763034362895579)
    trade[T_LOW], trade[T_HIGH], trade[T_STOP] = NEVER, -NEVER, -NEVER
    trade[T_PROFIT] = trade[T_START] = NEVER
    trade[T_ENTRY_BAR] = bar
    time_ms = (bar + bars.first_bar + (1 if assumed.at_close else 0)) * bars.interval_ms
    raw = np.int64(bars.close[market, bar] if assumed.at_close else bars.open[market, bar])
    desk.waiting[market] -= order[2] * trade[T_UNIT]
    fill = _enter(bars, assumed, desk, trade, bar, raw, order[2], assumed.taker, 0, time_ms, assumed.at_close)
    account[A_FAILURES], account[A_UNTIL] = 0, 0
    trade[T_ENTRY_MS], trade[T_PEAK] = time_ms, sign * raw
    at, end = bars.funding_start[market], bars.funding_start[market + 1]
    trade[T_PAID] = at + np.searchsorted(bars.funding_bar[at:end], bar, side="right")
    if candidate[C_SIZING] != 0:
        _legs(candidate, order[3], desk)
    _ladder(bars, candidate, ratios, trade, slot, signal[G_TICKS] if candidate[C_FROM_SOURCE] else fill, desk)
    trade[T_LAST_TTL] = NO_KEY
    if candidate[C_TTL] > 0:
        trade[T_LAST_TTL] = _up(time_ms + candidate[C_TTL], bars.interval_ms) - 1 - bars.first_bar
    trade[T_LAST_CLOSE] = signal[G_CLOSE_BAR]
    trade[T_POS] = bar
    if assumed.at_close:
        # What the bar did before its close was before the entry.
        _bar_ended(trade, candidate, bars.close_min[trade[T_ROW], bar], bars.close_min[trade[T_ROW], bar])
        trade[T_POS] = bar + 1
    if trade[T_LAST_CLOSE] < bar:
        if not assumed.at_close:
            _bar_ended(trade, candidate, bars.low[trade[T_ROW], bar], bars.high[trade[T_ROW], bar])
        _leave(assumed, desk, trade, bar + 1, SOURCE_CLOSE)
        return
    _protect(trade, candidate)
    mark = bar if assumed.at_close else bar - 1
    live_from = trade[T_POS] if assumed.touch else trade[T_POS] + 1
    _place_rungs(bars, assumed, desk, candidate, trade, slot, mark, time_ms, live_from, out)
    if assumed.at_close and trade[T_PLACED] < trade[T_RUNGS]:
        # The bar ends at the moment of the fill: what was refused is asked for a second time.
        trade[T_KEY] = (bar << BAR_SHIFT) | (BAR_END << STAGE_SHIFT) | market
        return
    trade[T_KEY] = _plan(bars, assumed, candidate, trade, desk.rung_price[slot], desk.rung_from[slot])


# --- a trade goes on ---------------------------------------------------------------------------------------------------


@jit
def _leave(assumed, desk, trade, bar, why):
    """A market close is sent: what rests is taken back, and it fills on `bar`."""
    desk.account[A_RESERVED] -= trade[T_RESERVED]
    trade[T_RESERVED] = 0
    trade[T_RUNGS] = trade[T_PLACED] = trade[T_FILLED]
    trade[T_LEAVING], trade[T_WHY] = 1, why
    stage = EXIT_CLOSE if assumed.at_close else EXIT_OPEN
    trade[T_KEY] = (bar << BAR_SHIFT) | (stage << STAGE_SHIFT) | trade[T_MARKET]


@jit
def _inside(bars, assumed, desk, candidate, trade, slot, bar, out, outf):
    """A bar in which the trade fills: adverse first, stop before rung at a tie, take-profit only without a rung.

    Returns whether the trade is over.
    """
    row, sign = trade[T_ROW], trade[T_SIGN]
    price, since = desk.rung_price[slot], desk.rung_from[slot]
    first = np.int64(bars.open[trade[T_MARKET], bar]) * sign
    low, high, close = np.int64(bars.low[row, bar]), np.int64(bars.high[row, bar]), np.int64(bars.close_min[row, bar])
    end_ms = (bar + bars.first_bar + 1) * bars.interval_ms
    _pay_funding(bars, desk, trade, bar)
    added = False
    while True:
        stop_at = min(trade[T_STOP], first) if low <= trade[T_STOP] else -NEVER
        rung = trade[T_FILLED]
        rung_at = -NEVER
        if assumed.touch and rung < trade[T_PLACED] and since[rung] <= bar and low <= price[rung]:
            rung_at = min(price[rung], first)
        if stop_at == -NEVER and rung_at == -NEVER:
            break
        if stop_at >= rung_at:
            _close(bars, assumed, desk, trade, bar, stop_at * sign, assumed.taker, trade[T_STOP_WHY], end_ms, out, outf)
            return True
        _add(bars, assumed, desk, candidate, trade, slot, bar, rung_at * sign, end_ms)
        added = True
    last = min(trade[T_LAST_TTL], trade[T_LAST_CLOSE])
    rung = trade[T_FILLED]
    if not assumed.touch and bar < last and rung < trade[T_PLACED] and since[rung] <= bar and close < price[rung]:
        _add(bars, assumed, desk, candidate, trade, slot, bar, price[rung] * sign, end_ms)
        added = True
    if not added and high >= trade[T_PROFIT]:
        at = max(trade[T_PROFIT], first)
        _close(bars, assumed, desk, trade, bar, at * sign, assumed.maker, TAKE_PROFIT, end_ms, out, outf)
        return True
    _bar_ended(trade, candidate, low, high)
    trade[T_POS] = bar + 1
    if trade[T_PLACED] < trade[T_RUNGS]:
        trade[T_KEY] = (bar << BAR_SHIFT) | (BAR_END << STAGE_SHIFT) | trade[T_MARKET]
    else:
        trade[T_KEY] = _plan(bars, assumed, candidate, trade, price, since)
    return False


@jit
def _add(bars, assumed, desk, candidate, trade, slot, bar, raw, end_ms):
    """A rung fills; the exits follow the new average."""
    rung = trade[T_FILLED]
    _phase_ended(desk, trade)
    desk.account[A_RESERVED] -= desk.rung_reserved[slot, rung]
    trade[T_RESERVED] -= desk.rung_reserved[slot, rung]
    trade[T_FILLED] = rung + 1
    trade[T_ADDS] += 1
    leg = desk.rung_leg[slot, rung]
    _enter(bars, assumed, desk, trade, bar, raw, desk.rung_steps[slot, rung], assumed.maker, leg, end_ms, False)
    desk.account[A_FAILURES], desk.account[A_UNTIL] = 0, 0
    _protect(trade, candidate)


@jit
def _bar_end(bars, assumed, desk, candidate, trade, slot, bar, out):
    """The end of a bar: the time-to-live, or rungs that still do not rest."""
    end_ms = (bar + bars.first_bar + 1) * bars.interval_ms
    if bar >= trade[T_LAST_TTL]:
        _leave(assumed, desk, trade, bar + 1, TTL)
        return
    if end_ms >= desk.account[A_UNTIL]:
        live_from = trade[T_POS] if assumed.touch else trade[T_POS] + 1
        _place_rungs(bars, assumed, desk, candidate, trade, slot, bar, end_ms, live_from, out)
    trade[T_KEY] = _plan(bars, assumed, candidate, trade, desk.rung_price[slot], desk.rung_from[slot])


# --- a trade ends ------------------------------------------------------------------------------------------------------


@jit
def _close(bars, assumed, desk, trade, bar, raw, rate, why, time_ms, out, outf):
    """Book the exit of everything that is held, and the round trip."""
    sign, unit, steps = trade[T_SIGN], trade[T_UNIT], trade[T_QUANTITY]
    _phase_ended(desk, trade)
    price = _against(raw, assumed.slippage, sign < 0)
    notional = price * steps * unit
    if steps * unit > NOTIONAL_MAX // max(price, raw):
        desk.account[A_STATUS] = OUT_OF_BOUNDS
    fee = _up(notional * rate, PPM)
    slippage = abs(notional - raw * steps * unit)
    realised = sign * (notional - trade[T_COST])
    _log(desk, bar, trade[T_MARKET], -sign * steps * unit, -steps * unit, sign * notional - fee, realised - fee, False)
    _note(bars, desk, trade, why, bar, time_ms, sign < 0, raw, price, steps, fee, slippage)
    desk.account[A_RESERVED] -= trade[T_RESERVED]
    trade[T_FEES] += fee
    trade[T_SLIPPAGE] += slippage
    trade[T_MAE] = min(trade[T_MAE], realised)
    trade[T_MFE] = max(trade[T_MFE], realised)
    pnl = realised - trade[T_FEES] - trade[T_FUNDING]
    _count(trade, bar, time_ms, realised, pnl, out)
    if len(desk.trips) > 0:
        _keep(desk.trips[desk.account[A_TRIPS]], trade, bar, time_ms, steps, realised, pnl, why)
    desk.account[A_TRIPS] += 1
    _settle(desk, trade[T_EPISODE], time_ms, pnl, outf)


@jit
def _count(trade, bar, time_ms, realised, pnl, out):
    """Add one round trip to the sums."""
    out[O_BEST] = max(out[O_BEST], pnl) if out[O_TRADES] > 0 else pnl
    out[O_WORST] = min(out[O_WORST], pnl) if out[O_TRADES] > 0 else pnl
    out[O_TRADES] += 1
    out[O_LONGS] += trade[T_SIGN] > 0
    out[O_WINS] += pnl > 0
    out[O_NET] += pnl
    out[O_WON] += max(pnl, 0)
    out[O_LOST] += min(pnl, 0)
    out[O_REALISED] += realised
    out[O_FEES] += trade[T_FEES]
    out[O_SLIPPAGE] += trade[T_SLIPPAGE]
    out[O_FUNDING] += trade[T_FUNDING]
    out[O_ENTERED] += trade[T_ENTERED]
    out[O_MAE] += trade[T_MAE]
    out[O_MAE_WORST] = min(out[O_MAE_WORST], trade[T_MAE])
    out[O_MFE] += trade[T_MFE]
    out[O_MFE_BEST] = max(out[O_MFE_BEST], trade[T_MFE])
    out[O_BARS] += bar - trade[T_ENTRY_BAR]
    out[O_ADDS] += trade[T_ADDS]
    out[O_ADDS_MAX] = max(out[O_ADDS_MAX], trade[T_ADDS])
    out[O_PLANNED] += trade[T_PLANNED]
    out[O_SKIPPED_RUNGS] += trade[T_SKIPPED]
    out[O_SKIPPED_MONEY] += trade[T_SKIPPED_MONEY]
    out[O_HELD_MS] += time_ms - trade[T_ENTRY_MS]
    out[O_HELD_MS_MAX] = max(out[O_HELD_MS_MAX], time_ms - trade[T_ENTRY_MS])
    out[O_HASH] += trade[T_HASH]


@jit
def _keep(trip, trade, bar, time_ms, steps, realised, pnl, why):
    """One round trip in full (sweep.TRIP_COLUMNS)."""
    trip[0], trip[1], trip[2], trip[3] = trade[T_EPISODE], trade[T_ENTRY_MS], time_ms, steps
    trip[4], trip[5], trip[6], trip[7] = trade[T_ENTERED], realised, trade[T_FEES], trade[T_SLIPPAGE]
    trip[8], trip[9], trip[10], trip[11] = trade[T_FUNDING], pnl, trade[T_MAE], trade[T_MFE]
    trip[12], trip[13], trip[14] = bar - trade[T_ENTRY_BAR], trade[T_ADDS], trade[T_SKIPPED]
    trip[15], trip[16], trip[17] = trade[T_PLANNED], trade[T_SKIPPED_MONEY], why


@jit
def _settle(desk, episode, time_ms, pnl, outf):
    """Realised equity in order of (exit time, episode): exits of one moment wait until the moment is over."""
    account = desk.account
    if account[A_DUE] > 0 and time_ms > account[A_DUE_MS]:
        _settle_due(desk, outf)
    account[A_DUE_MS] = time_ms
    at = account[A_DUE]
    while at > 0 and desk.due[at - 1, 0] > episode:
        desk.due[at] = desk.due[at - 1]
        at -= 1
    desk.due[at, 0], desk.due[at, 1] = episode, pnl
    account[A_DUE] += 1


@jit
def _settle_due(desk, outf):
    account = desk.account
    for index in range(account[A_DUE]):
        pnl = desk.due[index, 1]
        outf[F_SQUARES] += (pnl / FUNDING) * (pnl / FUNDING)
        account[A_REAL] += pnl
        account[A_REAL_PEAK] = max(account[A_REAL_PEAK], account[A_REAL])
        outf[F_REALISED] = max(outf[F_REALISED], _fall(account[A_REAL_PEAK], account[A_REAL]))
    account[A_DUE] = 0


@jit
def _fall(peak, value):
    """The fall from a peak as a share of it; a peak of zero or less counts as a total loss (evidence/drawdown.py)."""
    if value >= peak:
        return 0.0
    return np.float64(peak - value) / np.float64(peak) if peak > 0 else 1.0


# --- the account over every bar's end ----------------------------------------------------------------------------------
# Between two events equity is a linear form of the closes. Blocks of bars are bounded by their extremes; only where a
# bound could beat a figure that is already known are bars looked at.

# Columns of a state: the portfolio from a bar on. Then for every market (in `PER_MARKET` columns): signed units, units,
# and of them the long and the short units that entered at this bar's close, which its low and high do not concern.
S_BAR, S_MONEY, S_FRESH, S_MARKETS = range(4)
PER_MARKET = 4
# What is known so far: the running peak (reached for certain, and its bound), the lowest equity, the largest gross.
K_PEAK, K_PEAK_MAX, K_LOWEST, K_GROSS, K_UNSURE, K_COLUMNS = range(6)


@jit
def _states(desk):
    """One state per bar with events, with units summed up; a bar of entries at the close is followed by one without."""
    states, count = desk.states, 0
    for index in range(desk.account[A_EVENTS]):
        event = desk.events[index]
        if count > 0 and states[count - 1, S_FRESH] and states[count - 1, S_BAR] + 1 < event[0]:
            count = _next_state(states, count, states[count - 1, S_BAR] + 1)
        if count == 0 or states[count - 1, S_BAR] < event[0]:
            count = _next_state(states, count, event[0])
        state = states[count - 1]
        state[S_MONEY] += event[4]
        at = S_MARKETS + PER_MARKET * event[1]
        state[at] += event[2]
        state[at + 1] += event[3]
        if event[6]:
            state[S_FRESH] = 1
            state[at + (2 if event[2] > 0 else 3)] += event[3]
    if count > 0 and states[count - 1, S_FRESH]:
        count = _next_state(states, count, states[count - 1, S_BAR] + 1)
    return count


@jit
def _next_state(states, count, bar):
    state = states[count]
    if count == 0:
        state[:] = 0
    else:
        state[:] = states[count - 1]
        state[S_MARKETS + 2 :: PER_MARKET] = 0
        state[S_MARKETS + 3 :: PER_MARKET] = 0
    state[S_BAR], state[S_FRESH] = bar, 0
    return count + 1


@jit
def _at_bar(bars, state, money, bar):
    """Equity, the lowest inside the bar and gross notional at one bar's end."""
    worth = worst = money
    gross_sum = np.int64(0)
    for market in range(len(bars.open)):
        at = S_MARKETS + PER_MARKET * market
        net, gross = state[at], state[at + 1]
        if gross == 0:
            continue
        price = np.int64(bars.close[market, bar])
        long, short = (gross + net) >> 1, (gross - net) >> 1
        worth += net * price
        gross_sum += gross * price
        if state[S_FRESH]:
            long -= state[at + 2]
            short -= state[at + 3]
            worst += (state[at + 2] - state[at + 3]) * price
        worst += long * bars.low[2 * market, bar] + short * bars.low[2 * market + 1, bar]
    return worth, min(worst, worth), gross_sum


@jit
def _bounds(state, money_low, money_high, close_min, low, at):
    """Bounds over a block: highest and lowest equity, lowest inside a bar, largest gross; `at` is the block's node."""
    upper, lower, worst = money_high, money_low, money_low
    gross_max = np.int64(0)
    for market in range(len(close_min) >> 1):
        column = S_MARKETS + PER_MARKET * market
        net, gross = state[column], state[column + 1]
        if gross == 0:
            continue
        least, most = np.int64(close_min[2 * market, at]), -np.int64(close_min[2 * market + 1, at])
        upper += net * (most if net > 0 else least)
        lower += net * (least if net > 0 else most)
        worst += ((gross + net) >> 1) * low[2 * market, at] + ((gross - net) >> 1) * low[2 * market + 1, at]
        gross_max += gross * most
    return upper, lower, min(worst, lower), gross_max


@jit
def _may_matter(seen, outf, lower, worst, gross):
    """Whether a block could hold a deeper fall, a lower equity or a larger gross than what is known."""
    if gross > seen[K_GROSS] or worst < seen[K_LOWEST] or worst < 0:
        return True
    peak = np.float64(seen[K_PEAK_MAX])
    # A hair of slack: bounds are compared as products, figures as quotients.
    return (
        peak - lower > peak * outf[F_MARKED] * 0.999999999999 or peak - worst > peak * outf[F_INTRABAR] * 0.999999999999
    )


@jit
def _see(seen, outf, worth, worst, gross):
    """One bar's end on the curve; the running peak before it is exact."""
    outf[F_INTRABAR] = max(outf[F_INTRABAR], _fall(seen[K_PEAK], worst))
    seen[K_PEAK] = max(seen[K_PEAK], worth)
    outf[F_MARKED] = max(outf[F_MARKED], _fall(seen[K_PEAK], worth))
    seen[K_LOWEST] = min(seen[K_LOWEST], worst)
    seen[K_GROSS] = max(seen[K_GROSS], gross)


@jit
def _paid_until(bars, desk, payment, money, bar):
    """Money after the funding due up to and including a bar, and the next payment."""
    while payment < len(bars.funding_bars) and bars.funding_bars[payment] <= bar:
        money -= desk.paid[payment]
        payment += 1
    return money, payment


@jit
def _walk(bars, desk, state, start, stop, money, payment, outf, only_peak):
    """Every bar in [start, stop) that its node of `BRANCH` bars does not rule out; `money` includes funding at start."""
    seen, base = desk.seen, bars.offsets[1] if len(bars.offsets) > 2 else 0
    bar = start
    while bar < stop:
        end = min(stop, (bar // BRANCH + 1) * BRANCH)
        if payment < len(bars.funding_bars):
            end = min(end, max(bars.funding_bars[payment], bar + 1))
        if base > 0 and end - bar > 1:
            upper, lower, worst, gross = _bounds(
                state, money, money, bars.close_min, bars.low, base + bar // BRANCH
            )
            seen[K_PEAK_MAX] = max(seen[K_PEAK_MAX], upper)
            skip = upper <= seen[K_PEAK] and (only_peak or not _may_matter(seen, outf, lower, worst, gross))
        else:
            skip = False
        while bar < end:
            if not skip:
                worth, worst, gross = _at_bar(bars, state, money, bar)
                if only_peak:
                    seen[K_PEAK] = max(seen[K_PEAK], worth)
                else:
                    _see(seen, outf, worth, worst, gross)
            bar += 1
        if bar < stop:
            money, payment = _paid_until(bars, desk, payment, money, bar)


@jit
def _sample(bars, assumed, desk, states_count, outf):
    """Figures at the bars of events: exact points of the curve, so lower bounds of every figure."""
    seen, payment, funding = desk.seen, 0, np.int64(assumed.equity)
    for index in range(states_count):
        state = desk.states[index]
        funding, payment = _paid_until(bars, desk, payment, funding, state[S_BAR])
        worth, worst, gross = _at_bar(bars, state, state[S_MONEY] + funding, state[S_BAR])
        if worst >= 0:  # below zero a lower peak makes a fall larger, so a sample would bound nothing
            _see(seen, outf, worth, worst, gross)


@jit
def _portfolio(bars, assumed, desk, out, outf):
    """Drawdowns, lowest equity and peak gross over the end of every bar."""
    seen = desk.seen
    count = _states(desk)
    seen[K_PEAK], seen[K_LOWEST], seen[K_GROSS], seen[K_UNSURE] = assumed.equity, NO_KEY, 0, 0
    _sample(bars, assumed, desk, count, outf)
    seen[K_PEAK] = seen[K_PEAK_MAX] = assumed.equity
    payment, funding = 0, np.int64(assumed.equity)
    for index in range(count):
        state = desk.states[index]
        bar = state[S_BAR]
        stop = desk.states[index + 1, S_BAR] if index + 1 < count else bar + 1
        funding, payment = _paid_until(bars, desk, payment, funding, bar)
        while bar < stop:
            end = min(stop, ((bar >> bars.coarse_shift) + 1) << bars.coarse_shift)
            start_payment, money = payment, state[S_MONEY] + funding
            low = high = money
            while payment < len(bars.funding_bars) and bars.funding_bars[payment] < end:
                funding -= desk.paid[payment]
                payment += 1
                low, high = min(low, state[S_MONEY] + funding), max(high, state[S_MONEY] + funding)
            _block(bars, desk, index, bar, end, money, low, high, start_payment, outf)
            funding, payment = _paid_until(bars, desk, payment, funding, end)
            bar = end
    out[O_GROSS] = seen[K_GROSS]
    out[O_EQUITY_WORST] = seen[K_LOWEST] if count > 0 else assumed.equity
    outf[F_INTRABAR] = max(outf[F_INTRABAR], outf[F_MARKED])


@jit
def _block(bars, desk, index, bar, end, money, low, high, payment, outf):
    """One block of bars under one state: ruled out by its bounds, or walked with the peak before it made exact."""
    seen, state = desk.seen, desk.states[index]
    upper, lower, worst, gross = _bounds(
        state, low, high, bars.coarse_close_min, bars.coarse_low, bar >> bars.coarse_shift
    )
    seen[K_PEAK_MAX] = max(seen[K_PEAK_MAX], upper)
    if not _may_matter(seen, outf, lower, worst, gross):
        if upper > seen[K_PEAK]:
            unsure = desk.unsure[seen[K_UNSURE]]
            unsure[0], unsure[1], unsure[2], unsure[3], unsure[4], unsure[5] = index, bar, end, money, payment, upper
            seen[K_UNSURE] += 1
            worth, _, _ = _at_bar(bars, state, money, bar)
            seen[K_PEAK] = max(seen[K_PEAK], worth)
        return
    for back in range(seen[K_UNSURE]):
        unsure = desk.unsure[back]
        if unsure[5] > seen[K_PEAK]:
            _walk(
                bars, desk, desk.states[unsure[0]], unsure[1], unsure[2], unsure[3], unsure[4], outf, True
            )
    seen[K_UNSURE] = 0
    seen[K_PEAK_MAX] = max(seen[K_PEAK], upper)
    _walk(bars, desk, state, bar, end, money, payment, outf, False)
    seen[K_PEAK_MAX] = seen[K_PEAK]


# --- one candidate -----------------------------------------------------------------------------------------------------


@jit
def _reset(assumed, candidate, desk, out, outf):
    account = desk.account
    account[:] = 0
    account[A_CASH] = account[A_DAY_CASH] = account[A_REAL] = account[A_REAL_PEAK] = assumed.equity
    account[A_DAY] = -1
    desk.net[:] = 0
    desk.gross[:] = 0
    desk.waiting[:] = 0
    desk.paid[:] = 0
    desk.slot_of[:] = -1
    desk.active[:, 1] = np.arange(len(desk.active))
    out[:] = 0
    outf[:] = 0.0
    if candidate[C_SIZING] == 0:
        _legs(candidate, candidate[C_TARGET], desk)


@jit
def _next_trade(desk, count):
    """Position of the active trade that is due first, and its key; the one entered first wins a tie."""
    key, which = NO_KEY, -1
    for index in range(count):
        mine = desk.trades[desk.active[index, 0], T_KEY]
        if mine < key:
            key, which = mine, index
    return key, which


@jit
def _next_order(desk, count):
    key, which = NO_KEY, -1
    for index in range(count):
        if desk.pending[index, 0] < key:
            key, which = desk.pending[index, 0], index
    return key, which


@jit
def _run(bars, assumed, rows, events, events_count, candidate, ratios, desk, out, outf):
    """Replay one candidate: whatever is due first, until nothing is."""
    _reset(assumed, candidate, desk, out, outf)
    counts = desk.counts
    counts[0], counts[1], heard = 0, 0, 0
    while desk.account[A_STATUS] == 0:
        trade_key, which = _next_trade(desk, counts[0])
        order_key, waits = _next_order(desk, counts[1])
        source_key = events[heard, 0] if heard < events_count else NO_KEY
        key = min(trade_key, order_key, source_key)
        if key == NO_KEY:
            break
        bar, stage = key >> BAR_SHIFT, (key >> STAGE_SHIFT) & 15
        if assumed.daily_loss_max > 0:
            at_open = stage == EXIT_OPEN or stage == ENTRY_OPEN
            now_ms = (bar + bars.first_bar + (0 if at_open else 1)) * bars.interval_ms
            if key == source_key:
                now_ms = rows[events[heard, 1], G_CLOSE if events[heard, 2] else G_KNOWN]
            _on_day(bars, desk, counts[0], now_ms)
        if key == source_key:
            _on_source(bars, assumed, desk, candidate, rows, events[heard], bar, stage, out)
            heard += 1
        elif key == order_key:
            _pay_all(bars, desk, counts[0], bar)
            _fill_order(bars, assumed, desk, candidate, ratios, rows, waits, bar, out)
        else:
            _on_trade(bars, assumed, desk, candidate, which, bar, stage, out, outf)
    _settle_due(desk, outf)
    out[O_STATUS] = desk.account[A_STATUS]
    _portfolio(bars, assumed, desk, out, outf)


@jit
def _on_source(bars, assumed, desk, candidate, rows, event, bar, stage, out):
    if event[2] == 0:
        _on_signal(bars, assumed, desk, candidate, rows[event[1]], event[1], bar, out, desk.counts)
        return
    slot = desk.slot_of[event[1]]
    if slot >= 0 and not desk.trades[slot, T_LEAVING]:
        _leave(assumed, desk, desk.trades[slot], bar if stage == AT_OPEN else bar + 1, SOURCE_CLOSE)


@jit
def _fill_order(bars, assumed, desk, candidate, ratios, rows, waits, bar, out):
    counts = desk.counts
    slot = desk.active[counts[0], 1]
    order = desk.pending[len(desk.pending) - 1]
    order[:] = desk.pending[waits]
    for index in range(waits, counts[1] - 1):
        desk.pending[index] = desk.pending[index + 1]
    counts[1] -= 1
    desk.active[counts[0], 0] = slot
    counts[0] += 1
    desk.slot_of[order[1]] = slot
    _open(bars, assumed, desk, candidate, ratios, rows[order[1]], order, slot, bar, out)


@jit
def _on_trade(bars, assumed, desk, candidate, which, bar, stage, out, outf):
    counts = desk.counts
    slot = desk.active[which, 0]
    trade = desk.trades[slot]
    if stage == INSIDE:
        over = _inside(bars, assumed, desk, candidate, trade, slot, bar, out, outf)
    elif stage == BAR_END:
        _pay_all(bars, desk, counts[0], bar)
        _bar_end(bars, assumed, desk, candidate, trade, slot, bar, out)
        over = False
    else:
        _pay_funding(bars, desk, trade, bar)
        raw = np.int64(bars.open[trade[T_MARKET], bar] if stage == EXIT_OPEN else bars.close[trade[T_MARKET], bar])
        time_ms = (bar + bars.first_bar + (0 if stage == EXIT_OPEN else 1)) * bars.interval_ms
        _close(bars, assumed, desk, trade, bar, raw, assumed.taker, trade[T_WHY], time_ms, out, outf)
        over = True
    if over:
        desk.slot_of[trade[T_EPISODE]] = -1
        for index in range(which, counts[0] - 1):
            desk.active[index, 0] = desk.active[index + 1, 0]
        counts[0] -= 1
        desk.active[counts[0], 1] = slot


# --- many candidates ---------------------------------------------------------------------------------------------------


@jit
def _desk(bars, episodes, details):
    """Working arrays for one thread; `details` says whether fills and round trips are kept."""
    markets, kept = len(bars.open), episodes if details else 0
    return Desk(
        np.zeros((episodes + 1, T_COLUMNS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, RUNGS), np.int64),
        np.zeros((episodes + 1, 2), np.int64),
        np.zeros((episodes + 1, 4), np.int64),
        np.zeros(episodes, np.int64),
        np.zeros(A_COLUMNS, np.int64),
        np.zeros(markets, np.int64),
        np.zeros(markets, np.int64),
        np.zeros(markets, np.int64),
        np.zeros(1 + RUNGS, np.int64),
        np.zeros(1 + RUNGS, np.int64),
        np.zeros((episodes * (2 + RUNGS) + 1, 7), np.int64),
        np.zeros(len(bars.funding_bars), np.int64),
        np.zeros((episodes + 1, 2), np.int64),
        np.zeros((2 * episodes * (2 + RUNGS) + 2, S_MARKETS + PER_MARKET * markets), np.int64),
        np.zeros((2 * episodes * (2 + RUNGS) + len(bars.coarse_low[0]) + 2, 6), np.int64),
        np.zeros(K_COLUMNS, np.int64),
        np.zeros(2, np.int64),
        np.zeros((kept * (2 + RUNGS), 10), np.int64),
        np.zeros((kept, 18), np.int64),
    )


@njit(cache=True, error_model="numpy", nogil=True, parallel=True, boundscheck=False)
def sweep_rows(bars, assumed, rows, events, events_count, candidates, ratios, parts, out, outf):
    """Replay every candidate; `parts` pieces are worked on at once and results do not depend on how many."""
    for part in prange(parts):
        desk = _desk(bars, rows.shape[1], False)
        for index in range(part, len(candidates), parts):
            source = candidates[index, C_SOURCE]
            _run(
                bars, assumed, rows[source], events[source], events_count[source], candidates[index], ratios[index],
                desk, out[index], outf[index],
            )  # fmt: skip


@jit
def run_details(bars, assumed, rows, events, events_count, candidate, ratios, out, outf):
    """Replay one candidate and keep everything: the desk holds fills, round trips, events and funding."""
    desk = _desk(bars, rows.shape[1], True)
    source = candidate[C_SOURCE]
    _run(bars, assumed, rows[source], events[source], events_count[source], candidate, ratios, desk, out, outf)
    return desk


@njit(cache=True, error_model="numpy", nogil=True, parallel=True, boundscheck=False)
def pnl_rows(bars, assumed, rows, events, events_count, candidates, ratios, parts, pnl):
    """Net result by candidate and episode; `pnl` has shape (candidates, episodes) and starts at zero."""
    for part in prange(parts):
        desk = _desk(bars, rows.shape[1], True)
        out, outf = np.zeros(O_COLUMNS, np.int64), np.zeros(F_COLUMNS, np.float64)
        for index in range(part, len(candidates), parts):
            source = candidates[index, C_SOURCE]
            _run(
                bars, assumed, rows[source], events[source], events_count[source], candidates[index], ratios[index],
                desk, out, outf,
            )  # fmt: skip
            for trip in range(desk.account[A_TRIPS]):
                pnl[index, desk.trips[trip, 0]] = desk.trips[trip, 9]
