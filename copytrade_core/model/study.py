"""A study: one lead replayed under named scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from copytrade_core.model.round_trip import ReplayResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One set of assumptions. `label` says it in words; multiples apply to the study's base costs."""

    label: str
    policy: str
    delay_s: int
    slippage_multiple: Fraction
    fee_multiple: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Results by scenario; `main` is the scenario that gates judge (promotion fill models, measured delay).

    `by_strategy` holds one scenario per strategy (the main one first) under the same assumptions; `delay_slippage` the
    grid for the main strategy; `stressed` the robustness runs: `slippage_x2`, `fees_x1.5`, `delay_plus_one_bar`.
    """

    main: Scenario
    by_strategy: tuple[Scenario, ...]
    delay_slippage: tuple[Scenario, ...]
    stressed: Mapping[str, Scenario]
    results: Mapping[Scenario, ReplayResult]

    @property
    def main_result(self) -> ReplayResult:
        """The result that gates judge."""
        return self.results[self.main]
