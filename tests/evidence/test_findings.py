from __future__ import annotations

from dataclasses import replace

from copytrade_core.evidence.findings import FindingCode, FindingLimits, findings
from copytrade_core.evidence.measures import measures
from copytrade_core.model.bar import PriceOrigin
from copytrade_core.model.episode import Provenance
from copytrade_core.model.measure import BootstrapSettings
from copytrade_core.model.round_trip import Skipped
from copytrade_core.model.side import Side

LIMITS = FindingLimits(t_statistic_min=2, lead_win_ratio_max=0.9, one_side_ratio_max=0.9)
BOOTSTRAP = BootstrapSettings(seed=1, resamples_count=50, block_mean_count=2, confidence_ratio=0.9)


def found(made, trips, episodes=(), points=(), **how):
    result = made.result(trips, points, **how)
    return {item.code: item for item in findings(episodes, result, measures(result, BOOTSTRAP), LIMITS)}


def healthy(made):
    """Both sides, spread around a clear gain, no overlap."""
    return [
        made.trip(pnl=10 + i % 3, entered_h=2 * i, exited_h=2 * i + 1, side=Side.LONG if i % 2 else Side.SHORT)
        for i in range(20)
    ]


def observed(made):
    won = made.episode(opened_h=0, closed_h=1, exit_price="101")
    lost = made.episode(opened_h=2, closed_h=3, exit_price="99")
    return [replace(episode, provenance=Provenance.OBSERVED) for episode in (won, lost)]


def test_a_clear_two_sided_observed_record_raises_no_doubt(made):
    assert found(made, healthy(made), observed(made)) == {}


def test_a_lead_that_closes_only_winners_is_named_with_its_count(made):
    episodes = [made.episode(opened_h=hour, closed_h=hour + 1) for hour in range(47)]
    seen = found(made, healthy(made), episodes)
    assert "47 of 47 closed positions ended in profit" in seen[FindingCode.LOSS_AVERSION].text
    assert FindingCode.SURVIVORSHIP in seen
    assert "60 s" in seen[FindingCode.ASSUMED_DELAY].text


def test_five_overlapping_trades_turn_28_percent_into_5_6(made):
    trips = [made.trip(pnl=5.6, entered_h=hour, exited_h=20, name=f"e{hour}") for hour in range(5)]
    text = found(made, trips, observed(made), [(10, 1000, 1000, 500)])[FindingCode.CAPITAL_BASE].text
    assert "28.0% on the 100.00 USDT of one trade is 5.6% on the 500.00 USDT" in text
    assert "up to 5 trades overlap" in text


def test_a_t_under_two_is_a_thin_sample(made):
    trips = [made.trip(pnl=net, entered_h=i * 2, exited_h=i * 2 + 1) for i, net in enumerate([5, -4, 3, -2])]
    assert dict(found(made, trips)[FindingCode.THIN_SAMPLE].numbers)["trades_count"] == 4


def test_no_trade_at_all_is_a_thin_sample_too(made):
    assert "cannot be computed" in found(made, [])[FindingCode.THIN_SAMPLE].text


def test_one_lucky_trade_is_found_out(made):
    trips = [made.trip(pnl=net, entered_h=i * 2, exited_h=i * 2 + 1) for i, net in enumerate([50, -4, 3, -2])]
    assert FindingCode.FEW_TRADES_CARRY_IT in found(made, trips)


def test_simulated_prices_missing_funding_and_truncation_are_said(made):
    trips = [replace(trip, is_truncated=True) for trip in healthy(made)]
    seen = found(made, trips, observed(made), origin=PriceOrigin.SIMULATED, funding_known=False)
    assert next(iter(seen)) is FindingCode.SIMULATED_MARKET
    assert {FindingCode.FUNDING_MISSING, FindingCode.TRUNCATED_TRADES} <= set(seen)


def test_a_one_sided_sample_names_the_side(made):
    trips = [replace(trip, side=Side.SHORT) for trip in healthy(made)]
    assert "20 of 20 trades are short" in found(made, trips, observed(made))[FindingCode.ONE_SIDED].text


def test_untested_signals_are_counted_with_their_reasons(made):
    result = made.result(healthy(made))
    skip = Skipped(episode_id="x", source_id=None, market=made.market, reason="no_bars", detail="")
    result = replace(result, skipped=(skip,))
    seen = {item.code: item for item in findings(observed(made), result, measures(result, BOOTSTRAP), LIMITS)}
    assert "1 of 21 signals have no trade here (no_bars)" in seen[FindingCode.UNTESTED_EPISODES].text
