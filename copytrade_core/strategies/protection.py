"""The exits that rest for a held trade: which there should be, which are missing, and what they say.

When a trade leaves at once is decided in the machine.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from copytrade_core.model.event import View
from copytrade_core.model.intent import Intent, IntentKind, LimitStyle, OrderStyle, StopStyle
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.strategies import exits
from copytrade_core.strategies.state import Trade
from copytrade_core.strategies.wishes import WHOLE, intent

STOP = "stop"
TAKE_PROFIT = "take_profit"
GROUPS = (STOP, TAKE_PROFIT)


def missing(policy: PolicySpec, trade: Trade, view: View) -> tuple[str, ...]:
    """Exits that should rest for what is held and do not: refused, never placed, or ended by the venue."""
    if view.holding is None:
        return ()
    wanted = {STOP: trade.stop is not None, TAKE_PROFIT: _profit(policy, trade, view) is not None}
    return tuple(group for group in GROUPS if wanted[group] and group not in view.pending_exits)


def is_stop_reached(trade: Trade, mark: Ticks | None) -> bool:
    """Whether the price stands at or beyond the stop, so that resting it now would come too late."""
    if trade.stop is None or mark is None:
        return False
    return mark <= trade.stop if trade.side is Side.LONG else mark >= trade.stop


def trails(policy: PolicySpec, trade: Trade, view: View) -> bool:
    """Whether the best price seen moves the trailing stop."""
    if policy.exit.trailing_callback_ppm is None or view.holding is None:
        return False
    average = exits.average_entry(view.holding, view.instrument)
    stop, _ = exits.working_stop(policy.exit, trade.side, average, trade.peak, trade.stop)
    return stop != trade.stop


def protections(
    policy: PolicySpec, policy_digest: str, trade: Trade, view: View, groups: Collection[str]
) -> tuple[Trade, tuple[Intent, ...]]:
    """The exits of these groups that follow from the average entry; a newer one replaces the one before."""
    assert view.holding is not None, "only what is held is protected"
    average = exits.average_entry(view.holding, view.instrument)
    stop, stop_reason = exits.working_stop(policy.exit, trade.side, average, trade.peak, trade.stop)
    profit = _profit(policy, trade, view)
    count = trade.exits_count + 1
    wishes: list[Intent] = []
    if stop is not None and STOP in groups:
        style = StopStyle(trigger=stop)
        wishes.append(exit_intent(policy, policy_digest, trade, view, f"{STOP}.{count}", style, stop_reason))
    if profit is not None and TAKE_PROFIT in groups:
        style = LimitStyle(price=profit, post_only=False)
        wishes.append(exit_intent(policy, policy_digest, trade, view, f"{TAKE_PROFIT}.{count}", style, TAKE_PROFIT))
    return replace(trade, exits_count=count, stop=stop if STOP in groups else trade.stop), tuple(wishes)


def exit_intent(
    policy: PolicySpec, policy_digest: str, trade: Trade, view: View, leg: str, style: OrderStyle, reason: str
) -> Intent:
    """The wish to close all that is held."""
    return intent(
        policy,
        policy_digest,
        trade,
        view,
        kind=IntentKind.CLOSE,
        leg=leg,
        sizing=WHOLE,
        style=style,
        reason=reason,
    )


def _profit(policy: PolicySpec, trade: Trade, view: View) -> Ticks | None:
    if view.holding is None:
        return None
    return exits.take_profit_price(policy.exit, trade.side, exits.average_entry(view.holding, view.instrument))
