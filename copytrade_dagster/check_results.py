"""Answers of the core as results of checks: passed, severity ERROR, the digest that was read."""

from collections.abc import Callable

import dagster as dg

from copytrade_core.edges.stages.data_checks import DataCheck
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import DIGEST, plain


def data_check_result(
    answer: DataCheck, *, severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
) -> dg.AssetCheckResult:
    """A data check's answer; only ERROR blocks."""
    return dg.AssetCheckResult(
        passed=answer.passed,
        severity=severity,
        description=answer.says,
        metadata={DIGEST: answer.digest, **plain(answer.seen)},
    )


def asked(check: Callable[..., DataCheck], place: Workplace, *partition: str) -> dg.AssetCheckResult:
    """Asks a data check about a partition."""
    with explained():
        return data_check_result(check(place, *partition))
