"""Two pictures of luck: the Sharpe ratios of everything that was tried, and what became of the best of each half.

The figures they show belong to `overfitting.py`; here they are only counted into bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from copytrade_core.evidence.backtest_overfitting import NoAnswer, backtest_overfitting
from copytrade_core.evidence.search_inputs import SearchReportInputs
from copytrade_core.model.bar import Float64s

SHARPE_BINS = 60
LOGIT_BINS_PER_SIDE = 12
TAIL_RATIO = 0.005
"""Share of the trials at either end that the bins may leave out; their number is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Counts between edges, one edge more than counts; a bin holds what is above its left edge, up to its right one."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    below_count: int
    above_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpeSpread:
    """Sharpe ratios per round trip of every trial on this data, beside what luck gives and what the judged one has."""

    bins: Bins
    expected_maximum: float | None
    judged: float | None
    trials_count: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitSpread:
    """Where the best of one half ranked in the other, as logits: zero or less is the worse half of the candidates."""

    bins: Bins
    overfitting_ratio: float
    combinations_count: int
    candidates_count: int
    blocks_count: int


def sharpe_spread(inputs: SearchReportInputs) -> SharpeSpread | None:
    """The spread of all trials' Sharpe ratios; None when fewer than two are known."""
    known = inputs.trial_sharpes[np.isfinite(inputs.trial_sharpes)]
    if len(known) < 2:
        return None
    figures = inputs.overfitting
    marks = [] if figures is None else [figures.sharpe, figures.sharpe_expected_maximum]
    shown = [mark for mark in marks if mark is not None]
    low = min(float(np.quantile(known, TAIL_RATIO)), 0.0, *shown)
    high = max(float(np.quantile(known, 1 - TAIL_RATIO)), 0.0, *shown)
    # A little room, so that a mark at the end is not on the frame.
    room = (high - low) * 0.02 or 0.01
    return SharpeSpread(
        bins=binned(known, np.linspace(low - room, high + room, SHARPE_BINS + 1)),
        expected_maximum=None if figures is None else figures.sharpe_expected_maximum,
        judged=None if figures is None else figures.sharpe,
        trials_count=len(known),
        lowest=float(known.min()),
        highest=float(known.max()),
    )


def logit_spread(inputs: SearchReportInputs) -> LogitSpread | None:
    """The logits of the cross-validation again, from the same profits as the figures; None where it has no answer."""
    found = backtest_overfitting(inputs.candidates_pnl, blocks_count=inputs.blocks_count)
    if isinstance(found, NoAnswer):
        return None
    reach = max(float(np.abs(found.logits).max()), 0.5) * 1.0001
    edges = np.linspace(-reach, reach, 2 * LOGIT_BINS_PER_SIDE + 1)
    edges[LOGIT_BINS_PER_SIDE] = 0.0
    return LogitSpread(
        bins=binned(found.logits, edges),
        overfitting_ratio=found.overfitting_ratio,
        combinations_count=found.combinations_count,
        candidates_count=found.candidates_count,
        blocks_count=inputs.blocks_count,
    )


def binned(values: Float64s, edges: Float64s) -> Bins:
    """Counts values into bins that are open to the left, so that a value on an edge counts below it."""
    upto = np.searchsorted(np.sort(values), edges, side="right")
    return Bins(
        edges=tuple(float(f"{edge:.5g}") for edge in edges),
        counts=tuple(int(count) for count in np.diff(upto)),
        below_count=int(upto[0]),
        above_count=len(values) - int(upto[-1]),
    )
