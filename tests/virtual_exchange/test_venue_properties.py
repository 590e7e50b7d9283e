"""What holds at a virtual venue after any sequence of asks: money, positions, ids, and state that survives.

Every sequence runs at two accounts: one of them is dumped and loaded again after each step.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm, Steps
from copytrade_core.model.venue import PositionMode, VenueOrderStatus
from copytrade_core.virtual_exchange.venue_ask import PLAIN, PartialCut, PlaceAsk, Placed, VenueCall
from copytrade_core.virtual_exchange.venue_engine import FUNDING_INTERVAL_MS, VenueEngine
from copytrade_core.virtual_exchange.venue_rule_sets import BINANCE, BINGX, GATE
from copytrade_core.virtual_exchange.venue_rules import IdUniqueness
from tests.trading_floor import BTC, START_MS, usdt
from tests.venue_floor import ask, limit, listed, path, stop

CASH = usdt(1_000)
EIGHT = (START_MS // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
SOON = (EIGHT - START_MS) / 1000
MARKETS = {BTC: listed()}
names = st.one_of(st.none(), st.integers(0, 20).map("t-{}".format))
levels = st.integers(97_000, 103_000)
styles = st.one_of(st.none(), levels.map(limit), levels.map(stop), levels.map(lambda p: limit(p, post_only=True)))
cuts = st.one_of(
    st.none(),
    st.builds(PartialCut, ratio=st.integers(1, 999_999).map(Ppm), rest_after_ms=st.sampled_from([None, 0, 700])),
)
terms = st.builds(
    replace,
    st.just(PLAIN),
    cut=cuts,
    hidden_ms=st.sampled_from([0, 0, 1_500]),
    hidden_from=st.just(frozenset({VenueCall.ORDER, VenueCall.POSITIONS})),
)
asks = st.tuples(
    st.just("place"), names, st.integers(1, 400), st.booleans(), st.sampled_from(Side), st.booleans(), styles, terms
)
closes = st.tuples(st.just("close"), names, st.integers(10, 130), styles, terms)
steps = st.one_of(
    asks,
    closes,
    asks,
    closes,
    st.tuples(st.just("later"), st.integers(0, 6_000)),
    st.tuples(st.just("cancel"), names),
    st.tuples(st.just("advance"), st.sampled_from([1, 300, 999, 5_000, 3_600_000, FUNDING_INTERVAL_MS])),
    st.tuples(st.just("leverage"), st.sampled_from(Side), st.integers(1, 40)),
    st.tuples(st.just("inject"), st.sampled_from(Side), st.integers(1, 50)),
)
walks = st.lists(st.tuples(st.sampled_from([0.4, 1, 7, 3_600, SOON]), levels), min_size=1, max_size=12)
venues = st.sampled_from(
    [
        (BINGX, PositionMode.HEDGE),
        (BINGX, PositionMode.ONE_WAY),
        (GATE, PositionMode.HEDGE),
        (GATE, PositionMode.ONE_WAY),
        (BINANCE, PositionMode.HEDGE),
        (BINANCE, PositionMode.ONE_WAY),
    ]
)


def feed_of(walk):
    at, points = 0.0, [(0.0, 100_000)]
    for gap, price in walk:
        at += gap
        points.append((at, price))
    return path(points, volume=900, funding={EIGHT: 7_000, EIGHT + FUNDING_INTERVAL_MS: -12_345})


def wish(venue: VenueEngine, step) -> PlaceAsk:
    _, name, quantity, buys, side, reduces, style, _ = step
    hedged = venue.position_mode is PositionMode.HEDGE
    return ask(
        name, quantity, buys=buys, side=side if hedged else None, reduce_only=None if hedged else reduces, style=style
    )


def wish_to_close(venue: VenueEngine, name, percent: int, style) -> PlaceAsk:
    """An order that reduces what is held first, by so many percent of it."""
    hedged = venue.position_mode is PositionMode.HEDGE
    held = venue.all_positions()
    side, quantity = (held[0].side, held[0].quantity) if held else (Side.LONG, 100)
    return ask(
        name,
        max(1, quantity * percent // 100),
        buys=side is Side.SHORT,
        side=side if hedged else None,
        reduce_only=None if hedged else True,
        style=style,
    )


def take(venue: VenueEngine, step, accepted: list[str]) -> None:
    match step:
        case ("place", *_):
            done = venue.place(wish(venue, step), step[-1])
            if isinstance(done, Placed) and done.order.client_order_id is not None:
                accepted.append(done.order.client_order_id)
        case ("close", name, percent, style, terms_):
            done = venue.place(wish_to_close(venue, name, percent, style), terms_)
            if isinstance(done, Placed) and done.order.client_order_id is not None:
                accepted.append(done.order.client_order_id)
        case ("later", delay_ms):
            hedged = venue.position_mode is PositionMode.HEDGE
            venue.place_later(ask("t-late", 30, side=Side.LONG if hedged else None), delay_ms=delay_ms)
        case ("cancel", name) if name is not None:
            venue.cancel(BTC, client_order_id=name)
        case ("advance", by_ms):
            venue.advance(venue.now_ms + by_ms)
        case ("leverage", side, leverage):
            venue.set_leverage(BTC, side, leverage)
        case ("inject", side, quantity):
            venue.inject_position(BTC, side, Steps(quantity))
        case _:
            pass


def judge(venue: VenueEngine) -> None:
    """Every identity, recomputed from the fills alone."""
    orders = {order.venue_order_id: order for order in venue.all_orders()}
    filled, quote, held = defaultdict(int), defaultdict(int), defaultdict(int)
    flow = 0
    for fill in venue.all_fills():
        order = orders[fill.venue_order_id]
        money = MARKETS[BTC].instrument.notional(fill.price, fill.quantity)
        filled[fill.venue_order_id] += fill.quantity
        quote[fill.venue_order_id] += money
        leg = order.position_side if venue.position_mode is PositionMode.HEDGE else None
        held[leg] += fill.quantity if fill.buys else -fill.quantity
        flow -= (money if fill.buys else -money) + fill.fee
    flow -= sum(payment.paid for payment in venue.funding_payments())
    mark, unit = venue.mark(BTC), MARKETS[BTC].instrument.money_per_tick_step
    assert venue.balance().equity == CASH + flow + sum(held.values()) * mark * unit
    shown = {p.side: p.quantity * p.side.sign for p in venue.positions(as_of_ms=venue.now_ms)}
    truth = {leg or (Side.LONG if q > 0 else Side.SHORT): q for leg, q in held.items() if q}
    hidden = any(venue.order(BTC, venue_order_id=order_id) is None for order_id in orders)
    assert hidden or shown == truth
    if venue.position_mode is PositionMode.HEDGE:
        assert held[Side.LONG] >= 0 >= held[Side.SHORT]
    for order in orders.values():
        assert (order.filled, order.quote) == (filled[order.venue_order_id], quote[order.venue_order_id])
        assert order.filled <= order.quantity
        assert (order.status is VenueOrderStatus.FILLED) is (order.filled == order.quantity)


def judge_closes(venue: VenueEngine) -> None:
    """Replaying the fills in order, no order that only closes ever opens or turns a leg round."""
    orders = {order.venue_order_id: order for order in venue.all_orders()}
    held = defaultdict(int)
    for fill in venue.all_fills():
        order = orders[fill.venue_order_id]
        change = fill.quantity if fill.buys else -fill.quantity
        before = held[order.position_side]
        if order.closes:
            assert before * change < 0
            assert abs(change) <= abs(before)
        held[order.position_side] = before + change


def judge_ids(venue: VenueEngine, accepted: list[str]) -> None:
    live = [o.client_order_id for o in venue.all_orders() if not o.status.is_final and o.client_order_id]
    match venue.rules.id_uniqueness:
        case IdUniqueness.FOREVER:
            named = [o.client_order_id for o in venue.all_orders() if o.client_order_id]
            assert len(named) == len(set(named))
        case IdUniqueness.OPEN_ONLY:
            assert len(live) == len(set(live))
        case IdUniqueness.OVERRIDE:
            pass
    assert set(accepted) <= {o.client_order_id for o in venue.all_orders()}


@settings(max_examples=max(200, settings().max_examples))
@given(venues, walks, st.lists(steps, min_size=6, max_size=30))
def test_any_sequence_conserves_money_positions_and_ids_and_survives_restarts(chosen, walk, sequence):
    rules, mode = chosen
    feed = feed_of(walk)
    steady = VenueEngine(rules=rules, markets=MARKETS, feed=feed, cash=CASH, now_ms=START_MS)
    assert steady.set_position_mode(mode) is None
    restarted = VenueEngine.load(steady.dump(), rules=rules, markets=MARKETS, feed=feed)
    accepted: list[str] = []
    for step in sequence:
        take(steady, step, accepted)
        take(restarted, step, [])
        judge(steady)
        judge_ids(steady, accepted)
        kept = steady.dump()
        assert restarted.dump() == kept
        restarted = VenueEngine.load(kept, rules=rules, markets=MARKETS, feed=feed)
        assert restarted.dump() == kept
    judge_closes(steady)


@given(walks, st.lists(asks, max_size=12), st.lists(st.integers(1, 4_000), min_size=1, max_size=12))
def test_one_long_wait_and_many_short_ones_come_to_the_same(walk, wishes, waits):
    feed = feed_of(walk)
    venues_ = [VenueEngine(rules=BINGX, markets=MARKETS, feed=feed, cash=CASH, now_ms=START_MS) for _ in range(2)]
    for venue in venues_:
        for step in wishes:
            take(venue, step, [])
    for wait in waits:
        venues_[0].advance(venues_[0].now_ms + wait)
    venues_[1].advance(START_MS + sum(waits))
    assert venues_[0].dump() == venues_[1].dump()


@given(walks, st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_hedge_legs_do_not_see_each_other(walk, quantity, other, with_other):
    """What the long leg does is the same whether a short one is traded beside it or not."""
    feed = feed_of(walk)
    rules = replace(BINGX, bar_share_max=None)
    seen = []
    for beside in (False, with_other):
        venue = VenueEngine(rules=rules, markets=MARKETS, feed=feed, cash=CASH, now_ms=START_MS)
        if beside:
            venue.place(ask("s", other, buys=False, side=Side.SHORT))
        venue.place(ask("a", quantity))
        venue.place(ask("b", quantity, buys=False, style=stop(98_500)))
        venue.advance(START_MS + 20_000)
        mine = {o.venue_order_id: o.client_order_id for o in venue.all_orders() if o.client_order_id in ("a", "b")}
        seen.append(
            [
                (mine[f.venue_order_id], f.price, f.quantity, f.time_ms)
                for f in venue.all_fills()
                if f.venue_order_id in mine
            ]
        )
    assert seen[0] == seen[1]
