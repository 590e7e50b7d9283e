"""The recorded lead on recorded five-minute bars: what is covered, what it costs, and a naive reading beside it."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from copytrade_core.model.fill import FillModel
from copytrade_core.model.policy import ExitFamily
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ppm
from copytrade_core.replay.legacy_contrarian import legacy_study
from copytrade_core.replay.reference import replay
from copytrade_core.replay.study import run_study
from copytrade_core.strategies.policy_parse import policy_from_mapping
from tests.trading_floor import BAR_MS, CONTRARIAN, COSTS, SPEC, leave, usdt

UNCOVERED = {"1777638565700", "1778769851996", "1778776547294", "1779098899731"}


@pytest.fixture(scope="session")
def shipped(project_root):
    return {
        path.stem: policy_from_mapping(tomllib.loads(path.read_text("utf-8"), parse_float=Decimal), file=path.name)
        for path in (project_root / "settings/policies").glob("*.toml")
    }


@pytest.mark.parametrize("rungs", [0, 1, 2, 3])
def test_the_original_study_tests_43_positions_and_says_why_it_skips_4(real_positions, real_market, rungs):
    study = legacy_study(real_positions, real_market, rungs)
    assert (study.summary.count, study.summary.skipped) == (43, 4)
    assert {skip.source_id: skip.reason for skip in study.skipped} == dict.fromkeys(UNCOVERED, "after_bars")
    assert study.fill_model is FillModel.LEGACY_CONTRARIAN
    assert all(trade.dca_fills <= rungs for trade in study.round_trips)
    for trade, position in zip(
        study.round_trips, sorted((p for p in real_positions if p.source_id not in UNCOVERED), key=_closed), strict=True
    ):
        assert (trade.source_id, trade.side) == (position.source_id, position.side.opposite)
        assert trade.entry_price == float(position.avg_close_price), "the artefact entry, as labelled"
        assert timedelta(hours=71, minutes=55) <= trade.exited_at - trade.entered_at <= timedelta(hours=72)


def _closed(position):
    return position.closed_at, position.source_id


def test_the_original_study_on_five_minutes_comes_close_to_the_one_on_single_minutes(
    real_positions, real_market, real_data
):
    import csv

    with (real_data / "leads/4751838302089254401/plain_trades.csv").open(encoding="utf-8", newline="") as file:
        recorded = {row["id"]: float(row["pnl"]) for row in csv.DictReader(file)}
    apart = {
        trade.source_id: abs(trade.pnl_usdt - recorded[trade.source_id])
        for trade in legacy_study(real_positions, real_market, 0).round_trips
    }
    assert len(apart) == 43
    assert max(apart.values()) < 1.0, "the exit's bar ends up to four minutes apart: less than one percent"
    assert sum(apart.values()) / len(apart) < 0.2


@pytest.mark.parametrize("rung_fill", [FillModel.TOUCH, FillModel.CLOSE_BEYOND])
def test_the_covered_positions_replay_and_their_work_follows_what_is_held(
    real_episodes, real_market, shipped, rung_fill
):
    spec = replace(SPEC, costs=COSTS, delay_s=30, initial_equity=usdt(1000), rung_fill=rung_fill)
    policy = shipped["contrarian_on_close"]
    result = replay(real_episodes, policy, spec, real_market)
    reasons = Counter(record.reason for record in result.skipped)
    assert reasons["after_bars"] == 4
    assert {record.source_id for record in result.skipped if record.reason == "after_bars"} == UNCOVERED
    assert len(result.round_trips) + reasons.total() == 47
    assert set(reasons) <= {"after_bars", "entry_drift"}
    won = sum(trip.pnl for trip in result.round_trips)
    assert result.equity.cash[-1] - spec.initial_equity == won
    assert all(trip.bars_held == 72 * 12 for trip in result.round_trips), "72 hours of five minutes"
    # Work: one row per bar while something is held or waits, never one per bar of the year.
    held = sum(trip.bars_held + 1 for trip in result.round_trips)
    assert len(result.equity.time_ms) <= held < sum(len(bars) for bars in real_market.bars.values())


def test_without_costs_and_rungs_the_real_replay_is_the_naive_one(real_episodes, real_market):
    policy = replace(
        CONTRARIAN,
        exit=leave(ExitFamily.AUTONOMOUS, ttl_s=72 * 3600),
        entry=replace(CONTRARIAN.entry, entry_drift_ppm_max=Ppm(999_999)),
    )
    result = replay(real_episodes, policy, replace(SPEC, initial_equity=usdt(100_000), delay_s=30), real_market)
    assert len(result.round_trips) == 43
    lives = {life.episode_id: life for life in real_episodes}
    for trip in result.round_trips:
        bars, rules = real_market.bars[trip.market], real_market.instruments[trip.market]
        life = lives[trip.episode_id]
        known = life.closed_at.timestamp() * 1000 + 30_000
        index = next(i for i, time in enumerate(bars.open_time_ms.tolist()) if time >= known)
        assert bars.open_time_ms[index - 1] + BAR_MS <= known + BAR_MS
        tick, step = float(rules.tick_size), float(rules.step_size)
        mark = bars.close[index - 1] * tick if bars.open_time_ms[index] == known else bars.close[index - 2] * tick
        coins = int(1000 / mark / step) * step
        gain = (bars.open[index + 72 * 12] - bars.open[index]) * tick * coins
        direction = 1 if life.side is Side.SHORT else -1
        assert trip.pnl / 10**8 == pytest.approx(direction * gain, abs=1e-6)


def test_every_shipped_policy_replays_in_a_study_of_named_scenarios(real_episodes, real_market, shipped):
    spec = replace(SPEC, costs=COSTS, delay_s=30, initial_equity=usdt(1000))
    order = ["follow_lead", "follow_lead_timed", "candidate_189"]
    study = run_study(real_episodes[:14], [shipped[name] for name in order], spec, real_market)
    assert [scenario.policy for scenario in study.by_strategy] == [shipped[name].name for name in order]
    assert set(study.stressed) == {"slippage_x2", "fees_x1.5", "delay_plus_one_bar"}
    assert len(study.delay_slippage) == 16
    free = {scenario: sum(trip.slippage for trip in study.results[scenario].round_trips) for scenario in study.results}
    for scenario in study.delay_slippage:
        assert (free[scenario] == 0) == (scenario.slippage_multiple == 0)
    late = study.results[study.stressed["delay_plus_one_bar"]]
    assert late.spec.delay_s == 330
