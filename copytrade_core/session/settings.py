"""What a session is about: who trades what, on which account, within which caps, with how much patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.flow import DAY_MS, DayStart, FlowState
from copytrade_core.ledger.post import opened_book
from copytrade_core.model.caps import Caps
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money
from copytrade_core.model.venue import PositionMode
from copytrade_core.strategies.machine import Strategy
from copytrade_core.strategies.state import FRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """One session's settings.

    `account` names the account in every client order id; `planned_entry_age_ms_max` is how old an entry may be when it
    leaves: an older one goes back to the strategy. `clock_skew_ms_max` is what the venue's clock may differ from ours.

    Raises:
        BadConfig: no account, no market, or a patience that is not positive.
    """

    strategy: Strategy
    instruments: Mapping[Market, Instrument]
    account: str
    lead_margin_balance: Money | None
    initial_equity: Money
    caps: Caps
    position_mode: PositionMode
    planned_entry_age_ms_max: int
    clock_skew_ms_max: int

    def __post_init__(self) -> None:
        if not self.account:
            raise BadConfig("a session needs an account name", where=Where(field="account"))
        if not self.instruments:
            raise BadConfig("a session needs at least one market", where=Where(field="instruments"))
        for name in ("planned_entry_age_ms_max", "clock_skew_ms_max"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} must be positive", where=Where(field=name))


def fresh_state(settings: RunnerSettings, now_ms: int) -> FlowState:
    """The state of a session that has never run."""
    return FlowState(
        strategy=FRESH,
        book=opened_book(settings.initial_equity),
        resting={},
        taken_back={},
        attempts={},
        entries_at_ms=(),
        day=DayStart(number=now_ms // DAY_MS, cash=settings.initial_equity),
    )
