"""The table of rules: how urgent each is, whether it is a breach, and what a person does first.

Each rule is a pure function in `rules_session` or `rules_orders`; `docs/runbook.md` says the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from copytrade_core.monitor import rules_orders as orders
from copytrade_core.monitor import rules_session as session
from copytrade_core.monitor.facts import MonitorFacts
from copytrade_core.monitor.finding import Judged, Rule, Severity
from copytrade_core.monitor.thresholds import Level, Policy, Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInfo:
    """A rule. `is_breach`: money or truth is at stake, so new orders may be stopped; `do` is the first step."""

    severity: Severity
    is_breach: bool
    judge: Callable[[MonitorFacts, Thresholds], Judged]
    do: str


def _rule(
    severity: Severity, judge: Callable[[MonitorFacts, Thresholds], Judged], do: str, *, is_breach: bool = False
) -> RuleInfo:
    return RuleInfo(severity=severity, is_breach=is_breach, judge=judge, do=do)


_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

RULES: dict[Rule, RuleInfo] = {
    Rule.STATUS_MISSING: _rule(_CRITICAL, session.status_missing, "See whether the session's process lives"),
    Rule.STATUS_STALE: _rule(_CRITICAL, session.status_stale, "See whether the session's process hangs"),
    Rule.PROCESS_MISSING: _rule(_CRITICAL, session.process_missing, "Look at open positions, then start it again"),
    Rule.CONTROL_ACTIVE: _rule(_WARNING, session.control_active, "If you set it, acknowledge; otherwise ask who did"),
    Rule.EXCHANGE_MISMATCH: _rule(
        _CRITICAL, session.exchange_mismatch, "Stop the session: its directory is of another one", is_breach=True
    ),
    Rule.POSITION_MISMATCH: _rule(
        _CRITICAL, orders.position_mismatch, "Compare the venue's positions with the ledger", is_breach=True
    ),
    Rule.NOTIONAL_MISMATCH: _rule(
        _CRITICAL, orders.notional_mismatch, "Trust the ledger; stop new orders until both agree", is_breach=True
    ),
    Rule.UNKNOWN_ORDER: _rule(
        _CRITICAL, orders.unknown_order, "Look the order up at the venue by its id", is_breach=True
    ),
    Rule.REJECTED_CLUSTER: _rule(
        _CRITICAL, orders.rejected_cluster, "Read the reasons of the last rejects", is_breach=True
    ),
    Rule.REPEATED_ATTEMPTS: _rule(
        _CRITICAL, orders.repeated_attempts, "Read why the attempts failed; a close may be yours to do", is_breach=True
    ),
    Rule.MISSED_CLOSE: _rule(
        _CRITICAL, session.missed_close, "Close the position by hand if the session does not", is_breach=True
    ),
    Rule.DUPLICATE_ENTRY: _rule(
        _CRITICAL, orders.duplicate_entry, "Stop new orders and reduce to what was meant", is_breach=True
    ),
    Rule.SOURCE_STALE: _rule(_WARNING, session.source_stale, "See whether the lead's page answers"),
    Rule.SOURCE_HISTORY_MISMATCH: _rule(
        _WARNING, session.source_history_mismatch, "Compare the matched history row with the position"
    ),
    Rule.BACKOFF_ACTIVE: _rule(_WARNING, session.backoff_active, "Read what was rejected, then acknowledge"),
    Rule.SLIPPAGE_BREACH: _rule(
        _CRITICAL, orders.slippage_breach, "Stop new orders in this market and look at its quotes", is_breach=True
    ),
    Rule.LOSS_LIMIT_NEAR: _rule(_WARNING, session.loss_limit_near, "Decide whether to stop before the limit does"),
    Rule.LOSS_LIMIT_HIT: _rule(
        _CRITICAL, session.loss_limit_hit, "Nothing opens until midnight UTC; look at what is open", is_breach=True
    ),
    Rule.DEADLINE_NEAR: _rule(_WARNING, session.deadline_near, "Close the positions or extend the session"),
    Rule.ORDER_FILLED: _rule(_INFO, orders.order_filled, "Nothing; it is information"),
    Rule.JOURNAL_UNREADABLE: _rule(
        _CRITICAL,
        session.journal_unreadable,
        "Stop the session and copy its directory before anything else",
        is_breach=True,
    ),
    Rule.SESSION_ALERT: _rule(_CRITICAL, orders.session_alert, "Look the alert's kind up in the runbook"),
    Rule.SESSION_FAILED: _rule(_CRITICAL, session.session_failed, "Look at open positions, then at the last error"),
}
"""Every rule; a rule without an entry fails a test."""


def judge_all(facts: MonitorFacts, policy: Policy) -> Mapping[Rule, Judged]:
    """What every rule says; a rule that is off finds nothing."""
    return {
        rule: () if policy.levels[rule] is Level.OFF else info.judge(facts, policy.thresholds)
        for rule, info in RULES.items()
    }
