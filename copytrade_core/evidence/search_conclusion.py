"""The answer of a search, first: which policy survived, if any, and what to doubt in it.

Who survives is decided by the search and the gates; here it is only said, with the numbers that decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.evidence.search_inputs import FinalistRecord, SearchReportInputs
from copytrade_core.evidence.search_meaning import luck_rows
from copytrade_core.evidence.search_trials import NUMBER, once
from copytrade_core.model.overfitting import OverfittingFigures
from copytrade_core.model.trial import TrialMetrics


class SearchAnswer(StrEnum):
    """The two possible answers."""

    CHAMPION = "champion"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConclusion:
    """`question`, the answer, one `sentence` with the decisive numbers, and `reasons`: why none, or what remains."""

    question: str
    answer: SearchAnswer
    sentence: str
    reasons: tuple[str, ...]


def conclude_search(inputs: SearchReportInputs) -> SearchConclusion:
    """Says what the search decided. Pure wording: no decision is made here."""
    champion = inputs.champion
    reasons = _why_none(inputs) if champion is None else _what_remains(inputs)
    return SearchConclusion(
        question=f"Which policy of lead {inputs.lead_id} survived, and can it be believed?",
        answer=SearchAnswer.NONE if champion is None else SearchAnswer.CHAMPION,
        sentence=_none(inputs) if champion is None else _survivor(inputs, champion),
        reasons=reasons,
    )


def merged(texts: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """Texts that differ only in their numbers as one, with the range of each number, and how many they were."""
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for text in texts:
        groups.setdefault(tuple(NUMBER.split(text)), []).append(NUMBER.findall(text))
    return tuple((_joined(words, numbers), len(numbers)) for words, numbers in groups.items())


def _joined(words: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = words[0]
    for column, word in enumerate(words[1:]):
        values = sorted({row[column] for row in rows}, key=_value)
        text += (values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}") + word
    return text


def _value(number: str) -> float:
    return float(number.rstrip("%").replace(",", ""))


def _survivor(inputs: SearchReportInputs, champion: FinalistRecord) -> str:
    neighbours = (
        f" {champion.profitable_ratio:.0%} of its {champion.neighbours_count} neighbours gain too."
        if champion.profitable_ratio is not None
        else ""
    )
    return (
        f"Trial {champion.trial.number:,}, one of {len(once(inputs.trials)):,} policies tried: "
        f"{_figures('train', champion.trial.metrics)}, {_figures('validation', champion.validation)}."
        f"{neighbours}{_luck(inputs.overfitting)}"
    )


def _none(inputs: SearchReportInputs) -> str:
    tried = f"None of the {len(once(inputs.trials)):,} policies tried may be called a champion"
    if not inputs.finalists:
        return f"{tried}: not one came through the whole train part within the limits."
    best = inputs.finalists[0]
    return (
        f"{tried}. The best by train objective, trial {best.trial.number:,}: "
        f"{_figures('train', best.trial.metrics)}, {_figures('validation', best.validation)}."
        f"{_luck(inputs.overfitting)}"
    )


def _figures(part: str, metrics: TrialMetrics | None) -> str:
    if metrics is None:
        return f"no figures on {part}"
    return f"{metrics.net_pnl_usdt:+,.2f} USDT in {metrics.trades_count} round trips on {part}"


def _luck(figures: OverfittingFigures | None) -> str:
    if figures is None:
        return ""
    said: list[str] = []
    if figures.deflated_sharpe_ratio is not None:
        said.append(
            f"the probability that it is better than the luckiest of {figures.trials_count:,} tries without skill is "
            f"{_probability(figures.deflated_sharpe_ratio)}"
        )
    if figures.backtest_overfitting_ratio is not None:
        said.append(
            "choosing the best like this ends in the worse half of what comes after in "
            f"{_probability(figures.backtest_overfitting_ratio)} of the splits"
        )
    text = "; ".join(said)
    return f" {text[0].upper()}{text[1:]}." if said else ""


def _probability(ratio: float) -> str:
    """Never 0 % or 100 % of something that is only nearly so."""
    return "under 0.1%" if 0 < ratio < 0.001 else "over 99.9%" if 0.999 < ratio < 1 else f"{ratio * 100:.1f}%"


def _why_none(inputs: SearchReportInputs) -> tuple[str, ...]:
    """The finalists' reasons together, then those that came after them."""
    count = len(inputs.finalists)
    own = {f"trial {one.trial.number}: {'; '.join(one.reasons)}" for one in inputs.finalists}
    shared = merged([reason for one in inputs.finalists for reason in one.reasons])
    later = [reason for reason in inputs.reasons if reason not in own]
    return (*(f"{times} of {count} finalists: {text}" for text, times in shared), *later)


def _what_remains(inputs: SearchReportInputs) -> tuple[str, ...]:
    """What a champion has not shown yet, and what no search can show."""
    reasons = [
        f"{row.name}: {'cannot be computed' if row.value is None else _probability(row.value)}, {row.limit} is asked."
        for row in luck_rows(inputs.overfitting, inputs.luck_limits)
        if row.limit is not None and not row.is_met
    ]
    holdout = inputs.holdout
    if holdout.state == "closed":
        reasons.append(
            f"The holdout, the newest {holdout.signals_count} signals, is closed: nobody has seen them, and one look "
            f"is allowed (copytrade holdout open --lead {inputs.lead_id})."
        )
    elif holdout.state == "empty":
        reasons.append("There is no holdout: nothing unseen is left to test it on.")
    else:
        reasons.append("The holdout has been opened: what it said is in the ledger, and it cannot be asked again.")
    return tuple(reasons)
