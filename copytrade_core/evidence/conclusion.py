"""The answer, first: would copying this lead have made money? Yes, no, or not enough evidence.

It informs a reader and promotes nothing: what may go further is decided by the gates and a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.evidence.findings import Finding, FindingCode
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.measure import Measures
from copytrade_core.model.policy import SignalMode

T_STATISTIC_MIN = 2.0
"""Under this a mean is not told apart from zero (spec: thin samples)."""
TRADES_COUNT_MIN = 30
"""Fewer trades answer nothing either way; the usual bound for treating a mean as roughly normal."""


class Answer(StrEnum):
    """The three possible answers."""

    YES = "yes"
    NO = "no"
    NOT_ENOUGH_EVIDENCE = "not_enough_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """`question`, the answer, one `sentence` with the decisive numbers, and `reasons` why it is not better."""

    question: str
    answer: Answer
    sentence: str
    reasons: tuple[str, ...]


BLIND_SPOTS = {
    FindingCode.SURVIVORSHIP: "Only closed positions are known, so what the lead still holds at a loss is not in here.",
    FindingCode.FUNDING_MISSING: "Funding is left out: its rates are not stored for every trade.",
    FindingCode.LOSS_AVERSION: "The lead's record has hardly a loser, which is how losses that are held open look.",
}
"""Findings that no profit can outweigh: the sample itself is selected, or a cost is not known."""


def conclude(
    *,
    lead_id: str,
    policy: str,
    origin: PriceOrigin,
    measured: Measures,
    stressed_nets_usdt: Mapping[str, float],
    found: Sequence[Finding],
) -> Conclusion:
    """Weighs one executable result.

    Yes needs recorded prices, enough trades, a profit whose interval and t-statistic clear zero, and a profit left in
    every stress run and without the best tenth of the trades, without a blind spot (`BLIND_SPOTS`). No
    means that enough trades lost money after costs.
    """
    blind = [BLIND_SPOTS[finding.code] for finding in found if finding.code in BLIND_SPOTS]
    doubts = (*_doubts(origin, measured, stressed_nets_usdt), *blind)
    enough = origin is PriceOrigin.RECORDED and measured.trades_count >= TRADES_COUNT_MIN
    if measured.net_pnl_usdt <= 0 and enough:
        answer = Answer.NO
    elif doubts:
        answer = Answer.NOT_ENOUGH_EVIDENCE
    else:
        answer = Answer.YES
    return Conclusion(
        question=f"Would {_doing(policy)} lead {lead_id} with {policy} have made money?",
        answer=answer,
        sentence=_sentence(measured),
        reasons=doubts,
    )


def _doing(policy: str) -> str:
    """A contrarian trades against the lead; calling that copying would mislead."""
    return "trading against" if policy.startswith(SignalMode.CONTRARIAN_ON_CLOSE) else "copying"


def _doubts(origin: PriceOrigin, measured: Measures, stressed: Mapping[str, float]) -> tuple[str, ...]:
    t, low, high = measured.t_statistic, measured.net_interval_low_usdt, measured.net_interval_high_usdt
    doubts: list[str] = []
    if origin is PriceOrigin.SIMULATED:
        doubts.append("The market is simulated, so no number says anything about real money.")
    if measured.trades_count < TRADES_COUNT_MIN:
        doubts.append(f"{measured.trades_count} trades are fewer than the {TRADES_COUNT_MIN} that an answer needs.")
    if t is None or t < T_STATISTIC_MIN:
        said = "cannot be computed" if t is None else f"of {t:.2f} is under {T_STATISTIC_MIN:g}"
        doubts.append(f"The t-statistic of the profit per trade {said}: it may well be chance.")
    if low is not None and high is not None and low <= 0 < high:
        doubts.append(f"The bootstrap interval of the net, {low:+,.2f} to {high:+,.2f} USDT, includes zero.")
    if measured.net_pnl_usdt > 0 >= measured.net_without_best_tenth_usdt:
        doubts.append("Without the best tenth of the trades nothing is left of the profit.")
    doubts.extend(f"Under stress ({name}) the net is {net:+,.2f} USDT." for name, net in stressed.items() if net <= 0)
    return tuple(doubts)


def _sentence(measured: Measures) -> str:
    if measured.trades_count == 0:
        return "No trade could be made from what is stored."
    gained = "gained" if measured.net_pnl_usdt > 0 else "lost"
    on_peak = measured.return_on_peak_capital_ratio
    capital = f" ({on_peak:+.1%} on the {measured.peak_gross_usdt:,.0f} USDT held at the peak)" if on_peak else ""
    return (
        f"After fees, slippage and delay it {gained} {abs(measured.net_pnl_usdt):,.2f} USDT{capital} in "
        f"{measured.trades_count} trades over {measured.period_days:.0f} days; the deepest marked fall was "
        f"{measured.max_drawdown_marked_ratio:.1%} of equity."
    )
