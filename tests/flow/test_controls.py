"""Controls and budgets along the way: asked anew for every entry, and never in the way of an exit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.model.controls import CLEAR, Controls
from copytrade_core.model.event import PositionSynced
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import Hold, IntentKind
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money
from copytrade_core.model.verdict import Approved
from tests.desk_floor import CALM_CAPS, DeskFloor, World, orders_in
from tests.trading_floor import BTC, ETH, FOLLOW, at_ms, closed, episode, instrument, ladder, leave, opened, usdt

LADDER = ladder("0.4", ("0.01", "0.2"), ("0.01", "0.2"), ("0.01", "0.2"))
BOTH = leave(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=20_000, stop=50_000)
GUARDED = replace(FOLLOW, exit=BOTH, ladder=LADDER)
KNOWN = episode(0, 60)
NAME = KNOWN.episode_id
OTHER = episode(1, 60, market=ETH)
MARKETS: dict[str, Instrument] = {BTC: instrument(), ETH: instrument(ETH)}


def calm_floor(policy=GUARDED, **caps) -> DeskFloor:
    return DeskFloor(policy, caps=replace(CALM_CAPS, **caps), instruments=MARKETS)


def held_floor(policy=GUARDED, **caps) -> DeskFloor:
    floor = calm_floor(policy, **caps)
    (base,) = orders_in(floor.tell(opened(KNOWN), 0))
    floor.fill(base)
    return floor


def reasons(floor: DeskFloor) -> list[str]:
    return [refused.reason.value for refused in floor.refusals()]


class StopsAfter(World):
    """A person who sets STOP_NEW_ORDERS while a step is being carried out."""

    def __init__(self, asks: int) -> None:
        super().__init__()
        self.left = asks

    def controls(self) -> Controls:
        self.left -= 1
        return replace(CLEAR, stop_new_orders=self.left < 0)


def test_controls_are_read_anew_for_every_intent():
    floor = calm_floor()
    floor.desk = replace(floor.desk, surroundings=StopsAfter(asks=2))
    (base,) = orders_in(floor.tell(opened(KNOWN), 0))
    records = floor.fill(base)
    assert [order.leg for order in orders_in(records)] == ["stop.1", "take_profit.1", "rung1"]
    assert reasons(floor) == ["stop_new_orders"]


class Unreadable(World):
    """Surroundings that cannot be asked."""

    def controls(self) -> Controls:
        raise AssertionError("an exit asked for controls")

    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        raise AssertionError("an exit asked for the age of its source")

    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        raise AssertionError("an exit asked for the age of a mark")


def test_an_exit_asks_for_nothing_so_nothing_can_hold_it_back():
    floor = held_floor()
    floor.desk = replace(floor.desk, surroundings=Unreadable())
    (close,) = orders_in(floor.tell(closed(KNOWN), 60))
    assert close.kind is IntentKind.CLOSE


class _Everything(set[str]):
    """Every order is in doubt."""

    def __contains__(self, name: object) -> bool:
        return True


def disturb(floor: DeskFloor) -> None:
    """Everything that can stand against new risk at once: controls, ages, doubts, losses, spent budgets, the brake."""
    floor.world.set = Controls(kill=True, stop_new_orders=True, hot_stop=True, deadline_ms=0, approval_valid=False)
    floor.world.source_age, floor.world.mark_age = None, {BTC: None}
    floor.world.unresolved = _Everything()
    floor.world.fault, floor.world.one_way = "the venue holds more than we do", True
    floor.cap(
        notional_gross_max=1,
        notional_one_side_max=1,
        notional_correlated_max=1,
        daily_loss_max=1,
        orders_per_hour_max=1,
    )


@pytest.mark.parametrize("mark", [100_000, 50_000, None])
def test_nothing_that_counts_opens_ever_holds_back_a_close(mark):
    floor = held_floor()
    for _ in range(3):
        floor.reject(next(order for order in floor.state.resting.values() if order.kind is IntentKind.ADD))
    assert floor.state.strategy.backoff.blocks(floor.now_ms)
    disturb(floor)
    floor.marks.default = mark
    (close,) = orders_in(floor.tell(closed(KNOWN), 0.5))
    assert (close.kind, close.quantity, close.worst_notional) == (IntentKind.CLOSE, 400, 0)


def test_nothing_that_counts_opens_ever_holds_back_a_stop_or_a_take_profit():
    floor = calm_floor()
    (base,) = orders_in(floor.tell(opened(KNOWN), 0))
    disturb(floor)
    records = floor.fill(base)
    assert [order.leg for order in orders_in(records)] == ["stop.1", "take_profit.1"]
    (refused,) = floor.refusals()
    assert refused.intent.leg == "rung1"
    assert [refused.reason, *(each.reason for each in refused.also)] == [
        "kill",
        "stop_new_orders",
        "deadline_reached",
        "orders_per_hour",
        "notional_gross",
        "notional_one_side",
        "notional_correlated",
        "source_stale",
        "mark_stale",
        "unknown_order_pending",
        "approval_invalid",
        "account_fault",
    ]


def test_the_hourly_budget_counts_opens_and_adds_of_the_last_hour_and_nothing_else():
    floor = held_floor(orders_per_hour_max=4)
    assert floor.legs() == {"stop.1", "take_profit.1", "rung1", "rung2", "rung3"}
    (close,) = orders_in(floor.tell(closed(KNOWN), 10))
    floor.fill(close)
    floor.tell(opened(OTHER), 15)
    assert reasons(floor) == ["orders_per_hour"]
    assert dict(floor.refusals()[0].numbers) == {"entries_last_hour": 4, "orders_per_hour_max": 4}
    at_the_hour = episode(60, 90, market=ETH)
    assert orders_in(floor.tell(opened(at_the_hour), 60)), "what was sent an hour ago counts no more"
    assert len(floor.state.entries_at_ms) == 1


def test_a_refused_entry_does_not_count_against_the_hour():
    floor = calm_floor(orders_per_hour_max=1)
    floor.world.set = replace(CLEAR, stop_new_orders=True)
    floor.tell(opened(KNOWN), 0)
    floor.world.set = CLEAR
    assert orders_in(floor.tell(opened(OTHER), 1))


def test_the_days_loss_counts_every_position_at_its_own_mark_and_fees():
    policy = replace(FOLLOW, entry=replace(FOLLOW.entry, signal_age_s_max=90_000))
    floor = held_floor(policy, daily_loss_max=usdt(30))
    floor.marks.of[ETH] = 100_000
    (eth,) = orders_in(floor.tell(opened(OTHER), 1))
    floor.fill(eth)
    floor.marks.of[BTC], floor.marks.of[ETH] = 98_000, 99_000
    third = episode(2, 60, side=Side.SHORT)
    floor.tell(opened(third), 2)
    assert reasons(floor) == ["daily_loss"], "20 lost in one market and 10 in the other"
    assert dict(floor.refusals()[0].numbers) == {"day_result": -usdt(30), "daily_loss_max": usdt(30)}
    floor.marks.of[ETH] = 99_001
    fourth = episode(3, 60, side=Side.SHORT)
    assert orders_in(floor.tell(opened(fourth), 3))
    fee = Money(2)
    floor.state = replace(
        floor.state, book=replace(floor.state.book, cash=Money(floor.state.book.cash - usdt(1) - fee))
    )
    floor.tell(opened(episode(4, 60, side=Side.SHORT)), 4)
    assert dict(floor.refusals()[-1].numbers)["day_result"] == -usdt(30.99) - fee


def test_one_unknown_mark_anywhere_counts_as_a_breach_of_the_days_loss():
    floor = held_floor(FOLLOW)
    floor.marks.of[ETH] = 100_000
    floor.marks.of[BTC] = None
    floor.tell(opened(OTHER), 1)
    assert reasons(floor) == ["daily_loss"]
    assert floor.refusals()[0].detail == "a mark is unknown"


def test_an_old_mark_of_any_market_held_blocks_an_entry_in_another():
    floor = held_floor(FOLLOW)
    floor.world.mark_age = {BTC: 60_001, ETH: 0}
    floor.tell(opened(OTHER), 1)
    assert reasons(floor) == ["mark_stale"]


@pytest.mark.parametrize(
    ("market", "side", "one_way", "refused"),
    [
        (BTC, Side.LONG, False, ["unknown_order_pending"]),
        (BTC, Side.SHORT, False, []),
        (BTC, Side.SHORT, True, ["unknown_order_pending"]),
        (ETH, Side.LONG, False, []),
    ],
)
def test_an_entry_waits_for_the_truth_about_an_order_of_the_same_position(market, side, one_way, refused):
    floor = calm_floor(FOLLOW)
    (base,) = orders_in(floor.tell(opened(KNOWN), 0))
    floor.world.unresolved, floor.world.one_way = {base.client_order_id}, one_way
    orders = orders_in(floor.tell(opened(episode(1, 60, market=market, side=side)), 1))
    assert reasons(floor) == refused
    assert bool(orders) is not bool(refused)


def test_an_unknown_exit_holds_back_entries_of_its_position_too():
    floor = held_floor()
    stop = floor.resting("stop.1")
    floor.world.unresolved = {stop.client_order_id}
    floor.tell(opened(episode(1, 60)), 1)
    assert reasons(floor) == ["unknown_order_pending"]


def test_in_one_way_mode_nothing_opens_against_what_is_held():
    floor = held_floor(FOLLOW)
    floor.world.one_way = True
    floor.tell(opened(episode(1, 60, side=Side.SHORT)), 1)
    assert reasons(floor) == ["opposite_position"]
    assert orders_in(floor.tell(opened(episode(2, 60)), 2))


def test_an_account_that_is_not_ours_alone_blocks_entries_and_says_why():
    floor = calm_floor(FOLLOW)
    floor.world.fault = "foreign position 5 BTC"
    floor.tell(opened(KNOWN), 0)
    (refused,) = floor.refusals()
    assert (refused.reason, refused.detail) == ("account_fault", "foreign position 5 BTC")


def test_a_lead_that_trades_a_market_without_our_rules_is_not_followed_there_and_the_session_goes_on():
    floor = calm_floor(FOLLOW)
    strange = episode(0, 60, market=Market("SOL/USDT:USDT"))
    for event in (opened(strange), closed(strange)):
        (record,) = floor.tell(event, 0)
        assert isinstance(record, Hold)
        assert (record.reason, dict(record.numbers)) == ("market_not_traded", {"market": "SOL/USDT:USDT"})
    assert orders_in(floor.tell(opened(KNOWN), 0))


def test_an_approval_is_recorded_before_its_order():
    floor = calm_floor(FOLLOW)
    approved, order = floor.tell(opened(KNOWN), 0)
    assert isinstance(approved, Approved)
    assert approved.intent.leg == order.leg == "base"  # pyright: ignore[reportAttributeAccessIssue]
    assert order.worst_notional == approved.worst_notional == usdt(1000)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_sync_that_shows_a_position_changes_no_book():
    floor = held_floor()
    before = floor.state
    holding = replace(before.book.holdings[NAME], quantity=1)
    assert floor.tell(PositionSynced(episode_id=NAME, holding=holding, time_ms=at_ms(1)), 1) == []
    assert floor.state.book == before.book
    assert floor.state.resting == before.resting
