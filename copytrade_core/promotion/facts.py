"""What the gates read: numbers about one candidate, taken from stored evidence and nothing else.

How the numbers are computed belongs to `evidence`; here they are only named. The holdout is absent until it is opened.
Older evidence of a search or a holdout is named as such and counts for nothing: gates compare digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import Measures
from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.promotion.facts_canary import CanaryFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """The closed history as we have it.

    `rows_count` = usable + rejected + duplicates. `history_total_count` is what the source says exists (None when it
    never said), `history_short_count` how many of those we lack. `newest_page_at` is when we last received a page.
    `losers_count` counts closed positions with a loss, `observed_count` episodes that our polls saw open.
    """

    rows_count: int
    rejected_count: int
    duplicates_count: int
    history_total_count: int | None
    history_short_count: int | None
    newest_page_at: datetime | None
    closed_count: int
    losers_count: int
    episodes_count: int
    observed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssumptionFacts:
    """On which prices and costs the judged replay rests. Rates in bps."""

    policy: str
    sides: tuple[str, ...]
    market_fill: FillModel
    rung_fill: FillModel
    origin: PriceOrigin
    funding_known: bool
    delay_s: int
    slippage_bps: float
    taker_fee_bps: float
    costs_source: str
    initial_equity_usdt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalFacts:
    """How the judged replay used its capital.

    `gross_to_equity_ratio` and `equity_worst_ratio` (over initial equity) are the largest and lowest along the curve,
    None when nothing was held.
    """

    gross_to_equity_ratio: float | None
    equity_worst_ratio: float | None
    entries_blocked_count: int
    minimum_order_skips_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFacts:
    """Which policy is judged, on which data, by which code: what a search or a holdout must have been about to count.

    `policy_digest` is the candidate, `data_digest` that of its trials. `venue` is where it would trade; `venue_digest`
    what is certified of it today (None = nothing).
    """

    policy_digest: str
    data_digest: str
    code_version: str
    venue: str
    venue_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What the comparison of both engines concluded in a search.

    `verdict` is EQUAL or REJECTED_FOR_SEARCH, `policy_digests` are the candidates compared, `difference` the first one.
    """

    verdict: str
    compared_count: int
    policy_digests: tuple[str, ...]
    difference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFacts:
    """What the newest search of the lead found about one policy (`policy_digest`), on its data and by its code.

    `neighbours_profitable_ratio` is the share of neighbouring parameters with a positive net result. None = not looked.
    """

    search_id: str
    policy_digest: str
    data_digest: str
    code_version: str
    neighbours_count: int
    neighbours_profitable_ratio: float | None
    overfitting: OverfittingFigures | None
    engine: EngineFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFacts:
    """The registry on the judged data, as it is now.

    `figures` are the judged policy's, over its train signals, against every trial; `sampled_count` counts the trials
    that a search made and `fault` says why the registry cannot be read (then `figures` is None).
    """

    figures: OverfittingFigures | None
    sampled_count: int
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutFacts:
    """What the holdout ledger says about the holdout of today and the judged policy.

    `openings_count` counts openings that have shown any of it; `others` tells the first of those for another candidate
    (None = none), `own` the judged policy's newest opening, `own_verdict` its result (None = none yet). `fault` says
    why the ledger cannot be trusted.
    """

    fault: str | None
    signals_count: int
    openings_count: int
    others: str | None
    own: str | None
    own_verdict: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightFacts:
    """What the newest preflight of the lead found, about one policy at one venue and by one code version.

    `made_at` is when. `injected` are faults that somebody added by hand; `scenarios_missing` names those of the suite
    that did not run, `scenarios_unmet` those that came out wrong. `failures` says for each broken drill what broke and
    the command that replays it; `cells_empty` are required cells of the grid that nothing struck. `crash_points_count`
    counts different points at which the session died (a step, before or after it), `restarts_compared_count` drills
    compared with an uninterrupted run; `duplicates_count` and `restarts_differing_count` those that broke.
    """

    policy_digest: str
    code_version: str
    venue: str
    venue_digest: str
    made_at: datetime | None
    seeds_count: int
    injected: tuple[str, ...]
    scenarios_count: int
    scenarios_missing: tuple[str, ...]
    scenarios_unmet: tuple[str, ...]
    failures: tuple[str, ...]
    cells_empty: tuple[str, ...]
    crash_points_count: int
    restarts_compared_count: int
    duplicates_count: int
    restarts_differing_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalFacts:
    """What would be traded where and by which code, and the newest preflight (None: none was run).

    `venue_digest` is what is certified of the venue today (None = nothing).
    """

    lead_id: str
    policy_digest: str
    code_version: str
    venue: str
    venue_digest: str | None
    preflight: PreflightFacts | None

    @property
    def preflight_of_this(self) -> PreflightFacts | None:
        """The preflight, where it is about exactly this policy, venue and code."""
        found = self.preflight
        if found is None or self.venue_digest is None:
            return None
        about = (found.policy_digest, found.venue, found.venue_digest, found.code_version)
        return found if about == (self.policy_digest, self.venue, self.venue_digest, self.code_version) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts:
    """All that the gates of this project's replay steps read about one lead and one policy.

    `visible` are the measures of train and validation together, `parts` those of each part by name; the holdout is in
    `parts` only once it has been opened, for exactly this policy. `stressed` holds the robustness runs by name (visible
    part). `search` is None until a search has reported, `preflight` until one was run.
    """

    lead_id: str
    source: SourceFacts
    assumptions: AssumptionFacts
    capital: CapitalFacts
    visible: Measures
    parts: Mapping[str, Measures]
    stressed: Mapping[str, Measures]
    judged: JudgedFacts
    trials: TrialFacts
    holdout: HoldoutFacts
    search: SearchFacts | None
    preflight: PreflightFacts | None
    canary: CanaryFacts

    @property
    def search_of_judged(self) -> SearchFacts | None:
        """The search, where it is about exactly the judged policy on exactly this data."""
        found, judged = self.search, self.judged
        if found is None or (found.policy_digest, found.data_digest) != (judged.policy_digest, judged.data_digest):
            return None
        return found

    @property
    def rehearsal(self) -> RehearsalFacts:
        """The part that the gates about orders read."""
        return RehearsalFacts(
            lead_id=self.lead_id,
            policy_digest=self.judged.policy_digest,
            code_version=self.judged.code_version,
            venue=self.judged.venue,
            venue_digest=self.judged.venue_digest,
            preflight=self.preflight,
        )
