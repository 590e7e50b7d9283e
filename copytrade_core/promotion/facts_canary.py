"""What the gates of canaries read: numbers about sessions, their parity with replay, shadow orders and incidents.

How they come out of runtime directories belongs to edges. What was about another policy or code, or read at other
addresses (`read_at`, None where nobody knows), counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from copytrade_core.model.read_at import ReadAt


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One bounded session. `key` is its partition (`2026-11-02|LEAD`).

    `is_observed`: it polled the lead while things happened; archived and reconstructed sessions did not, and never
    count. `ended` is None where it was killed or still runs. `broken` says which checks of the record did not hold,
    `alerts` what a person was to hear of, `unknown` orders of unknown fate. `failed_polls_count` polls told nothing.
    `close_delay_s` is the longest time from wanting a position closed to its last exit, or to the end while it is held.
    """

    key: str
    mode: str
    policy_digest: str
    code_version: str
    is_observed: bool
    started_at: datetime
    ended_at: datetime
    ended: str | None
    polls_count: int
    failed_polls_count: int
    entries_count: int
    exits_count: int
    broken: tuple[str, ...]
    alerts: tuple[str, ...]
    unknown: tuple[str, ...]
    close_delay_s: float
    read_at: ReadAt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityFacts:
    """What one paper session did against what replay does on the same inputs, per intent.

    `residual_bps_max` is the largest part of a difference that no cause explains (None: nothing compared),
    `difference_bps_mean` the mean difference, positive where paper was worse. `missed` names intents of one side only.
    """

    key: str
    policy_digest: str
    code_version: str
    is_observed: bool
    made_at: datetime
    compared_count: int
    residual_bps_max: float | None
    difference_bps_mean: float | None
    missed: tuple[str, ...]
    read_at: ReadAt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFacts:
    """One shadow session: orders it would have sent, those that the venue would not take, what the probe refused."""

    key: str
    venue: str
    policy_digest: str
    code_version: str
    is_observed: bool
    made_at: datetime
    orders_count: int
    invalid: tuple[str, ...]
    probe_faults: tuple[str, ...]
    read_at: ReadAt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """What the monitor has found about the lead's sessions.

    `looked_at` is its newest pass, `passes_count` how many there were; `critical` names incidents of that severity
    since the sessions began, `active` those that are not over, `unheard` those of which nobody could be told.
    """

    looked_at: datetime | None
    passes_count: int
    critical: tuple[str, ...]
    active: tuple[str, ...]
    unheard: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFacts:
    """Everything known of one lead's canaries, and of which policy, code and venue they must be to count.

    `read_at` is where the settings point today, the venue of shadow sessions included.
    """

    lead_id: str
    venue: str
    policy_digest: str
    code_version: str
    read_at: ReadAt
    sessions: tuple[SessionFacts, ...]
    parities: tuple[ParityFacts, ...]
    shadows: tuple[ShadowFacts, ...]
    incidents: IncidentFacts | None

    @property
    def without_clock(self) -> CanaryFacts:
        """What is evidence of it: how lately and how often the monitor looked is asked again whenever a gate is."""
        if self.incidents is None:
            return self
        return replace(self, incidents=replace(self.incidents, looked_at=None, passes_count=0))
