"""Settings as the values that rooms take: client limits, costs, the assumptions of a replay.

Nothing is decided here; units are converted and names are joined.
"""

from __future__ import annotations

from decimal import Decimal

from copytrade_core.edges.http_retry import HttpLimits
from copytrade_core.edges.market.intervals import interval_ms_of
from copytrade_core.edges.settings import HttpSection, Settings
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.round_trip import CostModel, ReplaySpec
from copytrade_core.model.units import Money, money_from_decimal, ppm_from_decimal

BPS = Decimal(10_000)


def http_limits(section: HttpSection) -> HttpLimits:
    """The limits of one host's client."""
    return HttpLimits(
        connect_timeout_s=section.connect_timeout_s,
        read_timeout_s=section.read_timeout_s,
        deadline_s=section.deadline_s,
        body_bytes_max=section.body_bytes_max,
        attempts_max=section.attempts_max,
        backoff_initial_s=section.backoff_initial_s,
        backoff_max_s=section.backoff_max_s,
        backoff_jitter_s=section.backoff_jitter_s,
        request_interval_s=section.request_interval_s,
    )


def cost_model(settings: Settings) -> CostModel:
    """Costs in ppm (rounded up), with their sources in one sentence."""
    costs = settings.costs
    return CostModel(
        taker_fee=ppm_from_decimal(costs.taker_fee_bps / BPS),
        maker_fee=ppm_from_decimal(costs.maker_fee_bps / BPS),
        slippage=ppm_from_decimal(costs.slippage_bps / BPS),
        source=f"fees: {costs.fee_source}; slippage: {costs.slippage_source}",
    )


def replay_spec(settings: Settings, *, lead_margin_balance: Money | None) -> ReplaySpec:
    """The assumptions of a replay; the lead's margin balance is known only where its detail page shows it."""
    replay = settings.replay
    return ReplaySpec(
        market_fill=replay.market_fill,
        rung_fill=replay.rung_fill,
        costs=cost_model(settings),
        delay_s=replay.delay_s,
        initial_equity=money_from_decimal(replay.initial_equity_usdt),
        lead_margin_balance=lead_margin_balance,
        interval_ms=interval_ms_of(settings.market.bar_interval),
        caps=UNCAPPED_REPLAY,
    )
