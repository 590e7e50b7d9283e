"""The target notional of one trade. Caps are risk's; the split into legs is the ladder's."""

from __future__ import annotations

from decimal import Decimal

from copytrade_core.model.episode import Episode
from copytrade_core.model.event import View
from copytrade_core.model.policy import SizingRule, SizingSpec
from copytrade_core.model.units import Money, money_from_decimal, share
from copytrade_core.strategies.entry import Held


def target_notional(sizing: SizingSpec, episode: Episode, view: View) -> Money | Held:
    """Base and all rungs together, as money, or why it cannot be found."""
    match sizing.rule:
        case SizingRule.FIXED:
            return sizing.target_notional
        case SizingRule.COMPOUND:
            if view.equity <= 0:
                return Held(reason="equity_spent", numbers=(("equity", str(view.equity)),))
            return share(sizing.target_notional, view.equity, view.initial_equity)
        case SizingRule.LEAD_MARGIN_FRACTION:
            return _lead_margin_fraction(sizing, episode, view)


def _lead_margin_fraction(sizing: SizingSpec, episode: Episode, view: View) -> Money | Held:
    if view.lead_margin_balance is None or view.lead_margin_balance <= 0:
        return Held(reason="lead_margin_unknown")
    if episode.leverage is None or episode.leverage <= 0:
        return Held(reason="lead_leverage_unknown")
    margin = money_from_decimal(episode.entry_price * episode.quantity_max / Decimal(episode.leverage))
    asked = share(view.equity, margin, view.lead_margin_balance)
    if asked <= 0:
        return Held(reason="equity_spent", numbers=(("equity", str(view.equity)),))
    return Money(min(sizing.target_notional, asked))
