"""Trades that are over, kept apart from the state that is written at every step: each is written when it ends.

So a step costs what it changes, not what the session has lived through. How a trade ends is the strategy's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from copytrade_core.flow import FlowState
from copytrade_core.strategies.state import Phase, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneTrade:
    """A trade that is over. `attempts` counts the orders of each of its legs, so that none is ever named anew."""

    trade: Trade
    attempts: dict[str, int]


def without_done(state: FlowState) -> FlowState:
    """The state without the trades that are over and what was counted for them."""
    trades = state.strategy.trades
    done = {episode_id for episode_id, trade in trades.items() if trade.phase is Phase.DONE}
    if not done:
        return state
    left = {episode_id: trade for episode_id, trade in trades.items() if episode_id not in done}
    attempts = {key: count for key, count in state.attempts.items() if key[0] not in done}
    return replace(state, strategy=replace(state.strategy, trades=left), attempts=attempts)


def newly_done(before: FlowState, after: FlowState) -> tuple[DoneTrade, ...]:
    """The trades that are over in `after` and are not so, or not the same, in `before`."""
    trades, known = after.strategy.trades, before.strategy.trades
    changed = [episode_id for episode_id, trade in trades.items() if known.get(episode_id) is not trade]
    counted = [key[0] for key, count in after.attempts.items() if before.attempts.get(key) != count]
    found = (trades[episode_id] for episode_id in dict.fromkeys((*changed, *counted)) if episode_id in trades)
    return tuple(_done(trade, after.attempts) for trade in found if trade.phase is Phase.DONE)


def with_done(state: FlowState, done: Iterable[DoneTrade]) -> FlowState:
    """The whole state: a trade that `state` has is as it is there, whatever it was when it was over once."""
    ended = [each for each in done if each.trade.episode_id not in state.strategy.trades]
    trades = {each.trade.episode_id: each.trade for each in ended} | dict(state.strategy.trades)
    attempts = {(each.trade.episode_id, leg): count for each in ended for leg, count in each.attempts.items()}
    strategy = replace(state.strategy, trades=trades)
    return replace(state, strategy=strategy, attempts=attempts | dict(state.attempts))


def _done(trade: Trade, attempts: Mapping[tuple[str, str], int]) -> DoneTrade:
    counted = {leg: count for (episode_id, leg), count in attempts.items() if episode_id == trade.episode_id}
    return DoneTrade(trade=trade, attempts=counted)
