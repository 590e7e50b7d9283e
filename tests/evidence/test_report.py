from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.counts import SourceCounts
from copytrade_core.evidence.plot_series import equity_series, thinned_indices
from copytrade_core.evidence.report import ReportInputs, build_report, report_document
from copytrade_core.evidence.splits import Signal, SplitRatios, split_signals
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.study import Scenario, Study

HOUR_MS = 3_600_000


def scenario(label, *, delay_s=60, slippage=Fraction(1), fees=Fraction(1)) -> Scenario:
    return Scenario(label=label, policy="p", delay_s=delay_s, slippage_multiple=slippage, fee_multiple=fees)


def inputs_of(made, *, origin=PriceOrigin.RECORDED) -> ReportInputs:
    trips = [made.trip(pnl=i % 5 - 1, entered_h=2 * i, exited_h=2 * i + 1, name=f"e{i}") for i in range(40)]
    result = made.result(trips, [(2 * i + 1, 1000 + i, 995 + i, 100) for i in range(40)], origin=origin)
    main, stress = scenario("as assumed"), scenario("slippage doubled", slippage=Fraction(2))
    study = Study(
        main=main,
        by_strategy=(main,),
        delay_slippage=(main, stress),
        stressed={"slippage_x2": stress},
        results={main: result, stress: replace(result, round_trips=result.round_trips[:20])},
    )
    signals = [Signal(episode_id=trip.episode_id, signal_at_ms=trip.signal_at_ms) for trip in trips]
    ratios = SplitRatios(train=Fraction("0.55"), validation=Fraction("0.225"), holdout=Fraction("0.225"))
    return ReportInputs(
        lead_id="1",
        nickname=None,
        source=SourceCounts(rows_count=42, normalised_count=40, duplicates_count=1, rejected={"no_market": 1}),
        episodes=[made.episode(opened_h=2 * i, closed_h=2 * i + 1) for i in range(40)],
        study=study,
        policies={},
        data=made.market_data(made.bars([100 + i % 7 for i in range(90)])),
        split=split_signals(signals, ratios=ratios, longest_holding_ms=HOUR_MS),
        bootstrap=BootstrapSettings(seed=1, resamples_count=100, block_mean_count=2, confidence_ratio=0.9),
        profit_share=None,
        smallest_target=None,
        legacy_runs=(),
        original_pnl={},
        digests={"study": "ab" * 32},
    )


def test_the_document_is_json_and_the_same_for_the_same_inputs(made):
    first = json.dumps(report_document(build_report(inputs_of(made))), allow_nan=False)
    assert first == json.dumps(report_document(build_report(inputs_of(made))), allow_nan=False)


def test_every_row_that_was_read_is_accounted_for(made):
    document = json.loads(json.dumps(report_document(build_report(inputs_of(made)))))
    source = document["counts"]["source"]
    assert source["rows_count"] == source["normalised_count"] + source["duplicates_count"] + sum(
        source["rejected"].values()
    )
    assert document["counts"]["tested_count"] == len(document["round_trips"]) == 40


def test_net_is_the_same_number_wherever_the_report_shows_it(made):
    report = build_report(inputs_of(made))
    net = report.strategies[0].measures.net_pnl_usdt
    assert net == 40
    assert sum(row.pnl_usdt for row in report.round_trips) == pytest.approx(net)
    assert sum(month.net_pnl_usdt for month in report.monthly) == pytest.approx(net)
    assert report.equity.realised_usdt[-1] == pytest.approx(1000 + net)
    assert report.sensitivity[0].net_pnl_usdt == pytest.approx(net)
    assert "gained 40.00 USDT" in report.conclusion.sentence


def test_the_holdout_is_counted_and_said_to_be_sealed(made):
    report = build_report(inputs_of(made))
    assert set(report.parts) == {"train", "validation"}
    assert "is sealed" in report.holdout_note


def test_a_simulated_market_is_named_in_origin_findings_assumptions_and_conclusion(made):
    report = build_report(inputs_of(made, origin=PriceOrigin.SIMULATED))
    assert report.origin == "simulated"
    assert report.findings[0].code == "simulated_market"
    assert report.assumptions[0].name == "Simulated market"
    assert report.conclusion.answer == "not_enough_evidence"


@given(values=st.lists(st.integers(-1000, 1000), min_size=1, max_size=400), points=st.integers(4, 60))
def test_thinning_keeps_order_ends_and_extremes(values, points):
    array = np.array(values, dtype=np.int64)
    kept = thinned_indices(array, points)
    assert list(kept) == sorted(set(kept))
    assert len(kept) <= max(points, 4)
    assert (kept[0], kept[-1]) == (0, len(values) - 1)
    assert array[kept].min() == array.min()
    assert array[kept].max() == array.max()


def test_equity_is_drawn_level_while_nothing_is_held(made):
    """Two long trades of many marks with a pause of 1,000 hours between them: thinning must not cut the corner."""
    trips = [made.trip(pnl=10, entered_h=0, exited_h=500), made.trip(pnl=-5, entered_h=1500, exited_h=2000)]
    marks = [(hour / 12, 1000 + hour % 90, 900, 100) for hour in range(1, 6000)]
    later = [(1500 + hour / 12, 1005 + hour % 90, 900, 100) for hour in range(1, 5000)]
    drawn = equity_series(made.result(trips, [*marks, *later]))
    exit_ms = trips[0].exited_at_ms
    level = dict(zip(drawn.marked_at_ms, drawn.marked_usdt, strict=True))
    assert level[exit_ms] == 1010
    assert len(level) < 2000
