"""Rules about orders, fills and holdings, as the journal's typed columns have them."""

from __future__ import annotations

from collections import defaultdict

from copytrade_core.model.alert import AlertKind
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.units import money_to_decimal
from copytrade_core.monitor.facts import AlertFact, JournalFact, MonitorFacts, OrderFact, StatusFact, Unreadable
from copytrade_core.monitor.finding import Blind, Finding, Judged, Rule
from copytrade_core.monitor.rules_session import is_long_over, is_recent
from copytrade_core.monitor.thresholds import Thresholds

RULE_OF_ALERT: dict[AlertKind, Rule] = {
    AlertKind.UNRESOLVED_ORDER: Rule.UNKNOWN_ORDER,
    AlertKind.UNKNOWN_AGE: Rule.UNKNOWN_ORDER,
    AlertKind.LEDGER_MISMATCH: Rule.POSITION_MISMATCH,
    AlertKind.UNEXPLAINED_POSITION: Rule.POSITION_MISMATCH,
    AlertKind.FOREIGN_POSITION: Rule.POSITION_MISMATCH,
    AlertKind.SLIPPAGE: Rule.SLIPPAGE_BREACH,
}
"""Alerts of the session that a rule of ours already speaks of; the others are `session_alert`."""
CASH = "cash"
"""Subject of the one finding that is of no episode."""
ROUNDED_PART = 10_000
_FAILED = (OrderState.REJECTED, OrderState.NOT_PLACED)
_TRIED = (IntentKind.OPEN, IntentKind.CLOSE)


def position_mismatch(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """Ledger and venue differ: what the session's own reconciliation raised."""
    return _alerts(facts, bounds, Rule.POSITION_MISMATCH)


def session_alert(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """An alert that the session raised and no other rule speaks of."""
    return _alerts(facts, bounds, Rule.SESSION_ALERT)


def notional_mismatch(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """Ledger and status differ in what an episode cost, or in cash; only comparable when the status is the younger."""
    status, journal = facts.status, facts.journal
    if isinstance(status, Unreadable) or isinstance(journal, Unreadable):
        return Blind()
    if journal is None:
        return ()
    if journal.state_ms is not None and journal.state_ms > status.written_ms:
        return () if status.ended is not None else Blind()
    shown = {each.episode_id: each.cost for each in status.positions}
    held = {each.episode_id: each.cost for each in journal.holdings}
    found: list[Finding] = []
    if journal.cash is not None and abs(journal.cash - status.cash) > bounds.notional_tolerance:
        found.append(_differ(CASH, "ledger and status differ in cash", journal.cash, status.cash))
    for episode_id in sorted(shown.keys() | held.keys()):
        ours, theirs = held.get(episode_id, 0), shown.get(episode_id, 0)
        # The status rounds an entry price to one tick, which matters only where a position is large.
        if abs(ours - theirs) > bounds.notional_tolerance + ours // ROUNDED_PART:
            found.append(_differ(episode_id, "ledger and status differ", ours, theirs))
    return tuple(found)


def _differ(subject: str, what: str, ours: int, theirs: int) -> Finding:
    numbers = (("ledger_usdt", f"{money_to_decimal(ours):f}"), ("status_usdt", f"{money_to_decimal(theirs):f}"))
    return Finding(rule=Rule.NOTIONAL_MISMATCH, subject=subject, what=what, numbers=numbers)


def unknown_order(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """An order has been unknown for longer than the resolve procedure may take."""
    if isinstance(facts.journal, JournalFact):
        since = {
            each.client_order_id: (each.market, each.sent_ms)
            for each in facts.journal.orders
            if each.state.is_unresolved and each.sent_ms is not None
        }
    elif isinstance(facts.status, StatusFact):
        since = {each.client_order_id: (each.market, each.since_ms) for each in facts.status.unknown_orders}
    else:
        return Blind()
    found: list[Finding] = []
    for order_id, (market, since_ms) in since.items():
        age_s = (facts.session_now_ms - since_ms) / 1000
        if age_s > bounds.unknown_order_s_max:
            numbers = (("age_s", f"{age_s:.0f}"), ("limit_s", f"{bounds.unknown_order_s_max:.0f}"))
            what = f"{market}: nobody knows what became of it"
            found.append(Finding(rule=Rule.UNKNOWN_ORDER, subject=order_id, what=what, numbers=numbers))
    return tuple(found)


def rejected_cluster(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """Many rejects within the window, whenever that was if no pass has looked since."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None:
        return ()
    rejects = [each for each in facts.journal.rejects if each.number > facts.baseline.rejects]
    window_ms = bounds.rejects_window_s * 1000
    most, count = 0, bounds.rejects_count_max
    for first, last in zip(rejects, rejects[count - 1 :], strict=False):
        is_live = last.number > facts.processed.rejects or facts.session_now_ms - last.at_ms <= window_ms
        if is_live and abs(last.at_ms - first.at_ms) <= window_ms:
            most = sum(abs(last.at_ms - each.at_ms) <= window_ms for each in rejects if each.number <= last.number)
    if not most:
        return ()
    numbers = (("rejects_count", str(most)), ("window_s", f"{bounds.rejects_window_s:.0f}"))
    return (
        Finding(rule=Rule.REJECTED_CLUSTER, subject="venue", what="the venue says no again and again", numbers=numbers),
    )


def repeated_attempts(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """One wish to open or close was tried again and again; counts attempts that failed, and the one after them."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None:
        return ()
    tries: defaultdict[tuple[str, str, str], list[OrderFact]] = defaultdict(list)
    for each in facts.journal.orders:
        if each.kind in _TRIED and each.sent_ms is not None:
            tries[each.episode_id, each.kind.value, each.leg].append(each)
    found: list[Finding] = []
    for (episode_id, kind, leg), orders in tries.items():
        failed = sum(each.state in _FAILED and not each.filled for each in orders)
        last = orders[-1]
        count = failed + (last.state not in _FAILED)
        is_live = last.number > facts.processed.orders or is_recent(facts, last.changed_ms, bounds)
        if failed and count >= bounds.attempts_count_max and last.number > facts.baseline.orders and is_live:
            what = f"{last.market}: {kind} of leg {leg} was tried again and again"
            numbers = (("attempts_count", str(count)), ("failed_count", str(failed)))
            subject = f"{episode_id} {kind} {leg}"
            found.append(Finding(rule=Rule.REPEATED_ATTEMPTS, subject=subject, what=what, numbers=numbers))
    return tuple(found)


def duplicate_entry(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """More than one open of an episode has filled; told as long as it is held, and at least for the window."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None:
        return ()
    opens: defaultdict[str, dict[str, int]] = defaultdict(dict)
    last_ms: dict[str, int] = {}
    for each in facts.journal.fills:
        if each.kind is IntentKind.OPEN:
            # The first fill of each order is when a second open began.
            _ = opens[each.episode_id].setdefault(each.client_order_id, each.number)
            last_ms[each.episode_id] = each.at_ms
    is_over = is_long_over(facts, bounds)
    held = {each.episode_id for each in facts.journal.holdings if not is_over}
    found: list[Finding] = []
    for episode_id, orders in opens.items():
        second = max(orders.values())
        is_live = second > facts.processed.fills or episode_id in held or is_recent(facts, last_ms[episode_id], bounds)
        if len(orders) > 1 and second > facts.baseline.fills and is_live:
            numbers = (("filled_opens_count", str(len(orders))),)
            what = "more than one open has filled"
            found.append(Finding(rule=Rule.DUPLICATE_ENTRY, subject=episode_id, what=what, numbers=numbers))
    return tuple(found)


def slippage_breach(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """A fill was worse than allowed; the worst of each market."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    raised = _alerts(facts, bounds, Rule.SLIPPAGE_BREACH)
    assert not isinstance(raised, Blind), "the journal was read"
    if facts.journal is None:
        return ()
    worst: dict[str, float] = {}
    for each in facts.journal.slippages or ():
        is_live = each.number > facts.processed.slippages or is_recent(facts, each.at_ms, bounds)
        if each.signed_bps > bounds.slippage_bps_max and each.number > facts.baseline.slippages and is_live:
            worst[each.market] = max(each.signed_bps, worst.get(each.market, each.signed_bps))
    measured = tuple(
        Finding(
            rule=Rule.SLIPPAGE_BREACH,
            subject=market,
            what="a fill was worse than allowed",
            numbers=(("worst_bps", f"{bps:.2f}"), ("limit_bps", f"{bounds.slippage_bps_max:.2f}")),
        )
        for market, bps in worst.items()
    )
    return (*measured, *(each for each in raised if each.subject not in worst))


def order_filled(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """Information: an order of ours has filled."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None:
        return ()
    filled: dict[str, Finding] = {}
    for each in facts.journal.fills:
        is_live = each.number > facts.processed.fills or is_recent(facts, each.at_ms, bounds)
        if each.number > facts.baseline.fills and is_live:
            filled[each.client_order_id] = Finding(
                rule=Rule.ORDER_FILLED,
                subject=each.client_order_id,
                what=f"{each.kind} {each.side} {each.market}: {each.said}",
                numbers=(),
            )
    return tuple(filled.values())


def _alerts(facts: MonitorFacts, bounds: Thresholds, rule: Rule) -> Judged:
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None:
        return ()
    found: dict[str, Finding] = {}
    for each in facts.journal.alerts:
        is_live = each.number > facts.processed.alerts or is_recent(facts, each.at_ms, bounds)
        if rule_of(each) is rule and each.number > facts.baseline.alerts and is_live:
            subject = f"{each.kind} {each.subject}" if rule is Rule.SESSION_ALERT else each.subject
            found[subject] = Finding(rule=rule, subject=subject, what=f"{each.kind}: {each.what}", numbers=())
    return tuple(found.values())


def rule_of(alert: AlertFact) -> Rule:
    """The rule that speaks of an alert; a kind that this version does not know is told as it is."""
    try:
        return RULE_OF_ALERT.get(AlertKind(alert.kind), Rule.SESSION_ALERT)
    except ValueError:
        return Rule.SESSION_ALERT
