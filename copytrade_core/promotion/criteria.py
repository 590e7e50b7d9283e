"""One comparison of a number with a limit of the contract, and the words around it.

Which numbers a gate compares belongs to the gate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.gate_result import Bound, Criterion, Gate, GateVerdict

SIMULATED = "simulated market: these prices were never traded"
SIMULATED_FIX = "Import recorded bars of the lead's markets, then replay again"
SIMULATED_COMMAND = "copytrade bars import PATH --market MARKET --interval INTERVAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Compares numbers of one gate with its limits."""

    gate: Gate
    contract: Contract
    origin: PriceOrigin

    def at_most(self, name: str, number: float | None, *, absent: str, fix: str, command: str) -> Criterion:
        """The number may not exceed the limit."""
        return self._compare(name, name, number, Bound.AT_MOST, absent=absent, fix=fix, command=command)

    def at_least(
        self, name: str, number: float | None, *, absent: str, fix: str, command: str, label: str | None = None
    ) -> Criterion:
        """The number may not be under the limit; `label` names a part when one limit is asked of several."""
        return self._compare(name, label or name, number, Bound.AT_LEAST, absent=absent, fix=fix, command=command)

    def above(
        self, name: str, number: float | None, *, absent: str, fix: str, command: str, label: str | None = None
    ) -> Criterion:
        """The number must be more than the limit."""
        return self._compare(name, label or name, number, Bound.ABOVE, absent=absent, fix=fix, command=command)

    def enough(self, name: str, number: float | None, *, absent: str, fix: str, command: str) -> Criterion:
        """The number may not be under the limit; under it there is too little to say anything, so it is no failure."""
        compared = self.at_least(name, number, absent=absent, fix=fix, command=command)
        if compared.verdict is not GateVerdict.FAIL:
            return compared
        return replace(compared, verdict=GateVerdict.INCONCLUSIVE, reason=f"{compared.reason}: too few to tell")

    def _compare(
        self, name: str, label: str, number: float | None, bound: Bound, *, absent: str, fix: str, command: str
    ) -> Criterion:
        threshold = self.contract.threshold(self.gate, name)
        limit = float(threshold.value)
        verdict, reason = _decide(number, bound, limit, absent)
        passed = verdict is GateVerdict.PASS
        return Criterion(
            name=label,
            verdict=verdict,
            number=number,
            bound=bound,
            limit=limit,
            unit=threshold.unit,
            reason=reason,
            fix="" if passed else fix,
            command="" if passed else command,
        )

    def on_prices(self, criterion: Criterion) -> Criterion:
        """The criterion as it counts when it rests on prices: on a simulated market it never passes."""
        if self.origin is PriceOrigin.RECORDED or criterion.verdict is not GateVerdict.PASS:
            return criterion
        return replace(
            criterion,
            verdict=GateVerdict.INCONCLUSIVE,
            reason=SIMULATED,
            fix=SIMULATED_FIX,
            command=SIMULATED_COMMAND,
        )


def _decide(number: float | None, bound: Bound, limit: float, absent: str) -> tuple[GateVerdict, str]:
    if number is None or not math.isfinite(number):
        return GateVerdict.INCONCLUSIVE, absent
    match bound:
        case Bound.AT_LEAST:
            holds = number >= limit
        case Bound.ABOVE:
            holds = number > limit
        case Bound.AT_MOST:
            holds = number <= limit
    if holds:
        return GateVerdict.PASS, ""
    return GateVerdict.FAIL, f"{number:.6g} is not {bound} {limit:g}"


def statement(*, name: str, verdict: GateVerdict, reason: str, fix: str, command: str) -> Criterion:
    """A criterion that is a yes or no (1 or 0, must be 1)."""
    passed = verdict is GateVerdict.PASS
    return Criterion(
        name=name,
        verdict=verdict,
        number=1.0 if passed else 0.0 if verdict is GateVerdict.FAIL else None,
        bound=Bound.AT_LEAST,
        limit=1.0,
        unit="yes (1) or no (0)",
        reason="" if passed else reason,
        fix="" if passed else fix,
        command="" if passed else command,
    )
