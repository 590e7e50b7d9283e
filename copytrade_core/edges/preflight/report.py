"""What a preflight found, as one frozen record and as JSON: the verdict, and how to replay each failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.edges.preflight.coverage import REQUIRED, REQUIRED_GROUPS, Cell
from copytrade_core.model.digest import canonical

SCHEMA_VERSION = 1
PASS, FAIL = "pass", "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One drill that went wrong. `replay` is the command that shows it again; `smallest` the schedule made small."""

    drill: str
    face: str
    violations: tuple[str, ...]
    replay: str
    smallest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """One named scenario: what it is about, where it ran, and what did not come out as expected."""

    name: str
    face: str
    passed: bool
    unmet: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellCount:
    """How often one cell of the grid was struck; `required` with the reason why it may not be empty."""

    fault: str
    call: str
    state: str
    count: int
    required: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashCount:
    """How often the session died at one point."""

    what: str
    after: bool
    state: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightReport:
    """The whole preflight.

    `runs` counts drills in process (rehearsals and crash-only twins included), `runs_http` those through HTTP;
    `held` and `broken` count by invariant how many drills kept and broke it; `compared_count` the restarts that were
    compared with an uninterrupted run.
    """

    schema_version: int
    verdict: str
    lead: str
    venue: str
    policy: str
    policy_digest: str
    code_version: str
    seeds: tuple[int, int]
    runs: int
    runs_http: int
    compared_count: int
    injected: tuple[str, ...]
    scenarios: tuple[ScenarioResult, ...]
    grid: tuple[CellCount, ...]
    empty_required: tuple[str, ...]
    crash_points: tuple[CrashCount, ...]
    assumed_rules: tuple[str, ...]
    held: Mapping[str, int]
    broken: Mapping[str, int]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether orders may be trusted to this code at this venue."""
        return self.verdict == PASS

    def as_json(self) -> object:
        """The report as plain JSON types."""
        return canonical(self)


def grid_of(struck: Mapping[Cell, int]) -> tuple[CellCount, ...]:
    """Every struck or required cell with its count."""
    reasons = {cell: group.reason for group in REQUIRED_GROUPS for cell in group.cells}
    cells = sorted({*struck, *REQUIRED})
    return tuple(
        CellCount(
            fault=cell.fault,
            call=cell.call,
            state=cell.state,
            count=struck.get(cell, 0),
            required=cell in reasons,
            reason=reasons.get(cell),
        )
        for cell in cells
    )
