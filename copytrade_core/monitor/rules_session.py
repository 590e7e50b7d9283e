"""Rules about the session itself: its status, process, controls, limits, deadline and source."""

from __future__ import annotations

from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.session_end import Ended
from copytrade_core.monitor.facts import JournalFact, MonitorFacts, SessionWords, StatusFact, Unreadable
from copytrade_core.monitor.finding import Blind, Finding, Judged, Rule
from copytrade_core.monitor.thresholds import Thresholds

SESSION = "session"
PAPER = "paper"
DAILY_LOSS = "daily_loss"
"""The limit of the status that the loss rules read, named as the risk room names it."""


def status_missing(facts: MonitorFacts, _: Thresholds) -> Judged:
    """No readable status, where a session ever began; of a run that failed before, `session_failed` tells."""
    if facts.journal is None and facts.failed_runs:
        return ()
    if isinstance(facts.status, Unreadable):
        return (_found(Rule.STATUS_MISSING, SESSION, facts.status.what),)
    return ()


def status_stale(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """The status is older than so many of its own intervals, or was written in the future."""
    status = facts.status
    if isinstance(status, Unreadable):
        return Blind()
    if status.ended is not None:
        return ()
    age_s = (facts.now_ms - status.wall_ms) / 1000
    limit_s = min(bounds.status_intervals_max * status.interval_s, bounds.status_age_s_max)
    if -limit_s <= age_s <= limit_s:
        return ()
    what = "the status is old" if age_s > 0 else "the status was written in the future: a clock has gone backwards"
    return (_found(Rule.STATUS_STALE, SESSION, what, age_s=f"{age_s:.0f}", limit_s=f"{limit_s:.0f}"),)


def process_missing(facts: MonitorFacts, _: Thresholds) -> Judged:
    """The process that held the lease is gone while the session should still run."""
    status, process = facts.status, facts.process
    if isinstance(status, Unreadable) or process.is_alive is None:
        return Blind()
    is_over = status.ended is not None or (
        status.deadline_ms is not None and facts.session_now_ms >= status.deadline_ms
    )
    if is_over or process.is_alive:
        return ()
    what = "nobody holds the session's lease" if process.pid is None else "the session's process is gone"
    return (_found(Rule.PROCESS_MISSING, SESSION, what, pid=str(process.pid or status.pid)),)


def control_active(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """A control is set; those that an incident of ours has set are told with that incident."""
    if is_long_over(facts, bounds):
        return ()
    return tuple(
        _found(
            Rule.CONTROL_ACTIVE,
            each.name,
            f"it is set by {each.who or 'somebody'}: {each.why}" if each.why else "it is set, and nobody said why",
        )
        for each in facts.controls
        if not each.by_monitor
    )


def exchange_mismatch(facts: MonitorFacts, _: Thresholds) -> Judged:
    """A run of the journal, and with it its rows, is of another venue, account, lead, strategy or policy."""
    status, journal = facts.status, facts.journal
    if isinstance(status, Unreadable) or isinstance(journal, Unreadable):
        return Blind()
    if journal is None:
        return ()
    found = [
        _found(Rule.EXCHANGE_MISMATCH, f"{run.run_id} {name}", f"rows of another {name}", journal=theirs, status=ours)
        for run in journal.runs
        for name, theirs, ours in _pairs(run.words, status.words)
        if theirs != ours
    ]
    known = {run.run_id for run in journal.runs}
    if status.run_id not in known:
        found.append(_found(Rule.EXCHANGE_MISMATCH, f"{status.run_id} run", "the journal does not know this run"))
    return tuple(found)


def _pairs(theirs: SessionWords, ours: SessionWords) -> tuple[tuple[str, str, str], ...]:
    return (
        ("lead", theirs.lead, ours.lead),
        ("strategy", theirs.strategy, ours.strategy),
        ("policy_digest", theirs.policy_digest, ours.policy_digest),
        ("venue", theirs.venue, ours.venue),
        ("account", theirs.account, ours.account),
    )


def source_stale(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """No successful poll for too long."""
    status = facts.status
    if isinstance(status, Unreadable):
        return Blind()
    if status.ended is not None:
        return ()
    if status.source_age_s is None:
        age_s = (facts.session_now_ms - status.started_ms) / 1000
        what = "the source has never answered"
    else:
        age_s = status.source_age_s + max(0, facts.session_now_ms - status.written_ms) / 1000
        what = "no successful poll of the source"
    if age_s <= bounds.source_age_s_max:
        return ()
    return (_found(Rule.SOURCE_STALE, ",".join(status.leads), what, age_s=f"{age_s:.0f}"),)


def source_history_mismatch(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """A close of the lead was matched with a history row whose entry deviates too much."""
    if isinstance(facts.journal, Unreadable):
        return Blind()
    if facts.journal is None or facts.journal.closes is None:
        return ()
    return tuple(
        _found(
            Rule.SOURCE_HISTORY_MISMATCH,
            each.episode_id,
            "the close was matched with a row that fits badly",
            entry_deviation_ratio=f"{each.deviation_ratio:.4f}",
            limit_ratio=f"{bounds.close_deviation_ratio_max:.4f}",
        )
        for each in facts.journal.closes
        if each.deviation_ratio is not None
        and each.deviation_ratio > bounds.close_deviation_ratio_max
        and each.number > facts.baseline.closes
        and (each.number > facts.processed.closes or is_recent(facts, each.at_ms, bounds))
    )


def backoff_active(facts: MonitorFacts, _: Thresholds) -> Judged:
    """The strategy holds back after rejections; reviewed means acknowledged."""
    status = facts.status
    if isinstance(status, Unreadable):
        return Blind()
    until_ms = status.backoff_until_ms
    if status.ended is not None or until_ms is None or facts.session_now_ms >= until_ms:
        return ()
    left_s = (until_ms - facts.session_now_ms) / 1000
    numbers = {"failures_count": str(status.backoff_failures), "left_s": f"{left_s:.0f}"}
    return (_found(Rule.BACKOFF_ACTIVE, status.words.strategy, "the strategy opens nothing for now", **numbers),)


def loss_limit_near(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """Most of the daily loss is used, but not all of it."""
    return _loss(facts, bounds, Rule.LOSS_LIMIT_NEAR, bounds.loss_near_ratio, below=1.0)


def loss_limit_hit(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """The daily loss is used up."""
    return _loss(facts, bounds, Rule.LOSS_LIMIT_HIT, 1.0, below=None)


def _loss(facts: MonitorFacts, bounds: Thresholds, rule: Rule, from_ratio: float, *, below: float | None) -> Judged:
    status = facts.status
    if isinstance(status, Unreadable):
        return Blind()
    if is_long_over(facts, bounds):
        return ()
    if any(each.name == DAILY_LOSS and each.value is None for each in status.limits):
        return Blind()
    found: list[Finding] = []
    for each in status.limits:
        if each.value is None:
            continue
        used = each.value >= from_ratio * each.limit and (below is None or each.value < below * each.limit)
        if each.name == DAILY_LOSS and used:
            numbers = {f"loss_{each.unit}": f"{each.value:g}", f"limit_{each.unit}": f"{each.limit:g}"}
            found.append(_found(rule, DAILY_LOSS, "today's loss against its limit", **numbers))
    return tuple(found)


def deadline_near(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """The session ends soon, or ended at its deadline, with positions open."""
    status = facts.status
    if isinstance(status, Unreadable):
        return Blind()
    if status.deadline_ms is None or not status.positions or status.ended not in (None, Ended.DEADLINE):
        return ()
    if status.ended is not None and status.mode == PAPER:
        # Nothing is at a venue; the next session goes on from this book.
        return ()
    left_s = (status.deadline_ms - facts.session_now_ms) / 1000
    if left_s > bounds.deadline_near_s and status.ended is None:
        return ()
    what = "the session ended with open positions" if status.ended else "the session ends with open positions"
    numbers = {"positions_count": str(len(status.positions)), "left_s": f"{left_s:.0f}"}
    return (_found(Rule.DEADLINE_NEAR, SESSION, what, **numbers),)


def journal_unreadable(facts: MonitorFacts, _: Thresholds) -> Judged:
    """The journal is damaged, gone, or of another version."""
    if isinstance(facts.journal, Unreadable):
        return (_found(Rule.JOURNAL_UNREADABLE, SESSION, facts.journal.what),)
    if facts.journal is None and isinstance(facts.status, StatusFact):
        return (_found(Rule.JOURNAL_UNREADABLE, SESSION, "there is a status and no journal"),)
    return ()


def session_failed(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """The session ended with an error, or a run of it failed without one, whenever that was if no pass has looked."""
    window_ms, looked_ms = bounds.event_window_s * 1000, facts.looked_ms or 0
    why = {
        each.run_id: each.why
        for each in facts.failed_runs
        if each.at_ms > looked_ms or facts.now_ms - each.at_ms <= window_ms
    }
    status = facts.status
    if isinstance(status, Unreadable) and not why:
        return Blind()
    if isinstance(status, StatusFact) and status.ended is Ended.ERROR:
        is_news = status.wall_ms > looked_ms or not is_long_over(facts, bounds)
        why |= {status.run_id: status.last_error or "it ended with an error"} if is_news else {}
    return tuple(_found(Rule.SESSION_FAILED, run_id, what) for run_id, what in why.items())


def missed_close(facts: MonitorFacts, bounds: Thresholds) -> Judged:
    """The lead has closed and we still hold."""
    status, journal = facts.status, facts.journal
    if isinstance(status, Unreadable) or isinstance(journal, Unreadable):
        return Blind()
    if is_long_over(facts, bounds):
        return ()
    found: list[Finding] = []
    for each in status.positions:
        closed_ms = None if journal is None else _closed_ms(journal, each.episode_id)
        if each.source_state is not EpisodeState.CLOSED and closed_ms is None:
            continue
        # A close that no row dates is taken to be as old as the session: better early than never.
        age_s = (facts.session_now_ms - (status.started_ms if closed_ms is None else closed_ms)) / 1000
        if age_s > bounds.missed_close_s_max:
            numbers = {"age_s": f"{age_s:.0f}", "limit_s": f"{bounds.missed_close_s_max:.0f}"}
            found.append(
                _found(Rule.MISSED_CLOSE, each.episode_id, f"{each.market}: the lead closed, we hold", **numbers)
            )
    return tuple(found)


def _closed_ms(journal: JournalFact, episode_id: str) -> int | None:
    seen = [each.at_ms for each in journal.closes or () if each.episode_id == episode_id]
    return min(seen) if seen else journal.close_wished_ms.get(episode_id)


def is_long_over(facts: MonitorFacts, bounds: Thresholds) -> bool:
    """Whether the session ended so long ago that only what it left wrong still matters."""
    status = facts.status
    if isinstance(status, Unreadable) or status.ended is None:
        return False
    return not is_recent(facts, status.written_ms, bounds)


def is_recent(facts: MonitorFacts, at_ms: int, bounds: Thresholds) -> bool:
    """Whether something that happened is young enough to keep its incident open."""
    return facts.session_now_ms - at_ms <= bounds.event_window_s * 1000


def _found(rule: Rule, subject: str, what: str, **numbers: str) -> Finding:
    return Finding(rule=rule, subject=subject, what=what, numbers=tuple(numbers.items()))
