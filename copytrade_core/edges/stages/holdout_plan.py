"""What opening a holdout would look at: the candidate, the signals and their bars, before anything is recorded.

Recording and replaying belongs to `holdout.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.holdout_facts import holdout_of
from copytrade_core.edges.stages.market_data import LoadedMarkets, load_markets
from copytrade_core.edges.stages.replay import lead_spec
from copytrade_core.edges.stages.split import split_of
from copytrade_core.edges.stages.trial_data import data_digest_of
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import NotStored, PromotionRefused, StoreFault, Where
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.promotion.holdout_ledger import Holdout
from copytrade_core.replay.coverage import why_skipped
from copytrade_core.strategies.policy_parse import policy_from_mapping

CHAMPION = "champion_policy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpeningPlan:
    """What an opening would look at. `covered_count` of the signals have bars from signal to latest exit."""

    lead_id: str
    policy: PolicySpec
    holdout: Holdout
    covered_count: int
    episodes: tuple[Episode, ...]
    markets: LoadedMarkets
    spec: ReplaySpec


def champion_of(place: Workplace, lead_id: str) -> PolicySpec:
    """The policy that the lead's newest search made its champion.

    Raises:
        NotStored: no search has stored one, or it found none worth it.
        StoreFault: the stored policy is not the one its digest says.
    """
    where = Where(file=f"{CHAMPION}/{lead_id}")
    step = f"Name a policy with --policy FILE, or run: copytrade search --lead {lead_id}"
    if place.lake.head(CHAMPION, lead_id) is None:
        raise NotStored(f"no search has named a champion for lead {lead_id}", next_step=step)
    stored = place.lake.document_as(CHAMPION, lead_id, dict[str, object])
    text = stored.get("toml")
    if not isinstance(text, str):
        raise NotStored(f"the newest search of lead {lead_id} found no champion", where=where, next_step=step)
    policy = policy_from_mapping(tomllib.loads(text, parse_float=Decimal), file=str(where.file))
    if digest_of(policy) != stored.get("policy_digest"):
        raise StoreFault("the champion's policy is not the one its digest says", where=where)
    return policy


def plan_opening(place: Workplace, lead_id: str, policy: PolicySpec) -> OpeningPlan:
    """What an opening for this policy would look at; nothing is recorded and nothing replayed.

    Raises:
        NotStored: no episodes or no bars of any market.
        PromotionRefused: the holdout has no signal, or none that bars cover; the fill models are no evidence.
    """
    episodes = load_episodes(place, lead_id)
    markets, spec = load_markets(place, episodes), lead_spec(place, lead_id)
    if not markets.data.bars:
        step = f"Run: copytrade bars fetch --lead {lead_id}, or import bars"
        raise NotStored(f"no bars of the markets of lead {lead_id} are stored", next_step=step)
    contract = place.contract()
    if spec.market_fill not in contract.market_fills or spec.rung_fill not in contract.rung_fills:
        raise PromotionRefused(
            f"{spec.market_fill} with {spec.rung_fill} is not executable evidence",
            where=Where(field="replay.market_fill"),
            next_step=f"Use {contract.market_fills[0]} and {contract.rung_fills[0]} in copytrade.toml",
        )
    holdout = holdout_of(split_of(place, episodes, policy), lead_id, data_digest_of(episodes, markets))
    members = members_of(episodes, () if holdout is None else holdout.episode_ids)
    covered = [one for one in members if why_skipped(one, policy, spec.delay_s, markets.data) is None]
    if holdout is None or not covered:
        raise PromotionRefused(
            f"the holdout of lead {lead_id} has {len(members)} signals and bars for none of them",
            where=Where(field="holdout"),
            next_step=f"Poll more signals, or fetch what is missing: copytrade bars fetch --lead {lead_id}",
        )
    return OpeningPlan(
        lead_id=lead_id,
        policy=policy,
        holdout=holdout,
        covered_count=len(covered),
        episodes=episodes,
        markets=markets,
        spec=spec,
    )


def members_of(episodes: Sequence[Episode], wanted: Sequence[str]) -> tuple[Episode, ...]:
    """The episodes with these ids, in their order."""
    names = frozenset(wanted)
    return tuple(episode for episode in episodes if episode.episode_id in names)
