from __future__ import annotations

from dataclasses import replace

import pytest

from copytrade_core.evidence.baselines import artefact_result, buy_and_hold, lead_record
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.policy import SignalMode
from copytrade_core.model.round_trip import CostModel
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Ppm, Steps, Ticks

COSTS = CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(500), source="a test")
HOUR_MS = 3_600_000


def fill(made, kind: IntentKind, *, price: float, quantity: float, buys: bool, hour: float) -> Fill:
    return Fill(
        client_order_id="c",
        kind=kind,
        episode_id="e",
        market=made.market,
        side=Side.LONG,
        leg="base",
        buys=buys,
        time_ms=made.start_ms + round(hour * HOUR_MS),
        bar_open_ms=0,
        raw_price=Ticks(round(price * 100)),
        price=Ticks(round(price * 100)),
        quantity=Steps(round(quantity * 1000)),
        fee=Money(0),
        slippage=Money(0),
        model=FillModel.NEXT_BAR_OPEN,
        reason="",
    )


def test_the_leads_record_follows_average_prices_and_is_labelled_artefact(made):
    episodes = [
        made.episode(opened_h=0, closed_h=1, entry="100", exit_price="110"),
        made.episode(opened_h=2, closed_h=3, entry="100", exit_price="95", side=Side.SHORT),
        made.episode(opened_h=4, closed_h=5, entry="100", exit_price="99"),
    ]
    found = lead_record(episodes, notional_usdt=50)
    assert found.label == "artefact_price"
    assert (found.episodes_count, found.winners_count) == (3, 2)
    assert found.gross_pnl_usdt == pytest.approx(50 * (0.10 + 0.05 - 0.01))


def followed(made, episode):
    trip = made.trip(pnl=4, entered_h=1.1, exited_h=5.1, name=episode.episode_id)
    return replace(
        trip,
        fills=(
            fill(made, IntentKind.OPEN, price=102, quantity=1, buys=True, hour=1.1),
            fill(made, IntentKind.CLOSE, price=106, quantity=1, buys=False, hour=5.1),
        ),
    )


def test_a_follower_repriced_at_the_leads_prices_gains_what_the_delay_cost(made):
    """Lead 100 -> 110, ours 102 -> 106: at lead prices 2 better on the way in and 4 on the way out."""
    episode = made.episode(opened_h=1, closed_h=5, entry="100", exit_price="110")
    found = artefact_result(
        made.result([followed(made, episode)]), [episode], {made.market: made.instrument()}, SignalMode.FOLLOW_OPEN
    )
    assert found.net_pnl_usdt == pytest.approx(10)
    assert found.fills_compared_count == 2
    assert found.price_gap_bps_mean == pytest.approx((2 / 100 + 4 / 110) / 2 * 10_000)


def test_an_exit_of_our_own_before_the_lead_closed_keeps_its_price(made):
    episode = made.episode(opened_h=1, closed_h=9, entry="100", exit_price="110")
    found = artefact_result(
        made.result([followed(made, episode)]), [episode], {made.market: made.instrument()}, SignalMode.FOLLOW_OPEN
    )
    assert found.net_pnl_usdt == pytest.approx(6)


def test_a_contrarian_is_repriced_at_the_leads_close_and_only_on_entry(made):
    episode = made.episode(opened_h=0, closed_h=1, entry="90", exit_price="101", side=Side.SHORT)
    found = artefact_result(
        made.result([followed(made, episode)]),
        [episode],
        {made.market: made.instrument()},
        SignalMode.CONTRARIAN_ON_CLOSE,
    )
    assert found.net_pnl_usdt == pytest.approx(5)
    assert found.fills_compared_count == 1


def test_buy_and_hold_pays_costs_twice_and_shows_its_drawdown(made):
    series = made.bars([100, 100, 120, 90, 110])
    found = buy_and_hold(series, start_ms=made.start_ms, end_ms=series.end_ms, costs=COSTS, initial_equity=1000 * 10**8)
    assert found is not None
    assert found.net_ratio == pytest.approx(1.1 * 0.999 - 1.001)
    assert found.net_pnl_usdt == pytest.approx(1000 * found.net_ratio)
    assert found.max_drawdown_ratio == pytest.approx(0.25)


def test_buy_and_hold_outside_the_bars_is_absent(made):
    series = made.bars([100, 101])
    late = series.end_ms + HOUR_MS
    assert buy_and_hold(series, start_ms=late, end_ms=late * 2, costs=COSTS, initial_equity=10**11) is None
