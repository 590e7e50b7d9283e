"""What a gate answers: a three-valued verdict with the number, the limit, and what would change it.

How a gate decides belongs in `gates_*.py`; what a verdict allows belongs in `chain.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Gate(StrEnum):
    """Every machine-checked criterion of the promotion contract, those of later steps included."""

    SOURCE_QUALITY = "source_quality"
    EXECUTABLE_FILLS_ONLY = "executable_fills_only"
    SAMPLE_SIZE = "sample_size"
    PROFITABILITY = "profitability"
    DRAWDOWN = "drawdown"
    CAPITAL_GROUNDING = "capital_grounding"
    ROBUSTNESS = "robustness"
    OVERFITTING = "overfitting"
    HOLDOUT_UNSPENT = "holdout_unspent"
    ENGINE_EQUIVALENCE = "engine_equivalence"
    BACKTEST_PAPER_PARITY = "backtest_paper_parity"
    PREFLIGHT_CLEAN = "preflight_clean"
    RESTART_CLEAN = "restart_clean"
    PAPER_CANARY_CLEAN = "paper_canary_clean"
    SHADOW_CLEAN = "shadow_clean"
    SKIP_BUDGET = "skip_budget"
    COPYABILITY = "copyability"
    SLIPPAGE_WITHIN_GATE = "slippage_within_gate"
    MONITOR_CLEAN = "monitor_clean"
    HUMAN_APPROVAL = "human_approval"


class GateVerdict(StrEnum):
    """PASS promotes; FAIL and INCONCLUSIVE never do."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Bound(StrEnum):
    """How a number is compared with its limit."""

    AT_LEAST = ">="
    ABOVE = ">"
    AT_MOST = "<="


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One comparison inside a gate.

    `number` is None when there was nothing to measure. `fix` says in plain words what would change the verdict and
    `command` what to run; both are empty for a pass.
    """

    name: str
    verdict: GateVerdict
    number: float | None
    bound: Bound
    limit: float
    unit: str
    reason: str
    fix: str
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """A gate's answer: the worst of its criteria, all of which are kept."""

    gate: Gate
    verdict: GateVerdict
    criteria: tuple[Criterion, ...]

    @property
    def deciding(self) -> Criterion:
        """The first criterion that has the gate's own verdict."""
        return next(criterion for criterion in self.criteria if criterion.verdict is self.verdict)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, one sentence per criterion; empty for a pass."""
        return tuple(
            f"{criterion.name}: {criterion.reason}"
            for criterion in self.criteria
            if criterion.verdict is not GateVerdict.PASS
        )


def worst(verdicts: Sequence[GateVerdict]) -> GateVerdict:
    """FAIL before INCONCLUSIVE before PASS; nothing measured is inconclusive."""
    if GateVerdict.FAIL in verdicts:
        return GateVerdict.FAIL
    if GateVerdict.INCONCLUSIVE in verdicts or not verdicts:
        return GateVerdict.INCONCLUSIVE
    return GateVerdict.PASS


def result_of(gate: Gate, criteria: Sequence[Criterion]) -> GateResult:
    """The gate's answer from its criteria (at least one)."""
    assert criteria, "a gate compares something"
    return GateResult(gate=gate, verdict=worst([item.verdict for item in criteria]), criteria=tuple(criteria))
