"""A search's own values as the plain records that its report is made from.

The report belongs to `evidence`, which does not know what a space or a plan is.
"""

from __future__ import annotations

from collections.abc import Sequence

from copytrade_core.evidence.search_inputs import (
    BatchRecord,
    FinalistRecord,
    NeighbourRecord,
    ParameterGrid,
    SearchLimit,
)
from copytrade_core.model.trial import Trial
from copytrade_core.search.finalists import Judged
from copytrade_core.search.plan import SearchPlan
from copytrade_core.search.plateau import tried_around
from copytrade_core.search.run import TrialBatch
from copytrade_core.search.settings import SearchSettings
from copytrade_core.search.space import Space, parameters_of


def grids_of(space: Space) -> tuple[ParameterGrid, ...]:
    """The axes of a space as text."""
    return tuple(
        ParameterGrid(name=axis.name, texts=tuple(axis.text(index) for index in range(len(axis.values))))
        for axis in space.axes
    )


def batch_record(batch: TrialBatch) -> BatchRecord:
    """A batch in numbers."""
    return BatchRecord(
        origin=batch.origin,
        trials_count=len(batch.trials),
        asked_count=batch.asked_count,
        repeated_count=batch.repeated_count,
        refused_count=batch.refused_count,
    )


def finalist_records(plan: SearchPlan, trials: Sequence[Trial], judged: Sequence[Judged]) -> tuple[FinalistRecord, ...]:
    """The judged finalists with their neighbours one by one.

    Args:
        plan: the search.
        trials: every trial of it.
        judged: what `judge` gave, best first.
    """
    return tuple(
        FinalistRecord(
            trial=one.trial,
            validation=one.validation,
            reasons=one.reasons,
            neighbours_count=one.plateau.neighbours_count,
            profitable_ratio=one.plateau.profitable_ratio,
            median_ratio=one.plateau.median_ratio,
            worst_ratio=one.plateau.worst_ratio,
            neighbours=tuple(
                NeighbourRecord(parameters=parameters_of(plan.space, point), trial=trial)
                for point, trial in tried_around(plan, one.trial, trials)
            ),
        )
        for one in judged
    )


def limits_of(settings: SearchSettings) -> tuple[SearchLimit, ...]:
    """What trials and finalists had to keep, in words and in the order of the settings."""
    limits, validation, plateau = settings.limits, settings.validation, settings.plateau
    said = (
        ("Trial: realised drawdown", f"at most {float(limits.drawdown_realised_ratio_max):.1%} of the peak"),
        ("Trial: drawdown marked at closes", f"at most {float(limits.drawdown_marked_ratio_max):.1%} of the peak"),
        ("Trial: drawdown inside bars", f"at most {float(limits.drawdown_intrabar_ratio_max):.1%} of the peak"),
        ("Trial: lowest equity", f"at least {float(limits.equity_worst_ratio_min):.1%} of the initial equity"),
        ("Trial: gross notional", f"at most {float(limits.gross_to_equity_ratio_max):g} x the initial equity"),
        ("Trial: entries that risk refused", f"at most {limits.entries_blocked_count_max}"),
        ("Trial: rungs under the venue's minimum", f"at most {limits.minimum_order_skips_count_max}"),
        ("Trial: round trips on the whole train part", f"at least {limits.trades_count_min}"),
        ("Finalist: net on validation", f"above {float(validation.net_usdt_above):g} USDT"),
        ("Finalist: profit factor on validation", f"at least {float(validation.profit_factor_min):g}"),
        ("Finalist: round trips on validation", f"at least {validation.trades_count_min}"),
        (
            "Finalist: marked drawdown on validation",
            f"at most {float(validation.drawdown_marked_ratio_max):.1%} of the peak",
        ),
        ("Finalist: different neighbours tried", f"at least {plateau.neighbours_count_min}"),
        ("Finalist: neighbours that gain", f"at least {float(plateau.profitable_ratio_min):.0%}"),
        ("Finalist: median objective of neighbours", f"at least {float(plateau.median_ratio_min):.0%} of its own"),
    )
    return tuple(SearchLimit(name=name, value=value) for name, value in said)
