"""The settings of a drilled session: every cap set, small enough to bite, patience shorter than a story."""

from __future__ import annotations

from copytrade_core.edges.preflight.drill_markets import CASH, MARKETS
from copytrade_core.edges.preflight.story import Story
from copytrade_core.model.caps import Caps
from copytrade_core.model.units import RATE_SCALE, Money, Ppm
from copytrade_core.model.venue import PositionMode
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.strategies.machine import strategy_of

ACCOUNT = "preflight"
SOURCE_AGE_S_MAX = 60
MARK_AGE_S_MAX = 20
PLANNED_ENTRY_AGE_MS_MAX = 30_000


def drill_settings(story: Story, *, mode: PositionMode) -> RunnerSettings:
    """A session that trades the story's policy on the drill markets."""
    gross = gross_cap(story)
    return RunnerSettings(
        strategy=strategy_of(story.policy),
        instruments={market: drill.instrument for market, drill in MARKETS.items()},
        account=ACCOUNT,
        lead_margin_balance=Money(CASH * 10),
        initial_equity=CASH,
        caps=Caps(
            notional_gross_max=gross,
            notional_one_side_max=gross,
            notional_correlated_max=gross,
            daily_loss_max=Money(CASH // 2),
            orders_per_hour_max=story.orders_per_hour_max,
            source_age_s_max=SOURCE_AGE_S_MAX,
            mark_age_s_max=MARK_AGE_S_MAX,
            entry_drift_ppm_max=Ppm(30_000),
        ),
        position_mode=mode,
        planned_entry_age_ms_max=PLANNED_ENTRY_AGE_MS_MAX,
        clock_skew_ms_max=1_000,
    )


def gross_cap(story: Story) -> Money:
    """The story's gross cap in money."""
    return Money(story.policy.sizing.target_notional * story.cap_ratio_ppm // RATE_SCALE)
