"""What one bounded session left behind, as values: orders, fills, halts and alerts, with the caps it ran under.

Reading a runtime directory belongs to edges, and what must hold of a record to `evidence`. Instants are epoch ms, money
is 1e-8 quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from copytrade_core.model.read_at import ReadAt
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """One order. `is_entry` says that it opens or adds; `sent_at_ms` is None when it never left."""

    client_order_id: str
    intent_digest: str
    episode_id: str
    market: str
    side: Side
    leg: str
    is_entry: bool
    planned_at_ms: int
    sent_at_ms: int | None
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFill:
    """One posted fill; `notional` is price times quantity (steps), slippage in the price, and `fee` beside it."""

    client_order_id: str
    episode_id: str
    market: str
    side: Side
    is_entry: bool
    at_ms: int
    quantity: Steps
    notional: Money
    fee: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """A control that forbade opening, from when until when (None: it still does)."""

    control: str
    from_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAlert:
    """One thing a person was to hear of."""

    kind: str
    subject: str
    what: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPosition:
    """What an account holds on one side of a market: one position, whichever episodes it belongs to.

    `cost` is the entry notional of what is still held.
    """

    market: str
    side: Side
    quantity: Steps
    cost: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTold:
    """The account's own telling, from its own log: nothing of the session's journal is in it.

    `initial` is the cash it was opened with. `equity` is at the marks of the session's last status, None where a mark
    is missing or no status is as young as the account. `funding` is what was paid (negative: received). `trade_ids` are
    named as a journal names them.
    """

    initial: Money
    cash: Money
    equity: Money | None
    fees: Money
    funding: Money
    positions: tuple[AccountPosition, ...]
    trade_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One session as it was when it ended; `ended` is None where it was killed or still runs.

    `is_observed` says that it polled the lead while things happened (a reconstructed or archived session did not).
    `caps` are the limits in force by name, in their own units. `held` maps episodes to the cost of what is still held,
    `written_off` names holdings that left the book without a fill. `cash` and `funding` (what was paid; negative:
    received) are the ledger's, `equity` that of the last status; `account_told` is what the account itself says (None:
    it keeps no log that is read here, or the record was stored before it was asked). `polls_count` counts looks at the
    source and `failed_polls_count` those that told nothing. `close_wished_ms` is when the strategy first wanted each
    episode closed at the market. `read_at` is where all of it was read; None: it was told the archive, its runs read at
    several addresses, or it was stored before they were kept.
    """

    lead: str
    strategy: str
    policy_digest: str
    venue: str
    account: str
    mode: str
    day: str
    code_version: str
    run_ids: tuple[str, ...]
    is_observed: bool
    started_at_ms: int
    ended_at_ms: int
    ended: str | None
    last_error: str | None
    caps: Mapping[str, int]
    initial_equity: Money
    cash: Money
    equity: Money
    funding: Money
    held: Mapping[str, Money]
    written_off: tuple[str, ...]
    polls_count: int
    failed_polls_count: int
    orders: tuple[SessionOrder, ...]
    fills: tuple[SessionFill, ...]
    fill_ids: tuple[str, ...]
    halts: tuple[Halt, ...]
    alerts: tuple[SessionAlert, ...]
    unknown_orders: tuple[str, ...]
    refused: Mapping[str, int]
    close_wished_ms: Mapping[str, int]
    read_at: ReadAt | None = None
    account_told: AccountTold | None = None
