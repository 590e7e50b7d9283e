"""Policies that make a session do all it can do, in minutes: ladders, stops, trailing, time-to-live, a long brake.

They are drills: nobody trades them, and a lead's own policies are drilled beside them.
"""

from __future__ import annotations

from fractions import Fraction

from copytrade_core.model.policy import (
    AddMode,
    Anchor,
    BackoffSpec,
    EntryRules,
    ExitFamily,
    ExitSpec,
    LadderSpec,
    PolicySpec,
    SignalMode,
    SizingRule,
    SizingSpec,
)
from copytrade_core.model.side import SideFilter
from copytrade_core.model.units import MONEY_SCALE, Money, Ppm

_ENTRY = EntryRules(side=SideFilter.BOTH, signal_age_s_max=900, entry_drift_ppm_max=Ppm(20_000))
_SIZING = SizingSpec(rule=SizingRule.FIXED, target_notional=Money(300 * MONEY_SCALE), headroom_ppm=Ppm(5_000))
_SHORT_BRAKE = BackoffSpec(failures_max=3, cooldown_s=60)
_LONG_BRAKE = BackoffSpec(failures_max=1, cooldown_s=7_200)
"""Longer than any drill: an exit that waits for it never leaves."""


def _ladder(*steps: str) -> LadderSpec:
    return LadderSpec(
        name=f"drill_{len(steps)}",
        base_share=Fraction("0.4"),
        steps=tuple(Fraction(step) for step in steps),
        weights=tuple(Fraction(1) for _ in steps),
        add_mode=AddMode.MULTIPLIER,
        anchor=Anchor.OWN_FILL,
    )


def _exit(
    family: ExitFamily, *, profit: int | None, stop: int | None, trailing: int | None, ttl_s: int | None
) -> ExitSpec:
    return ExitSpec(
        family=family,
        take_profit_ppm=None if profit is None else Ppm(profit),
        stop_loss_ppm=None if stop is None else Ppm(stop),
        trailing_callback_ppm=None if trailing is None else Ppm(trailing),
        ttl_s=ttl_s,
    )


def _policy(ladder: LadderSpec, leave: ExitSpec, brake: BackoffSpec) -> PolicySpec:
    return PolicySpec(
        signal=SignalMode.FOLLOW_OPEN, entry=_ENTRY, ladder=ladder, exit=leave, sizing=_SIZING, backoff=brake
    )


FOLLOW_LADDER = _policy(
    _ladder("0.004", "0.006"),
    _exit(ExitFamily.SOURCE_CLOSE_FOLLOWS, profit=None, stop=None, trailing=None, ttl_s=None),
    _SHORT_BRAKE,
)
FOLLOW_BRAKED = _policy(
    _ladder("0.004", "0.006"),
    _exit(ExitFamily.SOURCE_CLOSE_FOLLOWS, profit=None, stop=None, trailing=None, ttl_s=None),
    _LONG_BRAKE,
)
FOLLOW_PROTECTED = _policy(
    _ladder("0.005", "0.007"),
    _exit(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=12_000, stop=18_000, trailing=None, ttl_s=1_200),
    _SHORT_BRAKE,
)
TRAILED = _policy(
    _ladder("0.005"),
    _exit(ExitFamily.SOURCE_CLOSE_THEN_AUTONOMOUS, profit=6_000, stop=15_000, trailing=3_000, ttl_s=1_500),
    _SHORT_BRAKE,
)
DRILL_POLICIES = (FOLLOW_LADDER, FOLLOW_BRAKED, FOLLOW_PROTECTED, TRAILED)
