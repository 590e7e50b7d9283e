"""What a search report is made from: plain records of a search, whoever made them.

Searching belongs to `search`, comparing engines to `replay`; here nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.model.bar import Float64s, PriceOrigin
from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.trial import Trial, TrialMetrics, TrialOrigin

Parameters = tuple[tuple[str, str], ...]
"""Coordinates in a space: exact text by parameter, as `Trial.parameters`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterGrid:
    """One axis of the space: its values as text, in the order in which neighbours are neighbours."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """One batch: `asked_count` proposals gave `trials_count` trials; the rest repeated one or broke a constraint."""

    origin: TrialOrigin
    trials_count: int
    asked_count: int
    repeated_count: int
    refused_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourRecord:
    """A point beside a finalist, and what was tried there (the same policy may stand at several points)."""

    parameters: Parameters
    trial: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalistRecord:
    """A finalist: validation (None = could not be evaluated), its plateau, and what speaks against it (() = nothing).

    Ratios are those of the plateau: the neighbour's objective over the finalist's; None = nothing to compare.
    """

    trial: Trial
    validation: TrialMetrics | None
    reasons: tuple[str, ...]
    neighbours_count: int
    profitable_ratio: float | None
    median_ratio: float | None
    worst_ratio: float | None
    neighbours: tuple[NeighbourRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRecord:
    """The comparison of the fast engine with the reference: the fields of `replay.equivalence.EquivalenceRecord`."""

    engine: str
    verdict: str
    compared_count: int
    episodes_count: int
    fills_count: int
    hash_of_hashes: str
    differences: tuple[str, ...]
    policy_digests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPart:
    """One part of the split: train, validation or holdout; instants are None without a signal."""

    name: str
    signals_count: int
    first_signal_at_ms: int | None
    last_signal_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTotals:
    """Everything the registry holds on this data, each distinct trial once, and the head of its chain."""

    trials_count: int
    searches_count: int
    by_origin: Mapping[str, int]
    by_status: Mapping[str, int]
    head_sequence: int
    head_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LuckLimits:
    """What the overfitting gate asks for."""

    deflated_sharpe_ratio_min: float
    backtest_overfitting_ratio_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutNote:
    """What the holdout ledger says: `state` is closed, opened, spent or empty; `told` are its openings in words."""

    state: str
    signals_count: int
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePolicy:
    """The strategy that the search began from, by the same engine on the same parts; None = not evaluated."""

    name: str
    train: TrialMetrics | None
    validation: TrialMetrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchLimit:
    """One rule that trials or finalists had to keep, in words."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchReportInputs:
    """A finished search.

    `trials` and `batches` are those of this search in order, `finalists` best first. `champion_trial_id` is None when
    nothing survived and `reasons` say why. `validation_sample` holds figures on validation by `trial_id` of trials that
    are drawn beside the finalists; nothing was chosen by them. `overfitting` is about `judged`; `candidates_pnl`,
    `trial_sharpes` and `blocks_count` are what it was computed from (`evidence.overfitting`). `digests` name the stored
    inputs.
    """

    lead_id: str
    nickname: str | None
    origin: PriceOrigin
    search_id: str
    space_name: str
    space_size: int
    sampler: str
    seed: int
    wanted_count: int
    objective: str
    strategy: str
    trials: Sequence[Trial]
    batches: Sequence[BatchRecord]
    shortfall: str | None
    grids: Sequence[ParameterGrid]
    finalists: Sequence[FinalistRecord]
    champion_trial_id: str | None
    reasons: tuple[str, ...]
    policy_toml: str | None
    base: BasePolicy
    validation_sample: Mapping[str, TrialMetrics]
    overfitting: OverfittingFigures | None
    candidates_pnl: Float64s
    trial_sharpes: Float64s
    blocks_count: int
    luck_limits: LuckLimits
    totals: TrialTotals
    engine: EngineRecord | None
    parts: Sequence[SearchPart]
    embargoed_count: int
    longest_holding_ms: int
    holdout: HoldoutNote
    spec: ReplaySpec
    funding_known: bool
    limits: Sequence[SearchLimit]
    digests: Mapping[str, str]
    code_version: str

    @property
    def champion(self) -> FinalistRecord | None:
        """The finalist that survived."""
        return next((one for one in self.finalists if one.trial.trial_id == self.champion_trial_id), None)

    @property
    def judged(self) -> FinalistRecord | None:
        """Whom the figures about luck and neighbours are about.

        The champion, else the first finalist that only luck or the engines struck off, else the best finalist.
        """
        unbeaten = next((one for one in self.finalists if not one.reasons), None)
        return self.champion or unbeaten or next(iter(self.finalists), None)

    def part(self, name: str) -> SearchPart:
        """A part by name; empty when it is not among the parts."""
        empty = SearchPart(name=name, signals_count=0, first_signal_at_ms=None, last_signal_at_ms=None)
        return next((part for part in self.parts if part.name == name), empty)
