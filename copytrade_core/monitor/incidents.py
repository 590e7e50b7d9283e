"""The life of an incident: open, acknowledged, resolved; heard once, and armed again when it is over.

What is wrong is found by the rules; when a message leaves is decided in `delivery`. Nothing here knows a clock: an
incident's times never run backwards, whatever the clock does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from copytrade_core.monitor.finding import Blind, Finding, Judged, Number, Rule, Severity
from copytrade_core.monitor.rules import RULES
from copytrade_core.monitor.thresholds import Level, Policy


class IncidentState(StrEnum):
    """Where an incident stands; the first two are active."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Delivery(StrEnum):
    """Whether a person has been told: nobody needs to be, it waits, or it left."""

    NONE = "none"
    PENDING = "pending"
    SENT = "sent"


class Stop(StrEnum):
    """Whether STOP_NEW_ORDERS is asked for by an incident: no, wanted, or written (once, and never again for it)."""

    NONE = "none"
    WANTED = "wanted"
    WRITTEN = "written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One incident. `count` is in how many passes it was seen; `absent_since_ms` from when on it was not.

    `is_baseline`: it was there when the history was declared as seen, so nobody is told. `over` is whether a person has
    been told that it ended; only who was told that it began is.
    """

    number: int
    rule: Rule
    subject: str
    severity: Severity
    state: IncidentState
    is_baseline: bool
    first_at_ms: int
    last_at_ms: int
    count: int
    what: str
    numbers: tuple[Number, ...]
    absent_since_ms: int | None
    acknowledged_at_ms: int | None
    acknowledged_by: str | None
    resolved_at_ms: int | None
    delivery: Delivery
    attempts_count: int
    next_attempt_ms: int
    sent_at_ms: int | None
    failure: str | None
    stop: Stop
    over: Delivery

    @property
    def waits(self) -> bool:
        """Whether a message about it has still to leave."""
        return Delivery.PENDING in (self.delivery, self.over)

    @property
    def incident_id(self) -> str:
        """What a person types: `unknown_order-17`."""
        return f"{self.rule}-{self.number}"

    @property
    def is_active(self) -> bool:
        """Whether it is not over."""
        return self.state is not IncidentState.RESOLVED

    @property
    def key(self) -> tuple[Rule, str]:
        """What makes two findings the same incident."""
        return self.rule, self.subject


def advance(
    active: Iterable[Incident],
    judged: Mapping[Rule, Judged],
    *,
    policy: Policy,
    now_ms: int,
    next_number: int,
    as_baseline: bool,
) -> tuple[Incident, ...]:
    """What changes when a pass has judged: incidents that opened, went on, or are over.

    Args:
        active: incidents that are not resolved, one per key.
        judged: what each rule said; a blind rule leaves its incidents as they are.
        policy: levels, and how long a fault must be absent.
        now_ms: our clock; may have gone backwards.
        next_number: number of the next new incident.
        as_baseline: everything found is history: nobody is told of it, ever.
    """
    known = {each.key: each for each in active}
    found = {
        (each.rule, each.subject): each for said in judged.values() if not isinstance(said, Blind) for each in said
    }
    blind = {rule for rule, said in judged.items() if isinstance(said, Blind)}
    changed: list[Incident] = []
    for key, finding in found.items():
        if key in known:
            changed.append(_again(known[key], finding, now_ms, as_baseline=as_baseline))
        else:
            number = next_number + sum(each.number >= next_number for each in changed)
            changed.append(_opened(finding, policy, now_ms, number, as_baseline=as_baseline))
    for key, incident in known.items():
        if key not in found and incident.rule not in blind:
            changed.append(_absent(incident, policy, now_ms))
    return tuple(changed)


def _opened(finding: Finding, policy: Policy, now_ms: int, number: int, *, as_baseline: bool) -> Incident:
    info = RULES[finding.rule]
    is_heard = policy.levels[finding.rule] is Level.ON and not as_baseline
    stops = policy.stops_on_breach and info.is_breach and is_heard
    return Incident(
        number=number,
        rule=finding.rule,
        subject=finding.subject,
        severity=info.severity,
        state=IncidentState.ACKNOWLEDGED if as_baseline else IncidentState.OPEN,
        is_baseline=as_baseline,
        first_at_ms=now_ms,
        last_at_ms=now_ms,
        count=1,
        what=finding.what,
        numbers=finding.numbers,
        absent_since_ms=None,
        acknowledged_at_ms=now_ms if as_baseline else None,
        acknowledged_by="baseline" if as_baseline else None,
        resolved_at_ms=None,
        delivery=Delivery.PENDING if is_heard else Delivery.NONE,
        attempts_count=0,
        next_attempt_ms=now_ms,
        sent_at_ms=None,
        failure=None,
        stop=Stop.WANTED if stops else Stop.NONE,
        over=Delivery.NONE,
    )


def _again(incident: Incident, finding: Finding, now_ms: int, *, as_baseline: bool) -> Incident:
    seen = replace(
        incident,
        last_at_ms=max(incident.last_at_ms, now_ms),
        count=incident.count + 1,
        what=finding.what,
        numbers=finding.numbers,
        absent_since_ms=None,
    )
    if not as_baseline:
        return seen
    return replace(acknowledged(seen, by="baseline", now_ms=now_ms), is_baseline=True)


def _absent(incident: Incident, policy: Policy, now_ms: int) -> Incident:
    since_ms = incident.absent_since_ms
    if since_ms is None or since_ms > now_ms:
        since_ms = now_ms
    waiting = replace(incident, absent_since_ms=since_ms)
    if now_ms - since_ms < policy.clear_s * 1000:
        return waiting
    at_ms = max(incident.last_at_ms, now_ms)
    # What a control was wanted for is over; a message that never left still leaves, and says so.
    stop = Stop.NONE if incident.stop is Stop.WANTED else incident.stop
    done = replace(waiting, state=IncidentState.RESOLVED, resolved_at_ms=at_ms, stop=stop)
    is_heard = policy.levels[incident.rule] is Level.ON and incident.severity is not Severity.INFO
    if not (policy.tells_resolved and is_heard and incident.delivery is Delivery.SENT):
        return done
    return replace(done, over=Delivery.PENDING, attempts_count=0, next_attempt_ms=now_ms)


def acknowledged(incident: Incident, *, by: str, now_ms: int) -> Incident:
    """The incident after a person has seen it: whatever had not left need not leave."""
    if incident.state is not IncidentState.OPEN:
        return incident
    at_ms = max(incident.first_at_ms, now_ms)
    delivery = Delivery.NONE if incident.delivery is Delivery.PENDING else incident.delivery
    stop = Stop.NONE if incident.stop is Stop.WANTED else incident.stop
    return replace(
        incident,
        state=IncidentState.ACKNOWLEDGED,
        acknowledged_at_ms=at_ms,
        acknowledged_by=by,
        delivery=delivery,
        stop=stop,
    )
