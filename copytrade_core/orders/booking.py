"""From a venue's trade to a fill of ours: the order gives the place, the venue the numbers. Posts nothing."""

from __future__ import annotations

from copytrade_core.model.book import Holding
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order import Order
from copytrade_core.model.units import Money, Steps, ceil_div
from copytrade_core.model.venue import FillTerms, VenueFill

CLOSED_AT_VENUE = "closed_at_venue"
"""Reason of a fill that no order of ours made: the venue, or a person, closed what an episode held."""


def fill_of(trade: VenueFill, order: Order) -> Fill:
    """The fill of one order. A real venue's price already holds its slippage, so none is stated beside it."""
    terms = trade.terms or FillTerms(
        raw_price=trade.price, slippage=Money(0), model=FillModel.VENUE, bar_open_ms=trade.time_ms
    )
    return Fill(
        client_order_id=order.client_order_id,
        kind=order.kind,
        episode_id=order.episode_id,
        market=order.market,
        side=order.side,
        leg=order.leg,
        buys=trade.buys,
        time_ms=trade.time_ms,
        bar_open_ms=terms.bar_open_ms,
        raw_price=terms.raw_price,
        price=trade.price,
        quantity=trade.quantity,
        fee=trade.fee,
        slippage=terms.slippage,
        model=terms.model,
        reason=order.reason,
    )


def fill_of_foreign_close(trade: VenueFill, holding: Holding, quantity: Steps) -> Fill:
    """The fill by which someone else closed `quantity` steps of a holding of ours; the fee is shared by quantity."""
    return Fill(
        client_order_id=trade.venue_order_id,
        kind=IntentKind.CLOSE,
        episode_id=holding.episode_id,
        market=holding.market,
        side=holding.side,
        leg=f"{CLOSED_AT_VENUE}.{trade.trade_id}",
        buys=trade.buys,
        time_ms=trade.time_ms,
        bar_open_ms=trade.time_ms,
        raw_price=trade.price,
        price=trade.price,
        quantity=quantity,
        fee=Money(ceil_div(trade.fee * quantity, trade.quantity)),
        slippage=Money(0),
        model=FillModel.VENUE,
        reason=CLOSED_AT_VENUE,
    )
