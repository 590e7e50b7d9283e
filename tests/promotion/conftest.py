"""Hand-made facts: one candidate that passes everything, and what a test changes about it."""

import tomllib
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import Measures
from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.model.read_at import ReadAt
from copytrade_core.promotion.contract import Contract, contract_from_mapping
from copytrade_core.promotion.facts import (
    AssumptionFacts,
    CandidateFacts,
    CapitalFacts,
    EngineFacts,
    HoldoutFacts,
    JudgedFacts,
    PreflightFacts,
    SearchFacts,
    SourceFacts,
    TrialFacts,
)
from copytrade_core.promotion.facts_canary import CanaryFacts, IncidentFacts, ParityFacts, SessionFacts, ShadowFacts

CONTRACT_FILE = Path(__file__).resolve().parents[2] / "settings" / "promotion.toml"
PAGE_AT = datetime(2026, 5, 19, tzinfo=UTC)
NOW = datetime(2026, 5, 19, 1, tzinfo=UTC)
LEAD = "4751838302089254401"
POLICY, DATA, CODE, VENUE = "a" * 64, "d" * 64, "0.1.0+0123456789abcdef", "e" * 64
READ_AT = ReadAt(source="https://lead.example", market="https://market.example", venue="the venue itself")
GOOD = {
    "trades_count": 120,
    "longs_count": 60,
    "shorts_count": 60,
    "period_days": 120.0,
    "net_pnl_usdt": 90.0,
    "net_ratio": 0.09,
    "net_interval_low_usdt": 20.0,
    "profit_factor": 1.8,
    "expectancy_usdt": 0.75,
    "net_without_best_tenth_usdt": 30.0,
    "worst_trade_ratio": -0.01,
    "worst_day_ratio": -0.02,
    "max_drawdown_realised_ratio": 0.03,
    "max_drawdown_marked_ratio": 0.05,
    "max_drawdown_intrabar_ratio": 0.07,
}


class Candidates:
    now = NOW
    policy, data, code = POLICY, DATA, CODE
    read_at = READ_AT
    page_at = PAGE_AT

    @staticmethod
    def contract_table() -> dict[str, object]:
        return tomllib.loads(CONTRACT_FILE.read_text(encoding="utf-8"), parse_float=Decimal)

    @staticmethod
    def contract() -> Contract:
        return contract_from_mapping(Candidates.contract_table(), file="promotion.toml")

    @staticmethod
    def measures(**changes: object) -> Measures:
        values: dict[str, object] = {field.name: 0 for field in fields(Measures)}
        return Measures(**{**values, **GOOD, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def source(**changes: object) -> SourceFacts:
        values: dict[str, object] = {
            "rows_count": 100,
            "rejected_count": 0,
            "duplicates_count": 0,
            "history_total_count": 100,
            "history_short_count": 0,
            "newest_page_at": PAGE_AT,
            "closed_count": 100,
            "losers_count": 40,
            "episodes_count": 100,
            "observed_count": 90,
        }
        return SourceFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def assumptions(**changes: object) -> AssumptionFacts:
        values: dict[str, object] = {
            "policy": "contrarian_on_close",
            "sides": ("long", "short"),
            "market_fill": FillModel.NEXT_BAR_OPEN,
            "rung_fill": FillModel.CLOSE_BEYOND,
            "origin": PriceOrigin.RECORDED,
            "funding_known": True,
            "delay_s": 60,
            "slippage_bps": 5.0,
            "taker_fee_bps": 5.0,
            "costs_source": "test",
            "initial_equity_usdt": 1000.0,
        }
        return AssumptionFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def figures(**changes: object) -> OverfittingFigures:
        values: dict[str, object] = {field.name: 0 for field in fields(OverfittingFigures)}
        good = {
            "trials_count": 500,
            "observations_count": 66,
            "deflated_sharpe_ratio": 0.99,
            "backtest_overfitting_ratio": 0.04,
            "reasons": (),
        }
        return OverfittingFigures(**{**values, **good, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def trials(**changes: object) -> TrialFacts:
        values: dict[str, object] = {"figures": Candidates.figures(), "sampled_count": 480, "fault": None}
        return TrialFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def holdout(**changes: object) -> HoldoutFacts:
        values: dict[str, object] = {
            "fault": None,
            "signals_count": 27,
            "openings_count": 1,
            "others": None,
            "own": "opened by a person for this policy",
            "own_verdict": "pass",
        }
        return HoldoutFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def search(**changes: object) -> SearchFacts:
        engine = EngineFacts(verdict="EQUAL", compared_count=20, policy_digests=(POLICY, "b" * 64), difference=None)
        values: dict[str, object] = {
            "search_id": "5" * 64,
            "policy_digest": POLICY,
            "data_digest": DATA,
            "code_version": CODE,
            "neighbours_count": 30,
            "neighbours_profitable_ratio": 0.9,
            "overfitting": Candidates.figures(),
            "engine": engine,
        }
        return SearchFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def judged(**changes: object) -> JudgedFacts:
        values: dict[str, object] = {
            "policy_digest": POLICY,
            "data_digest": DATA,
            "code_version": CODE,
            "venue": "bingx",
            "venue_digest": VENUE,
        }
        return JudgedFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def preflight(**changes: object) -> PreflightFacts:
        values: dict[str, object] = {
            "policy_digest": POLICY,
            "code_version": CODE,
            "venue": "bingx",
            "venue_digest": VENUE,
            "made_at": PAGE_AT,
            "seeds_count": 200,
            "injected": (),
            "scenarios_count": 21,
            "scenarios_missing": (),
            "scenarios_unmet": (),
            "failures": (),
            "cells_empty": (),
            "crash_points_count": 30,
            "restarts_compared_count": 40,
            "duplicates_count": 0,
            "restarts_differing_count": 0,
        }
        return PreflightFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def session(number: int = 0, **changes: object) -> SessionFacts:
        values: dict[str, object] = {
            "key": f"2026-05-{10 + number}|{LEAD}",
            "mode": "paper",
            "policy_digest": POLICY,
            "code_version": CODE,
            "is_observed": True,
            "started_at": PAGE_AT - timedelta(days=9 - number),
            "ended_at": PAGE_AT - timedelta(days=8 - number),
            "ended": "deadline",
            "polls_count": 1440,
            "failed_polls_count": 3,
            "entries_count": 2,
            "exits_count": 2,
            "broken": (),
            "alerts": (),
            "unknown": (),
            "close_delay_s": 2.5,
            "read_at": replace(READ_AT, venue=None),
        }
        return SessionFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def parity(**changes: object) -> ParityFacts:
        values: dict[str, object] = {
            "key": f"2026-05-10|{LEAD}",
            "policy_digest": POLICY,
            "code_version": CODE,
            "is_observed": True,
            "made_at": PAGE_AT,
            "compared_count": 14,
            "residual_bps_max": 0.2,
            "difference_bps_mean": 1.5,
            "missed": (),
            "read_at": replace(READ_AT, venue=None),
        }
        return ParityFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def shadow(**changes: object) -> ShadowFacts:
        values: dict[str, object] = {
            "key": f"2026-05-10|{LEAD}",
            "venue": "bingx",
            "policy_digest": POLICY,
            "code_version": CODE,
            "is_observed": True,
            "made_at": PAGE_AT,
            "orders_count": 14,
            "invalid": (),
            "probe_faults": (),
            "read_at": READ_AT,
        }
        return ShadowFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def incidents(**changes: object) -> IncidentFacts:
        values: dict[str, object] = {
            "looked_at": PAGE_AT,
            "passes_count": 500,
            "critical": (),
            "active": (),
            "unheard": (),
        }
        return IncidentFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def canary(**changes: object) -> CanaryFacts:
        values: dict[str, object] = {
            "lead_id": LEAD,
            "venue": "bingx",
            "policy_digest": POLICY,
            "code_version": CODE,
            "read_at": READ_AT,
            "sessions": tuple(Candidates.session(number) for number in range(7)),
            "parities": (Candidates.parity(),),
            "shadows": (Candidates.shadow(),),
            "incidents": Candidates.incidents(),
        }
        return CanaryFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]

    @staticmethod
    def facts(**changes: object) -> CandidateFacts:
        values: dict[str, object] = {
            "lead_id": LEAD,
            "source": Candidates.source(),
            "assumptions": Candidates.assumptions(),
            "capital": CapitalFacts(
                gross_to_equity_ratio=0.6, equity_worst_ratio=0.95, entries_blocked_count=0, minimum_order_skips_count=0
            ),
            "visible": Candidates.measures(),
            "parts": {
                "train": Candidates.measures(),
                "validation": Candidates.measures(),
                "holdout": Candidates.measures(),
            },
            "stressed": {
                "slippage_x2": Candidates.measures(),
                "fees_x1.5": Candidates.measures(),
                "delay_plus_one_bar": Candidates.measures(),
            },
            "judged": Candidates.judged(),
            "trials": Candidates.trials(),
            "holdout": Candidates.holdout(),
            "search": Candidates.search(),
            "preflight": Candidates.preflight(),
            "canary": Candidates.canary(),
        }
        return CandidateFacts(**{**values, **changes})  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="session")
def candidates() -> type[Candidates]:
    return Candidates
