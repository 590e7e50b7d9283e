"""An engine with a closed form: what a policy earns is a smooth hill in its take-profit, stop and time-to-live.

It answers like the fast engine, so a search can be tested in milliseconds; nothing in it is random.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import fields
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np

from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.side import Side
from copytrade_core.model.sweep import SweepTable
from copytrade_core.search.plan import SamplerChoice, SearchPlan
from copytrade_core.search.settings import SearchSettings, search_settings_from_mapping
from copytrade_core.search.space import Space
from copytrade_core.search.space_parse import space_from_mapping
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.trading_floor import usdt

ROOT = Path(__file__).resolve().parents[2]
SPACES = ("dca_shape_v1", "exits_v1", "exits_grid_v1")
FLOATS = {"pnl_square_sum", "drawdown_realised_ratio", "drawdown_marked_ratio", "drawdown_intrabar_ratio"}


def content(path: str) -> dict[str, object]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"), parse_float=Decimal)


def space(name: str) -> Space:
    return space_from_mapping(content(f"settings/spaces/{name}.toml"), file=f"{name}.toml")


def contrarian() -> PolicySpec:
    return policy_from_mapping(content("settings/policies/contrarian_on_close.toml"), file="contrarian.toml")


def search_settings() -> SearchSettings:
    return search_settings_from_mapping(content("settings/search.toml"), file="search.toml")


def plan_of(
    space_name: str = "exits_v1",
    *,
    sampler: SamplerChoice = SamplerChoice.PHASES,
    seed: int = 1,
    trials: int = 200,
    signals: int = 40,
    settings: SearchSettings | None = None,
    manual: tuple[tuple[str, str], ...] = (),
) -> SearchPlan:
    return SearchPlan(
        search_id="s" * 64,
        space=space(space_name),
        base=contrarian(),
        settings=settings or search_settings(),
        sampler=sampler,
        seed=seed,
        trials_count=trials,
        manual=manual,
        train_sides=tuple(Side.LONG if i % 2 else Side.SHORT for i in range(signals)),
        initial_equity=usdt(1000),
        data_digest="d" * 64,
        assumptions_digest="a" * 64,
        code_version="test",
    )


def zeros(count: int) -> dict[str, np.ndarray]:
    return {
        field.name: np.zeros(count, dtype=np.float64 if field.name in FLOATS else np.int64)
        for field in fields(SweepTable)
    }


def mean_pnl_usdt(policy: PolicySpec) -> float:
    """The hill: 1 USDT per round trip at its top (2 % profit, 6 % stop, 36 hours), falling to all sides."""
    profit = (policy.exit.take_profit_ppm or 90_000) / 1e6
    stop = (policy.exit.stop_loss_ppm or 160_000) / 1e6
    hours = (policy.exit.ttl_s or 0) / 3600
    callback = (policy.exit.trailing_callback_ppm or 0) / 1e6
    share = float(policy.ladder.base_share + sum(policy.ladder.steps, Fraction(0)))
    far = ((profit - 0.02) / 0.03) ** 2 + ((stop - 0.06) / 0.08) ** 2 + ((hours - 36) / 40) ** 2
    return 1.0 - far - (callback / 0.05) ** 2 - (share - 0.3) ** 2


def hill(policies: Sequence[PolicySpec], signals_count: int) -> SweepTable:
    """One round trip per signal, half a mean's worth of spread around it: three USDT up, three down."""
    columns = zeros(len(policies))
    means = np.array([mean_pnl_usdt(policy) for policy in policies])
    ups = np.arange(signals_count)
    pnl = means[:, None] + np.where(ups % 2 == 0, 3.0, -3.0)[None, :]
    columns["trades_count"][:] = signals_count
    columns["wins_count"][:] = (pnl > 0).sum(axis=1)
    columns["net_pnl"][:] = np.round(pnl.sum(axis=1) * 1e8).astype(np.int64)
    columns["winners_pnl"][:] = np.round(np.where(pnl > 0, pnl, 0).sum(axis=1) * 1e8).astype(np.int64)
    columns["losers_pnl"][:] = np.round(np.where(pnl < 0, pnl, 0).sum(axis=1) * 1e8).astype(np.int64)
    columns["pnl_square_sum"][:] = (pnl**2).sum(axis=1)
    columns["drawdown_marked_ratio"][:] = 0.02
    columns["equity_worst"][:] = usdt(980)
    columns["peak_gross"][:] = [policy.sizing.target_notional for policy in policies]
    columns["fill_hash"][:] = np.round(means * 1e6).astype(np.int64)
    return SweepTable(**columns)
