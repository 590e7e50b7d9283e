"""Days on the virtual exchange, told as timetables: the docstring is the test."""

from __future__ import annotations

import functools

import pytest

from tests.story.timetable import Timetable, happened


def story(test):
    @functools.wraps(test)
    def run():
        expected, lines = happened(test.__doc__)
        assert lines == expected

    return run


@story
def test_an_entry_fills_at_the_next_bars_open_after_the_delay():
    """
    delay: 240s
    09:55 BTC 100000 100000 100000 100000
    10:00 BTC 100000 100500 99500 100200
    10:02 lead opens BTC long at 100000
    10:05 BTC 100300 100900 100100 100700   # the order is ready at 10:06
    10:10 BTC 100800 101000 100600 100900
    -> 10:10 buy BTC base 100800
    """


@story
def test_an_order_ready_exactly_when_a_bar_opens_fills_there():
    """
    delay: 180s
    09:55 BTC 100000 100000 100000 100000
    10:00 BTC 100000 100000 100000 100000
    10:02 lead opens BTC short at 100000
    10:05 BTC 100300 100900 100100 100700
    -> 10:05 sell BTC base 100300
    """


@story
def test_an_entry_may_fill_at_its_first_bars_close():
    """
    market: first_bar_close
    09:55 BTC 100000 100000 100000 100000
    10:00 BTC 100000 100000 100000 100000
    10:02 lead opens BTC long at 100000
    10:05 BTC 100300 100900 100100 100700
    10:12 lead closes BTC long at 100000
    10:10 BTC 100700 100700 100700 100700
    10:15 BTC 100700 100800 100700 100800
    -> 10:10 buy BTC base 100700
    -> 10:20 sell BTC source_close 100800
    """


@story
def test_touched_rungs_fill_several_in_one_bar():
    """
    ladder: 40%, 20% after 1%, 20% after 1%, 20% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 98500 98600
    10:05 BTC 98600 98700 98010 98500
    -> 10:00 buy BTC base 100000
    -> 10:05 buy BTC rung1 99000
    -> 10:10 buy BTC rung2 98010
    """


@story
def test_a_crash_in_one_bar_fills_every_rung_on_its_way():
    """
    ladder: 40%, 20% after 1%, 20% after 1%, 20% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 90000 99999
    -> 10:00 buy BTC base 100000
    -> 10:05 buy BTC rung1 99000
    -> 10:05 buy BTC rung2 98010
    -> 10:05 buy BTC rung3 97030
    """


@story
def test_rungs_that_need_a_close_beyond_fill_once_a_bar_and_neither_in_the_first_bar_nor_the_last():
    """
    rungs: close_beyond
    exit: source_close_follows
    ladder: 40%, 20% after 1%, 20% after 1%, 20% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 98000 98000      # the first bar: not here
    10:05 BTC 98000 98000 97000 97500        # closes beyond two rungs: one fills
    10:10 BTC 97500 99500 97500 98010        # at the rung is not beyond it
    10:15 BTC 98010 98010 90000 98005
    10:20 BTC 98005 98005 90000 90000
    10:22 lead closes BTC long at 90000      # known inside 10:20, so that was its last bar
    10:25 BTC 90500 90500 90500 90500
    -> 10:00 buy BTC base 100000
    -> 10:10 buy BTC rung1 99000
    -> 10:20 buy BTC rung2 98010
    -> 10:25 sell BTC source_close 90500
    """


@story
def test_the_bar_that_ends_with_the_sources_close_is_the_last_one_too():
    """
    rungs: close_beyond
    ladder: 40%, 60% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 BTC 100000 100000 90000 90000
    10:10 lead closes BTC long at 90000
    10:10 BTC 90000 90000 90000 90000
    -> 10:00 buy BTC base 100000
    -> 10:10 sell BTC source_close 90000
    """


@story
def test_the_bar_that_ends_with_the_time_to_live_is_the_last_one():
    """
    rungs: close_beyond
    exit: autonomous, ttl 10m
    ladder: 40%, 30% after 1%, 30% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 90000 90000
    10:05 BTC 90000 90000 90000 90000
    10:10 BTC 90000 91000 90000 91000
    -> 10:00 buy BTC base 100000
    -> 10:10 sell BTC ttl 90000
    """


@story
def test_a_stop_comes_before_a_take_profit_in_the_same_bar():
    """
    exit: autonomous, profit 2%, stop 5%, ttl 60m
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 103000 94000 102500
    -> 10:00 buy BTC base 100000
    -> 10:05 sell BTC stop_loss 95000
    """


@story
def test_a_rung_comes_before_a_take_profit_in_the_same_bar():
    """
    exit: autonomous, profit 2%, ttl 60m
    ladder: 50%, 50% after 2%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 103000 97000 102500     # the rung fills, and the take-profit waits for the next bar
    10:05 BTC 101000 101000 99000 99500      # average 98991 of 500 steps at 100000 and 510 at 98000
    -> 10:00 buy BTC base 100000
    -> 10:05 buy BTC rung1 98000
    -> 10:10 sell BTC take_profit 101000     # 100970 was asked, the open gave more
    """


@story
def test_rungs_before_the_stop_and_the_stop_ends_the_rest():
    """
    exit: autonomous, stop 2%, ttl 60m
    ladder: 40%, 30% after 1%, 30% after 3%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 90000 99000      # rung1 moves the stop from 98000 to 2 % under the new average
    10:05 BTC 99000 99000 80000 99000
    -> 10:00 buy BTC base 100000
    -> 10:05 buy BTC rung1 99000
    -> 10:05 sell BTC stop_loss 97577        # average 99569 of 400 steps and 303 at 99000
    """


@story
def test_a_gap_over_a_rung_fills_it_at_the_open():
    """
    ladder: 40%, 30% after 1%, 30% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 BTC 98500 98600 98400 98500
    -> 10:00 buy BTC base 100000
    -> 10:10 buy BTC rung1 98500
    """


@story
def test_a_gap_over_a_stop_fills_it_at_the_worse_open():
    """
    exit: autonomous, stop 5%, ttl 60m
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 BTC 90000 99000 89000 99000
    -> 10:00 buy BTC base 100000
    -> 10:10 sell BTC stop_loss 90000
    """


@story
def test_a_gap_over_a_take_profit_fills_it_at_the_better_open():
    """
    exit: autonomous, profit 2%, ttl 60m
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 BTC 104000 105000 103000 104000
    -> 10:00 buy BTC base 100000
    -> 10:10 sell BTC take_profit 104000
    """


@story
def test_a_short_is_a_long_in_the_mirror():
    """
    exit: autonomous, profit 2%, stop 5%, ttl 60m
    ladder: 50%, 50% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC short at 100000
    10:00 BTC 100000 101000 100000 100500
    10:05 BTC 97000 98000 96000 97000        # 2 % under the average of 100500 is 98490: the open is better
    -> 10:00 sell BTC base 100000
    -> 10:05 sell BTC rung1 101000
    -> 10:10 buy BTC take_profit 97000
    """


@story
def test_funding_is_due_at_the_open_by_who_holds_then():
    """
    09:55 BTC 100000 100000 100000 100000
    10:00 funding BTC 1%                     # before our entry at this very open: not ours
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 funding BTC 0.1%                   # ours, on 1000 USDT at the open: 1 USDT
    10:05 BTC 100000 120000 80000 110000
    10:08 lead closes BTC long at 110000
    10:10 funding BTC -0.2%                  # received on 1100 before the exit at the same open: 2.20 USDT
    10:10 BTC 110000 110000 110000 110000
    10:15 funding BTC 5%
    10:15 BTC 110000 110000 110000 110000
    -> 10:00 buy BTC base 100000
    -> 10:10 sell BTC source_close 110000
    -> 10:10 result BTC 101.2
    """


@story
def test_a_short_receives_a_positive_funding_rate_and_pays_a_negative_one():
    """
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC short at 100000
    10:00 BTC 100000 100000 100000 100000
    10:05 funding BTC 0.3%                   # 3 USDT received on 1000
    10:05 BTC 100000 100000 100000 100000
    10:08 lead closes BTC short at 100000
    10:10 funding BTC -0.1%                  # 1 USDT paid
    10:10 BTC 100000 100000 100000 100000
    -> 10:00 sell BTC base 100000
    -> 10:10 buy BTC source_close 100000
    -> 10:10 result BTC 2
    """


@story
def test_a_source_that_closes_before_our_entry_filled_is_left_at_the_next_open():
    """
    ladder: 50%, 50% after 1%
    09:55 BTC 100000 100000 100000 100000
    10:00 BTC 100000 100000 100000 100000
    10:01 lead opens BTC long at 100000
    10:03 lead closes BTC long at 100000
    10:05 BTC 100000 100000 90000 99000      # no rung is laid for a trade that is over
    10:10 BTC 99500 99500 99500 99500
    -> 10:05 buy BTC base 100000
    -> 10:10 sell BTC source_close 99500
    """


@story
def test_time_to_live_counts_from_the_fill():
    """
    exit: autonomous, ttl 10m
    09:55 BTC 100000 100000 100000 100000
    10:00 BTC 100000 100000 100000 100000
    10:01 lead opens BTC long at 100000
    10:05 BTC 100100 100100 100100 100100
    10:10 BTC 100200 100200 100200 100200
    10:15 BTC 100300 100300 100300 100300
    -> 10:05 buy BTC base 100100
    -> 10:15 sell BTC ttl 100300
    """


@story
def test_a_trailing_stop_follows_the_best_price_from_its_level_on():
    """
    exit: autonomous, profit 2%, trailing 1%, ttl 60m
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 101900 90000 101000     # not yet at 2 %: nothing rests
    10:05 BTC 101000 103000 101000 102800    # best 103000: the stop rests at 101970 from the next bar on
    10:10 BTC 102800 105000 101980 104500    # and then at 103950
    10:15 BTC 104500 104600 103000 103500
    -> 10:00 buy BTC base 100000
    -> 10:20 sell BTC trailing_stop 103950
    """


@story
def test_what_happened_before_an_entry_at_a_bars_close_starts_no_trailing_stop():
    """
    market: first_bar_close
    exit: autonomous, profit 2%, trailing 1%, ttl 60m
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 110000 90000 100000     # we are in from 10:05 on
    10:05 BTC 100000 101000 98000 99000
    10:10 BTC 99000 99000 99000 99000
    -> 10:05 buy BTC base 100000
    """


@story
def test_capital_is_not_used_twice():
    """
    equity: 1500
    09:55 BTC 100000 100000 100000 100000
    09:55 ETH 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:01 lead opens ETH long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:00 ETH 100000 100000 100000 100000
    10:05 BTC 100000 100000 100000 100000
    10:05 ETH 100000 100000 100000 100000
    -> 10:00 buy BTC base 100000
    -> 10:01 refused ETH base notional_gt_equity
    """


@story
def test_capital_freed_at_an_open_may_be_used_at_the_same_open_whatever_the_markets_are_called():
    """
    equity: 1200
    ladder: 50%, 50% after 1%
    09:55 BTC 100000 100000 100000 100000
    09:55 ETH 100000 100000 100000 100000
    10:00 lead opens ETH long at 100000
    10:00 BTC 100000 100000 100000 100000
    10:00 ETH 100000 100000 100000 100000
    10:06 lead closes ETH long at 100000
    10:07 lead opens BTC long at 100000
    10:05 BTC 100000 100000 100000 100000
    10:05 ETH 100000 100000 100000 100000
    10:10 BTC 100000 100000 100000 100000    # ETH leaves before BTC's rung is asked for
    10:10 ETH 100000 100000 100000 100000
    -> 10:00 buy ETH base 100000
    -> 10:10 sell ETH source_close 100000
    -> 10:10 buy BTC base 100000
    """


@story
def test_costs_are_always_against_us():
    """
    costs: fee 0.1%, slippage 0.5%
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC short at 100000
    10:00 BTC 100000 100000 100000 100000
    10:02 lead closes BTC short at 100000
    10:05 BTC 100000 100000 100000 100000
    -> 10:00 sell BTC base 99500             # 1000 steps: 995 USDT, fee 0.995
    -> 10:05 buy BTC source_close 100500     # 1005 USDT, fee 1.005
    -> 10:05 result BTC -12
    """


@story
def test_a_price_that_ran_away_is_not_chased():
    """
    delay: 300s
    09:50 BTC 100000 100000 100000 100000
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 110000 100000 110000
    10:05 BTC 110000 110000 110000 110000
    -> 10:05 hold BTC entry_drift
    """


def test_a_timetable_with_a_line_it_cannot_say_is_refused():
    with pytest.raises(ValueError, match="cannot say '10:00 wait'"):
        Timetable().read("\n10:00 wait")


def test_a_story_that_expects_something_else_fails():
    told = """
    09:55 BTC 100000 100000 100000 100000
    10:00 lead opens BTC long at 100000
    10:00 BTC 100000 100000 100000 100000
    -> 10:00 buy BTC base 99999
    """
    expected, lines = happened(told)
    assert lines == ["10:00 buy BTC base 100000"]
    assert lines != expected
