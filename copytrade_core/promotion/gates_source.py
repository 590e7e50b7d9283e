"""Gates about the data and the sample: source_quality, executable_fills_only, sample_size.

Whether the result is good belongs to `gates_result.py`.
"""

from __future__ import annotations

from datetime import datetime

from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.fill import FillModel
from copytrade_core.promotion.contract import Contract
from copytrade_core.promotion.criteria import SIMULATED, SIMULATED_COMMAND, SIMULATED_FIX, Judge, statement
from copytrade_core.promotion.facts import CandidateFacts
from copytrade_core.promotion.gate_result import Criterion, Gate, GateResult, GateVerdict, result_of

NO_ROWS = "no closed position is stored"
NO_TRADES = "no round trip was replayed"


def source_quality(facts: CandidateFacts, contract: Contract, *, now: datetime) -> GateResult:
    """Rejects, gaps, freshness, history complete; survivorship and loss aversion as limits on what we saw."""
    source, judge = facts.source, Judge(gate=Gate.SOURCE_QUALITY, contract=contract, origin=facts.assumptions.origin)
    poll = f"copytrade poll --lead {facts.lead_id} --once"
    age_s = None if source.newest_page_at is None else (now - source.newest_page_at).total_seconds()
    return result_of(
        Gate.SOURCE_QUALITY,
        [
            judge.at_most(
                "rejected_ratio_max",
                _ratio(source.rejected_count, source.rows_count),
                absent=NO_ROWS,
                fix="Look at unusable_rows: the reasons say which field the source changed",
                command='copytrade sql "SELECT reason, count(*) FROM unusable_rows GROUP BY reason"',
            ),
            judge.at_most(
                "history_short_count_max",
                None if source.history_short_count is None else float(source.history_short_count),
                absent="the source never said how many rows there are",
                fix="Poll the whole history again; a walk that stays short is depth-capped by the source",
                command=poll,
            ),
            judge.at_most(
                "source_age_s_max", age_s, absent="no page is archived", fix="Poll the lead again", command=poll
            ),
            judge.at_least(
                "closed_losers_ratio_min",
                _ratio(source.losers_count, source.closed_count),
                absent=NO_ROWS,
                fix="Observe open positions too: losses that are never closed are not in the closed history",
                command=poll,
            ),
            judge.at_least(
                "observed_ratio_min",
                _ratio(source.observed_count, source.episodes_count),
                absent="there is no episode",
                fix="Keep polling open positions: only what we saw while it was open is free of survivorship",
                command=poll,
            ),
        ],
    )


def executable_fills_only(facts: CandidateFacts, contract: Contract) -> GateResult:
    """No promotion figure rests on lead prices, free trading or a market that never traded."""
    judge = Judge(gate=Gate.EXECUTABLE_FILLS_ONLY, contract=contract, origin=facts.assumptions.origin)
    made = facts.assumptions
    replay = f"copytrade evidence --lead {facts.lead_id}"
    limits = [
        judge.at_least(name, number, absent="not stated", fix=fix, command=replay)
        for name, number, fix in (
            ("delay_s_min", float(made.delay_s), "Raise replay.delay_s in the configuration, then replay"),
            ("slippage_bps_min", made.slippage_bps, "Raise costs.slippage_bps in the configuration, then replay"),
            (
                "taker_fee_bps_min",
                made.taker_fee_bps,
                "State the taker fee in costs.taker_fee_bps, then replay",
            ),
        )
    ]
    return result_of(
        Gate.EXECUTABLE_FILLS_ONLY,
        [
            _fill_model("market_fill", made.market_fill, contract.market_fills, replay),
            _fill_model("rung_fill", made.rung_fill, contract.rung_fills, replay),
            *limits,
            statement(
                name="prices_were_traded",
                verdict=GateVerdict.PASS if made.origin is PriceOrigin.RECORDED else GateVerdict.INCONCLUSIVE,
                reason=SIMULATED,
                fix=SIMULATED_FIX,
                command=SIMULATED_COMMAND,
            ),
            statement(
                name="funding_is_known",
                verdict=GateVerdict.PASS if made.funding_known else GateVerdict.INCONCLUSIVE,
                reason="funding of at least one market is missing, so it was counted as nothing",
                fix="Fetch funding for the lead's markets, then replay",
                command=f"copytrade bars fetch --lead {facts.lead_id}",
            ),
        ],
    )


def sample_size(facts: CandidateFacts, contract: Contract) -> GateResult:
    """Round trips, days, and every side that the policy claims to trade; the closed holdout does not count."""
    judge = Judge(gate=Gate.SAMPLE_SIZE, contract=contract, origin=facts.assumptions.origin)
    visible = facts.visible
    poll = f"copytrade poll --lead {facts.lead_id} --once"
    grow = "Wait for more signals of this lead, and have bars for every market and month it traded in"

    def enough(name: str, number: float | None, label: str | None = None) -> Criterion:
        compared = judge.at_least(name, number, absent=NO_TRADES, fix=grow, command=poll, label=label)
        return judge.on_prices(compared)

    counts = {"long": visible.longs_count, "short": visible.shorts_count}
    parts = [measures.trades_count for name, measures in facts.parts.items() if name != "holdout"]
    return result_of(
        Gate.SAMPLE_SIZE,
        [
            enough("trades_count_min", float(visible.trades_count)),
            enough("trades_per_part_count_min", float(min(parts)) if parts else None),
            *(
                enough("side_trades_count_min", float(counts[side]), f"side_trades_count_min ({side})")
                for side in facts.assumptions.sides
            ),
            enough("period_days_min", visible.period_days),
        ],
    )


def _fill_model(name: str, used: FillModel, allowed: tuple[FillModel, ...], replay: str) -> Criterion:
    return statement(
        name=name,
        verdict=GateVerdict.PASS if used in allowed else GateVerdict.FAIL,
        reason=f"{used} is not executable evidence; allowed: {', '.join(allowed)}",
        fix=f"Set replay.{name} to one of {', '.join(allowed)}, then replay",
        command=replay,
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
