"""Checks of a search: each recomputes from stored objects. The promotion gates are checks of `promotion_evidence`."""

from collections.abc import Callable

import dagster as dg

from copytrade_core.edges.stages.data_checks import DataCheck
from copytrade_dagster.check_results import data_check_result
from copytrade_dagster.defs.search.assets import champion_policy, holdout_result, trials
from copytrade_dagster.faults import explained
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import place_of


def _asked(context: dg.AssetCheckExecutionContext, name: str) -> dg.AssetCheckResult:
    """Without a champion there is nothing to judge: it does not pass, and does not block a lead's other evidence."""
    from copytrade_core.edges.stages import search_checks

    check: Callable[..., DataCheck] = getattr(search_checks, name)
    with explained():
        answer = check(place_of(context), context.partition_key)
    is_open = answer.seen.get(search_checks.VERDICT) == search_checks.INCONCLUSIVE
    severity = dg.AssetCheckSeverity.WARN if is_open else dg.AssetCheckSeverity.ERROR
    return data_check_result(answer, severity=severity)


@blocking_check(
    trials,
    LEADS,
    "Both engines give the same fills for the top and a random sample. If not: report it; no result of it counts.",
)
def kernel_equals_reference(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Replays with both engines on the stored data, and compares with the registry's hashes."""
    return _asked(context, "kernel_equals_reference")


@blocking_check(
    champion_policy,
    LEADS,
    "The champion's neighbours do well, too. If not: it was found by noise; do not promote.",
)
def plateau_is_flat(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Reads the neighbours from the registry."""
    return _asked(context, "plateau_is_flat")


@blocking_check(
    champion_policy,
    LEADS,
    "More than the luck of the best of all trials on this data. If not: wait for more signals, do not promote.",
)
def overfitting_within_gate(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Computes the champion's figures again, against the registry of today."""
    return _asked(context, "overfitting_within_gate")


@blocking_check(
    holdout_result,
    LEADS,
    "The ledger verifies; the holdout is closed or was opened for the champion. If not: wait for new signals.",
)
def holdout_unspent(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Reads the ledger and its chain again."""
    return _asked(context, "holdout_unspent")


SEARCH_CHECKS = [kernel_equals_reference, plateau_is_flat, overfitting_within_gate, holdout_unspent]
