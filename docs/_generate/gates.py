"""Writes docs/reference/gates.md from settings/promotion.toml and the gates themselves.

`make docs` runs this; a test fails when the page and the contract differ.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

from copytrade_core.promotion.contract import THRESHOLDS, Contract, Step, contract_from_mapping
from copytrade_core.promotion.gate_result import Gate
from copytrade_core.promotion.gates_paper import backtest_paper_parity, monitor_clean, paper_canary_clean, shadow_clean
from copytrade_core.promotion.gates_preflight import preflight_clean, restart_clean
from copytrade_core.promotion.gates_result import capital_grounding, drawdown, profitability, robustness
from copytrade_core.promotion.gates_search import engine_equivalence, holdout_unspent, overfitting
from copytrade_core.promotion.gates_source import executable_fills_only, sample_size, source_quality

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "gates.md"
CONTRACT = ROOT / "settings" / "promotion.toml"
PROOFS = {
    Gate.SOURCE_QUALITY: source_quality,
    Gate.EXECUTABLE_FILLS_ONLY: executable_fills_only,
    Gate.SAMPLE_SIZE: sample_size,
    Gate.PROFITABILITY: profitability,
    Gate.DRAWDOWN: drawdown,
    Gate.CAPITAL_GROUNDING: capital_grounding,
    Gate.ROBUSTNESS: robustness,
    Gate.OVERFITTING: overfitting,
    Gate.HOLDOUT_UNSPENT: holdout_unspent,
    Gate.ENGINE_EQUIVALENCE: engine_equivalence,
    Gate.PREFLIGHT_CLEAN: preflight_clean,
    Gate.RESTART_CLEAN: restart_clean,
    Gate.BACKTEST_PAPER_PARITY: backtest_paper_parity,
    Gate.PAPER_CANARY_CLEAN: paper_canary_clean,
    Gate.SHADOW_CLEAN: shadow_clean,
    Gate.MONITOR_CLEAN: monitor_clean,
}

HEADER = "| threshold | limit | unit | meaning |\n|---|---|---|---|"
INTRODUCTION = """# Gates

<!-- Written by docs/_generate/gates.py from settings/promotion.toml. Change those, not this page. -->

A gate answers `PASS`, `FAIL` or `INCONCLUSIVE`: the worst of its criteria. `INCONCLUSIVE` means too little data, or
evidence that is missing, expired or rests on a simulated market. It never promotes, and it says which command would
produce what is missing. A failed criterion on a simulated market still fails; a passed one is inconclusive.

All gates are blocking checks (severity ERROR) of `promotion_evidence`, the last asset before a person. They hang there
so that a lead that fails is still replayed and reported in full; a run in which one does not pass ends red, and that is
meant. `live_canary` does not trust those checks: it re-hashes the stored bytes, computes every gate again, compares
with what the instance recorded for exactly this materialisation, and refuses with everything that is missing.

`copytrade gates --lead ID` shows the same table in a terminal. The thresholds are in `settings/promotion.toml`; its
digest is part of every evidence digest. Figures are of train and validation: the holdout stays closed until it is
opened on record, and until then `profitability` is at best inconclusive.
"""


def page(contract: Contract) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for gate, prove in PROOFS.items():
        proof = (prove.__doc__ or "").strip().partition("\n")[0]
        parts.append(f"## {gate.value}\n\n{proof}\n\n{HEADER}\n{_rows(contract, gate)}\n")
    parts.append(_assumptions(contract))
    parts.append(_steps(contract))
    return "\n".join(parts)


def _rows(contract: Contract, gate: Gate) -> str:
    limits = ((name, contract.threshold(gate, name)) for name in THRESHOLDS[gate])
    return "\n".join(f"| `{name}` | {limit.value} | {limit.unit} | {limit.meaning} |" for name, limit in limits)


def _assumptions(contract: Contract) -> str:
    splits, draws = contract.splits, contract.bootstrap
    markets, rungs = (
        " or ".join(f"`{name}`" for name in names) for names in (contract.market_fills, contract.rung_fills)
    )
    return (
        "## What the figures are made with\n\n"
        f"- Fill models that count: market {markets}; rungs {rungs}.\n"
        f"- Signals in time order: {splits.train_ratio} train, {splits.validation_ratio} validation, "
        f"{splits.holdout_ratio} holdout, with an embargo as long as the longest trade.\n"
        f"- Interval of net: stationary bootstrap, {draws.resamples_count} resamples, mean block "
        f"{draws.block_mean_count:g} trades, {draws.confidence_ratio:.0%}, seed {draws.seed}.\n"
        f"- Evidence may be used for {contract.evidence_age_s_max} s after its newest page was received.\n"
    )


def _steps(contract: Contract) -> str:
    lines = ["## What each step needs", "", "| step | gates beyond the step before |", "|---|---|"]
    before: set[Gate] = set()
    for step in Step:
        more = [f"`{gate.value}`" for gate in contract.required[step] if gate not in before]
        lines.append(f"| `{step.value}` | {', '.join(more) or 'none'} |")
        before = set(contract.required[step])
    missing = ", ".join(f"`{gate.value}`" for gate in Gate if gate not in PROOFS)
    lines += ["", f"Not built yet, so nothing can pass them: {missing}."]
    return "\n".join(lines) + "\n"


def contract_of_project() -> Contract:
    """The contract in settings/."""
    table = tomllib.loads(CONTRACT.read_text(encoding="utf-8"), parse_float=Decimal)
    return contract_from_mapping(table, file=str(CONTRACT))


if __name__ == "__main__":
    _ = PAGE.write_text(page(contract_of_project()), encoding="utf-8")
