"""Which paper sessions must be compared with replay once more, because what the comparison lacked is stored now.

A session that watched a lead ends before the history shows its positions and before bars of its last hours exist; the
comparison made then names what it could not compare. A shadow session of the day that was stored later joins the table,
whatever the paper session is. Comparing itself belongs to `canary_parity`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from copytrade_core.edges.market.intervals import interval_ms_of
from copytrade_core.edges.market.market_store import bars_partition, funding_partition
from copytrade_core.edges.stages.canary_request import begins_at
from copytrade_core.edges.stages.canary_store import PARITY, SESSION, SHADOW_SESSION, day_and_lead, session_keys
from copytrade_core.edges.stages.episodes import load_episodes
from copytrade_core.edges.stages.market_data import needed_months
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.promotion.gate_result import Gate

NOT_DERIVED = "not_derived"
"""The lead's history does not show this position yet."""
PASSING = frozenset({NOT_DERIVED, "no_bars", "still_open", "after_bars", "bars_end_early", "bar_gap"})
"""Why an episode cannot be compared now and may be later: replay's reasons, and ours."""
DIGEST_SHOWN = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DueComparison:
    """A session to compare again; `run_key` is the same while nothing that it reads changes."""

    key: str
    run_key: str


class _Compared(msgspec.Struct, frozen=True):
    episodes_not_comparable: dict[str, str]
    told: tuple[str, ...] = ()
    inputs: str = ""


def comparison_inputs(place: Workplace, lead_id: str, told: Collection[str]) -> str:
    """One digest of what a comparison of these episodes reads beside the session: themselves, bars and funding.

    Raises:
        NotStored: the lead's episodes are not derived.
    """
    known = [episode for episode in load_episodes(place, lead_id) if episode.episode_id in told]
    interval_ms = interval_ms_of(place.settings.market.bar_interval)
    heads = [
        place.lake.head(asset, partition)
        for need in needed_months(place, known)
        for asset, partition in (
            ("bars", bars_partition(need.market, interval_ms, need.month)),
            ("funding", funding_partition(need.market, need.month)),
        )
    ]
    return digest_of([digest_of(known), [None if head is None else head.digest for head in heads]])


def due_comparisons(place: Workplace, lead_id: str) -> tuple[DueComparison, ...]:
    """Sessions, young enough to count, that may be compared further than they are.

    Raises:
        NotStored: the lead's episodes are not derived.
        StoreFault: stored bytes were changed.
        BadConfig: the contract cannot be read.
    """
    age_s = float(place.contract().threshold(Gate.BACKTEST_PAPER_PARITY, "parity_age_s_max").value)
    oldest = place.now() - timedelta(seconds=age_s)
    found = (
        _due(place, key) for key in session_keys(place, SESSION, lead_id) if begins_at(day_and_lead(key)[0]) >= oldest
    )
    return tuple(one for one in found if one is not None)


def _due(place: Workplace, key: str) -> DueComparison | None:
    session, compared = place.lake.require(SESSION, key), place.lake.head(PARITY, key)
    shadow = place.lake.head(SHADOW_SESSION, key)
    if compared is not None and shadow is not None and shadow.digest not in compared.parents.values():
        both = digest_of([session.digest, shadow.digest])
        return DueComparison(key=key, run_key=f"parity:{key}:{both[:DIGEST_SHOWN]}")
    if not session.metadata.get("observed"):
        return None
    if compared is None or session.digest not in compared.parents.values():
        return DueComparison(key=key, run_key=f"parity:{key}:{session.digest[:DIGEST_SHOWN]}")
    before = place.lake.document_as(PARITY, key, _Compared)
    if not PASSING.intersection(before.episodes_not_comparable.values()):
        return None
    inputs = comparison_inputs(place, day_and_lead(key)[1], before.told)
    if inputs == before.inputs:
        return None
    return DueComparison(key=key, run_key=f"parity:{key}:{inputs[:DIGEST_SHOWN]}")
