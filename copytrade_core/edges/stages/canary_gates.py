"""The gates about canaries, asked of what is stored now. What they demand belongs to `promotion`."""

from __future__ import annotations

from copytrade_core.edges.stages.canary_plan import canary_policy_digest
from copytrade_core.edges.stages.canary_store import INCIDENTS, RECORD, SHADOW, canary_facts, session_keys
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.promotion.gate_result import Gate, GateResult
from copytrade_core.promotion.gates_paper import backtest_paper_parity, monitor_clean, paper_canary_clean, shadow_clean

ASKED = {
    Gate.BACKTEST_PAPER_PARITY: (backtest_paper_parity, RECORD),
    Gate.PAPER_CANARY_CLEAN: (paper_canary_clean, RECORD),
    Gate.SHADOW_CLEAN: (shadow_clean, SHADOW),
    Gate.MONITOR_CLEAN: (monitor_clean, INCIDENTS),
}
"""Each gate with the asset that holds its evidence: by lead, shadow orders by day and lead."""


def canary_gate(place: Workplace, lead_id: str, gate: Gate) -> tuple[GateResult, str]:
    """One gate, and the digest of the evidence it read (empty where there is none).

    Raises:
        BadConfig: the policy or the contract cannot be read.
        StoreFault: stored bytes were changed.
    """
    ask, asset = ASKED[gate]
    facts = canary_facts(place, lead_id, policy_digest=canary_policy_digest(place, lead_id))
    keys = session_keys(place, SHADOW, lead_id) if asset == SHADOW else [lead_id]
    head = place.lake.head(asset, keys[-1]) if keys else None
    return ask(facts, place.contract(), now=place.now()), "" if head is None else head.digest
