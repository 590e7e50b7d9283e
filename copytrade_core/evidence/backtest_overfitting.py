"""Whether choosing the best of many candidates is worth anything: probability of backtest overfitting (PBO) by CSCV.

The candidates' profits come from an engine; what probability is too high is decided by a gate.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from copytrade_core.evidence.sharpe import require_finite
from copytrade_core.model.bar import Float64s
from copytrade_core.model.errors import BadConfig, BadInput, Where

BLOCKS_COUNT_MAX = 20
"""184,756 combinations; the paper uses 16 blocks (12,870)."""
ROWS_PER_BLOCK_MIN = 2
"""With one row per block, leaving out a block is leaving out one trade."""
NO_SPREAD_RATIO = 1e-12
"""Squares of mean and root mean square closer than this: the rows are all alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """The question cannot be answered from this data; no number stands in for the answer."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BacktestOverfitting:
    """What became, in the other half of the data, of the candidate that was best in one half.

    `logits` has shape `(combinations_count,)`, ascending: ln(w / (1 - w)), w = rank / (candidates_count + 1), rank 1
    the worst out of sample. `overfitting_ratio` (PBO) is the share of logits <= 0, `loss_ratio` the share of
    combinations in which the chosen candidate lost out of sample. `degradation_slope` is the least-squares slope of its
    Sharpe ratio out of sample on that in sample; None when the latter is always the same.
    """

    candidates_count: int
    """Candidates that differ."""
    rows_count: int
    """Observations used: `blocks_count` equal blocks."""
    rows_left_out_count: int
    """Oldest observations that did not fill the blocks evenly."""
    combinations_count: int
    logits: Float64s
    overfitting_ratio: float
    loss_ratio: float
    degradation_slope: float | None


def backtest_overfitting(pnl: Float64s, *, blocks_count: int) -> BacktestOverfitting | NoAnswer:
    """Probability of backtest overfitting by combinatorially symmetric cross-validation.

    Bailey, Borwein, López de Prado & Zhu (2015), The Probability of Backtest Overfitting, Journal of Computational
    Finance. The rows are cut in time order into S equal blocks; every choice of S/2 blocks is once in sample and its
    complement out of sample; the candidate with the best Sharpe ratio in sample is ranked out of sample.

    Where the paper leaves a choice:
        Remainder: the oldest `n % S` rows are left out, so that all blocks are equal as in the paper.
        Copies: candidates whose rows are equal, or equal up to a positive factor, are one candidate.
        Ties out of sample share the mean of their ranks. Among candidates tied in sample every one could have been
        chosen, so rank and Sharpe ratio out of sample are the mean over them.
        Without spread: a candidate that never traded in a half has Sharpe ratio 0 there; one that won (lost) the
        same in every row is ranked above (below) all others and left out of the slope.
        A logit of exactly 0, the middle rank, counts as overfit.

    Cost: sums and square sums of each half of the blocks are prepared, so one candidate in one combination costs two
    additions and a division; memory is `4 x 2^(S/2)` rows of candidates.

    Args:
        pnl: profit per observation (signal) and candidate, any one unit, shape `(n_observations, n_candidates)`, in
            time order; 0 where a candidate did not trade.
        blocks_count: S, even.

    Returns:
        The figures, or why there are none: fewer than two rows per block, or fewer than two candidates that differ.

    Raises:
        BadConfig: S is odd, below 2 or above `BLOCKS_COUNT_MAX`.
        BadInput: `pnl` is no matrix, or has a value that is not finite (names the row).
    """
    _require_blocks(blocks_count)
    if pnl.ndim != 2:
        raise BadInput("profits need one row per observation, one column per candidate", where=Where(field="pnl"))
    require_finite(pnl, "pnl")
    rows_count = len(pnl) - len(pnl) % blocks_count
    if rows_count < ROWS_PER_BLOCK_MIN * blocks_count:
        least = ROWS_PER_BLOCK_MIN * blocks_count
        return NoAnswer(reason=f"{len(pnl)} observations; {blocks_count} blocks need at least {least}")
    used = distinct_candidates(pnl[len(pnl) - rows_count :])
    if used.shape[1] < 2:
        return NoAnswer(reason=f"{used.shape[1]} candidates that differ; a choice needs at least 2")
    ranks, inside, outside = _chosen(used, blocks_count)
    logits = np.sort(np.log(ranks / (used.shape[1] + 1 - ranks)))
    return BacktestOverfitting(
        candidates_count=used.shape[1],
        rows_count=rows_count,
        rows_left_out_count=len(pnl) - rows_count,
        combinations_count=len(logits),
        logits=logits,
        overfitting_ratio=float(np.mean(logits <= 0)),
        loss_ratio=float(np.mean(outside < 0)),
        degradation_slope=_slope(inside, outside),
    )


def distinct_candidates(pnl: Float64s) -> Float64s:
    """The columns that differ by more than a positive factor, shape `(n_observations, n_distinct)`.

    Of such copies the smallest stays. All are multiplied by one power of two, which changes no digit, so that the
    largest value is about 1 and no square overflows.
    """
    largest = np.abs(pnl).max(axis=0, initial=0.0)
    most = float(largest.max(initial=0.0))
    if most == 0:
        return pnl[:, :1]
    # 12 digits: dividing by another factor leaves other rounding behind. Adding 0 turns -0 into 0.
    shape = np.round(pnl / np.where(largest > 0, largest, 1.0), 12) + 0.0
    first: dict[bytes, int] = {}
    for column in np.argsort(largest, kind="stable"):
        _ = first.setdefault(shape[:, column].tobytes(), int(column))
    return np.ldexp(pnl[:, sorted(first.values())], -math.frexp(most)[1])


def _require_blocks(blocks_count: int) -> None:
    if blocks_count % 2 or not 2 <= blocks_count <= BLOCKS_COUNT_MAX:
        raise BadConfig(
            f"blocks must be an even number from 2 to {BLOCKS_COUNT_MAX}, not {blocks_count}",
            where=Where(field="blocks_count"),
        )


def _chosen(pnl: Float64s, blocks_count: int) -> tuple[Float64s, Float64s, Float64s]:
    """Of the best in sample: rank out of sample, Sharpe ratio in and out of sample; shape `(n_combinations,)` each."""
    rows_in_half = len(pnl) // 2
    found: list[tuple[Float64s, Float64s, Float64s]] = []
    for one, other in _halves(pnl, blocks_count):
        found.append(_choose(one, other, rows_in_half))
        found.append(_choose(other, one, rows_in_half))
    ranks, inside, outside = zip(*found, strict=True)
    return np.concatenate(ranks), np.concatenate(inside), np.concatenate(outside)


def _halves(pnl: Float64s, blocks_count: int) -> Iterator[tuple[Float64s, Float64s]]:
    """Scores of some choices of half the blocks and of their complements, shape `(n_choices, n_candidates)` each.

    Together they are every pair of complements once. The blocks are split into early and late ones, and the sums over
    every subset of either are prepared; a choice is an early subset and a late one.
    """
    half = blocks_count // 2
    blocks = pnl.reshape(blocks_count, -1, pnl.shape[1])
    sums, squares = blocks.sum(axis=1), (blocks**2).sum(axis=1)
    early, late = _Subsets.of(sums[:half], squares[:half]), _Subsets.of(sums[half:], squares[half:])
    subsets = [
        np.array([sum(1 << block for block in chosen) for chosen in combinations(range(half), taken)])
        for taken in range(half + 1)
    ]
    full = (1 << half) - 1
    # The last early block is never in the first of a pair, so no pair comes twice.
    for mask in range(1 << (half - 1)):
        others = subsets[half - mask.bit_count()]
        yield (
            _score(early.sums[mask] + late.sums[others], early.squares[mask] + late.squares[others]),
            _score(
                early.sums[full - mask] + late.sums[full - others],
                early.squares[full - mask] + late.squares[full - others],
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subsets:
    """Sums and square sums over every subset of a few blocks; row = bit mask, shape `(2^n_blocks, n_candidates)`."""

    sums: Float64s
    squares: Float64s

    @staticmethod
    def of(sums: Float64s, squares: Float64s) -> _Subsets:
        return _Subsets(sums=_subset_sums(sums), squares=_subset_sums(squares))


def _subset_sums(blocks: Float64s) -> Float64s:
    sums = np.zeros((1 << len(blocks), blocks.shape[1]))
    for block, values in enumerate(blocks):
        sums[1 << block : 2 << block] = sums[: 1 << block] + values
    return sums


def _score(sums: Float64s, squares: Float64s) -> Float64s:
    """Signed square of sum over root of the square sum: orders candidates exactly as their Sharpe ratio does.

    Over n rows it is `n u`, with u the signed square of mean over root mean square, and Sharpe^2 = |u| / (1 - |u|)
    grows with u. It needs no subtraction, so equal candidates stay equal and no spread is no special case.
    """
    return np.divide(sums * np.abs(sums), squares, out=np.zeros_like(sums), where=squares > 0)


def _choose(inside: Float64s, outside: Float64s, rows_count: int) -> tuple[Float64s, Float64s, Float64s]:
    """Rank outside, Sharpe inside and outside of the best inside, per choice; the mean over those tied inside."""
    best = inside.argmax(axis=1)
    choices = np.arange(len(best))
    top = inside[choices, best]
    score = outside[choices, best]
    ranks = _mean_ranks(outside, score)
    sharpe = _sharpe(score, rows_count)
    is_best = inside == top[:, None]
    for choice in np.flatnonzero(is_best.sum(axis=1) > 1):
        tied = outside[choice, is_best[choice]]
        ranks[choice] = float(_mean_ranks_of(outside[choice], tied).mean())
        with np.errstate(invalid="ignore"):  # above all and below all at once: no number, in no figure
            sharpe[choice] = float(_sharpe(tied, rows_count).mean())
    return ranks, _sharpe(top, rows_count), sharpe


def _mean_ranks(scores: Float64s, score: Float64s) -> Float64s:
    """Rank of one score per row of `scores`, 1 = worst, ties share their mean rank."""
    below: NDArray[np.int64] = (scores < score[:, None]).sum(axis=1)
    equal: NDArray[np.int64] = (scores == score[:, None]).sum(axis=1)
    return below + (equal + 1) / 2


def _mean_ranks_of(scores: Float64s, chosen: Float64s) -> Float64s:
    """Ranks of several scores within one row."""
    ordered = np.sort(scores)
    below, reach = np.searchsorted(ordered, chosen, "left"), np.searchsorted(ordered, chosen, "right")
    return below + (reach - below + 1) / 2


def _sharpe(score: Float64s, rows_count: int) -> Float64s:
    """Mean over standard deviation (of n; the slope is the same with n - 1); infinite without spread."""
    share = np.abs(score) / rows_count
    rest = np.where(1.0 - share > NO_SPREAD_RATIO, 1.0 - share, 0.0)
    with np.errstate(divide="ignore"):
        return np.sign(score) * np.sqrt(share / rest)


def _slope(inside: Float64s, outside: Float64s) -> float | None:
    usable = np.isfinite(inside) & np.isfinite(outside)
    x, y = inside[usable], outside[usable]
    if len(x) < 2:
        return None
    centred = x - x.mean()
    square = float(centred @ centred)
    if square <= len(x) * (1e-12 * float(np.abs(x).max())) ** 2:
        return None
    return float(centred @ (y - y.mean())) / square
