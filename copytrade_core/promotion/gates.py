"""All gates that this project can evaluate today, asked in one call.

What a gate compares belongs to `gates_source.py`, `gates_result.py`, `gates_search.py`, `gates_preflight.py` and
`gates_paper.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Gate, GateResult
from copytrade_core.promotion.gates_paper import backtest_paper_parity, monitor_clean, paper_canary_clean, shadow_clean
from copytrade_core.promotion.gates_preflight import preflight_clean, restart_clean
from copytrade_core.promotion.gates_result import capital_grounding, drawdown, profitability, robustness
from copytrade_core.promotion.gates_search import engine_equivalence, holdout_unspent, overfitting
from copytrade_core.promotion.gates_source import executable_fills_only, sample_size, source_quality


def evaluate(facts: CandidateFacts, contract: Contract, *, now: datetime) -> Mapping[Gate, GateResult]:
    """Every gate's answer, in the order of the contract. `now` only makes evidence older."""
    results = (
        source_quality(facts, contract, now=now),
        executable_fills_only(facts, contract),
        sample_size(facts, contract),
        profitability(facts, contract),
        drawdown(facts, contract),
        capital_grounding(facts, contract),
        robustness(facts, contract),
        overfitting(facts, contract),
        holdout_unspent(facts, contract),
        engine_equivalence(facts, contract),
        preflight_clean(facts.rehearsal, contract, now=now),
        restart_clean(facts.rehearsal, contract, now=now),
        backtest_paper_parity(facts.canary, contract, now=now),
        paper_canary_clean(facts.canary, contract, now=now),
        shadow_clean(facts.canary, contract, now=now),
        monitor_clean(facts.canary, contract, now=now),
    )
    return {result.gate: result for result in results}
