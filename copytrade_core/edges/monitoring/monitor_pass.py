"""One pass of the monitor: look, judge, keep, stop new orders when asked to, tell a person.

What is kept is kept before anybody is told, so that a message that fails, or a kill, loses nothing. A kill between a
message and its note sends it once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from copytrade_core.edges.monitoring.alerts import AlertChannel, NotTaken
from copytrade_core.edges.monitoring.incident_db import IncidentDb, MessageKind, PassRow
from copytrade_core.edges.monitoring.monitor_facts import MONITOR, check_directory, read_facts
from copytrade_core.edges.runtime.control_files import Control, set_control
from copytrade_core.edges.settings import Settings
from copytrade_core.edges.settings_monitor import delivery_settings, monitor_policy
from copytrade_core.model.errors import StoreFault
from copytrade_core.monitor.delivery import (
    WEEK_MS,
    Batch,
    DeliverySettings,
    Wait,
    delivered,
    due,
    failed,
    heartbeat_due,
)
from copytrade_core.monitor.facts import MonitorFacts, StatusFact
from copytrade_core.monitor.finding import Blind, Rule
from copytrade_core.monitor.incidents import Delivery, Incident, Stop, advance
from copytrade_core.monitor.message import body, heartbeat, title
from copytrade_core.monitor.rules import judge_all
from copytrade_core.monitor.thresholds import Policy

BASELINE, PROCESSED = "baseline", "processed"
NO_ADDRESS = "no alert address is set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What left, or would leave."""

    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPass:
    """What one pass did.

    `opened` and `resolved` changed in it, `active` is everything that is not over; `blind` are rules that could not be
    judged. `message` left (or would, in a dry run) unless `failure` says why not; `waits` says why nothing left.
    `stopped` is True when the pass wrote STOP_NEW_ORDERS.
    """

    at_ms: int
    session: str
    opened: tuple[Incident, ...]
    resolved: tuple[Incident, ...]
    active: tuple[Incident, ...]
    blind: tuple[Rule, ...]
    message: Message | None
    failure: str | None
    waits: Wait | None
    pending_count: int
    stopped: bool
    heartbeat_failure: str | None

    @property
    def unacknowledged(self) -> tuple[Incident, ...]:
        """What nobody has looked at yet, information excepted."""
        return tuple(each for each in self.active if needs_a_person(each))


def needs_a_person(incident: Incident) -> bool:
    """Whether an incident is open and more than information."""
    return incident.state.value == "open" and incident.severity.value != "info"


class Monitor:
    """Watches one runtime directory.

    Args:
        folder: the runtime directory.
        settings: thresholds, levels and how a person is told.
        alerts: where messages go; None keeps them until there is a channel.
        heartbeats: where the sign of life goes; None uses `alerts`.
        is_dry_run: works on a copy of the history: nothing is written, sent or stopped.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        *,
        alerts: AlertChannel | None,
        heartbeats: AlertChannel | None = None,
        is_dry_run: bool = False,
    ) -> None:
        self._folder = folder
        self._policy: Policy = monitor_policy(settings.monitor, settings.monitor_levels, settings.alerts)
        self._delivery: DeliverySettings = delivery_settings(settings.alerts)
        self._zone = ZoneInfo(settings.alerts.time_zone)
        self._alerts = alerts
        self._heartbeats = heartbeats or alerts
        self._is_dry_run = is_dry_run

    def look(self, *, now_ms: int, as_baseline: bool = False) -> MonitorPass:
        """One pass.

        Args:
            now_ms: our clock, epoch ms.
            as_baseline: everything that is there now is history: it is kept, and nobody is ever told of it.

        Raises:
            NotStored: there is no such runtime directory.
            StoreFault: the monitor's own history cannot be read or written, or another monitor holds it.
        """
        check_directory(self._folder)
        opening: Callable[[Path], IncidentDb] = IncidentDb.snapshot if self._is_dry_run else IncidentDb.open
        with opening(self._folder) as history:
            return self._look(history, now_ms, as_baseline=as_baseline)

    def _look(self, history: IncidentDb, now_ms: int, *, as_baseline: bool) -> MonitorPass:
        facts = read_facts(
            self._folder,
            now_ms=now_ms,
            baseline=history.watermark(BASELINE),
            processed=history.watermark(PROCESSED),
            looked_ms=history.last_pass_ms(),
        ).with_known_journal()
        if as_baseline:
            facts = replace(facts, baseline=facts.seen_by())
        result = self._judge(history, facts, as_baseline=as_baseline)
        stopped = self._stop(history, now_ms)
        sent = self._tell(history, result, now_ms)
        return replace(sent, stopped=stopped, heartbeat_failure=self._live(history, sent, now_ms))

    def _judge(self, history: IncidentDb, facts: MonitorFacts, *, as_baseline: bool) -> MonitorPass:
        judged = judge_all(facts, self._policy)
        blind = tuple(rule for rule, said in judged.items() if isinstance(said, Blind))
        before, number = history.active(), history.next_number()
        changed = advance(
            before,
            judged,
            policy=self._policy,
            now_ms=facts.now_ms,
            next_number=number,
            as_baseline=as_baseline,
        )
        opened = tuple(each for each in changed if each.number >= number)
        resolved = tuple(each for each in changed if not each.is_active)
        with history.transaction():
            history.put(changed)
            if as_baseline:
                history.put(_declared_seen(each) for each in history.pending())
            history.put_watermark(PROCESSED, facts.seen_by(), at_ms=facts.now_ms)
            if facts.baseline != history.watermark(BASELINE):
                history.put_watermark(BASELINE, facts.baseline, at_ms=facts.now_ms)
            active = history.active()
            history.add_pass(_pass_row(facts, opened, resolved, active, blind))
        return MonitorPass(
            at_ms=facts.now_ms,
            session=session_name(facts),
            opened=opened,
            resolved=resolved,
            active=active,
            blind=blind,
            message=None,
            failure=None,
            waits=None,
            pending_count=0,
            stopped=False,
            heartbeat_failure=None,
        )

    def _stop(self, history: IncidentDb, now_ms: int) -> bool:
        """Writes STOP_NEW_ORDERS once for each breach; one that cannot be written is wanted at the next pass too."""
        wanted = [each for each in history.active() if each.stop is Stop.WANTED]
        if not wanted:
            return False
        written = False
        if not self._is_dry_run:
            why = ", ".join(each.incident_id for each in wanted)
            try:
                written = set_control(self._folder, Control.STOP_NEW_ORDERS, who=MONITOR, why=why, at_ms=now_ms)
            except StoreFault:
                return False
        with history.transaction():
            history.put([replace(each, stop=Stop.WRITTEN) for each in wanted])
        return written

    def _tell(self, history: IncidentDb, result: MonitorPass, now_ms: int) -> MonitorPass:
        pending = history.pending()
        local = datetime.fromtimestamp(now_ms / 1000, tz=UTC).astimezone(self._zone)
        batch = due(
            pending,
            sent_ms=history.sent_ms(since_ms=now_ms - WEEK_MS),
            now_ms=now_ms,
            local_minute=local.hour * 60 + local.minute,
            settings=self._delivery,
        )
        if isinstance(batch, Wait):
            return replace(result, waits=batch, pending_count=len(pending))
        message = Message(title=title(batch, result.session), body=body(batch))
        if self._is_dry_run:
            return replace(result, message=message, pending_count=len(pending))
        if self._alerts is None:
            return replace(result, message=message, failure=NO_ADDRESS, pending_count=len(pending))
        answer = self._alerts.send(message.title, message.body)
        self._note(history, batch, answer, now_ms)
        left = len(pending) - (len(batch.incidents) if answer is None else 0)
        return replace(
            result,
            message=message,
            failure=None if answer is None else answer.why,
            pending_count=left,
            active=history.active(),
        )

    def _note(self, history: IncidentDb, batch: Batch, answer: NotTaken | None, now_ms: int) -> None:
        if answer is None:
            after = delivered(batch, now_ms=now_ms)
        else:
            after = failed(batch, answer.why, now_ms=now_ms, settings=self._delivery)
        with history.transaction():
            history.put(after)
            history.add_message(
                MessageKind.INCIDENTS,
                at_ms=now_ms,
                incidents_count=len(after),
                failure=None if answer is None else answer.why,
            )

    def _live(self, history: IncidentDb, result: MonitorPass, now_ms: int) -> str | None:
        """The sign of life; the next pass tries again when it fails."""
        last_ms = history.last_heartbeat_ms()
        if self._is_dry_run or not heartbeat_due(last_ms, now_ms=now_ms, settings=self._delivery):
            return None
        if self._heartbeats is None:
            return NO_ADDRESS
        answer = self._heartbeats.send(*heartbeat(result.active, result.session))
        why = None if answer is None else answer.why
        history.add_message(MessageKind.HEARTBEAT, at_ms=now_ms, incidents_count=len(result.active), failure=why)
        return why


def _declared_seen(incident: Incident) -> Incident:
    """Nobody is told of it any more; one whose beginning was told stays an incident that was heard."""
    if incident.delivery is Delivery.PENDING:
        return replace(incident, delivery=Delivery.NONE, over=Delivery.NONE, is_baseline=True)
    return replace(incident, over=Delivery.NONE)


def session_name(facts: MonitorFacts) -> str:
    """The session in a few words."""
    if not isinstance(facts.status, StatusFact):
        return "session unknown"
    words = facts.status.words
    return f"lead {words.lead}, {words.strategy}, {facts.status.mode} on {words.venue}"


def _pass_row(
    facts: MonitorFacts,
    opened: tuple[Incident, ...],
    resolved: tuple[Incident, ...],
    active: tuple[Incident, ...],
    blind: tuple[Rule, ...],
) -> PassRow:
    return PassRow(
        at_ms=facts.now_ms,
        run_id=facts.status.run_id if isinstance(facts.status, StatusFact) else None,
        opened_count=len(opened),
        resolved_count=len(resolved),
        active_count=len(active),
        blind_count=len(blind),
    )
