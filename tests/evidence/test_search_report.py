"""The search report as a document: what it answers, what it counts, and what it tells the reader to doubt."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from copytrade_core.evidence.search_conclusion import merged
from copytrade_core.evidence.search_inputs import BasePolicy, HoldoutNote, LuckLimits, ParameterGrid
from copytrade_core.evidence.search_landscape import explained_ratio
from copytrade_core.evidence.search_luck import binned
from copytrade_core.evidence.search_report import search_report, search_report_document
from copytrade_core.evidence.search_series import BACKGROUND_LINES, HISTORY_POINTS, TOP_LINES, rank_correlation
from copytrade_core.evidence.search_trials import objective_of
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.trial import TrialOrigin, TrialStatus
from tests.evidence.search_case import GRIDS, TOP, finalist, metrics_of_profits, search_inputs, trial_at, trials


def document(**changes):
    return json.loads(json.dumps(search_report_document(search_report(search_inputs(**changes))), allow_nan=False))


def titles(made) -> list[str]:
    return [doubt["title"] for doubt in made["findings"]]


def test_the_document_is_json_and_the_same_for_the_same_inputs():
    assert document() == document()


def test_a_champion_is_named_with_the_numbers_that_decided_and_what_it_has_not_shown():
    made = document(luck_limits=LuckLimits(deflated_sharpe_ratio_min=0.95, backtest_overfitting_ratio_max=1.0))
    conclusion = made["conclusion"]
    assert conclusion["question"] == "Which policy of lead 1 survived, and can it be believed?"
    assert conclusion["answer"] == "champion"
    number = made["finalists"][0]["trial"]["number"]
    assert f"Trial {number}, one of 120 policies tried" in conclusion["sentence"]
    assert "on validation" in conclusion["sentence"]
    assert conclusion["reasons"][0].startswith("Deflated Sharpe ratio: ")
    assert conclusion["reasons"][0].endswith("at least 95% is asked.")
    assert "The holdout, the newest 18 signals, is closed" in conclusion["reasons"][-1]


def test_figures_within_their_limits_are_no_reason_against():
    generous = LuckLimits(deflated_sharpe_ratio_min=0.0, backtest_overfitting_ratio_max=1.0)
    assert len(document(luck_limits=generous)["conclusion"]["reasons"]) == 1


def test_without_a_champion_the_finalists_reasons_are_told_together_and_later_ones_after_them():
    tried = trials()
    struck = (
        finalist(TOP, tried, "validation: net -3.40 USDT is not above 0"),
        finalist((2, 1, 1), tried, "validation: net -12.00 USDT is not above 0", "plateau: too few"),
    )
    own = f"trial {struck[0].trial.number}: {'; '.join(struck[0].reasons)}"
    made = document(finalists=struck, champion_trial_id=None, reasons=(own, "the fast engine is REJECTED_FOR_SEARCH"))
    assert made["conclusion"]["answer"] == "none"
    assert made["conclusion"]["reasons"] == [
        "2 of 2 finalists: validation: net -12.00 to -3.40 USDT is not above 0",
        "1 of 2 finalists: plateau: too few",
        "the fast engine is REJECTED_FOR_SEARCH",
    ]


def test_a_finalist_struck_off_by_luck_alone_stays_the_one_the_figures_are_about():
    tried = trials()
    weak = finalist((2, 1, 1), tried, "validation: it could not be evaluated")
    made = document(finalists=(weak, finalist(TOP, tried)), champion_trial_id=None, reasons=("luck",))
    assert made["plateau"]["number"] == made["finalists"][1]["trial"]["number"]


def test_a_search_without_a_finalist_says_so_and_shows_no_plateau_or_luck():
    made = document(finalists=(), champion_trial_id=None, overfitting=None, reasons=("no trial came through",))
    assert "not one came through" in made["conclusion"]["sentence"]
    assert (made["plateau"], made["luck"]) == (None, [])


def test_a_search_of_one_manual_trial_is_a_report_too():
    only = trial_at(TOP, 0, origin=TrialOrigin.MANUAL, parameters=())
    made = document(trials=[only], batches=[], finalists=(), champion_trial_id=None, overfitting=None, grids=())
    assert made["counts"]["this_search_count"] == 1
    assert (made["landscape"], made["parameters"], made["coordinates"]["lines"]) == (None, [], [])


def test_every_trial_is_counted_once_by_status_and_by_origin():
    left_behind = next(trial for trial in trials() if trial.status is TrialStatus.HALVED)
    again = replace(
        left_behind, number=120, origin=TrialOrigin.NEIGHBOUR, status=TrialStatus.COMPLETE, reasons=(), signals_count=40
    )
    counts = document(trials=[*trials(), again])["counts"]
    assert counts["this_search_count"] == 120
    assert sum(counts["by_status"].values()) == sum(counts["by_origin"].values()) == 120
    assert counts["by_origin"]["neighbour"] == 1


def test_reasons_that_differ_in_the_measured_number_only_are_one_reason():
    reasons = {row["reason"]: row["trials_count"] for row in document()["counts"]["reasons"]}
    assert reasons["drawdown_marked_ratio is over 0.1"] == 2
    assert reasons["an order would be too large"] == 1


def test_phases_add_up_their_batches_and_know_their_best():
    (phase,) = document()["phases"]
    assert (phase["trials_count"], phase["asked_count"], phase["repeated_count"]) == (120, 140, 15)
    best = max(value for t in trials() if (value := objective_of(t)) is not None)
    assert phase["best_objective"] == best


def test_the_best_are_complete_trials_in_order_of_the_objective():
    best = document()["best"]
    objectives = [row["metrics"]["objective"] for row in best]
    assert len(best) == 20
    assert objectives == sorted(objectives, reverse=True)
    assert {row["status"] for row in best} == {"complete"}


def test_the_parameter_that_shapes_the_hill_explains_most():
    order = [row["parameter"] for row in document()["parameters"]]
    assert order.index("exit.tp") < order.index("ladder.dca_count")


def test_explaining_everything_is_one_and_nothing_is_nearly_zero():
    groups = np.repeat(np.arange(5), 20)
    assert explained_ratio(groups, groups.astype(float)) == pytest.approx(1.0)
    assert explained_ratio(groups, np.tile(np.arange(20.0), 5)) == 0.0
    assert explained_ratio(np.zeros(10, dtype=np.int64), np.arange(10.0)) is None
    assert explained_ratio(np.arange(10), np.ones(10)) is None


def test_the_map_holds_the_median_of_every_cell_and_counts_all_that_were_tried():
    shown = document()["landscape"]
    assert sum(sum(row) for row in shown["tried_counts"]) == 120
    complete = [t for t in trials() if t.status is TrialStatus.COMPLETE]
    assert sum(sum(row) for row in shown["complete_counts"]) == len(complete)
    x, y = (shown[axis]["texts"].index(dict(trial_at(TOP, 0).parameters)[shown[axis]["name"]]) for axis in "xy")
    assert (shown["judged_x"], shown["judged_y"]) == (x, y)
    here = dict(trial_at(TOP, 0).parameters)
    cell = [
        objective_of(t) or 0.0
        for t in complete
        if all(dict(t.parameters)[shown[axis]["name"]] == here[shown[axis]["name"]] for axis in "xy")
    ]
    assert shown["objectives"][y][x] == pytest.approx(float(np.median(cell)), rel=1e-3)


def test_a_fine_grid_is_drawn_in_cells_of_several_values_and_loses_no_trial():
    fine = ParameterGrid(name="exit.ttl_hours", texts=tuple(str(hour) for hour in range(1, 73)))
    many = [
        trial_at(
            (i % 5, 0, i % 4),
            i,
            trial_id=f"{i:064x}",
            parameters=(("exit.tp", GRIDS[0].texts[i % 5]), (fine.name, fine.texts[i % 72])),
        )
        for i in range(720)
    ]
    shown = document(trials=many, grids=(GRIDS[0], fine), finalists=(), champion_trial_id=None, overfitting=None)[
        "landscape"
    ]
    sides = {shown[axis]["name"]: (shown[f"{axis}_step"], axis) for axis in "xy"}
    assert sides["exit.ttl_hours"][0] == 4
    assert sides["exit.tp"][0] == 1
    cells = len(shown["tried_counts"][0]), len(shown["tried_counts"])
    assert sorted(cells) == [5, 18]
    assert sum(sum(row) for row in shown["tried_counts"]) == 720


def test_every_neighbour_stands_in_the_row_of_the_parameter_that_moved():
    plateau = document()["plateau"]
    moved = [(one["parameter"], one["moved"]) for one in plateau["neighbours"]]
    assert ("exit.tp", "exit.tp 0.02 to 0.04") in moved
    assert [name for name, _ in moved] == sorted((name for name, _ in moved), key=[g.name for g in GRIDS].index)
    centre = trial_at(TOP, 0).metrics
    for one in plateau["neighbours"]:
        tried = trials()[one["number"]]
        assert centre is not None
        assert tried.metrics is not None
        assert one["ratio"] == pytest.approx(tried.metrics.objective / centre.objective)


def test_a_neighbour_outside_the_limits_counts_as_nothing():
    judged = finalist(TOP, trials())
    beside = replace(judged.neighbours[0], trial=replace(judged.neighbours[0].trial, status=TrialStatus.PRUNED))
    view = document(finalists=(replace(judged, neighbours=(beside,)),))["plateau"]
    assert view["neighbours"][0]["ratio"] == 0.0


def test_the_history_keeps_every_improvement_and_both_ends_of_a_long_search():
    many = [
        replace(trial_at((i % 5, 0, 0), i, trial_id=f"{i:064x}"), metrics=metrics_of_profits(np.arange(5.0) + i % 977))
        for i in range(20_000)
    ]
    history = document(trials=many)["history"]
    assert len(history["numbers"]) <= HISTORY_POINTS + 1000
    assert (history["numbers"][0], history["numbers"][-1], history["total_count"]) == (0, 19_999, 20_000)
    assert set(history["best_numbers"]) <= set(history["numbers"])
    assert history["best_objectives"] == sorted(history["best_objectives"])


def test_twenty_thousand_trials_make_a_small_document():
    many = [replace(trial_at((i % 5, i % 6, i % 4), i), trial_id=f"{i:064x}") for i in range(20_000)]
    made = document(trials=many)
    assert len(made["coordinates"]["lines"]) <= BACKGROUND_LINES + TOP_LINES + 1
    assert len(json.dumps(made)) < 600_000


def test_parts_are_compared_by_the_sharpe_ratio_of_the_same_trials():
    both = document()["validation"]
    champion = next(point for point in both["points"] if point["kind"] == "champion")
    expected = trial_at(TOP, 0).metrics
    assert expected is not None
    assert champion["train_sharpe"] == pytest.approx(expected.sharpe, rel=1e-4)
    assert both["drawn_count"] == sum(point["kind"] == "draw" for point in both["points"])
    assert {point["kind"] for point in both["points"]} == {"champion", "struck_off", "draw"}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=10, max_size=60))
def test_rank_correlation_is_spearmans(pairs):
    array = np.array(pairs, dtype=np.float64)
    found = rank_correlation(array)
    if min(np.ptp(array[:, 0]), np.ptp(array[:, 1])) == 0:
        assert found is None
    else:
        spearman: Any = spearmanr(array[:, 0], array[:, 1])
        assert found == pytest.approx(spearman.statistic)


def test_few_points_have_no_rank_correlation():
    assert rank_correlation(np.array([[float(i), float(i)] for i in range(9)])) is None


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=200))
def test_bins_count_every_value_once(values):
    bins = binned(np.array(values), np.linspace(-2, 2, 9))
    assert sum(bins.counts) + bins.below_count + bins.above_count == len(values)


def test_a_logit_of_zero_counts_as_overfit():
    logits = document()["logits"]
    left = sum(c for c, edge in zip(logits["bins"]["counts"], logits["bins"]["edges"][1:], strict=True) if edge <= 0)
    assert left / logits["combinations_count"] == pytest.approx(logits["overfitting_ratio"])
    assert binned(np.array([0.0]), np.array([-1.0, 0.0, 1.0])).counts == (1, 0)


def test_the_pictures_of_luck_show_the_figures_of_the_table():
    made = document()
    assert made["logits"]["overfitting_ratio"] == made["overfitting"]["backtest_overfitting_ratio"]
    assert made["sharpes"]["expected_maximum"] == made["overfitting"]["sharpe_expected_maximum"]
    counted = made["sharpes"]["bins"]
    assert sum(counted["counts"]) + counted["below_count"] + counted["above_count"] == made["sharpes"]["trials_count"]


def test_a_figure_that_is_missing_says_why_and_passes_nothing():
    figures = search_inputs().overfitting
    assert figures is not None
    missing = replace(figures, deflated_sharpe_ratio=None, reasons=(("deflated_sharpe_ratio", "3 round trips"),))
    row = document(overfitting=missing)["luck"][0]
    assert (row["value"], row["is_met"], row["reason"]) == (None, None, "3 round trips")


def test_nothing_is_doubted_that_is_not_so():
    plain = ["Few signals", "Not the first try", "Validation was asked more than once", "Trials without figures"]
    found = titles(document())
    assert found[0] == "Few signals"
    assert set(found) <= {*plain, "Train says little about validation"}


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"origin": PriceOrigin.SIMULATED}, "The market is simulated"),
        ({"engine": None}, "Engines not compared"),
        ({"funding_known": False}, "Funding is left out"),
        ({"shortfall": "12 of 120 trials"}, "Fewer trials than asked"),
        ({}, "Trials without figures"),
    ],
)
def test_what_is_wrong_is_doubted(changes, title):
    assert title in titles(document(**changes))


def test_a_base_strategy_that_did_as_well_is_told():
    better = metrics_of_profits(np.array([5.0, 6.0, 90.0]))
    assert "The untuned strategy did as well" in titles(
        document(base=BasePolicy(name="b", train=None, validation=better))
    )


def test_engines_that_differ_are_told_with_the_first_difference():
    engine = search_inputs().engine
    assert engine is not None
    made = document(engine=replace(engine, verdict="REJECTED_FOR_SEARCH", differences=("leg 2 of e1", "other")))
    text = next(doubt["text"] for doubt in made["findings"] if doubt["title"] == "The engines disagree")
    assert "leg 2 of e1" in text


def test_a_champion_at_the_end_of_a_range_is_told_and_at_none_it_is_not():
    tried = trials()
    at_end = finalist((0, 5, 1), tried)
    made = document(finalists=(at_end,), champion_trial_id=at_end.trial.trial_id)
    text = next(doubt["text"] for doubt in made["findings"] if doubt["title"] == "At the edge of the space")
    assert "exit.ttl_hours = 72" in text
    absent = finalist((4, 3, 0), tried)
    assert "At the edge of the space" not in titles(
        document(finalists=(absent,), champion_trial_id=absent.trial.trial_id)
    )


@pytest.mark.parametrize(
    ("state", "words"),
    [("closed", "is closed"), ("spent", "has been opened"), ("empty", "There is no holdout")],
)
def test_the_holdout_is_always_spoken_of(state, words):
    reasons = document(holdout=HoldoutNote(state=state, signals_count=18, told=()))["conclusion"]["reasons"]
    assert words in reasons[-1]


def test_texts_are_merged_by_their_words_with_the_range_of_each_number():
    assert merged(["a 3 of 10%", "a -2.5 of 10%", "b 1"]) == (("a -2.5 to 3 of 10%", 2), ("b 1", 1))


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: f"net {x:.2f} USDT"), min_size=1, max_size=8))
def test_a_merged_text_names_the_smallest_and_the_largest(texts):
    ((text, count),) = merged(texts)
    numbers = sorted(float(one.split()[1]) for one in texts)
    assert count == len(texts)
    assert math.isclose(float(text.split()[1]), numbers[0])
    assert math.isclose(float(text.split()[-2]), numbers[-1])
