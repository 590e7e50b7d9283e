"""A trade at its beginning: what it aims at and its base leg. Whether the signal may be taken is asked in `entry`."""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.event import View
from copytrade_core.model.policy import Anchor, PolicySpec
from copytrade_core.model.units import Money, Ticks, ticks_nearest
from copytrade_core.strategies.dca_ladder import base_notional, fits, plan_ladder
from copytrade_core.strategies.entry import Held
from copytrade_core.strategies.signal import Signal
from copytrade_core.strategies.sizing import target_notional
from copytrade_core.strategies.state import Phase, Trade


def opening(policy: PolicySpec, signal: Signal, mark: Ticks, view: View) -> tuple[Trade, Money] | Held:
    """The trade that a signal starts and its base leg's notional, or why the base leg cannot be placed."""
    target = target_notional(policy.sizing, signal.episode, view)
    if isinstance(target, Held):
        return target
    base = base_notional(policy.ladder, target)
    if not fits(view.instrument, base, mark, policy.sizing.headroom_ppm):
        numbers = (("base_notional", str(base)), ("minimum_notional", str(view.instrument.min_notional)))
        return Held(reason="below_minimum", numbers=numbers)
    trade = Trade(
        episode_id=signal.episode.episode_id,
        market=signal.episode.market,
        side=signal.side,
        phase=Phase.ENTERING,
        target=target,
        source_entry=ticks_nearest(signal.source_price, view.instrument.tick_size),
        ladder=None,
        resting=(),
        filled=(),
        exits_count=0,
        peak=mark,
        stop=None,
        ttl_at_ms=None,
        leave_on_fill=False,
        leave_reason=None,
    )
    return trade, base


def entered(policy: PolicySpec, trade: Trade, view: View, *, anchor: Ticks, peak: Ticks, at_ms: int) -> Trade:
    """The trade once its base leg is held, wholly or in part: its ladder is planned now, and only once."""
    anchor = trade.source_entry if policy.ladder.anchor is Anchor.SOURCE_ENTRY else anchor
    ladder = plan_ladder(policy.ladder, trade.side, trade.target, anchor, view.instrument, policy.sizing.headroom_ppm)
    ttl_at_ms = None if policy.exit.ttl_s is None else at_ms + policy.exit.ttl_s * 1000
    return replace(trade, phase=Phase.HELD, ladder=ladder, peak=peak, ttl_at_ms=ttl_at_ms)
