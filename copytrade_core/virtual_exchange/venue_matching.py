"""Filling orders at a virtual venue: at once, or while the price passes what rests. What may rest is not judged here.

Touching is judged by `matching.py`, as in replay. Within one step of the path orders fill in the order in which the
price meets them. A taker slips by its share of the bar's volume; nothing takes more of a bar than the venue's share,
and the rest of a market order trades on in the next bar.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.bar import Bar
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.units import INT64_MAX, RATE_SCALE, Money, Steps, Ticks, against, fee
from copytrade_core.model.venue import VenueFill, VenueOrderStatus
from copytrade_core.virtual_exchange.feeds import PathStep, Traded
from copytrade_core.virtual_exchange.matching import limit_touch, stop_touch
from copytrade_core.virtual_exchange.venue_account import Leg
from copytrade_core.virtual_exchange.venue_ask import EngineOrder
from copytrade_core.virtual_exchange.venue_books import ID_START, VenueBooks
from copytrade_core.virtual_exchange.venue_rules import VenueModel

NOTHING_LEFT = "nothing_left_to_close"
CUT = "cut_by_the_venue"
LEG_FLAT = "the_leg_is_flat"


def arrive(books: VenueBooks, order: EngineOrder) -> EngineOrder:
    """What happens to a new order at the moment it arrives: it trades, or it rests."""
    mark = books.mark(order.market)
    match order.style:
        case MarketStyle():
            return trade(books, order, mark, is_maker=False, at_ms=books.now_ms)
        case LimitStyle(price=price) if price >= mark if order.buys else price <= mark:
            return trade(books, order, mark, is_maker=False, at_ms=books.now_ms)
        case LimitStyle() | StopStyle():
            return order


def walk(books: VenueBooks, until_ms: int) -> None:
    """Match everything that rests against the path of `(now, until_ms]`; the clock is moved by the caller."""
    for market in tuple(books.shelf.working):
        if not _is_met(books, market, until_ms):
            continue
        for step in books.feed.steps(market, books.now_ms, until_ms):
            _match(books, market, step)
            if market not in books.shelf.working:
                break


def trade(books: VenueBooks, order: EngineOrder, raw: Ticks, *, is_maker: bool, at_ms: int) -> EngineOrder:
    """Fill as much of an order as its leg, its cut and the bar's volume allow; returns how it stands then."""
    leg = books.leg(order)
    quantity = order.quantity - order.filled
    if order.closes:
        quantity = min(quantity, books.closable(order.market, leg, buys=order.buys))
        if quantity == 0:
            return end(books, order, NOTHING_LEFT, at_ms)
    if order.cut_at is not None:
        quantity = min(quantity, order.cut_at - order.filled)
    traded = books.feed.traded(order.market, at_ms)
    quantity = min(quantity, _capacity(books, order.market, traded))
    if quantity <= 0:
        return order
    price = raw if is_maker else _slipped(books, order, raw, quantity, traded)
    return _book(books, order, leg, price=price, quantity=quantity, is_maker=is_maker, at_ms=at_ms)


def fill_by_hand(books: VenueBooks, order: EngineOrder) -> EngineOrder:
    """Fill all of an order at the mark, whatever the bar trades: what somebody else did on this account."""
    leg, mark = books.leg(order), books.mark(order.market)
    return _book(books, order, leg, price=mark, quantity=order.quantity, is_maker=False, at_ms=books.now_ms)


def end(books: VenueBooks, order: EngineOrder, why: str, at_ms: int) -> EngineOrder:
    """Take an order off the book."""
    ended = replace(order, status=VenueOrderStatus.CANCELLED, updated_at_ms=at_ms, why=why)
    books.shelf.put(ended)
    return ended


def resume(books: VenueBooks, order: EngineOrder) -> None:
    """A partial fill's rest is let go: it trades now if it can."""
    free = replace(order, cut_at=None, rest_at_ms=None)
    books.shelf.put(free)
    if _trades_now(free):
        _ = trade(books, free, books.mark(free.market), is_maker=False, at_ms=books.now_ms)
    else:
        _ = arrive(books, free)


def _trades_now(order: EngineOrder) -> bool:
    return order.triggered or isinstance(order.style, MarketStyle)


def _is_waiting(order: EngineOrder) -> bool:
    return order.cut_at is not None and order.cut_at == order.filled


def _is_met(books: VenueBooks, market: Market, until_ms: int) -> bool:
    """Whether any order of a market can have traded: a look at the extremes saves the walk over every step."""
    bounds: tuple[Ticks, Ticks] | None = None
    for order in books.shelf.working_orders(market):
        if _is_waiting(order):
            continue
        if _trades_now(order):
            return True
        if bounds is None:
            bounds = books.feed.range(market, books.now_ms, until_ms)
            if bounds is None:
                return False
        level, below = _level(order)
        if bounds[0] <= level if below else bounds[1] >= level:
            return True
    return False


def _level(order: EngineOrder) -> tuple[int, bool]:
    """The price at which a resting order trades, and whether it is met from above."""
    match order.style:
        case LimitStyle(price=price):
            return price, order.buys
        case StopStyle(trigger=trigger):
            return trigger, not order.buys
        case MarketStyle():
            return 0, False


def _match(books: VenueBooks, market: Market, step: PathStep) -> None:
    bar = Bar(
        market=market,
        open_time_ms=step.time_ms,
        interval_ms=1,
        open=step.start,
        high=max(step.start, step.end),
        low=min(step.start, step.end),
        close=step.end,
    )
    met: list[tuple[int, int, str, Ticks]] = []
    for place, order in enumerate(books.shelf.working_orders(market)):
        raw = None if _is_waiting(order) else _raw(order, bar)
        if raw is not None:
            met.append((abs(step.start - raw), place, order.venue_order_id, raw))
    for _, _, venue_order_id, raw in sorted(met):
        order = books.shelf.orders[venue_order_id]
        if order.status.is_final:
            continue
        is_maker = isinstance(order.style, LimitStyle)
        books.use(VenueModel.LIMIT_FILL if is_maker else VenueModel.STOP_FILL)
        if isinstance(order.style, StopStyle) and not order.triggered:
            order = replace(order, triggered=True, updated_at_ms=step.time_ms)
            books.shelf.put(order)
        _ = trade(books, order, raw, is_maker=is_maker, at_ms=step.time_ms)


def _raw(order: EngineOrder, bar: Bar) -> Ticks | None:
    """The price before slippage at which a bar meets an order. The rest of a partly filled limit stays at its price."""
    match order.style:
        case MarketStyle():
            return bar.close
        case StopStyle(trigger=trigger):
            return bar.close if order.triggered else stop_touch(trigger, bar, buys=order.buys)
        case LimitStyle(price=price):
            touched = limit_touch(price, bar, buys=order.buys)
            return price if touched is not None and order.filled else touched


def _capacity(books: VenueBooks, market: Market, traded: Traded) -> int:
    share = books.rules.bar_share_max
    if traded.volume is None or share is None:
        return INT64_MAX
    bar_id, taken = books.taken.get(market, (traded.bar_id, 0))
    left = traded.volume * share // RATE_SCALE - (taken if bar_id == traded.bar_id else 0)
    contract = books.markets[market].contract_steps
    return max(0, left // contract * contract)


def _slipped(books: VenueBooks, order: EngineOrder, raw: Ticks, quantity: int, traded: Traded) -> Ticks:
    books.use(VenueModel.SLIPPAGE)
    rules = books.rules
    rate = order.slippage
    if rate is None:
        by_share = rules.slippage_slope * quantity // traded.volume if traded.volume else 0
        rate = min(rules.slippage + by_share, rules.slippage_max)
    price = against(raw, rate, buying=order.buys)
    if isinstance(order.style, LimitStyle):
        limit = order.style.price
        return min(price, limit) if order.buys else max(price, limit)
    return price


def _book(
    books: VenueBooks, order: EngineOrder, leg: Leg, *, price: Ticks, quantity: int, is_maker: bool, at_ms: int
) -> EngineOrder:
    market = order.market
    notional = books.account.notional(market, price, quantity)
    books.use(VenueModel.MAKER_FEE if is_maker else VenueModel.TAKER_FEE)
    paid = fee(notional, books.rules.maker_fee if is_maker else books.rules.taker_fee)
    books.account.book(market, leg, buys=order.buys, price=price, quantity=quantity, fee=paid, time_ms=at_ms)
    books.shelf.fill(
        VenueFill(
            trade_id=str(ID_START + len(books.shelf.fills) + 1),
            venue_order_id=order.venue_order_id,
            market=market,
            buys=order.buys,
            price=price,
            quantity=Steps(quantity),
            fee=paid,
            is_maker=is_maker,
            time_ms=at_ms,
        )
    )
    _take(books, market, quantity, at_ms)
    filled = Steps(order.filled + quantity)
    is_flat = order.closes and books.closable(market, leg, buys=order.buys) == 0
    status, why = _after(order, filled, is_flat=is_flat)
    if status is VenueOrderStatus.PARTIALLY_FILLED:
        books.use(VenueModel.PARTIAL_FILLS)
    changed = replace(
        order,
        status=status,
        filled=filled,
        quote=Money(order.quote + notional),
        fees=Money(order.fees + paid),
        updated_at_ms=at_ms,
        why=why,
    )
    books.shelf.put(changed)
    if books.rules.flat_cancels_resting_closes:
        _cancel_closes(books, market, at_ms)
    return changed


def _after(order: EngineOrder, filled: Steps, *, is_flat: bool) -> tuple[VenueOrderStatus, str]:
    if filled == order.quantity:
        return VenueOrderStatus.FILLED, ""
    if is_flat:
        return VenueOrderStatus.CANCELLED, NOTHING_LEFT
    if filled == order.cut_at and order.rest_at_ms is None:
        return VenueOrderStatus.CANCELLED, CUT
    return VenueOrderStatus.PARTIALLY_FILLED, ""


def _take(books: VenueBooks, market: Market, quantity: int, at_ms: int) -> None:
    bar_id = books.feed.traded(market, at_ms).bar_id
    before, taken = books.taken.get(market, (bar_id, 0))
    books.taken[market] = (bar_id, quantity + (taken if before == bar_id else 0))


def _cancel_closes(books: VenueBooks, market: Market, at_ms: int) -> None:
    for order in tuple(books.shelf.working_orders(market)):
        if order.closes and books.closable(market, books.leg(order), buys=order.buys) == 0:
            books.use(VenueModel.FLAT_CANCELS_RESTING_CLOSES)
            _ = end(books, order, LEG_FLAT, at_ms)
