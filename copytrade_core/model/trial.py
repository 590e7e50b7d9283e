"""One try of a policy on data: what was tried, on what, and what came out. The registry keeps every one of them.

How trials are chosen belongs to `search`, how they are kept to `edges/trial_registry.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.digest import digest_of


class TrialOrigin(StrEnum):
    """Who asked for a trial."""

    QMC = "qmc"
    TPE = "tpe"
    CMA_ES = "cma_es"
    GRID = "grid"
    RANDOM = "random"
    NEIGHBOUR = "neighbour"
    """Around the best, to see whether it stands on a plateau."""
    MANUAL = "manual"
    """One policy that a person replayed."""


class TrialStatus(StrEnum):
    """How far a trial came."""

    COMPLETE = "complete"
    """Evaluated on the whole train part and within every limit."""
    HALVED = "halved"
    """Left behind at an earlier, shorter train span."""
    PRUNED = "pruned"
    """Evaluated and outside a hard limit; `reasons` say which."""
    ABORTED = "aborted"
    """Could not be evaluated; `reasons` say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialMetrics:
    """Figures of one trial on the span it reached; None = cannot be computed. Net of all costs."""

    trades_count: int
    net_pnl_usdt: float
    sharpe: float | None
    """Mean over sample standard deviation of the pnl per round trip; not annualised."""
    profit_factor: float | None
    drawdown_marked_ratio: float
    peak_gross_usdt: float
    objective: float | None
    """What the search maximises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One row of the registry.

    `trial_id` is the digest of (data, assumptions, policy): the same policy on the same data is the same trial, however
    often and by whoever it is tried. `number` counts within its search. `signals_count` is the length of the train span
    it reached, in signals. `parameters` are the coordinates in the space, as exact text by name.
    """

    trial_id: str
    search_id: str
    number: int
    origin: TrialOrigin
    status: TrialStatus
    reasons: tuple[str, ...]
    signals_count: int
    parameters: tuple[tuple[str, str], ...]
    policy_digest: str
    data_digest: str
    assumptions_digest: str
    space_digest: str
    seed: int
    code_version: str
    fill_hash: str
    metrics: TrialMetrics | None


def trial_id_of(*, data_digest: str, assumptions_digest: str, policy_digest: str) -> str:
    """The identity of a trial; every maker of trials uses this one."""
    return digest_of({"data": data_digest, "assumptions": assumptions_digest, "policy": policy_digest})
