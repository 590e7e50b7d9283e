"""The promotion contract: every threshold with its unit and meaning, and the gates each step needs.

Reading the file belongs to edges; comparing numbers with thresholds belongs to the gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.promotion.gate_result import Gate

SCHEMA_VERSION = 1
KEYS = {"schema_version", "evidence_age_s_max", "splits", "bootstrap", "fills", "steps", "gates"}

Name = TypeVar("Name", bound=StrEnum)


class Step(StrEnum):
    """The way of a candidate, in order; no step is skipped."""

    RESEARCHED = "researched"
    REPLAYED = "replayed"
    PREFLIGHTED = "preflighted"
    PAPER = "paper"
    SHADOW = "shadow"
    APPROVED = "approved"
    LIVE_SMALL = "live_small"
    SCALED = "scaled"


THRESHOLDS: Mapping[Gate, tuple[str, ...]] = {
    Gate.SOURCE_QUALITY: (
        "rejected_ratio_max",
        "history_short_count_max",
        "source_age_s_max",
        "closed_losers_ratio_min",
        "observed_ratio_min",
    ),
    Gate.EXECUTABLE_FILLS_ONLY: ("delay_s_min", "slippage_bps_min", "taker_fee_bps_min"),
    Gate.SAMPLE_SIZE: ("trades_count_min", "trades_per_part_count_min", "side_trades_count_min", "period_days_min"),
    Gate.PROFITABILITY: (
        "net_ratio_above",
        "profit_factor_min",
        "expectancy_usdt_above",
        "net_interval_low_usdt_above",
    ),
    Gate.DRAWDOWN: (
        "drawdown_realised_ratio_max",
        "drawdown_marked_ratio_max",
        "drawdown_intrabar_ratio_max",
        "trade_loss_ratio_max",
        "day_loss_ratio_max",
    ),
    Gate.CAPITAL_GROUNDING: (
        "gross_to_equity_ratio_max",
        "entries_blocked_count_max",
        "minimum_order_skips_count_max",
        "equity_worst_ratio_above",
    ),
    Gate.ROBUSTNESS: (
        "slippage_x2_net_usdt_above",
        "fees_x1_5_net_usdt_above",
        "delay_plus_one_bar_net_usdt_above",
        "without_best_trades_net_usdt_above",
        "neighbours_profitable_ratio_min",
    ),
    Gate.OVERFITTING: (
        "trials_count_min",
        "trips_count_min",
        "deflated_sharpe_ratio_min",
        "backtest_overfitting_ratio_max",
        "validation_net_interval_low_usdt_above",
    ),
    Gate.HOLDOUT_UNSPENT: ("openings_count_max",),
    Gate.ENGINE_EQUIVALENCE: ("candidates_compared_count_min",),
    Gate.PREFLIGHT_CLEAN: (
        "preflight_age_s_max",
        "seeds_count_min",
        "scenarios_unmet_count_max",
        "failures_count_max",
        "cells_empty_count_max",
    ),
    Gate.RESTART_CLEAN: (
        "preflight_age_s_max",
        "crash_points_count_min",
        "restarts_compared_count_min",
        "duplicate_orders_count_max",
        "restarts_differing_count_max",
    ),
    Gate.BACKTEST_PAPER_PARITY: (
        "parity_age_s_max",
        "intents_compared_count_min",
        "residual_bps_max",
        "difference_bps_mean_max",
        "intents_missed_count_max",
    ),
    Gate.PAPER_CANARY_CLEAN: (
        "canary_age_s_max",
        "sessions_count_min",
        "observed_hours_min",
        "entries_count_min",
        "exits_count_min",
        "polls_failed_ratio_max",
        "checks_broken_count_max",
        "sessions_unfinished_count_max",
        "unknown_orders_count_max",
        "alerts_count_max",
        "close_delay_s_max",
        "incidents_critical_count_max",
    ),
    Gate.SHADOW_CLEAN: (
        "shadow_age_s_max",
        "orders_count_min",
        "orders_invalid_count_max",
        "probe_faults_count_max",
    ),
    Gate.MONITOR_CLEAN: (
        "monitor_age_s_max",
        "passes_count_min",
        "critical_count_max",
        "active_count_max",
        "unheard_count_max",
    ),
}
"""The thresholds a gate reads; the contract must state exactly these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One limit. `unit` and `meaning` are shown to people; `value` is exact as written."""

    value: Decimal
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitShares:
    """How signals are split in time order; the shares of train, validation and frozen holdout add up to 1."""

    train_ratio: Decimal
    validation_ratio: Decimal
    holdout_ratio: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Every threshold and requirement. `digest` is over all of it, so a changed limit is a changed contract.

    `market_fills` and `rung_fills` are the fill models on which promotion figures may rest. `required` maps a step to
    the gates it needs; `evidence_age_s_max` is how long evidence may be used after its newest page was received.
    `splits` and `bootstrap` fix how the judged figures are made, so they cannot be tuned per candidate.
    """

    thresholds: Mapping[Gate, Mapping[str, Threshold]]
    market_fills: tuple[FillModel, ...]
    rung_fills: tuple[FillModel, ...]
    required: Mapping[Step, tuple[Gate, ...]]
    evidence_age_s_max: int
    splits: SplitShares
    bootstrap: BootstrapSettings
    digest: str

    def threshold(self, gate: Gate, name: str) -> Threshold:
        """A limit of a gate; the name is one of THRESHOLDS."""
        return self.thresholds[gate][name]


def contract_from_mapping(table: Mapping[str, object], *, file: str) -> Contract:
    """The contract in a parsed TOML table (floats parsed as Decimal).

    Raises:
        BadConfig: an unknown or missing key, gate, step or fill model, or a value of the wrong type; names the key.
    """
    _exactly(table, KEYS, file=file, at="")
    if table["schema_version"] != SCHEMA_VERSION:
        raise _bad(file, "schema_version", f"must be {SCHEMA_VERSION}")
    fills = _table(table["fills"], file=file, at="fills")
    _exactly(fills, {"market", "rung"}, file=file, at="fills")
    return Contract(
        thresholds=_gates(_table(table["gates"], file=file, at="gates"), file=file),
        market_fills=tuple(_names(fills["market"], FillModel, file=file, at="fills.market")),
        rung_fills=tuple(_names(fills["rung"], FillModel, file=file, at="fills.rung")),
        required=_steps(_table(table["steps"], file=file, at="steps"), file=file),
        evidence_age_s_max=_count(table["evidence_age_s_max"], file=file, at="evidence_age_s_max"),
        splits=_splits(_table(table["splits"], file=file, at="splits"), file=file),
        bootstrap=_bootstrap(_table(table["bootstrap"], file=file, at="bootstrap"), file=file),
        digest=digest_of(table),
    )


def _splits(table: Mapping[str, object], *, file: str) -> SplitShares:
    _exactly(table, {"train_ratio", "validation_ratio", "holdout_ratio"}, file=file, at="splits")
    shares = {name: _number(value, file=file, at=f"splits.{name}") for name, value in table.items()}
    for name, share in shares.items():
        if not 0 < share < 1:
            raise _bad(file, f"splits.{name}", "must be between 0 and 1")
    if sum(shares.values()) != 1:
        raise _bad(file, "splits", "must add up to 1")
    return SplitShares(**shares)


def _bootstrap(table: Mapping[str, object], *, file: str) -> BootstrapSettings:
    _exactly(table, {"seed", "resamples_count", "block_mean_count", "confidence_ratio"}, file=file, at="bootstrap")
    return BootstrapSettings(
        seed=_count(table["seed"], file=file, at="bootstrap.seed"),
        resamples_count=_count(table["resamples_count"], file=file, at="bootstrap.resamples_count"),
        block_mean_count=float(_number(table["block_mean_count"], file=file, at="bootstrap.block_mean_count")),
        confidence_ratio=float(_number(table["confidence_ratio"], file=file, at="bootstrap.confidence_ratio")),
    )


def _gates(table: Mapping[str, object], *, file: str) -> Mapping[Gate, Mapping[str, Threshold]]:
    _exactly(table, {gate.value for gate in THRESHOLDS}, file=file, at="gates")
    found: dict[Gate, Mapping[str, Threshold]] = {}
    for gate, names in THRESHOLDS.items():
        at = f"gates.{gate}"
        limits = _table(table[gate.value], file=file, at=at)
        _exactly(limits, set(names), file=file, at=at)
        found[gate] = {name: _threshold(limits[name], file=file, at=f"{at}.{name}") for name in names}
    return found


def _threshold(value: object, *, file: str, at: str) -> Threshold:
    entry = _table(value, file=file, at=at)
    _exactly(entry, {"value", "unit", "meaning"}, file=file, at=at)
    number, unit, meaning = entry["value"], entry["unit"], entry["meaning"]
    if not isinstance(unit, str) or not unit:
        raise _bad(file, f"{at}.unit", "must say the unit")
    if not isinstance(meaning, str) or not meaning:
        raise _bad(file, f"{at}.meaning", "must say what the limit means")
    return Threshold(value=_number(number, file=file, at=f"{at}.value"), unit=unit, meaning=meaning)


def _steps(table: Mapping[str, object], *, file: str) -> Mapping[Step, tuple[Gate, ...]]:
    _exactly(table, {step.value for step in Step}, file=file, at="steps")
    steps: dict[Step, tuple[Gate, ...]] = {}
    needed: tuple[Gate, ...] = ()
    for step in Step:
        more = _names(table[step.value], Gate, file=file, at=f"steps.{step}")
        repeated = [gate for gate in more if gate in needed or more.count(gate) > 1]
        if repeated:
            raise _bad(file, f"steps.{step}", f"names {repeated[0]} again; a step lists only what it adds")
        needed = steps[step] = (*needed, *more)
    return steps


def _names(value: object, kind: type[Name], *, file: str, at: str) -> list[Name]:
    if not isinstance(value, list):
        raise _bad(file, at, "must be a list of names")
    found: list[Name] = []
    for item in value:  # pyright: ignore[reportUnknownVariableType]
        if not isinstance(item, str) or item not in [name.value for name in kind]:
            raise _bad(file, at, f"does not know {item!r}; known: {', '.join(name.value for name in kind)}")
        found.append(kind(item))
    return found


def _number(value: object, *, file: str, at: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise _bad(file, at, "must be a finite number")
    return Decimal(value)


def _count(value: object, *, file: str, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise _bad(file, at, "must be a positive whole number")
    return value


def _table(value: object, *, file: str, at: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _bad(file, at, "must be a table")
    return {str(key): item for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _exactly(table: Mapping[str, object], wanted: set[str], *, file: str, at: str) -> None:
    prefix = f"{at}." if at else ""
    for key in table:
        if key not in wanted:
            raise _bad(file, f"{prefix}{key}", "is not a key of the promotion contract")
    for key in sorted(wanted):
        if key not in table:
            raise _bad(file, f"{prefix}{key}", "is missing")


def _bad(file: str, key: str, what: str) -> BadConfig:
    return BadConfig(
        f"{key} {what}", where=Where(file=file, field=key), next_step="Correct the promotion contract and try again"
    )
