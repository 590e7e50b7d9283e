"""Gates about the result: profitability, drawdown, capital_grounding, robustness.

All read the visible part of the signals (train and validation); the holdout counts only once it has been opened.
"""

from __future__ import annotations

from copytrade_core.model.measure import Measures
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.criteria import Judge, statement
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult, GateVerdict, result_of

PARTS = ("train", "validation", "holdout")
NO_TRADES = "no round trip was replayed"
NO_CURVE = "nothing was held, so there is no equity curve"
REJECT = "Do not promote this candidate; try another policy or another lead"


def profitability(facts: CandidateFacts, contract: Contract) -> GateResult:
    """Net after costs, profit factor and expectancy on train, validation and holdout; interval of net above zero."""
    judge = Judge(gate=Gate.PROFITABILITY, contract=contract, origin=facts.assumptions.origin)
    criteria: list[Criterion] = []
    for part in PARTS:
        measures = facts.parts.get(part)
        found = _part_missing(facts, part) if measures is None else part_profit(judge, part, measures, _evidence(facts))
        criteria.extend(found)
    criteria.append(
        judge.on_prices(
            judge.above(
                "net_interval_low_usdt_above",
                facts.visible.net_interval_low_usdt,
                absent="fewer than two round trips",
                fix=REJECT,
                command=_evidence(facts),
            )
        )
    )
    return result_of(Gate.PROFITABILITY, criteria)


def _part_missing(facts: CandidateFacts, part: str) -> list[Criterion]:
    if part == "holdout":
        reason, fix = "holdout not opened", "Open the holdout on record once every other gate passes"
        command = f"copytrade holdout open --lead {facts.lead_id}"
    else:
        reason, fix = "the split has no such part", "Wait for more signals, so that every part has some"
        command = f"copytrade poll --lead {facts.lead_id} --once"
    return [statement(name=part, verdict=GateVerdict.INCONCLUSIVE, reason=reason, fix=fix, command=command)]


def part_profit(judge: Judge, part: str, measures: Measures, command: str) -> list[Criterion]:
    """The limits of profitability on one part; `judge` is of that gate, `command` makes these figures again."""
    traded = measures.trades_count > 0
    compared = [
        judge.above(
            "net_ratio_above",
            measures.net_ratio if traded else None,
            absent=NO_TRADES,
            fix=REJECT,
            command=command,
            label=f"net_ratio_above ({part})",
        ),
        judge.at_least(
            "profit_factor_min",
            measures.profit_factor,
            absent="no loser in this part, so there is no ratio" if traded else NO_TRADES,
            fix=REJECT if measures.profit_factor is not None else "Wait for more signals",
            command=command,
            label=f"profit_factor_min ({part})",
        ),
        judge.above(
            "expectancy_usdt_above",
            measures.expectancy_usdt,
            absent=NO_TRADES,
            fix=REJECT,
            command=command,
            label=f"expectancy_usdt_above ({part})",
        ),
    ]
    return [judge.on_prices(criterion) for criterion in compared]


def drawdown(facts: CandidateFacts, contract: Contract) -> GateResult:
    """Realised, marked and intrabar drawdown, the worst round trip and the worst day."""
    judge = Judge(gate=Gate.DRAWDOWN, contract=contract, origin=facts.assumptions.origin)
    seen = facts.visible
    traded = seen.trades_count > 0
    numbers = {
        "drawdown_realised_ratio_max": seen.max_drawdown_realised_ratio if traded else None,
        "drawdown_marked_ratio_max": seen.max_drawdown_marked_ratio if traded else None,
        "drawdown_intrabar_ratio_max": seen.max_drawdown_intrabar_ratio if traded else None,
        "trade_loss_ratio_max": _loss(seen.worst_trade_ratio),
        "day_loss_ratio_max": _loss(seen.worst_day_ratio),
    }
    fix = "Trade a smaller target notional or a policy with a stop; a deeper limit is a new contract"
    return result_of(
        Gate.DRAWDOWN,
        [
            judge.on_prices(judge.at_most(name, number, absent=NO_TRADES, fix=fix, command=_evidence(facts)))
            for name, number in numbers.items()
        ],
    )


def capital_grounding(facts: CandidateFacts, contract: Contract) -> GateResult:
    """Unlevered: gross never above equity, no entry refused for lack of it, minimums met, equity far above zero."""
    judge = Judge(gate=Gate.CAPITAL_GROUNDING, contract=contract, origin=facts.assumptions.origin)
    capital, command = facts.capital, _evidence(facts)
    smaller = "Lower sizing.target_notional_usdt or raise replay.initial_equity_usdt to what you really have"
    larger = "Raise sizing.target_notional_usdt, use fewer rungs, or trade where minimums are lower"
    blocked, skips = float(capital.entries_blocked_count), float(capital.minimum_order_skips_count)
    compared = [
        judge.at_most(
            "gross_to_equity_ratio_max", capital.gross_to_equity_ratio, absent=NO_CURVE, fix=smaller, command=command
        ),
        judge.at_most("entries_blocked_count_max", blocked, absent=NO_CURVE, fix=smaller, command=command),
        judge.at_most("minimum_order_skips_count_max", skips, absent=NO_CURVE, fix=larger, command=command),
        judge.above(
            "equity_worst_ratio_above", capital.equity_worst_ratio, absent=NO_CURVE, fix=smaller, command=command
        ),
    ]
    return result_of(Gate.CAPITAL_GROUNDING, [judge.on_prices(criterion) for criterion in compared])


def robustness(facts: CandidateFacts, contract: Contract) -> GateResult:
    """The net result stays above zero when slippage, fees and delay get worse and the best trades are left out."""
    judge = Judge(gate=Gate.ROBUSTNESS, contract=contract, origin=facts.assumptions.origin)
    seen, search = facts.visible, facts.search_of_judged
    numbers = {
        "slippage_x2_net_usdt_above": _net(facts.stressed.get("slippage_x2")),
        "fees_x1_5_net_usdt_above": _net(facts.stressed.get("fees_x1.5")),
        "delay_plus_one_bar_net_usdt_above": _net(facts.stressed.get("delay_plus_one_bar")),
        "without_best_trades_net_usdt_above": seen.net_without_best_tenth_usdt if seen.trades_count > 1 else None,
    }
    compared = [
        judge.above(name, number, absent="this run was not made", fix=REJECT, command=_evidence(facts))
        for name, number in numbers.items()
    ]
    compared.append(
        judge.at_least(
            "neighbours_profitable_ratio_min",
            None if search is None else search.neighbours_profitable_ratio,
            absent="no search on this data has looked at the neighbours of this policy",
            fix="Run a search around this policy",
            command=search_command(facts),
        )
    )
    return result_of(Gate.ROBUSTNESS, [judge.on_prices(criterion) for criterion in compared])


def _net(measures: Measures | None) -> float | None:
    return None if measures is None or measures.trades_count == 0 else measures.net_pnl_usdt


def _loss(ratio: float | None) -> float | None:
    return None if ratio is None else max(0.0, -ratio)


def search_command(facts: CandidateFacts) -> str:
    """What searches around the judged policy."""
    return f"copytrade search --lead {facts.lead_id} --strategy {facts.assumptions.policy}"


def _evidence(facts: CandidateFacts) -> str:
    return f"copytrade evidence --lead {facts.lead_id}"
