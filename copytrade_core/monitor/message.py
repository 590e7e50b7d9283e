"""What a person reads: incidents in plain words, the most urgent first. Sending it is not known here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from copytrade_core.monitor.delivery import Batch
from copytrade_core.monitor.finding import Severity
from copytrade_core.monitor.incidents import Delivery, Incident
from copytrade_core.monitor.rules import RULES

BODY_MAX = 3_000
"""Longest body, so that with its title it fits one message of Telegram's (4096 characters, escapes included)."""
OVER = "over"
TEXT_MAX = 240
"""Longest text of one incident that is taken from data."""


def title(batch: Batch, session: str) -> str:
    """`copytrade: 1 critical, 2 warning, 1 over (lead 475…, paper)`."""
    counts = Counter(OVER if is_end(each) else each.severity.value for each in batch.incidents)
    said = ", ".join(f"{counts[word]} {word}" for word in (*(each.value for each in Severity), OVER) if counts[word])
    return f"copytrade: {said} ({session})"


def is_end(incident: Incident) -> bool:
    """Whether what is told of an incident is that it is over: its beginning was told before."""
    return incident.over is Delivery.PENDING


def body(batch: Batch) -> str:
    """Each incident with its numbers and the first thing to do."""
    lines: list[str] = []
    length, rest = 0, len(batch.incidents)
    for each in batch.incidents:
        added = incident_lines(each)
        length += sum(len(escape(line)) + 1 for line in added)
        if lines and length > BODY_MAX:
            break
        lines += added
        rest -= 1
    if rest:
        lines.append(f"and {rest} more: `copytrade monitor DIR --once` lists all")
    if batch.is_last_of_week:
        lines.append("This was the last message of the weekly budget: until it frees, only critical ones are sent.")
    return "\n".join(lines)


def incident_lines(incident: Incident) -> list[str]:
    """One incident in two or three lines, its end in one."""
    if is_end(incident):
        ended_ms = incident.last_at_ms if incident.resolved_at_ms is None else incident.resolved_at_ms
        return [
            f"OVER {incident.incident_id} {_short(incident.subject)}: {utc(incident.first_at_ms)} to {utc(ended_ms)}"
        ]
    over = "" if incident.is_active else " (over by now)"
    lines = [f"{incident.severity.value.upper()} {incident.incident_id} {_short(incident.subject)}{over}"]
    numbers = ", ".join(f"{name} {value}" for name, value in incident.numbers)
    said = f"{_short(incident.what)}{f': {numbers}' if numbers else ''}"
    lines.append(f"  {said}, since {utc(incident.first_at_ms)}")
    if incident.severity is not Severity.INFO:
        lines.append(f"  do: {RULES[incident.rule].do}")
    return lines


def heartbeat(active: Sequence[Incident], session: str) -> tuple[str, str]:
    """Title and body of the message that says the monitor lives."""
    unheard = sum(each.failure is not None for each in active)
    said = f"{len(active)} active incidents" + (f", {unheard} not delivered yet" if unheard else "")
    return f"copytrade: the monitor lives ({session})", said


def utc(at_ms: int) -> str:
    """An instant for people: UTC to the second."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
