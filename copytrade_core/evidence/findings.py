"""Warnings as findings: what in this evidence should make a reader doubt it, with the run's own numbers.

Findings inform; gates decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.episode import Episode, EpisodeState, Provenance
from copytrade_core.model.measure import Measures
from copytrade_core.model.round_trip import ReplayResult


class FindingCode(StrEnum):
    """What was found."""

    SIMULATED_MARKET = "simulated_market"
    SURVIVORSHIP = "survivorship"
    LOSS_AVERSION = "loss_aversion"
    CAPITAL_BASE = "capital_base"
    THIN_SAMPLE = "thin_sample"
    FEW_TRADES_CARRY_IT = "few_trades_carry_it"
    TRUNCATED_TRADES = "truncated_trades"
    FUNDING_MISSING = "funding_missing"
    ONE_SIDED = "one_sided"
    UNTESTED_EPISODES = "untested_episodes"
    ASSUMED_DELAY = "assumed_delay"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingLimits:
    """Where a finding begins.

    A t-statistic below `t_statistic_min`, a lead that wins at least `lead_win_ratio_max` of its closed episodes, one
    side with at least `one_side_ratio_max` of the trades.
    """

    t_statistic_min: float
    lead_win_ratio_max: float
    one_side_ratio_max: float


STANDARD_LIMITS = FindingLimits(t_statistic_min=2.0, lead_win_ratio_max=0.9, one_side_ratio_max=0.9)
"""t below 2 is the spec's thin sample; nine in ten is where a reader should start to wonder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One doubt: a plain title, a sentence with numbers, and the numbers by name."""

    code: FindingCode
    title: str
    text: str
    numbers: tuple[tuple[str, float], ...]


def findings(
    episodes: Sequence[Episode], result: ReplayResult, measured: Measures, limits: FindingLimits
) -> tuple[Finding, ...]:
    """Everything doubtful about a result, the most serious first."""
    candidates = (
        _simulated_market(result),
        _thin_sample(measured, limits),
        _survivorship(episodes),
        _loss_aversion(episodes, limits),
        _capital_base(measured),
        _few_trades_carry_it(measured),
        _truncated(measured),
        _untested(result, measured),
        _funding_missing(result),
        _one_sided(measured, limits),
        _assumed_delay(episodes, result),
    )
    return tuple(finding for finding in candidates if finding is not None)


def _finding(code: FindingCode, title: str, text: str, **numbers: float) -> Finding:
    return Finding(code=code, title=title, text=text, numbers=tuple(numbers.items()))


def _simulated_market(result: ReplayResult) -> Finding | None:
    if result.origin is not PriceOrigin.SIMULATED:
        return None
    return _finding(
        FindingCode.SIMULATED_MARKET,
        "The market is simulated",
        "Prices between the lead's own trades were made up by a deterministic simulation. No number here says anything "
        "about real money; it only shows that the line works.",
    )


def _survivorship(episodes: Sequence[Episode]) -> Finding | None:
    reconstructed = sum(episode.provenance is Provenance.RECONSTRUCTED for episode in episodes)
    if not episodes or reconstructed < len(episodes):
        return None
    return _finding(
        FindingCode.SURVIVORSHIP,
        "Only what was closed is known (survivorship)",
        f"All {reconstructed} episodes come from closed history. Positions that are still open, perhaps deep in loss, "
        "are invisible in it, and so are leads that have disappeared.",
        reconstructed_count=reconstructed,
    )


def _loss_aversion(episodes: Sequence[Episode], limits: FindingLimits) -> Finding | None:
    closed = [episode for episode in episodes if episode.state is EpisodeState.CLOSED and episode.exit_price]
    winners = sum(
        episode.side.sign * ((episode.exit_price or episode.entry_price) - episode.entry_price) > 0
        for episode in closed
    )
    if not closed or winners / len(closed) < limits.lead_win_ratio_max:
        return None
    return _finding(
        FindingCode.LOSS_AVERSION,
        "The lead closes winners only (loss aversion)",
        f"{winners} of {len(closed)} closed positions ended in profit at the lead's own prices. A record without "
        "losses usually means that losses are held open until they recover, or until the account does not.",
        winners_count=winners,
        closed_count=len(closed),
    )


def _capital_base(measured: Measures) -> Finding | None:
    one_trade, on_peak = measured.notional_mean_usdt, measured.return_on_peak_capital_ratio
    if one_trade is None or on_peak is None or measured.overlap_max_count < 2 or one_trade <= 0:
        return None
    on_one_trade = measured.net_pnl_usdt / one_trade
    return _finding(
        FindingCode.CAPITAL_BASE,
        "The percentage depends on the capital it is taken of",
        f"{on_one_trade:.1%} on the {one_trade:,.2f} USDT of one trade is {on_peak:.1%} on the "
        f"{measured.peak_gross_usdt:,.2f} USDT that were held at the peak, because up to "
        f"{measured.overlap_max_count} trades overlap.",
        on_one_trade_ratio=on_one_trade,
        on_peak_capital_ratio=on_peak,
        peak_gross_usdt=measured.peak_gross_usdt,
        overlap_max_count=measured.overlap_max_count,
    )


def _thin_sample(measured: Measures, limits: FindingLimits) -> Finding | None:
    t = measured.t_statistic
    if t is not None and abs(t) >= limits.t_statistic_min:
        return None
    said = "cannot be computed" if t is None else f"is {t:.2f}"
    return _finding(
        FindingCode.THIN_SAMPLE,
        "The sample is too thin to tell skill from luck",
        f"With {measured.trades_count} trades the t-statistic of the profit per trade {said}; under "
        f"{limits.t_statistic_min:g} the result may well be chance.",
        trades_count=measured.trades_count,
        **({} if t is None else {"t_statistic": t}),
    )


def _few_trades_carry_it(measured: Measures) -> Finding | None:
    if measured.net_pnl_usdt <= 0 or measured.net_without_best_tenth_usdt > 0:
        return None
    return _finding(
        FindingCode.FEW_TRADES_CARRY_IT,
        "A few trades carry the whole profit",
        f"Without the best tenth of the trades the net is {measured.net_without_best_tenth_usdt:,.2f} USDT instead of "
        f"{measured.net_pnl_usdt:,.2f} USDT.",
        net_without_best_tenth_usdt=measured.net_without_best_tenth_usdt,
    )


def _truncated(measured: Measures) -> Finding | None:
    if measured.truncated_count == 0:
        return None
    return _finding(
        FindingCode.TRUNCATED_TRADES,
        "The last trades were cut off by the end of the data",
        f"{measured.truncated_count} trades ended because the bars did, not because the strategy said so.",
        truncated_count=measured.truncated_count,
    )


def _untested(result: ReplayResult, measured: Measures) -> Finding | None:
    if not result.skipped:
        return None
    reasons = {skip.reason for skip in result.skipped}
    return _finding(
        FindingCode.UNTESTED_EPISODES,
        "Some signals could not be tested",
        f"{measured.skipped_count} of {measured.skipped_count + measured.trades_count} signals have no trade here "
        f"({', '.join(sorted(reasons))}).",
        skipped_count=measured.skipped_count,
    )


def _funding_missing(result: ReplayResult) -> Finding | None:
    if result.funding_known:
        return None
    return _finding(
        FindingCode.FUNDING_MISSING,
        "Funding is not in these numbers",
        "Funding rates are not stored for the whole period and market set, so holding costs (or income) are left out.",
    )


def _one_sided(measured: Measures, limits: FindingLimits) -> Finding | None:
    most = max(measured.longs_count, measured.shorts_count)
    if measured.trades_count < 2 or most / measured.trades_count < limits.one_side_ratio_max:
        return None
    side = "long" if measured.longs_count == most else "short"
    return _finding(
        FindingCode.ONE_SIDED,
        "Nearly all trades point the same way",
        f"{most} of {measured.trades_count} trades are {side}: this may measure the market's direction in the period, "
        "not the lead.",
        longs_count=measured.longs_count,
        shorts_count=measured.shorts_count,
    )


def _assumed_delay(episodes: Sequence[Episode], result: ReplayResult) -> Finding | None:
    if any(episode.provenance is Provenance.OBSERVED for episode in episodes):
        return None
    return _finding(
        FindingCode.ASSUMED_DELAY,
        "The delay is assumed, not measured",
        f"No episode was seen live, so the {result.spec.delay_s} s from the lead's trade to our order are an "
        "assumption. The sweep below shows what other delays would have done.",
        delay_s=result.spec.delay_s,
    )
