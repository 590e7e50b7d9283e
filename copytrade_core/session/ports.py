"""What a session needs from the world, as ports: a clock, a journal and the controls. Adapters live in `edges`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from copytrade_core.flow import Record
from copytrade_core.model.alert import Alert
from copytrade_core.model.controls import Controls
from copytrade_core.model.instrument import Market
from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.side import Side
from copytrade_core.model.source_event import SourceEvent
from copytrade_core.model.units import Steps
from copytrade_core.session.snapshot import HotRestart
from copytrade_core.session.status import SessionStatus


class Clock(Protocol):
    """Our time. Virtual in preflight and archived sessions."""

    def now_ms(self) -> int:
        """Epoch milliseconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStep:
    """What one committed step changes, all of it or nothing.

    `state` is the flow state after the step without the trades that are over (`snapshot.encode_state`), None when it
    did not change; `done` are those that ended in this step, by episode (`snapshot.encode_done`), each in the place of
    an earlier one; `rows` take the place of rows of the same client order id; `fill_ids` are venue trade ids posted in
    this step, each at most once for ever; `heard` is what a lead was seen to do, when that is what was told; `cursor`
    is how far the feed has been told (None: unchanged). `needs_sync` is False where all of it can be asked again of an
    account on the same disk: such a step survives `kill -9`, and power loss once a later one has been synced.
    """

    at_ms: int
    state: bytes | None
    done: Mapping[str, bytes]
    rows: tuple[OrderRow, ...]
    records: tuple[Record, ...]
    fill_ids: tuple[str, ...]
    alerts: tuple[Alert, ...]
    heard: SourceEvent | None
    cursor: str | None
    needs_sync: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """How one posted fill changed what an episode holds; `change` is negative when it reduced."""

    episode_id: str
    market: Market
    side: Side
    change: Steps
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Journalled:
    """Everything that a restart needs. `rows` are in the order in which they were planned; `state` None = fresh.

    `done` are the trades that are over, by episode; one that `state` has too has begun to leave again since. `traded`
    are the posted fills, in the order of posting.
    """

    state: bytes | None
    done: Mapping[str, bytes]
    rows: tuple[OrderRow, ...]
    fill_ids: frozenset[str]
    traded: tuple[Traded, ...]
    cursor: str | None


class Journal(ABC):
    """The session's memory: once `commit` has returned, a step survives `kill -9`; before, it never was.

    A step that needs a sync survives power loss too, and all before it. Nothing is ever lost from between.

    Raises:
        StoreFault: it cannot be read or written; nothing was changed.
        BadInput: a fill id that was committed before, or a row that would leave a final state.
    """

    @abstractmethod
    def load(self) -> Journalled:
        """The last committed state."""

    @abstractmethod
    def commit(self, step: JournalStep) -> None:
        """Write one step durably."""


class ControlPanel(ABC):
    """The controls a person sets, read anew before every submit; the session itself may only tighten them."""

    @abstractmethod
    def read(self) -> Controls:
        """The controls in force now. A panel that cannot be read counts as STOP_NEW_ORDERS."""

    @abstractmethod
    def stop_new_orders(self, reason: str) -> None:
        """Set STOP_NEW_ORDERS; nothing in a session ever clears it."""


class WaitingClock(Protocol):
    """Our time, and a way to let it pass. A virtual one jumps; a real one sleeps in short pieces."""

    def now_ms(self) -> int:
        """Epoch milliseconds; never less than before."""
        ...

    def wait_until_ms(self, until_ms: int, disturbed: Callable[[], bool]) -> int:
        """Let time pass until then, or until `disturbed` says so, which is asked at most 0.5 s apart.

        Returns:
            The time now.
        """
        ...


class StatusSink(Protocol):
    """Where a session shows how it stands."""

    def show(self, status: SessionStatus) -> None:
        """Take the newest status; it replaces the one before.

        Raises:
            StoreFault: it cannot be written.
        """
        ...


class RestartSink(Protocol):
    """Where a session that was asked to stop leaves what a resume checks."""

    def leave(self, snapshot: HotRestart) -> None:
        """Keep it, durable on return.

        Raises:
            StoreFault: it cannot be written.
        """
        ...
