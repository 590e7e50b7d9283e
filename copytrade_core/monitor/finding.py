"""What a rule says: which rule, about what, with which numbers. When a rule fires is decided in the rules."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """Every rule, in the order of the specification; the last three are ours (docs/runbook.md)."""

    STATUS_MISSING = "status_missing"
    STATUS_STALE = "status_stale"
    PROCESS_MISSING = "process_missing"
    CONTROL_ACTIVE = "control_active"
    EXCHANGE_MISMATCH = "exchange_mismatch"
    POSITION_MISMATCH = "position_mismatch"
    NOTIONAL_MISMATCH = "notional_mismatch"
    UNKNOWN_ORDER = "unknown_order"
    REJECTED_CLUSTER = "rejected_cluster"
    REPEATED_ATTEMPTS = "repeated_attempts"
    MISSED_CLOSE = "missed_close"
    DUPLICATE_ENTRY = "duplicate_entry"
    SOURCE_STALE = "source_stale"
    SOURCE_HISTORY_MISMATCH = "source_history_mismatch"
    BACKOFF_ACTIVE = "backoff_active"
    SLIPPAGE_BREACH = "slippage_breach"
    LOSS_LIMIT_NEAR = "loss_limit_near"
    LOSS_LIMIT_HIT = "loss_limit_hit"
    DEADLINE_NEAR = "deadline_near"
    ORDER_FILLED = "order_filled"
    JOURNAL_UNREADABLE = "journal_unreadable"
    SESSION_ALERT = "session_alert"
    SESSION_FAILED = "session_failed"


class Severity(StrEnum):
    """How urgent it is; `rank` orders them, the most urgent first."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Severity).index(self)


Number = tuple[str, str]
"""A name with its unit as suffix, and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong now, or that happened; rule and subject together name the incident."""

    rule: Rule
    subject: str
    what: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Blind:
    """A rule that cannot be judged now, because what it reads cannot be read: nothing opens and nothing resolves."""


Judged = tuple[Finding, ...] | Blind
