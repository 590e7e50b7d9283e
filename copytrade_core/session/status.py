"""How a running session stands, as one value: what `RUN_STATUS.json` is written from and a person is shown.

Nothing is computed or written here; the loop fills it in, and a sink in `edges` gives it its file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.alert import Alert
from copytrade_core.model.controls import Controls
from copytrade_core.model.episode import EpisodeState
from copytrade_core.model.instrument import Market
from copytrade_core.model.session_end import Ended
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.session.identity import SessionIdentity


class SessionMode(StrEnum):
    """Which broker a session has."""

    PAPER = "paper"
    SHADOW = "shadow"
    LIVE = "live"


class LimitUnit(StrEnum):
    """What a limit counts."""

    USDT = "usdt"
    COUNT = "count"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """What does not change while a session runs. Times are epoch ms.

    `leads` are those it follows (the identity's lead is the session's name, the only one where there is one);
    `interval_ms` is how often a status is due; `deadline_ms` when it ends at the latest; `is_reconstructed` says that
    the feed knows its events only from later history: such a session is no evidence of a canary.
    """

    identity: SessionIdentity
    run_id: str
    leads: tuple[str, ...]
    mode: SessionMode
    started_at_ms: int
    interval_ms: int
    deadline_ms: int | None
    is_reconstructed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """One cap with its value now; money is 1e-8 quote, None where the value is not known."""

    name: str
    value: int | None
    limit: int
    unit: LimitUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionState:
    """One holding at its mark. Prices are ticks and quantities steps of the market's instrument.

    `mark`, `notional` (at the mark, at cost without one) and `unrealised` are None or at cost while no mark is known;
    `source_state` is the lead's side of the episode.
    """

    episode_id: str
    market: Market
    side: Side
    quantity: Steps
    entry_price: Ticks
    mark: Ticks | None
    notional: Money
    unrealised: Money | None
    opened_at_ms: int
    source_state: EpisodeState


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOrder:
    """An order that the venue may or may not have."""

    client_order_id: str
    market: Market
    since_ms: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffNow:
    """Rejected or blocked entries in a row, and until when no entry is tried."""

    failures: int
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadPoll:
    """The newest poll of one lead: whether it said what is held, when it was asked, and its reading in a word.

    `informed_at_ms` is when a poll last said it; `latency_ms` what the newest answer took; `failures` counts polls
    without an answer in a row, after which the next one, at `next_at_ms`, comes later.
    """

    lead_id: str
    ok: bool
    at_ms: int | None
    reading: str
    informed_at_ms: int | None
    latency_ms: int | None
    failures: int
    next_at_ms: int | None


OF_LEAD = "notional_lead_"
"""What the limit of one lead of several is named with, before the lead."""

NOT_POLLED = "not polled yet"
"""The reading of a lead before its first answer: neither a poll that told something nor one that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollNow:
    """The newest poll of the source: whether it said what is held, when, and its reading in a word.

    A live feed adds each lead, what reading prices took, and how long after the lead's opening its positions were first
    seen (the median of those whose opening is known by now).
    """

    ok: bool
    at_ms: int | None
    reading: str
    leads: tuple[LeadPoll, ...] = ()
    price_latency_ms: int | None = None
    seen_after_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the session has done since its first start; `not_placed` orders never reached the account."""

    orders: int
    fills: int
    not_placed: int
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One look at a session. `ended` None while it runs; ages are None for what was never seen."""

    facts: SessionFacts
    at_ms: int
    ended: Ended | None
    controls: Controls
    limits: tuple[LimitState, ...]
    positions: tuple[PositionState, ...]
    cash: Money
    equity: Money
    day_result: Money
    working_orders: int
    unknown_orders: tuple[UnknownOrder, ...]
    backoff: BackoffNow
    source_age_ms: int | None
    mark_age_ms: int | None
    last_poll: PollNow
    counters: Counters
    alerts: tuple[Alert, ...]
    last_error: str | None
