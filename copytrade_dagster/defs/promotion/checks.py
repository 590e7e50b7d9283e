"""The promotion gates as checks of `promotion_evidence`: FAIL and INCONCLUSIVE do not pass and block what follows.

They hang on the last asset, so that a lead that fails is still replayed and reported in full. What a gate demands is
in `copytrade_core.promotion` and `settings/promotion.toml`.
"""

from collections.abc import Mapping

import dagster as dg

from copytrade_core.edges.stages.promotion import stored_evidence
from copytrade_core.promotion.gate_result import Gate, GateResult, GateVerdict
from copytrade_dagster.defs.promotion.assets import promotion_evidence
from copytrade_dagster.defs.promotion.gate_table import criteria_table
from copytrade_dagster.faults import explained
from copytrade_dagster.lineage import DIGEST
from copytrade_dagster.partitioned_checks import blocking_check
from copytrade_dagster.partitions import LEADS
from copytrade_dagster.resources import place_of

DESCRIPTIONS: Mapping[Gate, str] = {
    Gate.SOURCE_QUALITY: "Few rejects, whole fresh history, losers visible, seen live. If not: keep polling.",
    Gate.EXECUTABLE_FILLS_ONLY: "Nothing rests on lead prices, free trading or simulation. If not: import bars.",
    Gate.SAMPLE_SIZE: "Enough trades, days and both sides. If not: wait for more signals, import more months.",
    Gate.PROFITABILITY: "Net of costs in train, validation and holdout. If not: another policy or another lead.",
    Gate.DRAWDOWN: "Drawdowns, worst trade and worst day within limits. If not: smaller notional or a stop.",
    Gate.CAPITAL_GROUNDING: "Unlevered, nothing blocked, minimums met. If not: change notional or equity to the truth.",
    Gate.ROBUSTNESS: "Survives worse slippage, fees and delay, and losing its best trades. If not: do not promote.",
    Gate.OVERFITTING: "More than the luck of the best of all trials on this data. If not: search, or do not promote.",
    Gate.HOLDOUT_UNSPENT: "Holdout opened for no other candidate, ledger whole. If not: wait for new signals.",
    Gate.ENGINE_EQUIVALENCE: "Both engines gave the same fills for this policy here. If not: search again, report it.",
    Gate.PREFLIGHT_CLEAN: "Scenarios and seeds kept every invariant for this policy, venue, code. If not: preflight.",
    Gate.RESTART_CLEAN: "Killed anywhere, the session went on as if not, no order twice. If not: preflight again.",
    Gate.BACKTEST_PAPER_PARITY: "Paper did what replay does, every difference with a cause. If not: find the cause.",
    Gate.PAPER_CANARY_CLEAN: "Enough observed paper days and nothing broke. If not: mend it, let sessions run on.",
    Gate.SHADOW_CLEAN: "Every order of the shadow sessions was valid. If not: correct the first invalid field.",
    Gate.MONITOR_CLEAN: "The monitor looked lately; nothing open or critical. If not: docs/runbook.md.",
}


def gate_check(gate: Gate, description: str) -> dg.AssetChecksDefinition:
    """The check of one gate."""

    @blocking_check(promotion_evidence, LEADS, description, name=gate.value)
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            evidence = stored_evidence(place_of(context), context.partition_key)
        return gate_check_result(evidence.results[gate], digest=evidence.digest)

    return check


def gate_check_result(result: GateResult, *, digest: str) -> dg.AssetCheckResult:
    """A gate's answer with its verdict, numbers, reasons and the digest of the evidence it read."""
    deciding = result.deciding
    number = {} if deciding.number is None else {"number": deciding.number}
    return dg.AssetCheckResult(
        passed=result.verdict is GateVerdict.PASS,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{result.verdict.value.upper()}. " + ("; ".join(result.reasons) or "Every criterion holds."),
        metadata={
            DIGEST: digest,
            "verdict": result.verdict.value,
            **number,
            "threshold": f"{deciding.name} {deciding.bound.value} {deciding.limit:g} {deciding.unit}",
            "what_would_fix_it": deciding.fix,
            "command": deciding.command,
            "criteria": criteria_table(result),
        },
    )


GATE_CHECKS = [gate_check(gate, description) for gate, description in DESCRIPTIONS.items()]
