"""Which plan a canary runs with, and which policy digest its evidence must therefore carry: one answer for all.

Sessions are started with it, the sensor's run key is made of it, and gates count only what carries it. An approval
names the judged policy and the caps; from the two follows this digest and no other.
"""

from __future__ import annotations

from copytrade_core.edges.stages.paper_plan import PaperPlan, canary_plan
from copytrade_core.edges.stages.policies import load_policy
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.strategies.leads import plain_lead


def plan_of(place: Workplace, lead_id: str) -> PaperPlan:
    """The plan of a lead's paper canary: the policy that gates judge, with the canary's money, caps and costs.

    Raises:
        BadConfig: the policy cannot be read.
    """
    name = place.settings.main_policy
    policy = load_policy(place.settings.policies[name])
    return canary_plan(place.settings, place.settings.canary, name, policy, plain_lead(lead_id))


def canary_policy_digest(place: Workplace, lead_id: str) -> str:
    """The digest that sessions of a lead's canary must carry to count, paper and shadow alike.

    Raises:
        BadConfig: the policy cannot be read.
    """
    return plan_of(place, lead_id).policy_digest
