"""Several leads in one session: what each may use, which markets of it are followed, and the strategy that knows them.

Caps over all leads are `risk`'s; here a lead is only kept within its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from typing_extensions import override

from copytrade_core.model.digest import digest_of
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.event import (
    BarClosed,
    Event,
    FundingPaid,
    MarkSeen,
    OrderFilled,
    OrderNotPlaced,
    OrderRejected,
    PositionSynced,
    Timer,
    View,
)
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.source_event import SourceChanged, SourceClosed, SourceMissing, SourceOpened
from copytrade_core.model.units import Money
from copytrade_core.strategies.entry import Held
from copytrade_core.strategies.machine import Decision, Strategy, strategy_of
from copytrade_core.strategies.state import StrategyState
from copytrade_core.strategies.wishes import hold

MARKET_NOT_FOLLOWED = "market_not_followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPlan:
    """How one lead is followed.

    `target` is the notional aimed at in one trade (None: the policy's); `notional_max` bounds everything held and
    reserved of this lead (None: only the caps over all do). `allowed` are the only markets followed (None: every one),
    `blocked` those that are not.

    Raises:
        BadConfig: money that is not positive, or a market both allowed and blocked.
    """

    lead_id: str
    target: Money | None
    notional_max: Money | None
    allowed: frozenset[Market] | None
    blocked: frozenset[Market]

    def __post_init__(self) -> None:
        for name, money in (("target", self.target), ("notional_max", self.notional_max)):
            if money is not None and money <= 0:
                raise BadConfig(f"{name} of lead {self.lead_id} must be positive", where=Where(field=name))
        both = sorted((self.allowed or frozenset()) & self.blocked)
        if both:
            raise BadConfig(
                f"lead {self.lead_id}: {both[0]} is both allowed and blocked",
                where=Where(field="blocked"),
                next_step="Take it off one of the two lists",
            )

    def follows(self, market: str) -> bool:
        """Whether a market of this lead is followed."""
        return market not in self.blocked and (self.allowed is None or market in self.allowed)


def plain_lead(lead_id: str) -> LeadPlan:
    """A lead without limits of its own."""
    return LeadPlan(lead_id=lead_id, target=None, notional_max=None, allowed=None, blocked=frozenset())


def lead_of(episode_id: str) -> str:
    """The lead in an episode's id."""
    return episode_id.partition("|")[0]


def policies_of(policy: PolicySpec, leads: tuple[LeadPlan, ...]) -> Mapping[str, PolicySpec]:
    """The policy of each lead: its own target in place of the policy's."""
    return {
        lead.lead_id: policy
        if lead.target is None
        else replace(policy, sizing=replace(policy.sizing, target_notional=lead.target))
        for lead in leads
    }


def plan_digest(policy: PolicySpec, leads: tuple[LeadPlan, ...]) -> str:
    """The digest of what is traded: the policy's own while no lead changes anything, else of policy and leads."""
    if all(lead == plain_lead(lead.lead_id) for lead in leads):
        return digest_of(policy)
    parts = [
        (lead.lead_id, lead.target, lead.notional_max, sorted(lead.allowed) if lead.allowed is not None else None,
         sorted(lead.blocked))
        for lead in sorted(leads, key=lambda lead: lead.lead_id)
    ]  # fmt: skip
    return digest_of(f"{digest_of(policy)} {parts}")


@dataclass(frozen=True, slots=True)
class LeadsStrategy(Strategy):
    """One strategy for each lead behind one face: the lead is named by the episode that an event is about.

    What a lead opens in a market that is not followed is held back, with the reason; its exits never are.
    """

    each: Mapping[str, Strategy]
    leads: Mapping[str, LeadPlan]

    @override
    def decide(self, state: StrategyState, event: Event, view: View) -> Decision:
        """Answer one event as the lead's own strategy does."""
        episode_id = _episode_of(event, view)
        strategy = self.each.get(lead_of(episode_id)) if episode_id is not None else None
        if strategy is None or episode_id is None:
            return Decision(state=state, wishes=())
        if isinstance(event, SourceOpened | SourceClosed) and episode_id not in state.trades:
            lead = self.leads[lead_of(episode_id)]
            if not lead.follows(event.episode.market):
                numbers = (("market", str(event.episode.market)),)
                return Decision(
                    state=state, wishes=(hold(episode_id, Held(reason=MARKET_NOT_FOLLOWED, numbers=numbers), view),)
                )
        return strategy.decide(state, event, view)


def strategy_of_leads(policy: PolicySpec, leads: tuple[LeadPlan, ...]) -> Strategy:
    """The strategy of a session: the policy's own for leads without limits of theirs."""
    if all(lead == plain_lead(lead.lead_id) for lead in leads):
        return strategy_of(policy)
    each = {lead_id: strategy_of(own) for lead_id, own in policies_of(policy, leads).items()}
    return LeadsStrategy(policy, plan_digest(policy, leads), each, {lead.lead_id: lead for lead in leads})


def _episode_of(event: Event, view: View) -> str | None:
    """Whose event it is; prices are shown with the holding that they concern."""
    match event:
        case SourceOpened() | SourceChanged() | SourceMissing() | SourceClosed():
            return event.episode.episode_id
        case OrderFilled(fill=fill):
            return fill.episode_id
        case BarClosed() | MarkSeen():
            return None if view.holding is None else view.holding.episode_id
        case OrderRejected() | OrderNotPlaced() | PositionSynced() | FundingPaid() | Timer():
            return event.episode_id
