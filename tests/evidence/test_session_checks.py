"""What must hold of every session is asked of its rows alone, and each check can fail."""

from dataclasses import replace

import pytest

from copytrade_core.evidence.session_checks import (
    caps_held,
    cash_balances,
    check_session,
    close_delay_s,
    course_of,
    ids_unique,
    no_open_while_halted,
)
from copytrade_core.model.session_record import Halt
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from tests.record_floor import CAPS, E8, MINUTE, START, fill, order, record


def test_a_clean_session_keeps_everything():
    assert {answer.name: answer.breaches for answer in check_session(record())} == {
        "caps_held": (),
        "cash_balances": (),
        "ids_unique": (),
        "no_open_while_halted": (),
    }


@pytest.mark.parametrize(
    ("fills", "cap"),
    [
        ((fill(1, 31),), "notional_gross_max"),
        ((fill(1, 20), fill(2, 11, episode="e2", side=Side.SHORT)), "notional_gross_max"),
        ((fill(1, 3), fill(2, 28, episode="e2")), "notional_one_side_max"),
    ],
)
def test_more_than_a_cap_is_named_with_its_numbers(fills, cap):
    answer = caps_held(record(fills=fills))
    assert any(breach.startswith(cap) for breach in answer.breaches), answer.says


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({}, 0),
        ({"close_wished_ms": {"e1": START + MINUTE}}, 60),
        ({"close_wished_ms": {"e1": START + 90 * MINUTE}, "held": {"e1": 5}}, 600),
        ({"close_wished_ms": {"e1": START}, "started_at_ms": START + 50 * MINUTE}, 0),
        ({"close_wished_ms": {"e2": START}}, 0),
    ],
    ids=["nothing wanted", "last exit", "still held", "over before the session", "another episode"],
)
def test_a_close_takes_from_its_wish_to_the_last_exit_or_to_the_end_while_it_is_held(change, seconds):
    assert close_delay_s(record(**change)) == seconds


def test_an_entry_may_fill_worse_by_the_drift_that_its_cap_allows():
    assert caps_held(record(fills=(fill(1, 30.3),))).holds
    assert not caps_held(record(fills=(fill(1, 30.31),))).holds


def test_what_was_reduced_makes_room_at_average_cost():
    fills = (fill(1, 20), fill(2, 5, is_entry=False, quantity=50, at=1), fill(3, 19, episode="e2", at=2))
    assert caps_held(record(fills=fills)).numbers["gross_max_usdt"] == 29


def test_nothing_opens_once_the_day_has_lost_its_cap_and_a_new_day_forgives():
    lost = (fill(1, 20), fill(2, 14, is_entry=False, at=1))
    assert "daily_loss_max" in caps_held(record(fills=(*lost, fill(3, 10, episode="e2", at=2)))).says
    tomorrow = fill(3, 10, episode="e2", at=24 * 60 * MINUTE)
    assert caps_held(record(fills=(*lost, tomorrow))).holds


def test_a_third_entry_within_an_hour_breaks_the_throttle():
    orders = tuple(order(number, sent=number * 20 * MINUTE) for number in range(3))
    assert "orders_per_hour_max" in caps_held(record(orders=orders)).says
    apart = tuple(order(number, sent=number * 30 * MINUTE) for number in range(3))
    assert caps_held(record(orders=apart)).holds


@pytest.mark.parametrize(
    "change",
    [
        {"cash": Money(round(30.45 * E8) + 1), "account_told": None, "mode": "live"},
        {"funding": Money(0)},
        {"held": {"e1": Money(1)}},
        {"written_off": ("e9",)},
    ],
    ids=str,
)
def test_one_unit_of_money_too_many_is_found(change):
    assert not cash_balances(record(**change)).holds


def test_what_is_still_held_counts_at_cost():
    held = record(
        fills=(fill(1, 20), fill(2, 11, is_entry=False, quantity=50)),
        cash=Money(round(30.96 * E8)),
        account_told=None,
        mode="live",
        held={"e1": Money(10 * E8)},
    )
    assert cash_balances(held).holds, cash_balances(held).says


@pytest.mark.parametrize(
    "change",
    [
        {"orders": (order(1), order(1))},
        {"orders": (order(1), replace(order(2), intent_digest=order(1).intent_digest), order(3))},
        {"fill_ids": ("f1", "f1")},
        {"fills": (fill(9, 1),)},
    ],
    ids=["order", "intent", "trade", "stranger"],
)
def test_an_id_used_twice_or_unknown_is_found(change):
    assert not ids_unique(record(**change)).holds


@pytest.mark.parametrize(
    ("sent", "is_entry", "until", "holds"),
    [
        (10_900, True, None, True),
        (11_001, True, None, False),
        (60_000, False, None, True),
        (60_000, True, 50_000, True),
        (40_000, True, 50_000, False),
    ],
)
def test_nothing_opens_a_second_after_a_stop_and_exits_always_pass(sent, is_entry, until, holds):
    halt = Halt(control="STOP_NEW_ORDERS", from_ms=START + 10_000, until_ms=None if until is None else START + until)
    found = no_open_while_halted(record(orders=(order(1, is_entry=is_entry, sent=sent),), halts=(halt,)))
    assert found.holds is holds


def test_an_entry_beyond_one_lead_s_capital_breaks_the_caps_and_the_lead_s_course_is_told_from_its_fills_alone():
    caps = {**CAPS, "notional_gross_max": 90 * E8, "notional_one_side_max": 90 * E8, "notional_lead_1_max": 21 * E8}
    entries = (fill(1, 20, episode="1|a"), fill(2, 20, episode="2|a"))
    fine = record(caps=caps, fills=entries)
    assert caps_held(fine).holds
    broken = caps_held(record(caps=caps, fills=(*entries, fill(3, 5, episode="1|b"))))
    assert broken.breaches == ("notional_lead_1_max: 25 held after ct-3, cap 21",)
    left = record(caps=caps, fills=(*entries, fill(3, 22, episode="1|a", is_entry=False)))
    one, two = course_of(left, "1"), course_of(left, "2")
    assert (one.entries_count, one.exits_count, one.realised, one.held, one.held_max) == (
        1,
        1,
        round(1.98 * E8),
        0,
        20 * E8,
    )
    assert (two.entries_count, two.exits_count, two.held) == (1, 0, 20 * E8)


def test_a_cap_is_shown_in_the_unit_in_which_it_was_measured():
    numbers = caps_held(record(fills=(fill(1, 20),))).numbers
    assert numbers["cap_notional_gross_max_usdt"] == record().caps["notional_gross_max"] / 1e8
    assert float(numbers["gross_max_usdt"]) <= float(numbers["cap_notional_gross_max_usdt"])
    assert not {name for name in numbers if name.startswith(("cap_notional", "cap_daily")) and "_usdt" not in name}
