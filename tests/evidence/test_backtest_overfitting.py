from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from copytrade_core.evidence.backtest_overfitting import (
    BLOCKS_COUNT_MAX,
    BacktestOverfitting,
    NoAnswer,
    backtest_overfitting,
    distinct_candidates,
)
from copytrade_core.model.errors import BadConfig, BadInput


def slow_sharpe(rows: np.ndarray) -> tuple[Fraction, float]:
    """Exact order key and the ratio itself, from whole numbers: sign x mean^2 / variance, infinite without spread."""
    values = [Fraction(int(value)) for value in rows]
    mean = Fraction(sum(values), len(values))
    variance = Fraction(sum((value - mean) * (value - mean) for value in values), len(values) - 1)
    sign = int(mean > 0) - int(mean < 0)
    if variance == 0:
        return Fraction(sign * 10**30), math.copysign(math.inf, sign) if sign else 0.0
    return mean * abs(mean) / variance, sign * math.sqrt(mean**2 / variance)


def slow(pnl: np.ndarray, blocks_count: int) -> tuple[list[float], float, float, float | None]:
    """The paper's steps one by one; candidates must differ. Logits ascending, PBO, loss, slope."""
    length = len(pnl) // blocks_count
    blocks = np.split(pnl[len(pnl) - length * blocks_count :], blocks_count)
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks_count), blocks_count // 2):
        train = np.concatenate([blocks[i] for i in chosen])
        test = np.concatenate([blocks[i] for i in range(blocks_count) if i not in chosen])
        train_keys = [slow_sharpe(column)[0] for column in train.T]
        test_keys, test_sharpes = zip(*[slow_sharpe(column) for column in test.T], strict=True)
        # Exact keys to whole places, so that scipy ranks without rounding them.
        order = sorted(set(test_keys))
        ranks = stats.rankdata([order.index(key) for key in test_keys])
        tied = [i for i, key in enumerate(train_keys) if key == max(train_keys)]
        rank = sum(ranks[i] for i in tied) / len(tied)
        share = Fraction(rank) / (pnl.shape[1] + 1)
        logits.append(math.log(share / (1 - share)))
        inside.append(slow_sharpe(train.T[tied[0]])[1])
        outside.append(sum(test_sharpes[i] for i in tied) / len(tied))
    x, y = (np.array(v) for v in (inside, outside))
    usable = np.isfinite(x) & np.isfinite(y)
    varied = usable.sum() >= 2 and np.ptp(x[usable]) > 1e-9
    return (
        sorted(logits),
        float(np.mean(np.array(logits) <= 0)),
        float(np.mean(y < 0)),
        float(np.polyfit(x[usable], y[usable], 1)[0]) if varied else None,
    )


def answer(pnl: np.ndarray, blocks_count: int) -> BacktestOverfitting:
    found = backtest_overfitting(pnl, blocks_count=blocks_count)
    assert isinstance(found, BacktestOverfitting)
    return found


def equals_slow(pnl: np.ndarray, blocks_count: int) -> None:
    found = answer(pnl, blocks_count)
    logits, overfitting_ratio, loss_ratio, slope = slow(distinct_whole(pnl, blocks_count), blocks_count)
    assert found.combinations_count == math.comb(blocks_count, blocks_count // 2) == len(logits)
    assert found.logits == pytest.approx(logits, abs=1e-9)
    assert found.overfitting_ratio == overfitting_ratio
    assert found.loss_ratio == loss_ratio
    assert found.degradation_slope == (None if slope is None else pytest.approx(slope, rel=1e-6, abs=1e-9))


def distinct_whole(pnl: np.ndarray, blocks_count: int) -> np.ndarray:
    """Distinct candidates of whole numbers, by exact direction, in the rows that are used."""
    used = pnl[len(pnl) % blocks_count :]
    seen = {}
    for column in used.T:
        largest = max(abs(int(value)) for value in column) or 1
        seen.setdefault(tuple(Fraction(int(value), largest) for value in column), column)
    return np.array(list(seen.values())).T


def sparse(seed: int, rows: int, candidates: int) -> np.ndarray:
    """Whole profits; a third of the signals is not traded, and many candidates trade alike on many signals."""
    draws = np.random.default_rng(seed)
    pnl = draws.integers(-4, 6, size=(rows, candidates)) * (draws.random((rows, candidates)) > 0.35)
    alike = draws.random((rows, 1)) < 0.5
    return np.where(alike, pnl[:, :1], pnl).astype(np.float64)


@pytest.mark.parametrize("blocks_count", [2, 4, 6, 8])
@pytest.mark.parametrize("seed", range(4))
def test_figures_equal_the_papers_steps_done_one_by_one(seed, blocks_count):
    equals_slow(sparse(seed, rows=blocks_count * 3 + seed, candidates=5 + seed), blocks_count)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_whole_profits_equal_the_slow_way(data):
    candidates = data.draw(st.integers(2, 5))
    rows = data.draw(st.integers(8, 13))
    row = st.lists(st.integers(-2, 2), min_size=candidates, max_size=candidates)
    pnl = np.array(data.draw(st.lists(row, min_size=rows, max_size=rows)), dtype=np.float64)
    if isinstance(backtest_overfitting(pnl, blocks_count=4), NoAnswer):
        assert distinct_whole(pnl, 4).shape[1] < 2
        return
    equals_slow(pnl, 4)


def test_all_12870_combinations_of_sixteen_blocks_equal_plain_numpy():
    pnl = np.random.default_rng(2).normal(size=(64, 12))
    found = answer(pnl, 16)
    ranks, inside, outside = [], [], []
    for chosen in combinations(range(16), 8):
        is_train = np.isin(np.arange(64) // 4, chosen)
        train, test = (part.mean(axis=0) / part.std(axis=0, ddof=1) for part in (pnl[is_train], pnl[~is_train]))
        best = train.argmax()
        ranks.append((test <= test[best]).sum() / 13)
        inside.append(train[best])
        outside.append(test[best])
    assert found.combinations_count == len(ranks) == 12_870
    assert found.logits == pytest.approx(np.sort(np.log(np.array(ranks) / (1 - np.array(ranks)))))
    assert found.overfitting_ratio == np.mean(np.array(ranks) <= 0.5)
    assert found.loss_ratio == np.mean(np.array(outside) < 0)
    assert found.degradation_slope == pytest.approx(np.polyfit(inside, outside, 1)[0])


def test_of_noise_the_best_is_as_often_in_the_worse_half_as_in_the_better():
    """60 sets of 20 candidates without skill: halves of independent rows say nothing about each other."""
    found = [answer(np.random.default_rng(seed).normal(size=(80, 20)), 8).overfitting_ratio for seed in range(60)]
    assert np.mean(found) == pytest.approx(0.5, abs=4 * float(np.std(found)) / math.sqrt(60))
    assert np.std(found) / math.sqrt(60) < 0.04


def test_one_candidate_with_skill_among_many_without_is_no_overfitting():
    pnl = np.random.default_rng(4).normal(size=(160, 50))
    pnl[:, 17] += 1.5
    found = answer(pnl, 16)
    assert found.overfitting_ratio == 0
    assert found.loss_ratio == 0
    assert found.logits[0] == pytest.approx(math.log(50))


def test_candidates_fitted_to_half_of_the_blocks_are_overfit_always():
    """Each wins in its own half of the blocks and loses as much in the other half: the best is always the worst."""
    halves = list(combinations(range(8), 4))
    pnl = np.full((80, len(halves)), -1.0)
    for candidate, half in enumerate(halves):
        for block in half:
            pnl[block * 10 : block * 10 + 10, candidate] = 1.0
    pnl += np.random.default_rng(1).normal(scale=0.2, size=pnl.shape)
    found = answer(pnl, 8)
    assert found.overfitting_ratio == 1
    assert found.loss_ratio == 1
    assert found.logits[-1] == pytest.approx(-math.log(70))


def test_the_slope_tells_ratios_that_last_from_ratios_that_turn():
    draws = np.random.default_rng(9)
    turning = np.concatenate([np.arange(1.0, 9.0), -np.arange(1.0, 9.0)]).repeat(4)[:, None] * np.array([1.0, -1.0])
    slope = answer(turning + draws.normal(scale=0.1, size=turning.shape), 16).degradation_slope
    assert slope is not None
    assert slope < -0.5


def figures(found: BacktestOverfitting | NoAnswer) -> object:
    if isinstance(found, NoAnswer):
        return found
    return found.logits.tolist(), found.overfitting_ratio, found.loss_ratio, found.degradation_slope


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(7)), power=st.integers(-900, 900))
def test_order_and_unit_of_the_candidates_change_nothing(seed, order, power):
    """Whole profits with many ties; a power of two as the unit leaves every digit, so the figures are equal."""
    pnl = sparse(seed, rows=17, candidates=7)
    one = backtest_overfitting(pnl, blocks_count=4)
    assert figures(backtest_overfitting(pnl[:, order], blocks_count=4)) == figures(one)
    assert figures(backtest_overfitting(np.ldexp(pnl, power), blocks_count=4)) == figures(one)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scales=st.lists(st.floats(1e-3, 1e3), min_size=6, max_size=6))
def test_a_scale_for_each_candidate_changes_nothing(seed, scales):
    pnl = np.random.default_rng(seed).normal(size=(16, 6))
    one, other = answer(pnl, 4), answer(pnl * scales, 4)
    assert np.array_equal(one.logits, other.logits)
    assert one.degradation_slope == pytest.approx(other.degradation_slope)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), copies=st.lists(st.integers(0, 5), max_size=4), scale=st.sampled_from([1, 2, 3, 10]))
def test_a_copy_of_a_candidate_at_any_scale_changes_nothing(seed, copies, scale):
    pnl = sparse(seed, rows=16, candidates=6)
    assert figures(answer(np.concatenate([pnl, pnl[:, copies] * scale], axis=1), 4)) == figures(answer(pnl, 4))


def test_the_oldest_rows_that_do_not_fill_the_blocks_are_left_out():
    pnl = np.random.default_rng(6).normal(size=(43, 9))
    found = answer(pnl, 8)
    assert (found.rows_count, found.rows_left_out_count) == (40, 3)
    assert np.array_equal(found.logits, answer(pnl[3:], 8).logits)
    assert not np.array_equal(found.logits, answer(pnl[:40], 8).logits)


def test_the_middle_rank_counts_as_overfit():
    """Three candidates; in both halves another is best, and in the other half it is the middle one."""
    early = np.array([[3.0, 2.0, 1.0], [2.9, 1.9, 0.9]])
    late = np.array([[2.0, 3.0, 1.0], [1.9, 2.9, 0.9]])
    found = answer(np.concatenate([early, late]), 2)
    assert list(found.logits) == [0, 0]
    assert found.overfitting_ratio == 1


def test_a_candidate_that_never_trades_in_a_half_is_neither_good_nor_bad_there():
    """Candidate 0 loses, 1 does not trade in the early half, where it is thus the best; late it wins most."""
    early = np.array([[-1.0, 0.0, -3.0], [-2.0, 0.0, -1.0]])
    late = np.array([[-1.0, 5.0, 1.0], [2.0, 6.0, 1.5]])
    found = answer(np.concatenate([early, late]), 2)
    # Best early: 1 (0 against losses), rank 3 late. Best late: 1 or 2 by ratio: 5.5 / 0.71 = 7.8 > 1.25 / 0.35 = 3.5.
    assert list(found.logits) == pytest.approx([math.log(3), math.log(3)])
    assert found.loss_ratio == 0


@pytest.mark.parametrize(
    ("pnl", "reason"),
    [
        (np.ones((0, 4)), "0 observations"),
        (np.random.default_rng(1).normal(size=(15, 4)), "15 observations; 8 blocks need at least 16"),
        (np.random.default_rng(1).normal(size=(40, 0)), "0 candidates"),
        (np.random.default_rng(1).normal(size=(40, 1)), "1 candidates"),
        (np.zeros((40, 6)), "1 candidates"),
        (np.random.default_rng(1).normal(size=(40, 1)) * np.array([1.0, 2.0, 0.1, 1 / 3]), "1 candidates"),
    ],
)
def test_where_there_is_no_answer_there_is_a_reason_and_no_number(pnl, reason):
    found = backtest_overfitting(pnl, blocks_count=8)
    assert isinstance(found, NoAnswer)
    assert found.reason.startswith(reason)


def test_a_candidate_and_its_mirror_differ():
    values = np.random.default_rng(1).normal(size=(40, 1))
    assert distinct_candidates(np.concatenate([values, -values], axis=1)).shape == (40, 2)


@pytest.mark.parametrize("blocks_count", [-2, 0, 1, 7, BLOCKS_COUNT_MAX + 2])
def test_impossible_blocks_are_refused(blocks_count):
    with pytest.raises(BadConfig, match="blocks_count"):
        backtest_overfitting(np.ones((50, 3)), blocks_count=blocks_count)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_profit_that_is_not_finite_is_refused_with_its_row(wrong):
    pnl = np.ones((20, 3))
    pnl[13, 2] = wrong
    with pytest.raises(BadInput, match="row 13, field pnl"):
        backtest_overfitting(pnl, blocks_count=4)
    with pytest.raises(BadInput, match="field pnl"):
        backtest_overfitting(np.ones(20), blocks_count=4)


@pytest.mark.parametrize("same", [2.0, 1 / 3, 0.7])
def test_winning_and_losing_the_same_in_every_row_are_ranked_and_left_out_of_the_slope(same):
    """28 squares of 1/3 add up to a little too little, of 0.7 to a little too much: without spread all the same."""
    draws = np.random.default_rng(5)
    pnl = np.concatenate([np.full((28, 1), same), np.full((28, 1), -same), draws.normal(size=(28, 3))], axis=1)
    found = answer(pnl, 4)
    assert found.overfitting_ratio == 0
    assert found.degradation_slope is None
    assert found.loss_ratio == 0
    mirrored = np.where(np.arange(28)[:, None] < 14, pnl, pnl[:, [1, 0, 2, 3, 4]])
    assert 0 < answer(mirrored, 4).overfitting_ratio < 1


def test_thousands_of_candidates_that_tie_in_every_split_are_answered_all_the_same():
    """3,000 candidates, each worse than the first in one signal of its own: about half of them tie in every split."""
    draws = np.random.default_rng(7)
    pnl = np.repeat(draws.normal(size=(96, 1)) + 0.2, 3000, axis=1)
    pnl[draws.integers(0, 96, size=2999), np.arange(1, 3000)] -= draws.uniform(0.01, 1, size=2999)
    found = answer(pnl, 12)
    assert found.candidates_count == 3000
    assert found.combinations_count == 924
    # Tied inside are those that are worse outside, and so is the mean of their ranks; the first among them is the best.
    assert found.overfitting_ratio > 0.9
