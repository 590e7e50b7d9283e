"""The split stage: the lead's signals in time order, cut into train, validation and a holdout that stays closed.

How a split is made belongs to `evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from copytrade_core.edges.market.intervals import epoch_ms
from copytrade_core.edges.settings_values import replay_spec
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.policies import load_policies
from copytrade_core.edges.stages.workplace import SCHEMA_VERSION, StageOutcome, Workplace, parents
from copytrade_core.evidence.splits import SplitManifest, SplitRatios, manifest_document, signals_of, split_signals
from copytrade_core.model.episode import Episode
from copytrade_core.model.policy import PolicySpec
from copytrade_core.promotion.contract import SplitShares

DELAY_S_MAX = 900
"""The longest delay that a study tries; a trade may begin and so end that much later."""


def split_lead(place: Workplace, lead_id: str) -> StageOutcome:
    """Stores `split_manifest` for the policy that gates judge.

    Raises:
        NotStored: there are no episodes.
    """
    head = place.lake.require("episodes", lead_id)
    manifest = split_of(place, load_episodes(place, lead_id))
    metadata: dict[str, object] = {
        "signals": {boundary.part.value: boundary.signals_count for boundary in manifest.parts},
        "embargoed": len(manifest.embargoed),
        "manifest_digest": manifest.digest,
    }
    stored = place.lake.put_document(
        "split_manifest",
        lead_id,
        manifest_document(manifest),
        schema_version=SCHEMA_VERSION,
        code_version=place.code_version,
        parents={**parents(head), "promotion_contract": place.contract().digest},
        metadata=metadata,
    )
    return StageOutcome(heads=(stored,), metadata=metadata)


def split_of(place: Workplace, episodes: Sequence[Episode], policy: PolicySpec | None = None) -> SplitManifest:
    """The split of these episodes under the contract's shares; same episodes, same split.

    `policy` is the one whose signals are split and whose longest trade is the embargo; by default the one that gates
    judge. The holdout is the same for all policies that wait for the same signal.
    """
    policy = policy or load_policies(place.settings)[place.settings.main_policy]
    interval_ms = replay_spec(place.settings, lead_margin_balance=None).interval_ms
    return split_signals(
        signals_of(episodes, policy.signal),
        ratios=_ratios(place.contract().splits),
        longest_holding_ms=_longest_holding_ms(episodes, policy) + DELAY_S_MAX * 1000 + 2 * interval_ms,
    )


def _ratios(shares: SplitShares) -> SplitRatios:
    return SplitRatios(
        train=Fraction(shares.train_ratio),
        validation=Fraction(shares.validation_ratio),
        holdout=Fraction(shares.holdout_ratio),
    )


def _longest_holding_ms(episodes: Sequence[Episode], policy: PolicySpec) -> int:
    ttl_ms = (policy.exit.ttl_s or 0) * 1000
    if not policy.exit.follows_source_close:
        return ttl_ms
    held = [
        epoch_ms(episode.closed_at) - epoch_ms(episode.opened_at)
        for episode in episodes
        if episode.closed_at is not None
    ]
    return ttl_ms + max(held, default=0)
