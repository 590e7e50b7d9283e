"""What a session is about: who trades what, on which account, within which caps, with how much patience."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from copytrade_core.model.caps import Caps
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import Money
from copytrade_core.model.venue import PositionMode
from copytrade_core.strategies.machine import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """One session's settings.

    `account` names the account in every client order id; `planned_entry_age_ms_max` is how old an entry may be when it
    leaves: an older one goes back to the strategy. `clock_skew_ms_max` is what the venue's clock may differ from ours.
    `lead_caps` are the own notional caps of leads that have one.

    Raises:
        BadConfig: no account, no market, a patience that is not positive, or a cap that is missing or contradictory.
    """

    strategy: Strategy
    instruments: Mapping[str, Instrument]
    account: str
    lead_margin_balance: Money | None
    initial_equity: Money
    caps: Caps
    position_mode: PositionMode
    planned_entry_age_ms_max: int
    clock_skew_ms_max: int
    lead_caps: Mapping[str, Money] = field(default_factory=dict[str, Money])

    def __post_init__(self) -> None:
        if not self.account:
            raise BadConfig("a session needs an account name", where=Where(field="account"))
        if not self.instruments:
            raise BadConfig("a session needs at least one market", where=Where(field="instruments"))
        for name in ("planned_entry_age_ms_max", "clock_skew_ms_max"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} must be positive", where=Where(field=name))
        self.caps.require_all()
