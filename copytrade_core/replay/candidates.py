"""From policies to rows of integers that the fast engine reads. Nothing is decided here and nothing is rounded anew.

Level ratios and shares come from `strategies/dca_ladder.py`, the ladder's one home.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from copytrade_core.model.bar import Int32s, Int64s
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.policy import AddMode, Anchor, PolicySpec, SizingRule
from copytrade_core.model.side import Side, SideFilter
from copytrade_core.model.units import LEVEL_SCALE, NOTIONAL_MAX, share
from copytrade_core.replay.signals import source_of
from copytrade_core.strategies.dca_ladder import level_ratios, share_of_legs

RUNGS_MAX = 8
SHARE_MAX = 2**47
"""Largest numerator or denominator of a share of the target, so that products of the kernel stay in int64."""
RATIO_MAX = 2**31 - 1
"""Largest level ratio in 1e-9: a short's ladder may reach 2.1 times its anchor."""

CANDIDATE_COLUMNS = (
    "source",
    "sizing",
    "target",
    "denominator",
    "headroom",
    "age_ms_max",
    "drift_ppm_max",
    "side",
    "rungs",
    "is_min_order",
    "from_source_entry",
    "take_profit",
    "stop_loss",
    "callback",
    "ttl_ms",
    "failures_max",
    "cooldown_ms",
    "base",
    *(f"share{number}" for number in range(1, RUNGS_MAX + 1)),
)
"""Columns of a candidate row. `base` and `share…` are money when `denominator` is 0 (a fixed target), else numerators
of shares of the target; rates and times are 0 when absent; `side` is 1 long only, -1 short only, 0 both; `sizing`
counts `SizingRule` in its order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """Policies as rows: `rows` int64 `(n, len(CANDIDATE_COLUMNS))`, `ratios` int32 `(n, 2 * RUNGS_MAX)`.

    Ratios are the levels of a long's ladder, then of a short's, 0 where there is none.
    """

    rows: Int64s
    ratios: Int32s

    def __len__(self) -> int:
        return len(self.rows)


def pack(policies: Sequence[PolicySpec]) -> Candidates:
    """The rows of these policies, in order.

    Raises:
        BadInput: a policy that the fast engine cannot express; names its row and field. The reference still can.
    """
    rows = np.zeros((len(policies), len(CANDIDATE_COLUMNS)), dtype=np.int64)
    ratios = np.zeros((len(policies), 2 * RUNGS_MAX), dtype=np.int32)
    for number, policy in enumerate(policies):
        rows[number], ratios[number] = _row(policy, number)
    return Candidates(rows=rows, ratios=ratios)


def alike(candidates: Candidates) -> Int64s:
    """An order in which candidates follow those that trade much alike: they find each other's bars in the cache."""
    names = ("stop_loss", "take_profit", "rungs", "ttl_ms", "source")  # the last decides first
    return np.lexsort([candidates.rows[:, CANDIDATE_COLUMNS.index(name)] for name in names]).astype(np.int64)


def _row(policy: PolicySpec, number: int) -> tuple[list[int], list[int]]:
    ladder, leave, sizing = policy.ladder, policy.exit, policy.sizing
    count = len(ladder.steps)
    _refuse(number, "ladder.steps", f"has more than {RUNGS_MAX} rungs", when=count > RUNGS_MAX)
    far = sizing.target_notional > NOTIONAL_MAX // 4
    _refuse(number, "sizing.target_notional", "is above 250,000", when=far)
    shares = share_of_legs(ladder)
    denominator, legs = _legs(policy, shares, number)
    levels = [*_levels(policy, Side.LONG, number), *_levels(policy, Side.SHORT, number)]
    row = [
        source_of(policy),
        list(SizingRule).index(sizing.rule),
        sizing.target_notional,
        denominator,
        sizing.headroom_ppm,
        policy.entry.signal_age_s_max * 1000,
        policy.entry.entry_drift_ppm_max,
        {SideFilter.BOTH: 0, SideFilter.LONG_ONLY: 1, SideFilter.SHORT_ONLY: -1}[policy.entry.side],
        count,
        int(ladder.add_mode is AddMode.MIN_ORDER),
        int(ladder.anchor is Anchor.SOURCE_ENTRY),
        leave.take_profit_ppm or 0,
        leave.stop_loss_ppm or 0,
        leave.trailing_callback_ppm or 0,
        (leave.ttl_s or 0) * 1000,
        policy.backoff.failures_max,
        policy.backoff.cooldown_s * 1000,
        *legs,
    ]
    return row, levels


def _legs(policy: PolicySpec, shares: Sequence[Fraction], number: int) -> tuple[int, list[int]]:
    """Money of each leg with denominator 0 where the target is fixed, else numerators over one denominator."""
    rest = [0] * (1 + RUNGS_MAX - len(shares))
    if policy.sizing.rule is SizingRule.FIXED:
        target = policy.sizing.target_notional
        return 0, [*(share(target, part.numerator, part.denominator) for part in shares), *rest]
    denominator = math.lcm(*(part.denominator for part in shares))
    _refuse(number, "ladder.weights", "are too fine a share of the target", when=denominator >= SHARE_MAX)
    return denominator, [*(part.numerator * (denominator // part.denominator) for part in shares), *rest]


def _levels(policy: PolicySpec, side: Side, number: int) -> list[int]:
    found = list(level_ratios(policy.ladder, side))
    _refuse(
        number, "ladder.steps", f"reach beyond {RATIO_MAX / LEVEL_SCALE:.2f} x", when=max(found, default=0) > RATIO_MAX
    )
    return found + [0] * (RUNGS_MAX - len(found))


def _refuse(number: int, field: str, what: str, *, when: bool) -> None:
    if when:
        raise BadInput(
            f"the fast engine cannot express candidate {number}: {field} {what}",
            where=Where(row=number, field=field),
            next_step="Replay it with the reference engine, or use a coarser ladder",
        )
