"""The strategy itself: one event and one view in, a new state and wishes out.

It is the same object in replay, paper, shadow and live. It owns the decision to open, add, reduce and close; it never
quantises, submits or books.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from copytrade_core.model.digest import digest_of
from copytrade_core.model.event import (
    AFTER_BLOCKED_ADD,
    BarClosed,
    Event,
    FundingPaid,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
    View,
)
from copytrade_core.model.fill import Fill
from copytrade_core.model.intent import (
    ByNotional,
    Intent,
    IntentKind,
    LimitStyle,
    MarketStyle,
    OrderStyle,
    Sizing,
    Wish,
)
from copytrade_core.model.policy import PolicySpec, SignalMode
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceMissing, SourceOpened
from copytrade_core.model.units import Ticks
from copytrade_core.strategies import contrarian, exits, follow_lead
from copytrade_core.strategies.entry import Held, why_not
from copytrade_core.strategies.opening import entered, opening
from copytrade_core.strategies.protection import (
    GROUPS,
    STOP,
    exit_intent,
    is_stop_reached,
    missing,
    protections,
    trails,
)
from copytrade_core.strategies.rejection_backoff import after_entry_fill, after_failure
from copytrade_core.strategies.signal import Signal
from copytrade_core.strategies.state import LATE_FILL, SOURCE_CLOSE, Phase, StrategyState, Trade, unplaced
from copytrade_core.strategies.wishes import hold, intent


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state after an event and what is wished for, in order."""

    state: StrategyState
    wishes: tuple[Wish, ...]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A policy, alive. Pure: the same events and views give the same decisions.

    Args:
        policy: what to do.
        policy_digest: its digest, carried by every intent.
    """

    policy: PolicySpec
    policy_digest: str

    def decide(self, state: StrategyState, event: Event, view: View) -> Decision:
        """Answer one event.

        `view` shows the market of the event: price, holding of the event's episode, equity.
        """
        match event:
            case SourceOpened() | SourceClosed():
                return self._on_source(state, event, view)
            case SourceMissing():
                missed = hold(event.episode.episode_id, Held(reason="source_missing"), view)
                return Decision(state=state, wishes=(missed,))
            case SourceChanged() | FundingPaid():
                return Decision(state=state, wishes=())
            case OrderFilled(fill=fill):
                return self._on_fill(state, fill, view)
            case OrderRejected() | OrderNotPlaced():
                return self._on_failure(state, event, view)
            case BarClosed(bar=bar):
                # What the bar did before we were in is not ours: only its close is known to be after the entry.
                entered_within = view.holding is not None and view.holding.opened_at_ms > bar.open_time_ms
                high, low = (bar.close, bar.close) if entered_within else (bar.high, bar.low)
                return self._each_held(state, bar.market, view, high, low)
            case MarkSeen(market=market, price=price):
                return self._each_held(state, market, view, price, price)
            case Timer(episode_id=episode_id):
                trade = state.trades.get(episode_id)
                return Decision(state=state, wishes=()) if trade is None else self._on_time(state, trade, view, None)
            case PositionSynced(episode_id=episode_id, holding=holding):
                trade = state.trades.get(episode_id)
                if trade is not None and holding is None and trade.phase in (Phase.HELD, Phase.LEAVING):
                    state = _with(state, replace(trade, phase=Phase.DONE))
                return Decision(state=state, wishes=())

    # -- source -----------------------------------------------------------------------------------------------------

    def _on_source(self, state: StrategyState, event: SourceOpened | SourceClosed, view: View) -> Decision:
        trade = state.trades.get(event.episode.episode_id)
        if isinstance(event, SourceClosed) and trade is not None and self.policy.exit.follows_source_close:
            return self._leave_with_source(state, trade, view)
        read: Callable[[Event], Signal | None] = (
            follow_lead.signal if self.policy.signal is SignalMode.FOLLOW_OPEN else contrarian.signal
        )
        signal = read(event)
        return Decision(state=state, wishes=()) if signal is None else self._enter(state, signal, view)

    def _leave_with_source(self, state: StrategyState, trade: Trade, view: View) -> Decision:
        if trade.phase is Phase.HELD:
            return self._close(state, trade, SOURCE_CLOSE, view)
        if trade.phase is Phase.ENTERING:
            return Decision(state=_with(state, replace(trade, leave_on_fill=True)), wishes=())
        return self._leave_again(state, trade, view)

    def _enter(self, state: StrategyState, signal: Signal, view: View) -> Decision:
        episode_id = signal.episode.episode_id
        held = why_not(signal, self.policy, state, view)
        if held is not None:
            return Decision(state=state, wishes=(hold(episode_id, held, view),))
        assert view.mark is not None, "why_not refuses an unknown mark"
        opened = opening(self.policy, signal, view.mark, view)
        if isinstance(opened, Held):
            return Decision(state=state, wishes=(hold(episode_id, opened, view),))
        trade, base = opened
        sizing = ByNotional(notional=base, rule=f"{self.policy.sizing.rule}:base")
        wish = self._intent(
            trade, view, kind=IntentKind.OPEN, leg="base", sizing=sizing, style=MarketStyle(), reason=self.policy.signal
        )
        return Decision(state=_with(state, trade), wishes=(wish,))

    # -- answers to orders ------------------------------------------------------------------------------------------

    def _on_fill(self, state: StrategyState, fill: Fill, view: View) -> Decision:
        trade = state.trades.get(fill.episode_id)
        if trade is None:
            return Decision(state=state, wishes=(hold(fill.episode_id, Held(reason="fill_of_unknown_trade"), view),))
        if not fill.kind.is_entry:
            return self._on_exit_fill(state, trade, fill, view)
        is_add = fill.kind is IntentKind.ADD
        is_first = fill.leg not in trade.filled if is_add else trade.phase is Phase.ENTERING
        state = replace(state, backoff=after_entry_fill()) if is_first else state
        if is_add and is_first:
            waiting = tuple(leg for leg in trade.resting if leg != fill.leg)
            trade = replace(trade, resting=waiting, filled=(*trade.filled, fill.leg))
        if trade.phase in (Phase.LEAVING, Phase.DONE):
            return self._leave_again(state, trade, view)
        if is_add:
            return self._protect(state, trade, view, GROUPS)
        if trade.phase is Phase.ENTERING:
            trade = entered(self.policy, trade, view, anchor=fill.price, peak=fill.raw_price, at_ms=fill.time_ms)
        return self._hold_position(state, trade, view)

    def _on_exit_fill(self, state: StrategyState, trade: Trade, fill: Fill, view: View) -> Decision:
        """Flat is the end; after a part of it, the other exits follow what is still held."""
        if view.holding is None:
            return Decision(state=_with(state, replace(trade, phase=Phase.DONE)), wishes=())
        if trade.phase is not Phase.HELD:
            return Decision(state=state, wishes=())
        own = fill.leg.partition(".")[0]
        return self._protect(state, trade, view, tuple(group for group in GROUPS if group != own))

    def _hold_position(self, state: StrategyState, trade: Trade, view: View) -> Decision:
        """What a trade wishes once its base leg is held, wholly or in part."""
        if trade.leave_on_fill:
            return self._close(state, trade, SOURCE_CLOSE, view)
        protected = self._protect(state, trade, view, GROUPS)
        if state.backoff.blocks(view.now_ms):
            return protected
        rungs = self._rest_rungs(protected.state, protected.state.trades[trade.episode_id], view)
        return Decision(state=rungs.state, wishes=(*protected.wishes, *rungs.wishes))

    def _on_failure(self, state: StrategyState, event: OrderRejected | OrderNotPlaced, view: View) -> Decision:
        """An entry that failed counts against the brake; an exit that failed is missed at the next price or time."""
        trade = state.trades.get(event.episode_id)
        if trade is None or not event.kind.is_entry:
            return Decision(state=state, wishes=())
        tried = event.reason != AFTER_BLOCKED_ADD
        failures = after_failure(state.backoff, self.policy.backoff, event.time_ms) if tried else state.backoff
        braked = replace(state, backoff=failures)
        if event.kind is IntentKind.ADD:
            waiting = replace(trade, resting=tuple(leg for leg in trade.resting if leg != event.leg))
            return Decision(state=_with(braked, waiting), wishes=())
        if view.holding is None:
            return Decision(state=_with(braked, replace(trade, phase=Phase.DONE)), wishes=())
        if trade.phase is not Phase.ENTERING:
            return Decision(state=braked, wishes=())
        # The rest of the base leg never came: the trade is what has filled.
        average = exits.average_entry(view.holding, view.instrument)
        held = entered(self.policy, trade, view, anchor=average, peak=average, at_ms=view.holding.opened_at_ms)
        return self._hold_position(braked, held, view)

    # -- prices and time --------------------------------------------------------------------------------------------

    def _each_held(self, state: StrategyState, market: str, view: View, high: int, low: int) -> Decision:
        episode_id = view.holding.episode_id if view.holding is not None else None
        trade = state.trades.get(episode_id) if episode_id is not None else None
        if trade is None or trade.market != market:
            return Decision(state=state, wishes=())
        return self._on_time(state, trade, view, Ticks(high if trade.side is Side.LONG else low))

    def _on_time(self, state: StrategyState, trade: Trade, view: View, best: Ticks | None) -> Decision:
        """What a price or the passing of time asks for. No exit waits for a price that is not known."""
        if trade.phase is not Phase.HELD:
            return self._leave_again(state, trade, view)
        if trade.ttl_at_ms is not None and view.now_ms >= trade.ttl_at_ms:
            return self._close(state, trade, "ttl", view)
        wishes: tuple[Wish, ...] = ()
        renewed = missing(self.policy, trade, view)
        if STOP in renewed and is_stop_reached(trade, view.mark):
            return self._close(state, trade, "stop_loss", view)
        if best is not None and (best - trade.peak) * trade.side.sign > 0:
            trade = replace(trade, peak=best)
            state = _with(state, trade)
            renewed = GROUPS if trails(self.policy, trade, view) else renewed
        if renewed:
            protected = self._protect(state, trade, view, renewed)
            state, wishes = protected.state, protected.wishes
            trade = state.trades[trade.episode_id]
        if view.mark is not None and not state.backoff.blocks(view.now_ms) and unplaced(trade):
            rungs = self._rest_rungs(state, trade, view)
            return Decision(state=rungs.state, wishes=(*wishes, *rungs.wishes))
        return Decision(state=state, wishes=wishes)

    def _leave_again(self, state: StrategyState, trade: Trade, view: View) -> Decision:
        """A trade that is over but still holds something, with no close on its way, leaves again."""
        over = trade.phase in (Phase.LEAVING, Phase.DONE)
        leaves = any(group not in GROUPS for group in view.pending_exits)
        if not over or view.holding is None or leaves:
            return Decision(state=_with(state, trade), wishes=())
        return self._close(state, trade, trade.leave_reason or LATE_FILL, view)

    # -- wishes -----------------------------------------------------------------------------------------------------

    def _rest_rungs(self, state: StrategyState, trade: Trade, view: View) -> Decision:
        wishes = tuple(
            self._intent(
                trade,
                view,
                kind=IntentKind.ADD,
                leg=rung.leg,
                sizing=ByNotional(notional=rung.notional, rule=f"{self.policy.ladder.name}:{rung.leg}"),
                style=LimitStyle(price=rung.price, post_only=False),
                reason="ladder",
            )
            for rung in unplaced(trade)
        )
        resting = (*trade.resting, *(wish.leg for wish in wishes))
        return Decision(state=_with(state, replace(trade, resting=resting)), wishes=wishes)

    def _protect(self, state: StrategyState, trade: Trade, view: View, groups: Collection[str]) -> Decision:
        if view.holding is None or trade.phase is not Phase.HELD or not groups:
            return Decision(state=_with(state, trade), wishes=())
        after, wishes = protections(self.policy, self.policy_digest, trade, view, groups)
        return Decision(state=_with(state, after), wishes=wishes)

    def _close(self, state: StrategyState, trade: Trade, reason: str, view: View) -> Decision:
        count = trade.exits_count + 1
        leaving = replace(trade, phase=Phase.LEAVING, exits_count=count, resting=(), leave_reason=reason)
        wish = exit_intent(self.policy, self.policy_digest, leaving, view, f"{reason}.{count}", MarketStyle(), reason)
        return Decision(state=_with(state, leaving), wishes=(wish,))

    def _intent(
        self, trade: Trade, view: View, *, kind: IntentKind, leg: str, sizing: Sizing, style: OrderStyle, reason: str
    ) -> Intent:
        return intent(
            self.policy,
            self.policy_digest,
            trade,
            view,
            kind=kind,
            leg=leg,
            sizing=sizing,
            style=style,
            reason=reason,
        )


def strategy_of(policy: PolicySpec) -> Strategy:
    """The strategy of a policy, with its digest computed once."""
    return Strategy(policy, digest_of(policy))


def _with(state: StrategyState, trade: Trade) -> StrategyState:
    return replace(state, trades={**state.trades, trade.episode_id: trade})
