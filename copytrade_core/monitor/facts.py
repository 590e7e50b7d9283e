"""What one look at a runtime directory found: status, journal rows, process and controls, as typed values.

Reading them belongs to `edges`; what they mean is decided in the rules. Instants are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace

from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.order_row import OrderState
from copytrade_core.model.session_end import Ended
from copytrade_core.model.units import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Something that should say how the session is, and does not."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWords:
    """The words that every row and file of one session carries."""

    lead: str
    strategy: str
    policy_digest: str
    venue: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFact:
    """One open position of the status; `cost` is its quantity at its entry price."""

    episode_id: str
    market: str
    cost: Money
    source_state: EpisodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitFact:
    """A cap with what is used of it, both in `unit`; `value` is None while it is not known."""

    name: str
    value: float | None
    limit: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOrderFact:
    """An order of unknown fate, since when."""

    client_order_id: str
    market: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFact:
    """RUN_STATUS.json. `source_age_s` is as of `written_ms`.

    Instants are of the session's own clock, which is virtual where the feed is an archive; `wall_ms` is when it was
    written by the clock on the wall.
    """

    run_id: str
    leads: tuple[str, ...]
    words: SessionWords
    mode: str
    pid: int
    boot_id: str
    started_ms: int
    written_ms: int
    wall_ms: int
    interval_s: float
    deadline_ms: int | None
    ended: Ended | None
    cash: Money
    positions: tuple[PositionFact, ...]
    limits: tuple[LimitFact, ...]
    unknown_orders: tuple[UnknownOrderFact, ...]
    backoff_failures: int
    backoff_until_ms: int | None
    source_age_s: float | None
    last_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFact:
    """One start of a session, as the journal knows it."""

    run_id: str
    words: SessionWords


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFact:
    """One order; `number` is its place in the order of planning."""

    number: int
    client_order_id: str
    kind: IntentKind
    episode_id: str
    market: str
    leg: str
    state: OrderState
    filled: int
    sent_ms: int | None
    changed_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectFact:
    """A venue's no to one order."""

    number: int
    client_order_id: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFact:
    """One posted fill. `price` is in ticks, `quantity` in steps; `said` is both in the market's own units."""

    number: int
    client_order_id: str
    kind: IntentKind
    episode_id: str
    market: str
    side: str
    price: int
    quantity: int
    said: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SlippageFact:
    """How much worse than expected one fill was: signed basis points, positive = worse."""

    number: int
    client_order_id: str
    market: str
    signed_bps: float
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCloseFact:
    """The lead was seen to have closed; the history row that proves it deviates by a ratio of the entry price."""

    number: int
    episode_id: str
    deviation_ratio: float | None
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFact:
    """An alert that the session raised; `kind` is a word of `AlertKind`, or of a newer version."""

    number: int
    kind: str
    subject: str
    what: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingFact:
    """What the book holds; `cost` is the entry notional of what is still held."""

    episode_id: str
    market: str
    cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFact:
    """The rows of `session.sqlite` that rules read; `cash` and `state_ms`, when the book last changed, are None before.

    `closes` and `slippages` are None when the journal's schema has no table for them.
    """

    runs: tuple[RunFact, ...]
    orders: tuple[OrderFact, ...]
    rejects: tuple[RejectFact, ...]
    fills: tuple[FillFact, ...]
    alerts: tuple[AlertFact, ...]
    cash: Money | None
    holdings: tuple[HoldingFact, ...]
    state_ms: int | None
    closes: tuple[SourceCloseFact, ...] | None
    slippages: tuple[SlippageFact, ...] | None
    close_wished_ms: Mapping[str, int]
    """Per episode, when the strategy first wished to close it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFact:
    """Who holds the session's lease; `is_alive` None when this machine cannot tell."""

    pid: int | None
    boot_id: str | None
    is_alive: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFact:
    """A control that is set; `by_monitor` when an incident of ours has set it."""

    name: str
    who: str
    why: str
    by_monitor: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRunFact:
    """A run that failed, as who started it knows; `at_ms` is of the clock on the wall."""

    run_id: str
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """The last row of each table that has been looked at; 0 = none."""

    orders: int
    rejects: int
    fills: int
    alerts: int
    closes: int
    slippages: int


NOTHING_SEEN = Watermark(orders=0, rejects=0, fills=0, alerts=0, closes=0, slippages=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorFacts:
    """Everything one pass judges.

    Rows up to `baseline` are history and never count; rows up to `processed` were judged by an earlier pass, so that a
    row which no pass has seen counts however old it is. `journal` is None when the session has none yet.
    """

    now_ms: int
    status: StatusFact | Unreadable
    journal: JournalFact | Unreadable | None
    process: ProcessFact
    controls: tuple[ControlFact, ...]
    baseline: Watermark
    processed: Watermark
    failed_runs: tuple[FailedRunFact, ...] = ()
    looked_ms: int | None = None
    """When a pass last looked; None before the first."""

    @property
    def session_now_ms(self) -> int:
        """The time by the session's own clock, which has gone on since its last status as ours has."""
        if isinstance(self.status, Unreadable):
            return self.now_ms
        return self.now_ms - (self.status.wall_ms - self.status.written_ms)

    def with_known_journal(self) -> MonitorFacts:
        """The same, unless the journal is another one than before: then nothing of it is history."""
        seen = astuple(self.seen_by())
        is_another = any(before > now for before, now in zip(astuple(self.processed), seen, strict=True))
        return replace(self, baseline=NOTHING_SEEN, processed=NOTHING_SEEN) if is_another else self

    def seen_by(self) -> Watermark:
        """Where this pass has come to; a journal that cannot be read moves nothing."""
        if not isinstance(self.journal, JournalFact):
            return self.processed
        rows = self.journal
        return Watermark(
            orders=max((each.number for each in rows.orders), default=0),
            rejects=max((each.number for each in rows.rejects), default=0),
            fills=max((each.number for each in rows.fills), default=0),
            alerts=max((each.number for each in rows.alerts), default=0),
            closes=max((each.number for each in rows.closes or ()), default=0),
            slippages=max((each.number for each in rows.slippages or ()), default=0),
        )
