"""Which plan a canary runs with, and which policy digest its evidence must therefore carry: one answer for all.

Sessions are started with it, the sensor's run key is made of it, and gates count only what carries it. An approval
names the judged policy and the caps; from the two follows this digest and no other.
"""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.edges.canary_group import GROUP_NAME, group_leads, load_group
from copytrade_core.edges.stages.paper_plan import PaperPlan, canary_plan
from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.strategies.leads import plain_lead


def is_group(name: str) -> bool:
    """Whether a session of that name follows a group: its evidence is of the group, never of one of its leads."""
    return GROUP_NAME.fullmatch(name) is not None


def plan_of(place: Workplace, lead_id: str) -> PaperPlan:
    """The plan of a paper canary of a lead or a group: the policy that gates judge, with its own money, caps and costs.

    Raises:
        BadConfig: the policy or the group cannot be read.
    """
    name = place.settings.main_policy
    policy = load_policy(place.settings.policies[name])
    if is_group(lead_id):
        group = load_group(place.settings, lead_id)
        plan = canary_plan(place.settings, group.money, name, policy, *group_leads(group))
        return replace(plan, group=lead_id)
    return canary_plan(place.settings, place.settings.canary, name, policy, plain_lead(lead_id))


def canary_policy_digest(place: Workplace, lead_id: str) -> str:
    """The digest that sessions of a lead's canary must carry to count, paper and shadow alike.

    Raises:
        BadConfig: the policy cannot be read.
    """
    return plan_of(place, lead_id).policy_digest
