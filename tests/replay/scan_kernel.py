"""A plain Numba kernel that walks every bar while something is held: the peer that the fast kernel is measured against.

Same rules and same figures as the reference, in int64: one pass over the bars per candidate, open trades in one small
table, two comparisons per trade and bar until a price it waits for is reached. It has no structure that skips bars.
Inputs are packed in `scan_packing`; market orders fill at the next open, targets are fixed.
"""

# ruff: noqa: PLR0917 - compiled functions take what they need as positions; Numba binds no keywords at no cost

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numba import njit

from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.sweep import SweepTable
from tests.replay.scan_packing import CONTRARIAN, FOLLOW, RUNGS_MAX, PackedCandidates, PackedMarket, pack_candidates

DAY_MS = 86_400_000
MONEY_SCALE = 10**8
RATE_SCALE = 10**6
LEVEL_SCALE = 10**9
FUNDING_SCALE = 10**8
FAR = 2**62
NONE = -1
ENTERING, HELD, LEAVING = 1, 2, 3
SOURCE_CLOSE, TTL, STOP_LOSS, TRAILING_STOP, TAKE_PROFIT = 100, 101, 102, 103, 104
DAILY_LOSS, NOTIONAL_GROSS, NOTIONAL_GT_EQUITY = 1, 2, 3
FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)


def _table(*names: str, unsigned: tuple[str, ...] = (), reals: tuple[str, ...] = ()) -> np.dtype:
    kinds = ((names, "i8"), (unsigned, "u8"), (reals, "f8"))
    return np.dtype([(name, kind) for group, kind in kinds for name in group], align=True)


TRADE = _table(
    *("market", "is_long", "sign", "money_per_tick_step", "phase", "quantity", "cost", "entered_ms", "entered_bar"),
    *("fees", "slippage", "funding", "mae", "mfe", "reserved", "rungs", "placed", "filled", "rungs_skipped"),
    *("notional_skipped", "stop", "stop_code", "profit", "peak", "ttl_at_ms", "leave_on_fill", "exit_code"),
    *("below", "above", "source_entry", "blocked"),
    unsigned=("hash",),
)
"""One trade. `below` and `above`: the trade is untouched by a bar that stays strictly between them."""
RUNG = _table("price", "quantity", "notional", "number", "from_bar")
BOOK = _table("cash", "day_cash", "next_day_ms", "failures", "blocked_until_ms", "open")
REALS = ("pnl_square_sum", "drawdown_realised_ratio", "drawdown_marked_ratio", "drawdown_intrabar_ratio")
FIGURES = _table(*(field.name for field in fields(SweepTable) if field.name not in REALS), reals=REALS)

plain = njit(cache=True, error_model="numpy")


def scan(market: PackedMarket, policies: Sequence[PolicySpec] | PackedCandidates) -> SweepTable:
    """Every figure of every candidate, one after the other on one thread.

    The loop over candidates is Python's, a thousandth of the time: inside another compiled function, the compiled pass
    was loaded from Numba's cache as a copy of half the speed.
    """
    packed = policies if isinstance(policies, PackedCandidates) else pack_candidates(policies)
    figures = np.zeros(len(packed.rows), dtype=FIGURES)
    lives = len(market.episodes)
    trades = np.zeros(lives, dtype=TRADE)
    rungs = np.zeros((lives, RUNGS_MAX), dtype=RUNG)
    held = np.zeros(lives + 1, dtype=np.int64)
    done = np.zeros((lives + 1, 3), dtype=np.int64)
    book = np.zeros(1, dtype=BOOK)
    next_funding = np.zeros(len(market.rules), dtype=np.int64)
    for row, candidate in enumerate(packed.rows):
        _one(
            market.bars,
            market.funding_ms,
            market.funding_rate,
            market.rules,
            market.settings[0],
            market.episodes,
            market.signals,
            market.events[candidate["hears"]],
            candidate,
            packed.rung_ratio[row],
            packed.rung_notional[row],
            packed.rung_usable[row],
            trades,
            rungs,
            held,
            done,
            book[0],
            next_funding,
            figures[row],
        )
        heard = market.events[CONTRARIAN if candidate["contrarian"] else FOLLOW]
        figures["skipped_count"][row] += lives - len(heard)
    return SweepTable(**{name: np.ascontiguousarray(figures[name]) for name in FIGURES.names or ()})


# -- prices -----------------------------------------------------------------------------------------------------------


@plain
def _ceil_div(numerator, denominator):
    return -(-numerator // denominator)


@plain
def _offset(price, rate, buys):
    scaled = price * (RATE_SCALE + rate)
    return max(1, _ceil_div(scaled, RATE_SCALE) if buys else scaled // RATE_SCALE)


@plain
def _against(price, rate, buys):
    if buys:
        return _ceil_div(price * (RATE_SCALE + rate), RATE_SCALE)
    return max(1, price * (RATE_SCALE - rate) // RATE_SCALE)


@plain
def _hashed(value, leg, bar_open_ms, buys, price, quantity):
    for part in (leg, bar_open_ms, buys, price, quantity):
        value = (value ^ np.uint64(part)) * FNV_PRIME
    return value


@plain
def _share_of_peak(peak, low):
    if peak > low:
        return float(peak - low) / float(peak) if peak > 0 else 1.0
    return 0.0


# -- the gate ---------------------------------------------------------------------------------------------------------


@plain
def _new_day(book, now_ms):
    if now_ms >= book.next_day_ms:
        book.next_day_ms = (now_ms // DAY_MS + 1) * DAY_MS
        book.day_cash = book.cash


@plain
def _gate(asked, bars, known_bar, settings, book, trades, held):
    """0, or why an entry is refused; marks are the closes of `known_bar`."""
    worth, used = book.cash, 0
    for i in range(book.open):
        trade = trades[held[i]]
        worn = bars[trade.market, known_bar, 3] * trade.quantity * trade.money_per_tick_step
        used += worn + trade.reserved
        if trade.phase != ENTERING:
            worth += trade.sign * (worn - trade.cost)
    if settings.daily_loss_max != NONE and worth - book.day_cash <= -settings.daily_loss_max:
        return DAILY_LOSS
    if settings.notional_gross_max != NONE and used + asked > settings.notional_gross_max:
        return NOTIONAL_GROSS
    return NOTIONAL_GT_EQUITY if used + asked > worth else 0


@plain
def _failed(candidate, book, now_ms):
    book.failures += 1
    if book.failures >= candidate.failures_max:
        book.blocked_until_ms = now_ms + candidate.cooldown_ms


@plain
def _refused(trade, leg, reason, figures):
    bit = 1 << (leg * 4 + reason)
    if not trade.blocked & bit:
        trade.blocked |= bit
        figures.blocked_count += 1


# -- what rests -------------------------------------------------------------------------------------------------------


@plain
def _watch(trade, rungs):
    """The prices between which nothing of this trade can happen."""
    has_rung = trade.filled < trade.placed
    if trade.is_long:
        trade.below = max(trade.stop, rungs[trade.filled].price) if has_rung else trade.stop
        trade.above = trade.profit if trade.profit != NONE else FAR
    else:
        stop = trade.stop if trade.stop != NONE else FAR
        trade.above = min(stop, rungs[trade.filled].price) if has_rung else stop
        trade.below = trade.profit


@plain
def _working_stop(candidate, trade):
    """Trigger and exit code of the stop that should rest now."""
    unit = trade.quantity * trade.money_per_tick_step
    sells = trade.is_long
    average = _ceil_div(trade.cost, unit) if sells else trade.cost // unit
    fixed = NONE
    if candidate.stop_loss_ppm != NONE:
        fixed = _offset(average, -trade.sign * candidate.stop_loss_ppm, not sells)
    if candidate.trailing_ppm == NONE:
        return fixed, STOP_LOSS
    start = _offset(average, trade.sign * candidate.take_profit_ppm, not sells)
    if (trade.peak - start) * trade.sign < 0:
        return (trade.stop, TRAILING_STOP) if fixed == NONE else (fixed, STOP_LOSS)
    stop = _offset(trade.peak, -trade.sign * candidate.trailing_ppm, not sells)
    for other in (fixed, trade.stop):
        if other != NONE:
            stop = max(stop, other) if sells else min(stop, other)
    return stop, STOP_LOSS if stop == fixed else TRAILING_STOP


@plain
def _protect(candidate, trade, rungs):
    trade.stop, trade.stop_code = _working_stop(candidate, trade)
    if candidate.take_profit_ppm != NONE and candidate.trailing_ppm == NONE:
        unit = trade.quantity * trade.money_per_tick_step
        average = _ceil_div(trade.cost, unit) if trade.is_long else trade.cost // unit
        trade.profit = _offset(average, trade.sign * candidate.take_profit_ppm, not trade.is_long)
    _watch(trade, rungs)


@plain
def _plan(candidate, ratios, notionals, usables, trade, rules, rungs, anchor):
    """The rungs that meet the venue's minimums, from this anchor."""
    count = 0
    for i in range(candidate.rungs):
        scaled = anchor * ratios[i]
        price = max(1, _ceil_div(scaled, LEVEL_SCALE) if trade.is_long else scaled // LEVEL_SCALE)
        unit = price * rules.money_per_tick_step
        quantity = usables[i] // unit
        if quantity < rules.min_quantity or quantity * unit < rules.min_notional:
            trade.rungs_skipped += 1
            trade.notional_skipped += notionals[i]
            continue
        rung = rungs[count]
        rung.price = price
        rung.quantity = quantity
        rung.notional = notionals[i]
        rung.number = i + 1
        count += 1
    trade.rungs = count


@plain
def _rest_rungs(candidate, trade, rungs, bars, known_bar, now_ms, from_bar, settings, book, trades, held, figures):
    """Place what is neither resting nor filled, up to the first refusal."""
    while trade.placed < trade.rungs:
        rung = rungs[trade.placed]
        reason = _gate(rung.notional, bars, known_bar, settings, book, trades, held)
        if reason:
            _refused(trade, rung.number, reason, figures)
            _failed(candidate, book, now_ms)
            break
        rung.from_bar = from_bar
        trade.reserved += rung.price * rung.quantity * trade.money_per_tick_step
        trade.placed += 1
    _watch(trade, rungs)


@plain
def _leave(trade, code):
    """A market order to close stands in for everything that rests."""
    trade.phase = LEAVING
    trade.exit_code = code
    trade.placed = trade.filled
    trade.reserved = 0
    trade.below = NONE
    trade.above = FAR


# -- fills ------------------------------------------------------------------------------------------------------------


@plain
def _enter(trade, raw, quantity, rate, leg, open_ms, settings, book):
    """Book an opening or adding fill; the price paid."""
    price = _against(raw, settings.slippage, trade.is_long)
    unit = quantity * trade.money_per_tick_step
    notional = price * unit
    fee = _ceil_div(notional * rate, RATE_SCALE)
    trade.cost += notional
    trade.fees += fee
    trade.slippage += abs(notional - raw * unit)
    trade.hash = _hashed(trade.hash, leg, open_ms, trade.is_long, price, quantity)
    book.cash -= fee
    book.failures = 0
    book.blocked_until_ms = NONE
    return price


@plain
def _exit(trade, episode, raw, rate, code, open_ms, time_ms, bar, settings, book, figures, done):
    """Book the closing fill and add the round trip to the figures."""
    price = _against(raw, settings.slippage, not trade.is_long)
    unit = trade.quantity * trade.money_per_tick_step
    notional = price * unit
    fee = _ceil_div(notional * rate, RATE_SCALE)
    realised = trade.sign * (notional - trade.cost)
    trade.fees += fee
    trade.slippage += abs(notional - raw * unit)
    trade.hash = _hashed(trade.hash, code, open_ms, 1 - trade.is_long, price, trade.quantity)
    book.cash += realised - fee
    pnl = realised - trade.fees - trade.funding
    mae, mfe = min(trade.mae, realised), max(trade.mfe, realised)
    holding_ms = time_ms - trade.entered_ms
    first = figures.trades_count == 0
    figures.best_pnl = pnl if first else max(figures.best_pnl, pnl)
    figures.worst_pnl = pnl if first else min(figures.worst_pnl, pnl)
    figures.mae_worst = mae if first else min(figures.mae_worst, mae)
    figures.mfe_best = mfe if first else max(figures.mfe_best, mfe)
    figures.longs_count += trade.is_long
    figures.net_pnl += pnl
    if pnl > 0:
        figures.wins_count += 1
        figures.winners_pnl += pnl
    else:
        figures.losers_pnl += pnl
    figures.realised += realised
    figures.fees += trade.fees
    figures.slippage += trade.slippage
    figures.funding += trade.funding
    figures.entered += trade.cost
    figures.mae_sum += mae
    figures.mfe_sum += mfe
    figures.bars_held += bar - trade.entered_bar
    figures.dca_fills += trade.filled
    figures.dca_fills_max = max(figures.dca_fills_max, trade.filled)
    figures.rungs_planned += trade.rungs + trade.rungs_skipped
    figures.rungs_skipped += trade.rungs_skipped
    figures.notional_skipped += trade.notional_skipped
    figures.holding_ms += holding_ms
    figures.holding_ms_max = max(figures.holding_ms_max, holding_ms)
    figures.fill_hash += np.int64(trade.hash)
    # Round trips are added up in order of exit, then of episode; only those of one moment can be out of order.
    at = figures.trades_count
    while at > 0 and done[at - 1, 0] == time_ms and done[at - 1, 1] > episode:
        done[at] = done[at - 1]
        at -= 1
    done[at, 0] = time_ms
    done[at, 1] = episode
    done[at, 2] = pnl
    figures.trades_count += 1


@plain
def _inside(candidate, trade, episode, rungs, bar, prices, close_known_ms, settings, book, figures, done):
    """What rests and fills while the bar lasts: adverse before favourable. True when nothing is left."""
    open_, high, low, close = np.int64(prices[0]), np.int64(prices[1]), np.int64(prices[2]), np.int64(prices[3])
    open_ms = settings.start_ms + bar * settings.interval_ms
    end_ms = open_ms + settings.interval_ms
    sign = trade.sign
    worst = low if trade.is_long else high
    rung_filled = False
    while True:
        stopped = trade.stop != NONE and (worst - trade.stop) * sign <= 0
        stop_raw = min(trade.stop, open_) if trade.is_long else max(trade.stop, open_)
        touched = settings.rungs_by_touch and trade.filled < trade.placed
        rung_raw = 0
        if touched:
            price = rungs[trade.filled].price
            touched = (worst - price) * sign <= 0
            rung_raw = min(price, open_) if trade.is_long else max(price, open_)
        if stopped and (not touched or abs(open_ - stop_raw) <= abs(open_ - rung_raw)):
            _new_day(book, end_ms)
            _exit(
                trade,
                episode,
                stop_raw,
                settings.taker_fee,
                trade.stop_code,
                open_ms,
                end_ms,
                bar,
                settings,
                book,
                figures,
                done,
            )
            return True
        if not touched:
            break
        _add(candidate, trade, rungs, rung_raw, open_ms, end_ms, settings, book)
        rung_filled = True
    if not settings.rungs_by_touch and trade.filled < trade.placed:
        rung = rungs[trade.filled]
        is_last = close_known_ms <= end_ms or end_ms >= trade.ttl_at_ms
        if not is_last and rung.from_bar < bar and (close - rung.price) * sign < 0:
            _add(candidate, trade, rungs, rung.price, open_ms, end_ms, settings, book)
            rung_filled = True
    if not rung_filled and trade.profit != NONE:
        best = high if trade.is_long else low
        if (best - trade.profit) * sign >= 0:
            raw = max(trade.profit, open_) if trade.is_long else min(trade.profit, open_)
            _new_day(book, end_ms)
            _exit(
                trade,
                episode,
                raw,
                settings.maker_fee,
                TAKE_PROFIT,
                open_ms,
                end_ms,
                bar,
                settings,
                book,
                figures,
                done,
            )
            return True
    return False


@plain
def _add(candidate, trade, rungs, raw, open_ms, end_ms, settings, book):
    rung = rungs[trade.filled]
    _new_day(book, end_ms)
    trade.reserved -= rung.price * rung.quantity * trade.money_per_tick_step
    trade.filled += 1
    _enter(trade, raw, rung.quantity, settings.maker_fee, rung.number, open_ms, settings, book)
    trade.quantity += rung.quantity
    _protect(candidate, trade, rungs)


# -- the pass ---------------------------------------------------------------------------------------------------------


@plain
def _covered(candidate, life, signal, opens, settings, bars_end_ms):
    """Whether bars last from two bars before the signal to three after the latest exit."""
    interval_ms = settings.interval_ms
    follows = candidate.hears == 1
    if signal.known_ms < 0 or (life.close_known_ms < 0 and (follows or candidate.contrarian)):
        return False
    if opens and 0 <= life.close_known_ms < signal.known_ms:
        return False
    latest = FAR
    if candidate.ttl_ms != NONE:
        latest = signal.known_ms + candidate.ttl_ms
    if follows:
        latest = min(latest, life.close_known_ms)
    starts = signal.known_ms - 2 * interval_ms >= settings.start_ms
    return starts and signal.known_ms < bars_end_ms and latest + 3 * interval_ms <= bars_end_ms


@plain
def _signal(candidate, episode, life, signal, bars, rules, settings, book, trades, held, figures):
    """A signal: taken, held back or refused."""
    is_long = life.is_long != candidate.contrarian
    now_ms = signal.known_ms
    known_bar = (now_ms - settings.start_ms) // settings.interval_ms - 1
    rule = rules[life.market]
    unit = signal.mark * rule.money_per_tick_step
    quantity = candidate.base_usable // unit if signal.mark > 0 else 0
    if (
        life.is_seeded
        or not (candidate.allows_long if is_long else candidate.allows_short)
        or signal.age_ms > candidate.age_ms_max
        or signal.drift_ppm > candidate.drift_ppm_max
        or now_ms < book.blocked_until_ms
        or quantity < rule.min_quantity
        or quantity * unit < rule.min_notional
    ):
        figures.skipped_count += 1
        return
    trade = trades[episode]
    trade.blocked = 0
    reason = _gate(candidate.base_notional, bars, known_bar, settings, book, trades, held)
    if reason:
        _refused(trade, 0, reason, figures)
        _failed(candidate, book, now_ms)
        return
    trade.market = life.market
    trade.is_long = is_long
    trade.sign = 1 if is_long else -1
    trade.money_per_tick_step = rule.money_per_tick_step
    trade.phase = ENTERING
    trade.quantity = quantity
    trade.cost = trade.fees = trade.slippage = trade.funding = trade.mae = trade.mfe = trade.reserved = 0
    trade.rungs = trade.placed = trade.filled = trade.rungs_skipped = trade.notional_skipped = 0
    trade.stop = trade.profit = NONE
    trade.leave_on_fill = 0
    trade.source_entry = signal.source_entry
    trade.hash = FNV_OFFSET
    held[book.open] = episode
    book.open += 1


@plain
def _fill_bases(
    candidate, ratios, notionals, usables, bars, bar, rules, settings, book, trades, all_rungs, held, figures
):
    """Market entries fill at the open, market by market, and their ladders come to rest."""
    open_ms = settings.start_ms + bar * settings.interval_ms
    for market in range(len(rules)):
        for i in range(book.open):
            trade = trades[held[i]]
            if trade.phase != ENTERING or trade.market != market:
                continue
            rungs = all_rungs[held[i]]
            raw = np.int64(bars[market, bar, 0])
            _new_day(book, open_ms)
            price = _enter(trade, raw, trade.quantity, settings.taker_fee, 0, open_ms, settings, book)
            trade.entered_ms = open_ms
            trade.entered_bar = bar
            trade.peak = raw
            trade.ttl_at_ms = open_ms + candidate.ttl_ms if candidate.ttl_ms != NONE else FAR
            anchor = trade.source_entry if candidate.anchors_at_source else price
            side = 0 if trade.is_long else 1
            _plan(candidate, ratios[side], notionals, usables, trade, rules[market], rungs, anchor)
            trade.phase = HELD
            if trade.leave_on_fill:
                _leave(trade, SOURCE_CLOSE)
                continue
            _protect(candidate, trade, rungs)
            _rest_rungs(
                candidate,
                trade,
                rungs,
                bars,
                bar - 1,
                open_ms,
                bar,
                settings,
                book,
                trades,
                held,
                figures,
            )


@plain
def _bar_closed(candidate, bars, bar, markets_count, settings, book, trades, all_rungs, held, figures):
    """Decisions at a bar's end: time-to-live, trailing stops, rungs that were refused before."""
    end_ms = settings.start_ms + (bar + 1) * settings.interval_ms
    for market in range(markets_count):
        for i in range(book.open):
            trade = trades[held[i]]
            if trade.phase != HELD or trade.market != market:
                continue
            if end_ms >= trade.ttl_at_ms:
                _leave(trade, TTL)
                continue
            rungs = all_rungs[held[i]]
            best = np.int64(bars[market, bar, 1 if trade.is_long else 2])
            if candidate.trailing_ppm != NONE and (best - trade.peak) * trade.sign > 0:
                trade.peak = best
                if _working_stop(candidate, trade)[0] != trade.stop:
                    _protect(candidate, trade, rungs)
            if trade.placed < trade.rungs and end_ms >= book.blocked_until_ms:
                _rest_rungs(
                    candidate,
                    trade,
                    rungs,
                    bars,
                    bar,
                    end_ms,
                    bar + 1,
                    settings,
                    book,
                    trades,
                    held,
                    figures,
                )


@plain
def _pay_funding(funding_ms, funding_rate, next_funding, open_ms, end_ms, bars, bar, book, trades, held):
    """Every payment due in this bar, at its open; when the next one is due."""
    due_ms = FAR
    for market in range(len(funding_ms)):
        while funding_ms[market, next_funding[market]] < end_ms:
            number = next_funding[market]
            for i in range(book.open if funding_ms[market, number] >= open_ms else 0):
                trade = trades[held[i]]
                if trade.market == market and trade.phase != ENTERING:
                    notional = bars[market, bar, 0] * trade.quantity * trade.money_per_tick_step
                    signed = funding_rate[market, number] * trade.sign
                    units, rest = notional // FUNDING_SCALE, notional % FUNDING_SCALE
                    cost = units * signed + _ceil_div(rest * signed, FUNDING_SCALE)
                    trade.funding += cost
                    book.cash -= cost
            next_funding[market] += 1
        due_ms = min(due_ms, funding_ms[market, next_funding[market]])
    return due_ms


@plain
def _finish(figures, done, initial_equity):
    """What needs the round trips in order of exit."""
    equity = peak = initial_equity
    fall, squares = 0.0, 0.0
    for i in range(figures.trades_count):
        quote = done[i, 2] / MONEY_SCALE
        squares += quote * quote
        equity += done[i, 2]
        peak = max(peak, equity)
        fall = max(fall, _share_of_peak(peak, equity))
    figures.pnl_square_sum = squares
    figures.drawdown_realised_ratio = fall


@plain
def _one(  # noqa: C901, PLR0915 - one pass, told from top to bottom
    bars,
    funding_ms,
    funding_rate,
    rules,
    settings,
    episodes,
    signals,
    events,
    candidate,
    ratios,
    notionals,
    usables,
    trades,
    all_rungs,
    held,
    done,
    book,
    next_funding,
    figures,
):
    """One candidate over all bars on which something is held or waits."""
    start_ms, interval_ms, initial = settings.start_ms, settings.interval_ms, settings.initial_equity
    markets_count, bars_count = bars.shape[0], bars.shape[1]
    book.cash = book.day_cash = initial
    book.next_day_ms = book.blocked_until_ms = NONE
    book.failures = book.open = 0
    next_funding[:] = 0
    trails = candidate.trailing_ppm != NONE
    peak = low_close = low_inside = initial
    fall_close, fall_inside, peak_gross, lowest = 0.0, 0.0, 0, FAR
    event = bar = 0
    next_event_ms = events[0, 0] if len(events) else FAR
    next_funding_ms = NONE
    waits = False
    while True:
        if book.open == 0:
            if event == len(events):
                break
            bar = max(bar, _ceil_div(next_event_ms - start_ms, interval_ms))
        open_ms = start_ms + bar * interval_ms
        end_ms = open_ms + interval_ms

        # What is known by the open.
        while next_event_ms <= open_ms:
            _tell(event, events, candidate, episodes, signals, bars, rules, settings, book, trades, held, figures)
            event += 1
            next_event_ms = events[event, 0] if event < len(events) else FAR
            waits = True
        if book.open == 0:
            continue
        if bar >= bars_count:
            figures.status = 2
            break

        # At the open: funding, exits, entries.
        if next_funding_ms < end_ms:
            next_funding_ms = _pay_funding(
                funding_ms, funding_rate, next_funding, open_ms, end_ms, bars, bar, book, trades, held
            )
        if waits:
            kept = 0
            for i in range(book.open):
                trade = trades[held[i]]
                if trade.phase == LEAVING:
                    _new_day(book, open_ms)
                    _exit(
                        trade,
                        held[i],
                        np.int64(bars[trade.market, bar, 0]),
                        settings.taker_fee,
                        trade.exit_code,
                        open_ms,
                        open_ms,
                        bar,
                        settings,
                        book,
                        figures,
                        done,
                    )
                else:
                    held[kept] = held[i]
                    kept += 1
            book.open = kept
            _fill_bases(
                candidate,
                ratios,
                notionals,
                usables,
                bars,
                bar,
                rules,
                settings,
                book,
                trades,
                all_rungs,
                held,
                figures,
            )

            waits = False
            for i in range(book.open):
                waits |= trades[held[i]].phase == LEAVING

        # Inside: what is reached, then every holding marked at the close and at the bar's extremes.
        at_close = at_worst = gross = kept = 0
        decides = False
        for i in range(book.open):
            episode = held[i]
            trade = trades[episode]
            prices = bars[trade.market, bar]
            high, low, close = np.int64(prices[1]), np.int64(prices[2]), np.int64(prices[3])
            if low <= trade.below or high >= trade.above:
                close_known_ms = episodes[episode].close_known_ms if candidate.hears == 1 else FAR
                if _inside(
                    candidate,
                    trade,
                    episode,
                    all_rungs[episode],
                    bar,
                    prices,
                    close_known_ms,
                    settings,
                    book,
                    figures,
                    done,
                ):
                    continue
            held[kept] = episode
            kept += 1
            unit = trade.quantity * trade.money_per_tick_step
            worn = close * unit
            if trade.is_long:
                best, worst = high * unit - trade.cost, low * unit - trade.cost
                at_close += worn - trade.cost
                decides |= trails and high > trade.peak
            else:
                best, worst = trade.cost - low * unit, trade.cost - high * unit
                at_close += trade.cost - worn
                decides |= trails and low < trade.peak
            at_worst += worst
            gross += worn
            trade.mae = min(trade.mae, worst)
            trade.mfe = max(trade.mfe, best)
            decides |= end_ms >= trade.ttl_at_ms or trade.placed < trade.rungs
        book.open = kept
        equity = book.cash + at_close
        worst = min(book.cash + at_worst, equity)
        peak_gross = max(peak_gross, gross)
        lowest = min(lowest, worst)
        low_inside = min(low_inside, worst)
        if equity > peak:
            fall_close = max(fall_close, _share_of_peak(peak, low_close))
            fall_inside = max(fall_inside, _share_of_peak(peak, low_inside))
            peak = low_close = low_inside = equity
        low_close = min(low_close, equity)

        # What becomes known while the bar lasts, then what the bar's end decides.
        while next_event_ms < end_ms:
            _tell(event, events, candidate, episodes, signals, bars, rules, settings, book, trades, held, figures)
            event += 1
            next_event_ms = events[event, 0] if event < len(events) else FAR
            waits = True
        _new_day(book, end_ms)
        if decides:
            waits = True
            _bar_closed(candidate, bars, bar, markets_count, settings, book, trades, all_rungs, held, figures)
        bar += 1

    fall_close = max(fall_close, _share_of_peak(peak, low_close))
    fall_inside = max(fall_inside, _share_of_peak(peak, low_inside))
    figures.drawdown_marked_ratio = fall_close
    figures.drawdown_intrabar_ratio = max(fall_inside, fall_close)
    figures.peak_gross = peak_gross
    figures.equity_worst = initial if lowest == FAR else lowest
    _finish(figures, done, initial)


@plain
def _tell(event, events, candidate, episodes, signals, bars, rules, settings, book, trades, held, figures):
    """One source event: a signal, or the close that a held trade follows."""
    now_ms, is_close, episode = events[event]
    life = episodes[episode]
    opens = not candidate.contrarian
    signal = signals[0 if opens else 1, episode]
    bars_end_ms = settings.start_ms + bars.shape[1] * settings.interval_ms
    is_signal = is_close == candidate.contrarian
    if not _covered(candidate, life, signal, opens, settings, bars_end_ms):
        figures.skipped_count += is_signal
        return
    _new_day(book, now_ms)
    if is_signal:
        _signal(candidate, episode, life, signal, bars, rules, settings, book, trades, held, figures)
        return
    for i in range(book.open):
        if held[i] == episode:
            trade = trades[episode]
            if trade.phase == ENTERING:
                trade.leave_on_fill = 1
            elif trade.phase == HELD:
                _leave(trade, SOURCE_CLOSE)
