"""What the gates read: numbers about one candidate, taken from stored evidence and nothing else.

How the numbers are computed belongs to `evidence`; here they are only named. The holdout is absent until it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.model.measure import Measures


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
class CandidateFacts:
    """All that the gates of this project's replay steps read about one lead and one policy.

    `visible` are the measures of train and validation together, `parts` those of each part by name; the holdout is in
    `parts` only once it has been opened. `stressed` holds the robustness runs by name (visible part).
    `neighbours_profitable_ratio` is None until a search has looked at neighbouring parameters.
    """

    lead_id: str
    source: SourceFacts
    assumptions: AssumptionFacts
    capital: CapitalFacts
    visible: Measures
    parts: Mapping[str, Measures]
    stressed: Mapping[str, Measures]
    neighbours_profitable_ratio: float | None
