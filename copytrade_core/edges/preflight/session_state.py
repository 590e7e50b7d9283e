"""What a drilled session is doing at one moment, in one word: the third axis of the coverage grid."""

from __future__ import annotations

from enum import StrEnum

from copytrade_core.flow import FlowState
from copytrade_core.model.intent import IntentKind, MarketStyle
from copytrade_core.model.order_row import OrderRow, OrderState
from copytrade_core.strategies.state import Phase


class SessionState(StrEnum):
    """From the most delicate to the calmest; the first that applies counts, `recovering` before all."""

    RECOVERING = "recovering"
    CLOSING = "closing"
    OPENING = "opening"
    ADDING = "adding"
    HELD = "held"
    FLAT = "flat"


_ON_ITS_WAY = (OrderState.PLANNED, OrderState.JOURNALLED, OrderState.SUBMITTED, OrderState.UNKNOWN)


def state_of(flow: FlowState, live: tuple[OrderRow, ...], *, recovering: bool) -> SessionState:
    """The word for a session.

    Args:
        flow: its state as committed.
        live: its order rows that are not final.
        recovering: whether it was started again and has not settled since.
    """
    if recovering:
        return SessionState.RECOVERING
    leaving = any(trade.phase is Phase.LEAVING for trade in flow.strategy.trades.values())
    if leaving or any(row.order.reduce_only and isinstance(row.order.style, MarketStyle) for row in live):
        return SessionState.CLOSING
    if any(row.order.kind is IntentKind.OPEN for row in live):
        return SessionState.OPENING
    if any(row.order.kind is IntentKind.ADD and row.state in _ON_ITS_WAY for row in live):
        return SessionState.ADDING
    return SessionState.HELD if flow.book.holdings else SessionState.FLAT
