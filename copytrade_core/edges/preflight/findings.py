"""What a preflight has found so far, and the report that it comes to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from copytrade_core.edges.preflight.coverage import Cell, missing
from copytrade_core.edges.preflight.judge import Invariant
from copytrade_core.edges.preflight.report import (
    FAIL,
    PASS,
    SCHEMA_VERSION,
    CrashCount,
    Failure,
    PreflightReport,
    ScenarioResult,
    grid_of,
)
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.simulation import Judged
from copytrade_core.model.digest import canonical_json, digest_of

if TYPE_CHECKING:
    from copytrade_core.edges.preflight.run import PreflightPlan


class Findings:
    """Counts of one preflight.

    Args:
        plan: what is drilled.
    """

    def __init__(self, plan: PreflightPlan) -> None:
        self._plan = plan
        self._scenarios: list[ScenarioResult] = []
        self._failures: list[Failure] = []
        self._cells: Counter[Cell] = Counter()
        self._crashes: Counter[tuple[str, bool, str]] = Counter()
        self._broken: Counter[str] = Counter()
        self._assumed: set[str] = set()
        self._runs: Counter[str] = Counter()
        self._compared = 0

    @property
    def broken_count(self) -> int:
        """Drills that went wrong so far."""
        return len(self._failures)

    def scenario(self, name: str, face: str, done: Judged, missed: tuple[str, ...]) -> None:
        """One named scenario is over."""
        self._count(face, done)
        unmet = (*(f"{each.invariant}: {each.what}" for each in done.violations), *missed)
        self._scenarios.append(ScenarioResult(name=name, face=face, passed=not unmet, unmet=unmet))
        if unmet:
            self._fail(name, face, unmet, self._plan.replay(f"--scenario {name}"), None)

    def seed(self, seed: int, face: str, done: Judged, shrunk: Schedule | None) -> None:
        """One drill of a seed is over."""
        self._count(face, done)
        if done.violations:
            what = tuple(f"{each.invariant}: {each.what}" for each in done.violations)
            self._fail(f"seed {seed}", face, what, self._plan.replay(f"--seed {seed}"), shrunk)

    def _fail(self, drill: str, face: str, what: tuple[str, ...], replay: str, shrunk: Schedule | None) -> None:
        smallest = None if shrunk is None else canonical_json(shrunk)
        self._failures.append(Failure(drill=drill, face=face, violations=what, replay=replay, smallest=smallest))

    def _count(self, face: str, done: Judged) -> None:
        self._runs[face] += 1
        self._compared += done.compared
        self._broken.update({str(each.invariant) for each in done.violations})
        if done.record is not None:
            self._cells.update(done.record.cells)
            self._crashes.update((crash.what, crash.after, crash.state) for crash in done.record.crashes)
            self._assumed.update(done.record.ledger.assumed_rules)

    def report(self) -> PreflightReport:
        """All of it."""
        plan, runs = self._plan, sum(self._runs.values())
        empty = missing(self._cells) if plan.is_whole else ()
        wrong = bool(self._failures or empty)
        return PreflightReport(
            schema_version=SCHEMA_VERSION,
            verdict=FAIL if wrong else PASS,
            lead=plan.lead,
            venue=plan.venue,
            policy=plan.policy.name,
            policy_digest=digest_of(plan.policy),
            code_version=plan.code_version,
            seeds=(plan.first_seed, plan.seeds_count),
            runs=self._runs["in_process"],
            runs_http=self._runs["http"],
            compared_count=self._compared,
            injected=plan.injected,
            scenarios=tuple(self._scenarios),
            grid=grid_of(self._cells),
            empty_required=tuple(f"{cell.fault} at {cell.call} while {cell.state}" for cell in empty),
            crash_points=tuple(
                CrashCount(what=what, after=after, state=state, count=count)
                for (what, after, state), count in sorted(self._crashes.items())
            ),
            assumed_rules=tuple(sorted(self._assumed)),
            held={str(rule): runs - self._broken[rule] for rule in Invariant},
            broken={str(rule): self._broken[rule] for rule in Invariant},
            failures=tuple(self._failures),
        )
