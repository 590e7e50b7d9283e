"""What a strategy remembers, and how it is saved and restored.

Positions are not remembered here: the ledger holds them and the view shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ticks
from copytrade_core.strategies.dca_ladder import LadderPlan, Rung
from copytrade_core.strategies.rejection_backoff import IDLE, BackoffState

STATE_SCHEMA_VERSION = 2
SOURCE_CLOSE = "source_close"
"""Reason, and name of the leg, of a close that follows the source."""
LATE_FILL = "late_fill"
"""Reason of a close of what filled after its trade had ended."""


class Phase(StrEnum):
    """Where one trade stands."""

    ENTERING = "entering"
    HELD = "held"
    LEAVING = "leaving"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One trade of ours, named by the source episode that started it.

    `resting` are the ladder legs that rest at the venue, `filled` those that were bought; `peak` the best price seen;
    `stop` the trigger that rests; `ttl_at_ms` when the time-to-live ends; `leave_on_fill` that the source has closed
    and the trade must end as soon as something is held; `leave_reason` why it was last asked to leave.
    """

    episode_id: str
    market: Market
    side: Side
    phase: Phase
    target: Money
    source_entry: Ticks
    ladder: LadderPlan | None
    resting: tuple[str, ...]
    filled: tuple[str, ...]
    exits_count: int
    peak: Ticks
    stop: Ticks | None
    ttl_at_ms: int | None
    leave_on_fill: bool
    leave_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyState:
    """Everything a strategy remembers: its trades by episode and the entry brake."""

    schema_version: int
    trades: dict[str, Trade]
    backoff: BackoffState


FRESH = StrategyState(schema_version=STATE_SCHEMA_VERSION, trades={}, backoff=IDLE)


def unplaced(trade: Trade) -> tuple[Rung, ...]:
    """Rungs that neither rest nor have filled, in ladder order."""
    if trade.ladder is None:
        return ()
    return tuple(rung for rung in trade.ladder.rungs if rung.leg not in trade.resting and rung.leg not in trade.filled)


def export_state(state: StrategyState) -> bytes:
    """The state as JSON bytes."""
    return msgspec.json.encode(state)


def import_state(text: bytes) -> StrategyState:
    """The state back from `export_state`.

    Raises:
        BadInput: not such a state, or of another schema version.
    """
    try:
        state = msgspec.json.decode(text, type=StrategyState)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"strategy state cannot be read: {error}", where=Where(field="strategy_state")) from error
    if state.schema_version != STATE_SCHEMA_VERSION:
        raise BadInput(
            f"strategy state has schema {state.schema_version}, this version reads {STATE_SCHEMA_VERSION}",
            where=Where(field="schema_version"),
        )
    return state
