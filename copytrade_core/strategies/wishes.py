"""Spelling a wish: the one place that fills in every field of an intent. What to wish for is decided in the machine."""

from __future__ import annotations

from copytrade_core.model.event import View
from copytrade_core.model.intent import ByFraction, Hold, Intent, IntentKind, OrderStyle, Sizing
from copytrade_core.model.policy import PolicySpec
from copytrade_core.strategies.entry import Held
from copytrade_core.strategies.state import Trade

WHOLE = ByFraction(numerator=1, denominator=1)
"""All that is held."""


def intent(
    policy: PolicySpec,
    policy_digest: str,
    trade: Trade,
    view: View,
    *,
    kind: IntentKind,
    leg: str,
    sizing: Sizing,
    style: OrderStyle,
    reason: str,
) -> Intent:
    """An intent of this policy with no fallback permitted; an add lapses when the trade's time-to-live ends."""
    return Intent(
        kind=kind,
        episode_id=trade.episode_id,
        market=trade.market,
        side=trade.side,
        leg=leg,
        replaces=leg.partition(".")[0],
        sizing=sizing,
        style=style,
        allow_market_fallback=False,
        fallback_on_reject=False,
        fallback_on_timeout=False,
        reference_price=view.mark if view.mark is not None else trade.peak,
        headroom_ppm=policy.sizing.headroom_ppm,
        reason=reason,
        policy=policy.name,
        policy_digest=policy_digest,
        decided_at_ms=view.now_ms,
        expires_at_ms=trade.ttl_at_ms if kind is IntentKind.ADD else None,
    )


def hold(episode_id: str, held: Held, view: View) -> Hold:
    """Doing nothing, and why."""
    return Hold(episode_id=episode_id, reason=held.reason, numbers=held.numbers, decided_at_ms=view.now_ms)
