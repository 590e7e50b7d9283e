"""Ledger, fills and the account's own telling come to the same money, however fills are grouped; any fault shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.account_check import account_breaches, settled, settled_by_fills
from copytrade_core.evidence.session_checks import cash_balances
from copytrade_core.ledger.equity import equity
from copytrade_core.ledger.post import opened_book, post_fill, post_funding
from copytrade_core.model.book import Book
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.session_record import AccountTold, SessionFill, SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks, fee, funding_cost
from copytrade_core.session.paper_account import PaperAccount
from tests.record_floor import order, record
from tests.trading_floor import BTC, ETH, START_MS, instrument, usdt

CASH = usdt(10_000)
RULES: dict[str, Instrument] = {str(market): instrument(market) for market in (BTC, ETH)}
EPISODES = [(f"{market}|{side}|{number}", market, side) for market in RULES for side in Side for number in (1, 2)]


@dataclass(frozen=True)
class Trade:
    """One fill, or a funding payment of what an episode holds where `quantity` is 0."""

    episode: int
    price: int
    quantity: int
    enters: bool
    rate: int


TRADES = st.lists(
    st.builds(
        Trade,
        episode=st.integers(0, len(EPISODES) - 1),
        price=st.integers(90_000, 110_001),
        quantity=st.integers(0, 333),
        enters=st.booleans(),
        rate=st.integers(-1_000, 1_000),
    ),
    max_size=40,
)


class Both:
    """The ledger, which keeps episodes, and the account, which keeps positions, told the same; and what they leave."""

    def __init__(self, trades: list[Trade]) -> None:
        self.book: Book = opened_book(CASH)
        self.account = PaperAccount(instruments=RULES, cash=CASH)
        self.fills: list[SessionFill] = []
        self.ids: list[str] = []
        self.funding = 0
        for each in trades:
            self.take(each)

    def take(self, trade: Trade) -> None:
        episode_id, market, side = EPISODES[trade.episode]
        held = self.book.holdings.get(episode_id)
        if not trade.quantity:
            notional = 0 if held is None else RULES[market].notional(trade.price, held.quantity)
            cost = funding_cost(notional, trade.rate, sign=side.sign)
            self.book = post_funding(self.book, episode_id, cost)
            self.account.charge(cost)
            self.funding += cost
            self.ids.append(f"funding|{len(self.ids)}")
            return
        quantity = trade.quantity if trade.enters else min(trade.quantity, 0 if held is None else held.quantity)
        if quantity:
            self.fill(episode_id, Market(market), side, Ticks(trade.price), Steps(quantity), enters=trade.enters)

    def fill(self, episode_id: str, market: Market, side: Side, price: Ticks, quantity: Steps, *, enters: bool) -> None:
        notional = RULES[market].notional(price, quantity)
        name = f"ct-{len(self.fills)}"
        fill = Fill(
            client_order_id=name,
            kind=IntentKind.ADD if enters else IntentKind.REDUCE,
            episode_id=episode_id,
            market=market,
            side=side,
            leg="base",
            buys=side.entry_buys if enters else side.exit_buys,
            time_ms=START_MS,
            bar_open_ms=START_MS,
            raw_price=price,
            price=price,
            quantity=quantity,
            fee=fee(notional, 487),
            slippage=Money(0),
            model=FillModel.TOUCH,
            reason="",
        )
        self.book = post_fill(self.book, fill, RULES[market])
        self.account.apply(fill)
        self.ids.append(f"{market}|{len(self.ids)}")
        self.fills.append(
            SessionFill(
                client_order_id=name,
                episode_id=episode_id,
                market=market,
                side=side,
                is_entry=enters,
                at_ms=START_MS,
                quantity=quantity,
                notional=notional,
                fee=fill.fee,
            )
        )

    def record(self, mark: int) -> SessionRecord:
        worth = equity(self.book, RULES, lambda _held: mark)
        held = self.account.at_cost()
        at_account = self.account.cash + sum(
            each.side.sign * (RULES[each.market].notional(mark, each.quantity) - each.cost) for each in held
        )
        return record(
            caps={},
            initial_equity=CASH,
            cash=self.book.cash,
            equity=worth,
            funding=Money(self.funding),
            held={name: each.cost for name, each in self.book.holdings.items()},
            orders=tuple(order(number) for number in range(len(self.fills))),
            fills=tuple(self.fills),
            fill_ids=tuple(self.ids),
            account_told=AccountTold(
                initial=CASH,
                cash=self.account.cash,
                equity=Money(at_account),
                fees=Money(sum(each.fee for each in self.fills)),
                funding=Money(self.funding),
                positions=held,
                trade_ids=tuple(name for name in self.ids if not name.startswith("funding|")),
            ),
        )


@given(TRADES, st.integers(1, 200_000))
def test_settled_money_does_not_depend_on_how_fills_are_grouped_and_equity_follows_at_any_mark(trades, mark):
    both = Both(trades)
    found = both.record(mark)
    by_episode = settled(both.book.cash, ((each.side, each.cost) for each in both.book.holdings.values()))
    by_position = settled(both.account.cash, ((each.side, each.cost) for each in both.account.at_cost()))
    assert by_episode == by_position == settled_by_fills(found)
    assert cash_balances(found).breaches == ()


def test_one_exit_of_two_episodes_realises_another_result_in_each_telling_and_the_check_still_holds():
    cheap, dear, leaves = (
        Trade(episode=0, price=90_000, quantity=100, enters=True, rate=0),
        Trade(episode=1, price=110_000, quantity=100, enters=True, rate=0),
        Trade(episode=0, price=100_000, quantity=50, enters=False, rate=0),
    )
    both = Both([cheap, dear, leaves])
    assert both.book.cash != both.account.cash, "by episode it gained, by position it did not"
    assert cash_balances(both.record(100_000)).holds


SPOILED = [
    Trade(episode=0, price=100_000, quantity=100, enters=True, rate=0),
    Trade(episode=0, price=100_000, quantity=0, enters=True, rate=777),
    Trade(episode=0, price=101_000, quantity=40, enters=False, rate=0),
]


def ledger_without_a_fee(found: SessionRecord) -> SessionRecord:
    first = found.fills[0]
    fills = (replace(first, fee=Money(0)), *found.fills[1:])
    return replace(found, fills=fills, cash=Money(found.cash + first.fee), equity=Money(found.equity + first.fee))


def ledger_with_a_fill_twice(found: SessionRecord) -> SessionRecord:
    return replace(Both([*SPOILED, SPOILED[-1]]).record(100_000), account_told=found.account_told)


def ledger_without_a_payment(found: SessionRecord) -> SessionRecord:
    paid = found.funding
    return replace(found, funding=Money(0), cash=Money(found.cash + paid), equity=Money(found.equity + paid))


@pytest.mark.parametrize(
    ("plant", "says"),
    [
        (ledger_without_a_fee, "fees: the ledger has"),
        (ledger_with_a_fill_twice, "the account never made trade"),
        (ledger_without_a_payment, "funding: the ledger has"),
    ],
)
def test_a_ledger_that_agrees_with_its_own_fills_and_not_with_the_account_fails(plant, says):
    clean = Both(SPOILED).record(100_000)
    assert clean.funding
    assert cash_balances(clean).holds
    spoiled = plant(clean)
    found = tuple(account_breaches(spoiled))
    assert any(each.startswith(says) for each in found), found
    assert any(each.startswith("settled money:") for each in found), found
    alone = replace(spoiled, account_told=None, mode="live")
    assert cash_balances(alone).holds, "without the account's own telling nobody would know"


@pytest.mark.parametrize("field", ["initial", "cash", "equity", "fees", "funding"])
@pytest.mark.parametrize("unit", [-1, 1])
def test_one_unit_in_any_number_of_the_account_fails(field, unit):
    clean = Both([Trade(episode=2, price=100_000, quantity=100, enters=True, rate=0)]).record(101_000)
    told = clean.account_told
    assert told is not None
    spoiled = replace(told, **{field: Money(getattr(told, field) + unit)})
    assert not cash_balances(replace(clean, account_told=spoiled)).holds


def test_a_position_on_another_side_or_of_another_quantity_and_a_log_that_is_gone_fail():
    clean = Both([Trade(episode=2, price=100_000, quantity=100, enters=True, rate=0)]).record(100_000)
    told = clean.account_told
    assert told is not None
    (held,) = told.positions
    for other in (replace(held, quantity=Steps(99)), replace(held, side=Side.LONG)):
        spoiled = replace(told, positions=(other,))
        assert "the account holds" in cash_balances(replace(clean, account_told=spoiled)).says
    gone = cash_balances(replace(clean, account_told=None))
    assert "its log is gone" in gone.says
    assert cash_balances(replace(clean, account_told=replace(told, equity=None))).holds, "no mark, no equity to compare"
