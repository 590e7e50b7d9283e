"""A session's record that is clean, to be spoiled: what tests of its checks stand on."""

from __future__ import annotations

from dataclasses import replace

from copytrade_core.model.session_record import AccountTold, SessionFill, SessionOrder, SessionRecord
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps

E8 = 100_000_000
START = 1_777_593_600_000
MINUTE = 60_000
CAPS = {
    "notional_gross_max": 30 * E8,
    "notional_one_side_max": 30 * E8,
    "daily_loss_max": 5 * E8,
    "orders_per_hour_max": 2,
    "entry_drift_ppm_max": 10_000,
}


def order(number, *, is_entry=True, sent=0, episode="e1", side=Side.LONG):
    return SessionOrder(
        client_order_id=f"ct-{number}",
        intent_digest=f"{number:064d}",
        episode_id=episode,
        market="BTC/USDT:USDT",
        side=side,
        leg="base",
        is_entry=is_entry,
        planned_at_ms=START + sent,
        sent_at_ms=START + sent,
        state="filled",
    )


def fill(number, notional, *, is_entry=True, at=0, quantity=100, episode="e1", side=Side.LONG, fee=0.01):
    return SessionFill(
        client_order_id=f"ct-{number}",
        episode_id=episode,
        market="BTC/USDT:USDT",
        side=side,
        is_entry=is_entry,
        at_ms=START + at,
        quantity=Steps(quantity),
        notional=Money(round(notional * E8)),
        fee=Money(round(fee * E8)),
    )


def record(**changes) -> SessionRecord:
    """Bought for 20, half sold for 11, the rest for 9.5: 0.5 won, 0.03 fees, 0.02 funding."""
    clean = SessionRecord(
        lead="1",
        strategy="s",
        policy_digest="a" * 64,
        venue="paper",
        account="p",
        mode="paper",
        day="2026-05-01",
        code_version="c",
        run_ids=("r",),
        is_observed=True,
        started_at_ms=START,
        ended_at_ms=START + 100 * MINUTE,
        ended="deadline",
        last_error=None,
        caps=CAPS,
        initial_equity=Money(30 * E8),
        cash=Money(round(30.45 * E8)),
        equity=Money(round(30.45 * E8)),
        funding=Money(round(0.02 * E8)),
        held={},
        written_off=(),
        polls_count=100,
        failed_polls_count=0,
        orders=(order(1), order(2, is_entry=False, sent=MINUTE), order(3, is_entry=False, sent=2 * MINUTE)),
        fills=(
            fill(1, 20),
            fill(2, 11, is_entry=False, at=MINUTE, quantity=50),
            fill(3, 9.5, is_entry=False, at=2 * MINUTE, quantity=50),
        ),
        fill_ids=("f1", "f2", "f3"),
        halts=(),
        alerts=(),
        unknown_orders=(),
        refused={},
        close_wished_ms={},
        account_told=AccountTold(
            initial=Money(30 * E8),
            cash=Money(round(30.45 * E8)),
            equity=Money(round(30.45 * E8)),
            fees=Money(round(0.03 * E8)),
            funding=Money(round(0.02 * E8)),
            positions=(),
            trade_ids=("f1", "f2", "f3"),
        ),
    )
    return replace(clean, **changes)
