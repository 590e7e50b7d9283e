"""What a paper session is run with: whom it follows, with how much, within which caps. Nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_values import cost_model, replay_spec
from copytrade_core.model.caps import Caps
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.units import MONEY_SCALE, Money, Ppm
from copytrade_core.session.leads import LeadPlan

ACCOUNT = "paper"
CANARY_EQUITY = Money(30 * MONEY_SCALE)
CANARY_TARGET = Money(25 * MONEY_SCALE)
"""The equity less the daily loss. The specification's 30 would end a canary with its first loss: capital is unlevered,
and a trade of 30 is more than what is left."""
CANARY_CAPS = Caps(
    notional_gross_max=CANARY_EQUITY,
    notional_one_side_max=CANARY_EQUITY,
    notional_correlated_max=CANARY_EQUITY,
    daily_loss_max=Money(5 * MONEY_SCALE),
    orders_per_hour_max=20,
    source_age_s_max=600,
    mark_age_s_max=600,
    entry_drift_ppm_max=Ppm(10_000),
)
"""The specification's caps of a paper canary; ages are two bars of five minutes."""
CANARY_COSTS = CostModel(
    taker_fee=Ppm(500),
    maker_fee=Ppm(500),
    slippage=Ppm(425),
    source="specification of the paper canary: 0.05 % a side and 4.25 bp slippage; not calibrated by fills of ours",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPlan:
    """One paper session's assumptions.

    `strategy` is the policy's name in the settings; `delay_ms` our measured time from sending to being executable;
    `archive_delay_s` the time from a lead's event to our knowing of it, for episodes that only later history shows;
    `status_every_ms` how often a status is written by the session's clock.

    Raises:
        BadConfig: no lead, or one twice.
    """

    leads: tuple[LeadPlan, ...]
    strategy: str
    policy: PolicySpec
    account: str
    equity: Money
    caps: Caps
    costs: CostModel
    market_fill: FillModel
    rung_fill: FillModel
    delay_ms: int
    archive_delay_s: int
    status_every_ms: int

    def __post_init__(self) -> None:
        if not self.leads:
            raise BadConfig("a session follows at least one lead", where=Where(field="leads"))
        if len({lead.lead_id for lead in self.leads}) < len(self.leads):
            raise BadConfig("a lead is named twice", where=Where(field="leads"))

    @property
    def name(self) -> str:
        """The session's lead as one word: the lead itself, or all of them joined."""
        return "+".join(sorted(lead.lead_id for lead in self.leads))


def canary_plan(settings: Settings, strategy: str, policy: PolicySpec, *leads: LeadPlan) -> PaperPlan:
    """The paper canary of the specification: 30 USDT, its caps and its costs; trades of 25."""
    return PaperPlan(
        leads=leads,
        strategy=strategy,
        policy=replace(policy, sizing=replace(policy.sizing, target_notional=CANARY_TARGET)),
        account=ACCOUNT,
        equity=CANARY_EQUITY,
        caps=CANARY_CAPS,
        costs=CANARY_COSTS,
        market_fill=settings.replay.market_fill,
        rung_fill=settings.replay.rung_fill,
        delay_ms=0,
        archive_delay_s=settings.replay.delay_s,
        status_every_ms=60_000,
    )


def replay_plan(settings: Settings, strategy: str, policy: PolicySpec, *leads: LeadPlan) -> PaperPlan:
    """The assumptions of the settings' replay, so that paper and replay can be compared; caps as wide as its equity."""
    spec = replay_spec(settings, lead_margin_balance=None)
    caps = replace(
        CANARY_CAPS,
        notional_gross_max=spec.initial_equity,
        notional_one_side_max=spec.initial_equity,
        notional_correlated_max=spec.initial_equity,
        daily_loss_max=spec.initial_equity,
        orders_per_hour_max=1_000,
        entry_drift_ppm_max=Ppm(1_000_000),
    )
    return replace(
        canary_plan(settings, strategy, policy, *leads),
        policy=policy,
        equity=spec.initial_equity,
        caps=caps,
        costs=cost_model(settings),
    )
