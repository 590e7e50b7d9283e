"""The monitor's sections of the configuration: thresholds, levels per rule, and how a person is told.

What the values do belongs to `monitor`; addresses of alert services are secrets and never stand here.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from copytrade_core.edges.settings_url import checked_base_url
from copytrade_core.model.units import money_from_decimal
from copytrade_core.monitor.delivery import DeliverySettings, QuietHours
from copytrade_core.monitor.finding import Rule
from copytrade_core.monitor.thresholds import Level, Policy, Thresholds

Wait = Annotated[float, Field(ge=0, le=604_800)]
"""Seconds up to a week."""
PositiveWait = Annotated[float, Field(gt=0, le=604_800)]
Heard = Annotated[Level, Field(description="on: a person is told; silent: it is only recorded; off: it is not asked.")]
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class OnBreach(StrEnum):
    """What a new breach does besides calling a person."""

    STOP = "stop"
    NONE = "none"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class MonitorSection(_Section):
    """From when on a rule fires."""

    interval_s: PositiveWait = Field(description="Seconds between two passes of `copytrade monitor`.")
    status_intervals_max: int = Field(ge=1, le=100, description="A status may be so many of its own intervals old.")
    status_age_s_max: PositiveWait = Field(description="A status may never be older, whatever its interval.")
    notional_tolerance_usdt: Decimal = Field(ge=0, le=1000, description="Ledger and status may differ by so much.")
    unknown_order_s_max: PositiveWait = Field(description="An order may be unknown for so long.")
    rejects_count_max: int = Field(ge=1, le=1000, description="So many rejects in the window are a cluster.")
    rejects_window_s: PositiveWait = Field(description="Window in which rejects are counted.")
    attempts_count_max: int = Field(ge=2, le=1000, description="So many attempts of one open or close are too many.")
    missed_close_s_max: PositiveWait = Field(description="We may hold for so long after the lead has closed.")
    source_age_s_max: PositiveWait = Field(description="The last successful poll may be so old.")
    close_deviation_ratio_max: float = Field(
        ge=0, le=1, description="Entry of the history row that proves a close against the one seen: |row / seen - 1|."
    )
    slippage_bps_max: float = Field(ge=0, le=10_000, description="A fill may be so much worse than the price then.")
    loss_near_ratio: float = Field(gt=0, lt=1, description="From this part of the daily loss on it is near.")
    deadline_near_s: Wait = Field(description="So long before its deadline a session with positions is told of.")
    event_window_s: PositiveWait = Field(description="How long a fill, a reject or an alert keeps its incident open.")
    clear_s: Wait = Field(description="A fault must be absent for so long before its incident is over.")
    on_breach: OnBreach = Field(description="stop: a new breach writes STOP_NEW_ORDERS; none: it only tells.")


class AlertsSection(_Section):
    """How a person is told; the address is in COPYTRADE_ALERT_URL or the file that COPYTRADE_ALERT_URL_FILE names."""

    telegram_base_url: Annotated[str, AfterValidator(checked_base_url)] = Field(
        description="The Bot API that tgram:// speaks to; Telegram's own, or one you host."
    )
    timeout_s: Annotated[float, Field(gt=0, le=60)] = Field(description="Longest wait for a service, each way.")
    attempts_max: int = Field(ge=1, le=10, description="Tries of one message in one pass; then it waits.")
    retry_wait_s: Annotated[float, Field(ge=0, le=60)] = Field(description="First wait between tries of one pass.")
    backoff_initial_s: Wait = Field(description="First wait between passes for a message that failed; it doubles.")
    backoff_max_s: Wait = Field(description="Longest wait between passes for a message that failed.")
    message_interval_s: Wait = Field(description="Least time between two messages; meanwhile incidents are grouped.")
    messages_per_hour_max: int = Field(ge=1, le=1000, description="Messages an hour, critical ones excepted.")
    messages_per_week_max: int = Field(ge=1, le=10_000, description="Messages a week, critical ones excepted.")
    quiet_hours: str = Field(description="`22:00-07:00`: only critical messages leave then; empty: none.")
    time_zone: str = Field(description="Where quiet hours are meant: an IANA name, Europe/Berlin.")
    tells_resolved: bool = Field(description="Who was told of an incident is told, without hurry, that it is over.")
    heartbeat_interval_s: Wait = Field(description="So often the monitor says that it lives; 0: never.")

    @model_validator(mode="after")
    def _agrees(self) -> AlertsSection:
        if self.quiet_hours and _QUIET.fullmatch(self.quiet_hours) is None:
            raise ValueError("quiet_hours is HH:MM-HH:MM or empty")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"time_zone {self.time_zone!r} is no time zone that this machine knows") from error
        if self.backoff_initial_s > self.backoff_max_s:
            raise ValueError("backoff_initial_s is longer than backoff_max_s")
        if self.messages_per_hour_max > self.messages_per_week_max:
            raise ValueError("messages_per_hour_max is above messages_per_week_max")
        return self


class LevelsSection(_Section):
    """How each rule is heard; one key per rule, so that none is forgotten."""

    status_missing: Heard
    status_stale: Heard
    process_missing: Heard
    control_active: Heard
    exchange_mismatch: Heard
    position_mismatch: Heard
    notional_mismatch: Heard
    unknown_order: Heard
    rejected_cluster: Heard
    repeated_attempts: Heard
    missed_close: Heard
    duplicate_entry: Heard
    source_stale: Heard
    source_history_mismatch: Heard
    backoff_active: Heard
    slippage_breach: Heard
    loss_limit_near: Heard
    loss_limit_hit: Heard
    deadline_near: Heard
    order_filled: Heard
    journal_unreadable: Heard
    session_alert: Heard
    session_failed: Heard

    def of(self) -> dict[Rule, Level]:
        """The level of each rule."""
        return {rule: Level(getattr(self, rule.value)) for rule in Rule}


def monitor_policy(monitor: MonitorSection, levels: LevelsSection, alerts: AlertsSection) -> Policy:
    """Thresholds and levels as the rules take them."""
    return Policy(
        thresholds=Thresholds(
            status_intervals_max=monitor.status_intervals_max,
            status_age_s_max=monitor.status_age_s_max,
            notional_tolerance=money_from_decimal(monitor.notional_tolerance_usdt),
            unknown_order_s_max=monitor.unknown_order_s_max,
            rejects_count_max=monitor.rejects_count_max,
            rejects_window_s=monitor.rejects_window_s,
            attempts_count_max=monitor.attempts_count_max,
            missed_close_s_max=monitor.missed_close_s_max,
            source_age_s_max=monitor.source_age_s_max,
            close_deviation_ratio_max=monitor.close_deviation_ratio_max,
            slippage_bps_max=monitor.slippage_bps_max,
            loss_near_ratio=monitor.loss_near_ratio,
            deadline_near_s=monitor.deadline_near_s,
            event_window_s=monitor.event_window_s,
        ),
        levels=levels.of(),
        clear_s=monitor.clear_s,
        stops_on_breach=monitor.on_breach is OnBreach.STOP,
        tells_resolved=alerts.tells_resolved,
    )


def delivery_settings(alerts: AlertsSection) -> DeliverySettings:
    """How often a person may be called, as the room takes it."""
    found = _QUIET.fullmatch(alerts.quiet_hours)
    quiet = None
    if found is not None:
        from_hour, from_minute, to_hour, to_minute = (int(each) for each in found.groups())
        quiet = QuietHours(from_minute=from_hour * 60 + from_minute, to_minute=to_hour * 60 + to_minute)
    return DeliverySettings(
        message_interval_s=alerts.message_interval_s,
        messages_per_hour_max=alerts.messages_per_hour_max,
        messages_per_week_max=alerts.messages_per_week_max,
        backoff_initial_s=alerts.backoff_initial_s,
        backoff_max_s=alerts.backoff_max_s,
        quiet=quiet,
        heartbeat_interval_s=alerts.heartbeat_interval_s,
    )
