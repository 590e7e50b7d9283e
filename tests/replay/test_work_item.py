"""Work item W is the same W each time, and has what the benchmark says it has."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from copytrade_core.model.policy import Anchor
from copytrade_core.model.side import Side
from tests.replay.work_item import FAMILIES, FINE_MS, MINUTE_MS, candidates, work_item


@pytest.fixture(scope="module")
def small():
    return work_item(days=20, episodes_count=60, policies_count=50)


def test_the_same_seed_gives_the_same_work(small):
    again = work_item(days=20, episodes_count=60, policies_count=50)
    assert again.episodes == small.episodes
    assert again.policies == small.policies
    for market, series in small.fine.bars.items():
        assert np.array_equal(series.close, again.fine.bars[market].close)


def test_minutes_are_the_same_walk_as_five_seconds(small):
    for market, minute in small.minute.bars.items():
        fine = small.fine.bars[market]
        each = MINUTE_MS // FINE_MS
        assert len(minute) * each == len(fine) == 20 * 86_400 // 5
        assert np.array_equal(minute.open, fine.open[::each])
        assert np.array_equal(minute.close, fine.close[each - 1 :: each])
        assert minute.high.max() == fine.high.max()
        assert minute.low.min() == fine.low.min()


def test_episodes_are_of_both_sides_and_markets_and_of_every_length(small):
    lengths = [life.closed_at - life.opened_at for life in small.episodes]
    assert {(life.market, life.side) for life in small.episodes} == {
        (market, side) for market in small.minute.bars for side in Side
    }
    assert min(lengths) < timedelta(hours=1)
    assert timedelta(days=1) < max(lengths) <= timedelta(days=10)
    assert min(lengths) >= timedelta(minutes=10)


def test_candidates_are_of_every_family_and_a_longer_list_begins_with_a_shorter():
    many = candidates(200)
    assert many[:20] == candidates(20)
    assert {(policy.signal, policy.exit.family) for policy in many} == set(FAMILIES)
    assert {len(policy.ladder.steps) for policy in many} == set(range(6))
    assert 0.1 < sum(policy.ladder.anchor is Anchor.SOURCE_ENTRY for policy in many) / len(many) < 0.3
    assert any(policy.exit.trailing_callback_ppm for policy in many)
