"""Gate results as a table: the deciding criterion of each, or every criterion of one."""

from collections.abc import Iterable

import dagster as dg

from copytrade_core.promotion.gate_result import Criterion, GateResult
from copytrade_dagster.tables import table


def gate_table(results: Iterable[GateResult]) -> dg.MarkdownMetadataValue:
    """One row per gate: what decided it."""
    return table(
        ("gate", "verdict", "decided by", "number", "limit", "what would fix it", "command"),
        [(result.gate.value, result.verdict.value.upper(), *_cells(result.deciding)) for result in results],
    )


def criteria_table(result: GateResult) -> dg.MarkdownMetadataValue:
    """One row per criterion of a gate."""
    return table(
        ("verdict", "criterion", "number", "limit", "what would fix it", "command"),
        [(criterion.verdict.value.upper(), *_cells(criterion)) for criterion in result.criteria],
    )


def _cells(criterion: Criterion) -> tuple[str, str, str, str, str]:
    number = "none" if criterion.number is None else f"{criterion.number:.6g}"
    limit = f"{criterion.bound.value} {criterion.limit:g} {criterion.unit}"
    command = f"`{criterion.command}`" if criterion.command else ""
    return criterion.name, number, limit, criterion.fix, command
