from __future__ import annotations

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.parts import OPEN_PARTS, measures_by_part, parts_result, seal
from copytrade_core.evidence.splits import (
    Part,
    Signal,
    SplitRatios,
    manifest_document,
    signals_of,
    split_signals,
    walk_forward_folds,
)
from copytrade_core.model.errors import BadConfig
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.policy import SignalMode

RATIOS = SplitRatios(train=Fraction("0.55"), validation=Fraction("0.225"), holdout=Fraction("0.225"))
BOOTSTRAP = BootstrapSettings(seed=1, resamples_count=50, block_mean_count=2, confidence_ratio=0.9)
HOUR_MS = 3_600_000


def signals_at(times: list[int]) -> list[Signal]:
    return [Signal(episode_id=f"e{index:03}", signal_at_ms=at) for index, at in enumerate(times)]


def test_forty_signals_split_by_count_in_time_order():
    manifest = split_signals(signals_at(list(range(0, 400, 10))), ratios=RATIOS, longest_holding_ms=5)
    assert [part.signals_count for part in manifest.parts] == [22, 9, 9]
    assert manifest.part(Part.VALIDATION).first_signal_at_ms == 220
    assert manifest.embargoed == ()


def test_a_signal_whose_trade_could_reach_the_next_part_belongs_to_none():
    manifest = split_signals(signals_at(list(range(0, 400, 10))), ratios=RATIOS, longest_holding_ms=25)
    assert [part.signals_count for part in manifest.parts] == [20, 7, 9]
    assert manifest.embargoed == ("e020", "e021", "e029", "e030")
    assert manifest.part(Part.TRAIN).last_signal_at_ms == 190


times = st.lists(st.integers(0, 10_000), max_size=60)


@given(times=times, holding=st.integers(0, 3000))
def test_no_trade_spans_two_parts_and_no_signal_is_lost(times, holding):
    signals = signals_at(times)
    at = {signal.episode_id: signal.signal_at_ms for signal in signals}
    manifest = split_signals(signals, ratios=RATIOS, longest_holding_ms=holding)
    placed = [name for part in manifest.parts for name in part.episode_ids] + list(manifest.embargoed)
    assert sorted(placed) == sorted(at)
    filled = [part for part in manifest.parts if part.signals_count]
    for earlier, later in itertools.pairwise(filled):
        assert max(at[name] for name in earlier.episode_ids) + holding < min(at[name] for name in later.episode_ids)


@given(times=times, order=st.randoms(use_true_random=False))
def test_a_split_does_not_depend_on_the_order_it_was_given(times, order):
    signals = signals_at(times)
    shuffled = list(signals)
    order.shuffle(shuffled)
    first = split_signals(signals, ratios=RATIOS, longest_holding_ms=9)
    assert first == split_signals(shuffled, ratios=RATIOS, longest_holding_ms=9)
    assert first.digest != split_signals(signals, ratios=RATIOS, longest_holding_ms=10).digest


@given(times=times, folds=st.integers(1, 6), holding=st.integers(0, 1000))
def test_every_fold_trains_only_on_what_was_over_before_its_test(times, folds, holding):
    signals = signals_at(times)
    at = {signal.episode_id: signal.signal_at_ms for signal in signals}
    found = walk_forward_folds(signals, folds_count=folds, longest_holding_ms=holding)
    assert len(found) <= folds
    for fold in found:
        assert fold.test
        starts = min(at[name] for name in fold.test)
        assert all(at[name] + holding < starts for name in fold.train)
        assert not {*fold.train} & {*fold.test, *fold.embargoed}
    tested = [name for fold in found for name in fold.test]
    assert len(tested) == len(set(tested))


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(BadConfig, match="add up to 1"):
        SplitRatios(train=Fraction(1, 2), validation=Fraction(1, 4), holdout=Fraction(1, 5))


def test_signals_are_opens_for_a_follower_and_closes_for_a_contrarian(made):
    episodes = [made.episode(opened_h=5, closed_h=9), made.episode(opened_h=1, closed_h=20)]
    follow = signals_of(episodes, SignalMode.FOLLOW_OPEN)
    against = signals_of(episodes, SignalMode.CONTRARIAN_ON_CLOSE)
    assert [signal.signal_at_ms - made.start_ms for signal in follow] == [1 * HOUR_MS, 5 * HOUR_MS]
    assert [signal.signal_at_ms - made.start_ms for signal in against] == [9 * HOUR_MS, 20 * HOUR_MS]


def test_the_manifest_document_is_json_and_names_every_part():
    manifest = split_signals(signals_at(list(range(0, 400, 10))), ratios=RATIOS, longest_holding_ms=25)
    document = json.loads(json.dumps(manifest_document(manifest)))
    assert [part["part"] for part in document["parts"]] == ["train", "validation", "holdout"]
    assert document["embargoed_count"] == 4
    assert document["digest"] == manifest.digest


def many_trips(made):
    return [made.trip(pnl=hour % 7 - 3, entered_h=hour, exited_h=hour + 1, name=f"e{hour}") for hour in range(0, 80, 2)]


def test_parts_measure_their_own_trades_and_the_holdout_only_when_named(made):
    trips = many_trips(made)
    signals = [Signal(episode_id=trip.episode_id, signal_at_ms=trip.signal_at_ms) for trip in trips]
    manifest = split_signals(signals, ratios=RATIOS, longest_holding_ms=HOUR_MS)
    result = made.result(trips, [(hour + 0.5, 1000 + hour, 990 + hour, 100) for hour in range(0, 80, 2)])
    shown = measures_by_part(result, manifest, BOOTSTRAP, parts=OPEN_PARTS)
    assert set(shown) == {Part.TRAIN, Part.VALIDATION}
    assert shown[Part.TRAIN].trades_count == manifest.part(Part.TRAIN).signals_count == 22
    assert shown[Part.TRAIN].net_pnl_usdt == sum(hour % 7 - 3 for hour in range(0, 44, 2))
    opened = measures_by_part(result, manifest, BOOTSTRAP, parts=tuple(Part))
    assert sum(found.trades_count for found in opened.values()) == len(trips)


def test_what_is_sealed_is_handed_to_no_replay_and_says_why(made):
    episodes = [made.episode(opened_h=hour - 1, closed_h=hour) for hour in range(0, 80, 2)]
    still_open = replace(made.episode(opened_h=90, closed_h=91), closed_at=None, exit_price=None)
    manifest = split_signals(
        signals_of(episodes, SignalMode.CONTRARIAN_ON_CLOSE), ratios=RATIOS, longest_holding_ms=HOUR_MS * 3
    )
    visible, sealed = seal(manifest, [*episodes, still_open], OPEN_PARTS)
    shown = {episode.episode_id for episode in visible}
    assert shown == {name for part in OPEN_PARTS for name in manifest.part(part).episode_ids}
    reasons = {skip.episode_id: skip.reason for skip in sealed}
    assert {name for name, reason in reasons.items() if reason == "holdout"} == set(
        manifest.part(Part.HOLDOUT).episode_ids
    )
    assert {name for name, reason in reasons.items() if reason == "embargoed"} == set(manifest.embargoed) != set()
    assert reasons[still_open.episode_id] == "no_signal_yet"
    assert len(visible) + len(sealed) == len(episodes) + 1


def test_a_parts_curve_starts_at_the_initial_equity(made):
    trips = [
        made.trip(pnl=100, entered_h=0, exited_h=1, name="a"),
        made.trip(pnl=-50, entered_h=5, exited_h=7, name="b"),
    ]
    signals = [Signal(episode_id="a", signal_at_ms=0), Signal(episode_id="b", signal_at_ms=100)]
    halves = SplitRatios(train=Fraction(1, 2), validation=Fraction(1, 4), holdout=Fraction(1, 4))
    manifest = split_signals(signals, ratios=halves, longest_holding_ms=1)
    result = made.result(trips, [(1, 1100, 1100, 100), (6, 1080, 1070, 100)])
    later = parts_result(result, manifest, (Part.VALIDATION,))
    assert [trip.episode_id for trip in later.round_trips] == ["b"]
    assert list(later.equity.equity) == [980 * 10**8]
    assert list(later.equity.worst_intrabar) == [970 * 10**8]
