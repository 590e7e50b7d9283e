from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from copytrade_core.evidence.monthly import monthly_results


def test_a_trade_counts_in_the_month_it_ended_and_empty_months_are_shown(made):
    trips = [
        made.trip(pnl=10, entered_h=0, exited_h=24),
        made.trip(pnl=-4, entered_h=24 * 30, exited_h=24 * 31),
        made.trip(pnl=6, entered_h=24 * 30, exited_h=24 * 100),
    ]
    months = monthly_results(trips, 1000 * 10**8)
    assert [(month.year, month.month, month.trades_count, month.net_pnl_usdt) for month in months] == [
        (2026, 1, 1, 10.0),
        (2026, 2, 1, -4.0),
        (2026, 3, 0, 0.0),
        (2026, 4, 1, 6.0),
    ]
    assert months[0].net_ratio == 0.01


@given(hours=st.lists(st.integers(0, 24 * 800), max_size=20))
def test_months_add_up_to_the_whole(made, hours):
    trips = [made.trip(pnl=hour % 13 - 6, entered_h=hour, exited_h=hour + 1) for hour in hours]
    months = monthly_results(trips, 10**11)
    assert sum(month.trades_count for month in months) == len(trips)
    assert sum(month.net_pnl_usdt for month in months) == sum(hour % 13 - 6 for hour in hours)
