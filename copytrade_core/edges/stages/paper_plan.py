"""What a paper session is run with: whom it follows, with how much, within which caps. Nothing is run here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_canary import CanaryMoney, canary_caps, canary_costs
from copytrade_core.edges.settings_values import cost_model, replay_spec
from copytrade_core.model.caps import Caps
from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.units import Money, Ppm, money_from_decimal
from copytrade_core.strategies.leads import LeadPlan, plan_digest

ACCOUNT = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPlan:
    """One paper session's assumptions.

    `group` names several leads that are followed together (None: none does). `strategy` is the policy's name in the
    settings, `judged` that policy as gates judge it and `policy` as it trades here, with the session's own target;
    `delay_ms` the time from sending to being executable, `live_delay_ms` that of a session that polls: declared, not
    measured, since nothing here reaches a venue (docs/how-to/paper-canary.md);
    `archive_delay_s` the time from a lead's event to our knowing of it, for episodes that only later history shows;
    `status_every_ms` how often a status is written by the session's clock.

    Raises:
        BadConfig: no lead, or one twice.
    """

    leads: tuple[LeadPlan, ...]
    group: str | None
    strategy: str
    judged: PolicySpec
    policy: PolicySpec
    account: str
    equity: Money
    caps: Caps
    costs: CostModel
    market_fill: FillModel
    rung_fill: FillModel
    delay_ms: int
    live_delay_ms: int
    archive_delay_s: int
    status_every_ms: int

    def __post_init__(self) -> None:
        if not self.leads:
            raise BadConfig("a session follows at least one lead", where=Where(field="leads"))
        if len({lead.lead_id for lead in self.leads}) < len(self.leads):
            raise BadConfig("a lead is named twice", where=Where(field="leads"))

    @property
    def name(self) -> str:
        """The session's lead as one word: the lead itself, the group's name, or all leads joined."""
        return self.group or "+".join(sorted(lead.lead_id for lead in self.leads))

    @property
    def policy_digest(self) -> str:
        """Which policy a session of this plan is evidence of: the judged one, and how this plan derives what it trades.

        Another target, cap, cost or delay, or other limits of a lead, make it another experiment.
        """
        return digest_of(
            {
                "judged": digest_of(self.judged),
                "traded": plan_digest(self.policy, self.leads),
                "equity": self.equity,
                "caps": self.caps,
                "costs": self.costs,
                "live_delay_ms": self.live_delay_ms,
            }
        )


def canary_plan(
    settings: Settings, money: CanaryMoney, strategy: str, policy: PolicySpec, *leads: LeadPlan
) -> PaperPlan:
    """The paper canary of a policy: its own capital, caps and costs, and trades of its own target."""
    target = money_from_decimal(money.target_usdt)
    return PaperPlan(
        leads=leads,
        group=None,
        strategy=strategy,
        judged=policy,
        policy=replace(policy, sizing=replace(policy.sizing, target_notional=target)),
        account=ACCOUNT,
        equity=money_from_decimal(money.equity_usdt),
        caps=canary_caps(money),
        costs=canary_costs(money),
        market_fill=settings.replay.market_fill,
        rung_fill=settings.replay.rung_fill,
        delay_ms=0,
        live_delay_ms=settings.canary.delay_ms,
        archive_delay_s=settings.replay.delay_s,
        status_every_ms=60_000,
    )


def replay_plan(settings: Settings, strategy: str, policy: PolicySpec, *leads: LeadPlan) -> PaperPlan:
    """The assumptions of the settings' replay, so that paper and replay can be compared; caps as wide as its equity."""
    spec = replay_spec(settings, lead_margin_balance=None)
    caps = replace(
        canary_caps(settings.canary),
        notional_gross_max=spec.initial_equity,
        notional_one_side_max=spec.initial_equity,
        notional_correlated_max=spec.initial_equity,
        daily_loss_max=spec.initial_equity,
        orders_per_hour_max=1_000,
        entry_drift_ppm_max=Ppm(1_000_000),
    )
    return replace(
        canary_plan(settings, settings.canary, strategy, policy, *leads),
        policy=policy,
        equity=spec.initial_equity,
        caps=caps,
        costs=cost_model(settings),
    )
