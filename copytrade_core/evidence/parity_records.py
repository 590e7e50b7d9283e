"""What a path did, from the records that its flow left as they happened: a replay. Journals are read in edges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import assert_never

from copytrade_core.evidence.parity import TradePath, Wish
from copytrade_core.evidence.parity_paths import FillTrace, MarketRecord, OrderTrace, Refusal, Trades, trades_of
from copytrade_core.model.book import WrittenOff
from copytrade_core.model.event import FundingPaid
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.intent import ByNotional, ByQuantity, Hold, Intent, LimitStyle, StopStyle, SyncState
from copytrade_core.model.order import Order
from copytrade_core.model.units import Money, Ticks, under_headroom
from copytrade_core.model.verdict import Approved, Refused

Told = Hold | SyncState | Approved | Refused | Order | Fill | FundingPaid | WrittenOff


def wish_of(intent: Intent) -> Wish:
    """What an intent asked for, at the price that its order is reckoned with."""
    match intent.style:
        case LimitStyle(price=price) | StopStyle(trigger=price):
            pass
        case _:
            price = intent.reference_price
    match intent.sizing:
        case ByNotional(notional=notional):
            return Wish(price=price, money=under_headroom(notional, intent.headroom_ppm), steps=None)
        case ByQuantity(quantity=steps):
            return Wish(price=price, money=None, steps=steps)
        case _:
            return Wish(price=price, money=None, steps=None)


def mid_of(model: FillModel, touch: Ticks, quote: tuple[Ticks, Ticks] | None) -> Fraction | None:
    """The middle of the quote before a fill. A bar has no spread, and a resting order waits for its own price."""
    if quote is not None and model in (FillModel.QUOTE_SNAPSHOT, FillModel.VENUE):
        return Fraction(quote[0] + quote[1], 2)
    return None if model in (FillModel.QUOTE_SNAPSHOT, FillModel.VENUE) else Fraction(touch)


def record_trades(
    path: TradePath, records: Iterable[Told], *, funding: Mapping[str, Money], record: MarketRecord
) -> Trades:
    """What a path did by its records, in the order in which they were left.

    Args:
        path: which.
        records: an order follows the approval of the intent that it was built from.
        funding: what each episode paid beside what the records say.
        record: trading rules and bars.
    """
    orders: dict[str, tuple[Order, Intent]] = {}
    fills: dict[str, list[Fill]] = {}
    refusals: list[Refusal] = []
    paid = dict(funding)
    intent: Intent | None = None
    for each in records:
        match each:
            case Approved():
                intent = each.intent
            case Order():
                assert intent is not None, "an order follows its approval"
                orders[each.client_order_id] = (each, intent)
            case Fill():
                fills.setdefault(each.client_order_id, []).append(each)
            case Refused():
                refusals.append(_refusal(each))
            case FundingPaid():
                paid[each.episode_id] = Money(paid.get(each.episode_id, Money(0)) + each.cost)
            case Hold() | SyncState() | WrittenOff():
                pass
            case _:
                assert_never(each)
    traces = [_order(order, wished, fills.get(order_id, [])) for order_id, (order, wished) in orders.items()]
    return trades_of(path, traces, refusals, funding=paid, record=record)


def _order(order: Order, intent: Intent, fills: Iterable[Fill]) -> OrderTrace:
    return OrderTrace(
        episode_id=order.episode_id,
        market=order.market,
        buys=order.buys,
        kind=order.kind,
        leg=order.leg,
        asked=order.quantity,
        planned_at_ms=intent.decided_at_ms,
        seen=intent.reference_price,
        wish=wish_of(intent),
        fills=tuple(
            FillTrace(
                time_ms=fill.time_ms,
                mid=mid_of(fill.model, fill.raw_price, None),
                touch=None if fill.model is FillModel.VENUE else fill.raw_price,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee,
                model=fill.model,
            )
            for fill in fills
        ),
    )


def _refusal(refused: Refused) -> Refusal:
    intent = refused.intent
    return Refusal(
        episode_id=intent.episode_id,
        market=intent.market,
        buys=intent.side.entry_buys if intent.kind.is_entry else intent.side.exit_buys,
        kind=intent.kind,
        leg=intent.leg,
        at_ms=intent.decided_at_ms,
        why=refused.reason.value,
    )
