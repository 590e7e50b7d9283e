"""How a search is run and what its best must survive: `settings/search.toml` as values.

What the words mean is written beside the values in that file; opening it is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from copytrade_core.model.digest import digest_of
from copytrade_core.model.toml_table import TomlTable

SCHEMA_VERSION = 1
_COUNT_MAX = 1_000_000
_ZERO, _ONE = Decimal(0), Decimal(1)


class SamplerName(StrEnum):
    """What proposes points."""

    QMC = "qmc"
    CMA_ES = "cma_es"
    TPE = "tpe"
    RANDOM = "random"
    GRID = "grid"


class Objective(StrEnum):
    """What a search maximises on the train part."""

    T_STATISTIC = "t_statistic"
    SHARPE = "sharpe"
    NET_USDT = "net_usdt"
    NET_OVER_DRAWDOWN = "net_over_drawdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One sampler's part: its share of the asked trials, its batch, its absolute cap, and when it gives way."""

    sampler: SamplerName
    share: Fraction
    batch_count: int
    trials_count_max: int
    proposals_per_trial_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What samplers begin with, and when the search gives up looking for new policies."""

    elites_count: int
    startup_count: int
    in_vain_count_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Halving:
    """Growing train spans and the share that goes on from one to the next."""

    spans: tuple[Fraction, ...]
    span_signals_count_min: int
    keep: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard limits of a candidate."""

    drawdown_realised_ratio_max: Fraction
    drawdown_marked_ratio_max: Fraction
    drawdown_intrabar_ratio_max: Fraction
    equity_worst_ratio_min: Fraction
    gross_to_equity_ratio_max: Fraction
    entries_blocked_count_max: int
    minimum_order_skips_count_max: int
    trades_count_min: int
    losers_ratio_min: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateauSettings:
    """Which neighbours are asked and what they must show."""

    steps: int
    combos_count: int
    neighbours_count_min: int
    profitable_ratio_min: Fraction
    median_ratio_min: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalistSettings:
    """How many go to validation and how far apart they stand."""

    count: int
    distance_steps_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationLimits:
    """What a finalist must show on the validation part."""

    net_usdt_above: Fraction
    profit_factor_min: Fraction
    trades_count_min: int
    drawdown_marked_ratio_max: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSizes:
    """How many trials the engines' comparison and the overfitting statistics look at."""

    equivalence_top_count: int
    equivalence_random_count: int
    overfitting_blocks_count: int
    overfitting_candidates_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """All of the file."""

    objective: Objective
    phases: tuple[Phase, ...]
    sampling: Sampling
    halving: Halving
    limits: Limits
    plateau: PlateauSettings
    finalists: FinalistSettings
    validation: ValidationLimits
    samples: SampleSizes

    @property
    def digest(self) -> str:
        """sha256 over all of it."""
        return digest_of(self)

    def phase(self, sampler: SamplerName) -> Phase:
        """One sampler's part."""
        return next(phase for phase in self.phases if phase.sampler is sampler)


def search_settings_from_mapping(content: Mapping[str, object], *, file: str) -> SearchSettings:
    """The settings that a file's content describes.

    Args:
        content: parsed TOML with floats as `Decimal` (`tomllib.load(..., parse_float=Decimal)`).
        file: the file's name, for errors.

    Raises:
        BadConfig: unknown or missing keys, values out of range, shares that do not add up; names file and key.
    """
    root = TomlTable(content, "", file)
    root.only(
        *("schema_version", "objective", "phases", "sampling", "halving", "limits", "plateau", "finalists"),
        *("validation", "equivalence", "overfitting"),
    )
    _ = root.whole("schema_version", low=SCHEMA_VERSION, high=SCHEMA_VERSION)
    objective = root.table("objective")
    objective.only("name")
    return SearchSettings(
        objective=objective.choice("name", Objective),
        phases=_phases(root.table("phases")),
        sampling=_sampling(root.table("sampling")),
        halving=_halving(root.table("halving")),
        limits=_limits(root.table("limits")),
        plateau=_plateau(root.table("plateau")),
        finalists=_finalists(root.table("finalists")),
        validation=_validation(root.table("validation")),
        samples=_samples(root.table("equivalence"), root.table("overfitting")),
    )


def _share(table: TomlTable, key: str, *, high: Decimal = _ONE) -> Fraction:
    return table.ratio(key, low=_ZERO, high=high)


def _count(table: TomlTable, key: str, *, low: int = 1) -> int:
    return table.whole(key, low=low, high=_COUNT_MAX)


def _phases(table: TomlTable) -> tuple[Phase, ...]:
    table.only(*SamplerName)
    phases: list[Phase] = []
    for sampler in SamplerName:
        part = table.table(sampler)
        part.only("share_ratio", "batch_count", "trials_count_max", "proposals_per_trial_max")
        # A population of one cannot be bred from.
        batch = part.whole("batch_count", low=5 if sampler is SamplerName.CMA_ES else 1, high=16_384)
        phases.append(
            Phase(
                sampler=sampler,
                share=_share(part, "share_ratio"),
                batch_count=batch,
                trials_count_max=_count(part, "trials_count_max"),
                proposals_per_trial_max=part.whole("proposals_per_trial_max", low=2, high=1000),
            )
        )
    if sum((phase.share for phase in phases), Fraction(0)) != 1:
        raise table.wrong("", "the samplers' share_ratio must add up to 1")
    return tuple(phases)


def _sampling(table: TomlTable) -> Sampling:
    table.only("elites_count", "startup_count", "in_vain_count_max")
    return Sampling(
        elites_count=table.whole("elites_count", low=2, high=10_000),
        startup_count=table.whole("startup_count", low=1, high=10_000),
        in_vain_count_max=_count(table, "in_vain_count_max"),
    )


def _halving(table: TomlTable) -> Halving:
    table.only("span_ratios", "span_signals_count_min", "keep_ratio")
    spans = table.ratios("span_ratios", low=Decimal("0.01"), high=_ONE)
    if spans[-1] != 1 or any(later <= earlier for earlier, later in pairwise(spans)):
        raise table.wrong("span_ratios", "must grow and end with 1, the whole train part")
    return Halving(
        spans=spans,
        span_signals_count_min=_count(table, "span_signals_count_min"),
        keep=table.ratio("keep_ratio", low=Decimal("0.01"), high=_ONE),
    )


def _limits(table: TomlTable) -> Limits:
    ratios = ("drawdown_realised_ratio_max", "drawdown_marked_ratio_max", "drawdown_intrabar_ratio_max")
    counts = ("entries_blocked_count_max", "minimum_order_skips_count_max", "trades_count_min")
    table.only(*ratios, *counts, "equity_worst_ratio_min", "gross_to_equity_ratio_max", "losers_ratio_min")
    return Limits(
        drawdown_realised_ratio_max=_share(table, ratios[0]),
        drawdown_marked_ratio_max=_share(table, ratios[1]),
        drawdown_intrabar_ratio_max=_share(table, ratios[2]),
        equity_worst_ratio_min=_share(table, "equity_worst_ratio_min"),
        gross_to_equity_ratio_max=_share(table, "gross_to_equity_ratio_max"),
        entries_blocked_count_max=_count(table, counts[0], low=0),
        minimum_order_skips_count_max=_count(table, counts[1], low=0),
        # A standard deviation needs two.
        trades_count_min=_count(table, counts[2], low=2),
        losers_ratio_min=_share(table, "losers_ratio_min"),
    )


def _plateau(table: TomlTable) -> PlateauSettings:
    table.only("steps", "combos_count", "neighbours_count_min", "profitable_ratio_min", "median_ratio_min")
    return PlateauSettings(
        steps=table.whole("steps", low=1, high=100),
        combos_count=_count(table, "combos_count", low=0),
        neighbours_count_min=_count(table, "neighbours_count_min"),
        profitable_ratio_min=_share(table, "profitable_ratio_min"),
        median_ratio_min=_share(table, "median_ratio_min"),
    )


def _finalists(table: TomlTable) -> FinalistSettings:
    table.only("count", "distance_steps_min")
    return FinalistSettings(
        count=table.whole("count", low=1, high=1000),
        distance_steps_min=table.whole("distance_steps_min", low=1, high=100),
    )


def _validation(table: TomlTable) -> ValidationLimits:
    table.only("net_usdt_above", "profit_factor_min", "trades_count_min", "drawdown_marked_ratio_max")
    return ValidationLimits(
        net_usdt_above=table.ratio("net_usdt_above", low=_ZERO, high=Decimal(_COUNT_MAX)),
        profit_factor_min=table.ratio("profit_factor_min", low=_ZERO, high=Decimal(1000)),
        trades_count_min=_count(table, "trades_count_min"),
        drawdown_marked_ratio_max=_share(table, "drawdown_marked_ratio_max"),
    )


def _samples(equivalence: TomlTable, overfitting: TomlTable) -> SampleSizes:
    equivalence.only("top_count", "random_count")
    overfitting.only("blocks_count", "candidates_count")
    blocks = overfitting.whole("blocks_count", low=2, high=24)
    if blocks % 2:
        raise overfitting.wrong("blocks_count", "must be even: half of the blocks is in sample")
    return SampleSizes(
        equivalence_top_count=_count(equivalence, "top_count"),
        equivalence_random_count=_count(equivalence, "random_count"),
        overfitting_blocks_count=blocks,
        overfitting_candidates_count=overfitting.whole("candidates_count", low=2, high=_COUNT_MAX),
    )
