"""One account at a virtual venue: what it fills, at what price and when, and what it keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.model.errors import BadInput
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm, Steps
from copytrade_core.model.venue import PositionMode, VenueOrderStatus
from copytrade_core.virtual_exchange.feeds import BarsFeed
from copytrade_core.virtual_exchange.venue_ask import PLAIN, PartialCut, VenueCall, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import FUNDING_INTERVAL_MS, VenueEngine
from copytrade_core.virtual_exchange.venue_rule_sets import BINGX, GATE
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueModel, VenueRule
from tests.trading_floor import BTC, ETH, START_MS, series, usdt
from tests.venue_floor import (
    FREE_BINANCE,
    FREE_BINGX,
    ask,
    engine,
    holds,
    later,
    limit,
    listed,
    net,
    now,
    path,
    placed,
    prices,
    refusal,
    stop,
)

FILLED, OPEN = VenueOrderStatus.FILLED, VenueOrderStatus.OPEN
PARTLY, CANCELLED = VenueOrderStatus.PARTIALLY_FILLED, VenueOrderStatus.CANCELLED


def test_a_market_order_trades_at_the_price_of_its_moment():
    venue = engine()
    order = placed(venue, ask())
    assert (order.status, order.filled, prices(venue)) == (FILLED, 100, [(100_000, 100)])
    assert holds(venue) == [("long", 100, 100_000)]


def test_a_taker_slips_and_pays_and_a_maker_does_neither_more_than_his_fee():
    rules = replace(BINGX, slippage=Ppm(100), slippage_slope=Ppm(0))
    venue = engine(rules, path([(0, 100_000), (5, 99_000)]))
    placed(venue, ask("a"))
    placed(venue, ask("b", style=limit(99_500)))
    later(venue, 5)
    taker, maker = venue.all_fills()
    assert (taker.price, taker.is_maker) == (100_010, False)
    assert taker.fee == 100_010 * 100 * 10**3 * 500 // 10**6
    assert (maker.price, maker.is_maker) == (99_000, True)
    assert maker.fee == 99_000 * 100 * 10**3 * 200 // 10**6
    assert venue.cash == usdt(1_000) - taker.fee - maker.fee


def test_slippage_grows_with_the_share_of_the_volume_and_has_an_end():
    rules = replace(BINGX, slippage=Ppm(0), slippage_slope=Ppm(10_000), slippage_max=Ppm(700), bar_share_max=None)
    small, large = engine(rules, path(volume=1_000)), engine(rules, path(volume=1_000))
    placed(small, ask(quantity=50))
    placed(large, ask(quantity=100))
    assert prices(small) == [(100_050, 50)]
    assert prices(large) == [(100_070, 100)]


def test_an_order_larger_than_its_share_of_a_bar_trades_on_in_the_next_bars():
    venue = engine(
        replace(FREE_BINGX, bar_share_max=Ppm(100_000)), path([(0, 100_000), (60, 100_100), (120, 99_000)], volume=400)
    )
    order = placed(venue, ask())
    assert (order.status, order.filled) == (PARTLY, 40)
    second = placed(venue, ask("b", 10))
    assert (second.status, second.filled) == (OPEN, 0), "the bar's share is used up"
    later(venue, 60)
    assert (now(venue, order).filled, now(venue, second).filled) == (80, 0)
    later(venue, 60)
    assert (now(venue, order).status, now(venue, second).status) == (FILLED, FILLED)
    assert prices(venue) == [(100_000, 40), (100_100, 40), (99_000, 20), (99_000, 10)]


def test_a_limit_rests_until_the_price_touches_it():
    venue = engine(feed=path([(0, 100_000), (1, 99_500), (2, 99_000)]))
    order = placed(venue, ask(style=limit(99_400)))
    later(venue, 1)
    assert now(venue, order).status is OPEN
    later(venue, 1)
    assert now(venue, order).status is FILLED
    assert venue.all_fills()[0].time_ms == START_MS + 2_000


@pytest.mark.parametrize(("price", "met"), [(99_400, True), (99_401, False)])
def test_a_level_is_met_when_the_price_is_exactly_there(price, met):
    venue = engine(feed=path([(0, 100_000), (1, price)]))
    placed(venue, ask("a", 100))
    rung = placed(venue, ask("b", style=limit(99_400)))
    guard = placed(venue, ask("c", buys=False, style=stop(99_400)))
    later(venue, 1)
    assert [now(venue, order).status is FILLED for order in (rung, guard)] == [met, met]


def test_the_rest_of_a_partly_filled_limit_keeps_its_price():
    rules = replace(FREE_BINGX, bar_share_max=Ppm(100_000))
    venue = engine(rules, path([(0, 100_000), (60, 99_000), (120, 98_000)], volume=600))
    order = placed(venue, ask(style=limit(99_500)))
    later(venue, 120)
    assert now(venue, order).status is FILLED
    assert prices(venue) == [(99_000, 60), (99_500, 40)]


def test_a_limit_that_crosses_takes_and_never_pays_more_than_its_price():
    venue = engine(replace(FREE_BINGX, slippage=Ppm(1_000)))
    placed(venue, ask(style=limit(100_050)))
    assert venue.all_fills()[0].price == 100_050
    assert not venue.all_fills()[0].is_maker


def test_a_post_only_order_that_would_trade_is_refused_and_one_that_rests_is_not():
    venue = engine()
    assert refusal(venue, ask("a", style=limit(100_000, post_only=True))) == "would_cross"
    assert placed(venue, ask("a", style=limit(99_999, post_only=True))).status is OPEN


def test_a_stop_becomes_a_market_order_where_the_price_jumped_to():
    venue = engine(feed=path([(0, 100_000), (5, 98_000)]))
    placed(venue, ask("a"))
    assert refusal(venue, ask("b", buys=False, style=stop(100_000))) == "would_trigger"
    order = placed(venue, ask("b", buys=False, style=stop(99_000)))
    later(venue, 10)
    assert now(venue, order).status is FILLED
    assert prices(venue)[1] == (98_000, 100)
    assert holds(venue) == []


def test_a_moving_price_meets_the_nearer_order_first():
    bars = series([(100_000, 100_000, 98_000, 98_200)])
    feed = BarsFeed({BTC: bars}, instruments={BTC: listed().instrument})
    venue = engine(replace(FREE_BINGX, bar_share_max=None), feed, market=listed(min_notional=0))
    placed(venue, ask("a", 1))
    far = placed(venue, ask("far", 1, style=limit(98_500)))
    near = placed(venue, ask("near", 1, style=limit(99_500)))
    guard = placed(venue, ask("stop", 1, buys=False, style=stop(99_000)))
    later(venue, 299)
    met = [fill.venue_order_id for fill in venue.all_fills()][1:]
    assert met == [order.venue_order_id for order in (near, guard, far)]
    assert [price for price, _ in prices(venue)][1:] == [99_500, 99_000, 98_500]


def test_hedge_legs_are_two_positions():
    venue = engine()
    placed(venue, ask("a", 100))
    placed(venue, ask("b", 60, buys=False, side=Side.SHORT))
    assert holds(venue) == [("long", 100, 100_000), ("short", 60, 100_000)]
    placed(venue, ask("c", 60, side=Side.SHORT))
    assert holds(venue) == [("long", 100, 100_000)]


def test_one_way_orders_net_and_turn_round():
    venue = engine(FREE_BINANCE)
    placed(venue, net("a", 100))
    placed(venue, net("b", 60, buys=False))
    assert holds(venue) == [("long", 40, 100_000)]
    placed(venue, net("c", 100, buys=False))
    assert holds(venue) == [("short", 60, 100_000)]


def test_a_reducing_order_needs_something_to_reduce():
    bingx, binance = engine(), engine(FREE_BINANCE)
    assert refusal(bingx, ask(buys=False)) == "no_position"
    assert refusal(binance, net(reduce_only=True)) == "no_position"
    placed(binance, net("a"))
    assert refusal(binance, net("b", reduce_only=True)) == "reduce_only_conflict"


def test_a_close_beyond_what_is_held_is_refused_at_bingx_and_cut_at_binance():
    bingx, binance = engine(), engine(FREE_BINANCE)
    placed(bingx, ask("a"))
    assert refusal(bingx, ask("b", 101, buys=False)) == "reduce_only_conflict"
    placed(binance, net("a"))
    order = placed(binance, net("b", 150, buys=False, reduce_only=True))
    assert (order.status, order.filled, order.why) == (CANCELLED, 100, "nothing_left_to_close")
    assert holds(binance) == []


def test_resting_closes_claim_the_position_at_bingx_until_they_are_cancelled():
    venue = engine()
    placed(venue, ask("a"))
    resting = placed(venue, ask("b", buys=False, style=limit(101_000)))
    assert refusal(venue, ask("c", buys=False)) == "reduce_only_conflict"
    assert not isinstance(venue.cancel(BTC, client_order_id="b"), VenueRefusal)
    assert now(venue, resting).status is CANCELLED
    assert placed(venue, ask("c", buys=False)).status is FILLED


def test_a_stop_does_not_claim_the_position():
    venue = engine()
    placed(venue, ask("a"))
    placed(venue, ask("b", buys=False, style=stop(99_000)))
    assert placed(venue, ask("c", buys=False)).status is FILLED


@pytest.mark.parametrize(("rules", "wish", "stays"), [(FREE_BINGX, ask, True), (FREE_BINANCE, net, False)])
def test_a_flat_leg_keeps_its_resting_closes_at_bingx_and_drops_them_at_binance(rules, wish, stays):
    venue = engine(rules, path([(0, 100_000), (60, 98_000)]))
    reduces = None if rules is FREE_BINGX else True
    placed(venue, wish("a"))
    resting = placed(venue, wish("b", buys=False, reduce_only=reduces, style=stop(99_000)))
    placed(venue, wish("c", buys=False, reduce_only=reduces))
    assert now(venue, resting).status.is_final is not stays
    later(venue, 60)
    assert now(venue, resting).status is CANCELLED
    assert now(venue, resting).filled == 0
    assert holds(venue) == []


def test_mode_and_side_must_agree():
    bingx, binance = engine(), engine(FREE_BINANCE)
    assert refusal(bingx, net()) == "position_side_mismatch"
    assert refusal(binance, ask()) == "position_side_mismatch"
    assert refusal(bingx, ask(buys=False, reduce_only=True)) == "reduce_only_in_hedge_mode"


def test_gate_takes_reduce_only_in_hedge_mode_and_holds_it_to_its_word():
    venue = engine(replace(GATE, slippage=Ppm(0)))
    assert venue.set_position_mode(PositionMode.HEDGE) is None
    placed(venue, ask("t-a"))
    assert refusal(venue, ask("t-b", reduce_only=True)) == "reduce_only_conflict"
    assert placed(venue, ask("t-b", buys=False, reduce_only=True)).status is FILLED


def test_the_mode_does_not_change_with_exposure():
    venue = engine()
    placed(venue, ask("a"))
    refused = venue.set_position_mode(PositionMode.ONE_WAY)
    assert refused is not None
    assert refused.rule is VenueRule.MODE_CHANGE_WITH_EXPOSURE
    placed(venue, ask("b", buys=False))
    placed(venue, ask("c", style=limit(90_000)))
    assert venue.set_position_mode(PositionMode.ONE_WAY) is not None
    venue.cancel(BTC, client_order_id="c")
    assert venue.set_position_mode(PositionMode.ONE_WAY) is None
    assert venue.position_mode is PositionMode.ONE_WAY


def test_minimums_and_grid_are_kept():
    venue = engine(market=listed(contract=10, min_quantity=20, min_notional=50))
    assert refusal(venue, ask(quantity=15)) == "off_grid"
    assert refusal(venue, ask(quantity=10)) == "below_min_quantity"
    assert refusal(venue, ask(quantity=40)) == "below_min_notional"
    assert refusal(venue, ask(quantity=100, style=limit(40_000))) == "below_min_notional"
    assert refusal(venue, ask(quantity=0)) == "off_grid"
    assert refusal(venue, ask(quantity=100, style=limit(0))) == "bad_price"
    assert placed(venue, ask(quantity=50)).status is FILLED


def test_a_small_rest_can_be_closed():
    venue = engine(market=listed(min_notional=50))
    placed(venue, ask("a", 60))
    placed(venue, ask("b", 50, buys=False))
    assert placed(venue, ask("c", 10, buys=False)).status is FILLED
    assert venue.rules_used()["small_reductions"] is Basis.ASSUMED


def test_an_order_beyond_the_margin_is_refused_and_leverage_moves_the_line():
    venue = engine(cash=10)
    assert refusal(venue, ask(quantity=101)) == "insufficient_margin"
    assert venue.set_leverage(BTC, Side.LONG, 20) is None
    assert placed(venue, ask(quantity=101)).status is FILLED
    assert venue.balance().free == usdt(10) - usdt(101) // 20
    assert venue.leverage(BTC, Side.SHORT) == 10


def test_resting_entries_bind_margin_and_closes_do_not():
    venue = engine(cash=20)
    placed(venue, ask("a", 100))
    placed(venue, ask("b", 90, style=limit(99_000)))
    assert refusal(venue, ask("c", 100)) == "insufficient_margin"
    assert placed(venue, ask("d", 100, buys=False)).status is FILLED


def test_leverage_has_a_range():
    venue = engine()
    for leverage in (0, 126):
        refused = venue.set_leverage(BTC, Side.LONG, leverage)
        assert refused is not None
        assert refused.rule is VenueRule.BAD_LEVERAGE


def test_a_market_that_is_not_listed_or_closed_takes_nothing():
    venue = engine(market=replace(listed(), is_open=False))
    assert refusal(venue, ask()) == "market_closed"
    assert refusal(venue, ask(market=ETH)) == "unknown_market"
    with pytest.raises(BadInput, match="not listed"):
        venue.mark(ETH)


def test_a_position_cannot_leave_the_range_of_exact_money():
    assert refusal(engine(cash=900_000), ask(quantity=950_000)) == "above_max_notional"


def test_bingx_keeps_an_id_for_ever_in_lower_case():
    venue = engine()
    placed(venue, ask("Abc"))
    placed(venue, ask("b", buys=False))
    assert refusal(venue, ask("aBC")) == "duplicate_client_id"
    found = venue.order(BTC, client_order_id="ABC")
    assert found is not None
    assert found.client_order_id == "abc"
    assert refusal(venue, ask("x" * 41)) == "bad_client_id"


def test_binance_frees_an_id_when_its_order_is_final():
    venue = engine(FREE_BINANCE)
    placed(venue, net("a", style=limit(99_000)))
    assert refusal(venue, net("a")) == "duplicate_client_id"
    venue.cancel(BTC, client_order_id="a")
    second = placed(venue, net("a"))
    assert venue.order(BTC, client_order_id="a") == second


def test_at_gate_a_later_order_takes_the_id_over():
    venue = engine(GATE)
    first = placed(venue, net("t-a", style=limit(90_000)))
    second = placed(venue, net("t-a", style=limit(91_000)))
    assert venue.order(BTC, client_order_id="t-a") == second
    assert venue.order(BTC, venue_order_id=first.venue_order_id) == first
    assert refusal(venue, net("a")) == "bad_client_id"


def test_gate_forgets_the_id_of_an_order_without_fills_after_a_minute():
    venue = engine(GATE)
    filled = placed(venue, net("t-filled"))
    resting = placed(venue, net("t-a", style=limit(90_000)))
    order = venue.cancel(BTC, client_order_id="t-a")
    later(venue, 60)
    assert venue.order(BTC, client_order_id="t-a") == order
    later(venue, 0.001)
    assert venue.order(BTC, client_order_id="t-a") is None
    assert venue.order(BTC, venue_order_id=resting.venue_order_id) == order
    assert venue.orders(BTC, since_ms=START_MS) == (filled, order)
    assert venue.order(BTC, client_order_id="t-filled") == filled
    assert venue.rules_used()["id_lookup_window"] is Basis.DOCUMENTED


def test_a_refused_order_leaves_nothing_behind():
    venue = engine(cash=1)
    before = venue.dump()
    assert refusal(venue, ask()) == "insufficient_margin"
    assert venue.all_orders() == ()
    assert placed(engine(), ask()).venue_order_id == "1000000000000000001"
    assert before != venue.dump(), "the rule it used is noted"


def test_cancelling_what_is_not_there_or_final_is_refused():
    venue = engine()
    order = placed(venue, ask("a"))
    gone = venue.cancel(BTC, client_order_id="b")
    final = venue.cancel(BTC, venue_order_id=order.venue_order_id)
    assert isinstance(gone, VenueRefusal)
    assert isinstance(final, VenueRefusal)
    assert (gone.rule, final.rule) == (VenueRule.UNKNOWN_ORDER, VenueRule.ORDER_NOT_OPEN)
    with pytest.raises(BadInput, match="one of its ids"):
        venue.order(BTC)


def test_reads_are_by_market_and_by_time():
    venue = engine(feed=path([(0, 100_000), (10, 100_500)]))
    first = placed(venue, ask("a"))
    later(venue, 10)
    second = placed(venue, ask("b"))
    resting = placed(venue, ask("c", style=limit(90_000)))
    assert venue.orders(BTC, since_ms=START_MS) == (first, second, resting)
    assert venue.orders(BTC, since_ms=START_MS + 1) == (second, resting)
    assert [fill.venue_order_id for fill in venue.fills(BTC, since_ms=START_MS + 10_000)] == [second.venue_order_id]
    assert venue.open_orders() == (resting,)
    assert venue.open_orders(ETH) == venue.orders(ETH, since_ms=0) == venue.fills(ETH, since_ms=0) == ()


@pytest.mark.parametrize(("rate", "buys", "paid"), [(10_000, True, 10_000), (10_000, False, -10_000), (-5, True, -5)])
def test_funding_is_exchanged_at_eight_oclock_by_whoever_holds_then(rate, buys, paid):
    eight = (START_MS // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
    venue = engine(feed=path(funding={eight: rate}))
    placed(venue, ask("a", 100, buys=buys, side=Side.LONG if buys else Side.SHORT))
    venue.advance(eight - 1)
    assert venue.funding_payments() == ()
    venue.advance(eight)
    venue.advance(eight)
    (payment,) = venue.funding_payments()
    assert (payment.paid, payment.time_ms) == (paid * 100, eight)
    assert venue.cash == usdt(1_000) - paid * 100
    venue.advance(eight + FUNDING_INTERVAL_MS)
    assert venue.funding_payments()[1].paid == 0
    assert venue.rules_used()["funding_rate_absent"] is Basis.ASSUMED


def test_what_happens_at_the_very_moment_of_funding_does_not_pay_it_twice():
    eight = (START_MS // FUNDING_INTERVAL_MS + 1) * FUNDING_INTERVAL_MS
    venue = engine(feed=path(funding={eight: 10_000}))
    placed(venue, ask("a"))
    venue.advance(eight)
    venue.place_later(ask("b"), delay_ms=0)
    later(venue, 1)
    assert len(venue.all_orders()) == 2
    assert len(venue.funding_payments()) == 1


def test_an_order_on_its_way_arrives_after_its_delay_and_after_the_window_never():
    venue = engine()
    venue.place_later(ask("a"), delay_ms=4_000)
    venue.place_later(ask("b"), delay_ms=5_001)
    later(venue, 3.999)
    assert venue.all_orders() == ()
    later(venue, 0.001)
    assert [(o.client_order_id, o.created_at_ms) for o in venue.all_orders()] == [("a", START_MS + 4_000)]
    later(venue, 60)
    assert len(venue.all_orders()) == 1


def test_a_late_order_whose_id_was_used_meanwhile_is_dropped():
    venue = engine()
    venue.place_later(ask("a"), delay_ms=2_000)
    placed(venue, ask("a"))
    later(venue, 5)
    assert len(venue.all_orders()) == 1


def test_a_cut_order_fills_its_part_and_the_venue_cancels_the_rest():
    venue = engine()
    order = placed(venue, ask(), replace(PLAIN, cut=PartialCut(ratio=Ppm(300_000), rest_after_ms=None)))
    assert (order.status, order.filled, order.why) == (CANCELLED, 30, "cut_by_the_venue")


def test_a_cut_order_may_go_on_later_at_the_price_of_then():
    venue = engine(feed=path([(0, 100_000), (2, 101_000)]))
    order = placed(venue, ask(), replace(PLAIN, cut=PartialCut(ratio=Ppm(300_000), rest_after_ms=3_000)))
    assert (order.status, order.filled) == (PARTLY, 30)
    later(venue, 2.9)
    assert now(venue, order).filled == 30
    later(venue, 0.1)
    assert now(venue, order).status is FILLED
    assert prices(venue) == [(100_000, 30), (101_000, 70)]


def test_a_cut_order_can_be_cancelled_before_its_rest():
    venue = engine()
    order = placed(venue, ask(), replace(PLAIN, cut=PartialCut(ratio=Ppm(300_000), rest_after_ms=3_000)))
    venue.cancel(BTC, venue_order_id=order.venue_order_id)
    later(venue, 10)
    assert (now(venue, order).status, now(venue, order).filled) == (CANCELLED, 30)


def test_a_hidden_order_is_missing_from_reads_and_trades_all_the_same():
    venue = engine()
    hidden = frozenset({VenueCall.ORDER, VenueCall.OPEN_ORDERS, VenueCall.ORDERS, VenueCall.FILLS, VenueCall.POSITIONS})
    later(venue, 1)
    order = placed(venue, ask("a"), replace(PLAIN, hidden_ms=5_000, hidden_from=hidden))
    resting = placed(venue, ask("b", style=limit(90_000)))
    assert venue.order(BTC, client_order_id="a") is None
    assert venue.orders(BTC, since_ms=0) == venue.open_orders() == (resting,)
    assert venue.fills(BTC, since_ms=0) == venue.positions() == ()
    assert refusal(venue, ask("a")) == "duplicate_client_id"
    assert venue.all_orders() == (order, resting)
    later(venue, 5)
    assert venue.order(BTC, client_order_id="a") == order
    assert holds(venue) == [("long", 100, 100_000)]
    assert len(venue.fills(BTC, since_ms=0)) == 1


def test_a_read_can_lag():
    venue = engine(feed=path([(0, 100_000), (5, 99_000)]))
    order = placed(venue, ask("a", style=limit(99_500)))
    later(venue, 10)
    before = START_MS + 4_000
    lagging = venue.order(BTC, client_order_id="a", as_of_ms=before)
    assert lagging is not None
    assert (lagging.status, lagging.filled) == (OPEN, 0)
    assert [o.status for o in venue.open_orders(as_of_ms=before)] == [OPEN]
    assert venue.positions(as_of_ms=before) == venue.fills(BTC, since_ms=0, as_of_ms=before) == ()
    assert venue.orders(BTC, since_ms=0, as_of_ms=START_MS - 1) == ()
    assert (now(venue, order).status, venue.open_orders()) == (FILLED, ())


def test_somebody_else_can_trade_on_the_account_and_flip_its_mode():
    venue = engine()
    order = venue.inject_position(BTC, Side.SHORT, Steps(7))
    assert (order.client_order_id, order.status, holds(venue)) == (None, FILLED, [("short", 7, 100_000)])
    assert venue.flip_mode()
    assert (venue.position_mode, holds(venue)) == (PositionMode.ONE_WAY, [("short", 7, 100_000)])
    placed(venue, net("a", 10))
    assert holds(venue) == [("long", 3, 100_000)]
    assert venue.flip_mode()
    placed(venue, ask("b", 5, buys=False, side=Side.SHORT))
    assert holds(venue) == [("long", 3, 100_000), ("short", 5, 100_000)]
    assert not venue.flip_mode(), "a market with both sides has no net position to show"
    assert venue.position_mode is PositionMode.HEDGE


def test_what_others_do_is_bound_by_no_volume_and_no_margin():
    venue = engine(feed=path(volume=10), cash=1)
    assert venue.inject_position(BTC, Side.LONG, Steps(5_000)).filled == 5_000
    assert venue.balance().free == 0


def test_a_dump_of_another_venue_or_no_dump_is_refused():
    venue = engine()
    for data, rules in ((venue.dump(), FREE_BINANCE), (b"{}", FREE_BINGX), (venue.dump()[:-1], FREE_BINGX)):
        with pytest.raises(BadInput):
            VenueEngine.load(data, rules=rules, markets=venue.markets, feed=venue.feed)


def test_the_clock_does_not_go_back():
    venue = engine()
    with pytest.raises(BadInput, match="does not go back"):
        venue.advance(START_MS - 1)


def test_every_rule_has_a_basis_and_only_used_ones_are_reported():
    venue = engine()
    assert venue.rules_used() == {}
    placed(venue, ask())
    used = venue.rules_used()
    assert used["taker_fee"] is Basis.FIXTURE
    assert used["slippage"] is Basis.ASSUMED
    assert VenueModel.FUNDING not in used
    with pytest.raises(BadInput, match="without a basis"):
        replace(BINGX, basis={})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("taker_fee", -1),
        ("maker_fee", 90_001),
        ("slippage_slope", -1),
        ("bar_share_max", 0),
        ("leverage", 126),
        ("id_pattern", "("),
    ],
)
def test_rules_out_of_range_are_refused_by_field(field, wrong):
    with pytest.raises(BadInput) as caught:
        replace(BINGX, **{field: wrong})
    assert caught.value.where.field == field
