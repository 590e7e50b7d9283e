"""From when on a rule fires, and whether it is heard. The values live in `settings/copytrade.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.units import Money
from copytrade_core.monitor.finding import Rule


class Level(StrEnum):
    """How a rule is heard: delivered, only recorded, or not asked at all."""

    ON = "on"
    SILENT = "silent"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Bounds of the rules; seconds, counts, ratios, basis points, quote money.

    `event_window_s` is how long something that happened (a fill, a reject, an alert) keeps its incident open.
    """

    status_intervals_max: int
    status_age_s_max: float
    notional_tolerance: Money
    unknown_order_s_max: float
    rejects_count_max: int
    rejects_window_s: float
    attempts_count_max: int
    missed_close_s_max: float
    source_age_s_max: float
    close_deviation_ratio_max: float
    slippage_bps_max: float
    loss_near_ratio: float
    deadline_near_s: float
    event_window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a monitor does with what its rules find.

    `clear_s` is how long a fault must be absent before its incident is over; `stops_on_breach` whether a new breach
    writes STOP_NEW_ORDERS; `tells_resolved` whether who was told of an incident is told of its end.
    """

    thresholds: Thresholds
    levels: Mapping[Rule, Level]
    clear_s: float
    stops_on_breach: bool
    tells_resolved: bool
