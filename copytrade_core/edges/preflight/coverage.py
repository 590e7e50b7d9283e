"""Which fault struck which call in which state of the session: the grid, and the cells that may not stay empty."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from copytrade_core.edges.preflight.session_state import SessionState
from copytrade_core.virtual_exchange.faults import VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall

K, C, S = VenueFaultKind, VenueCall, SessionState


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Cell:
    """One fault that struck one call in one state."""

    fault: VenueFaultKind
    call: VenueCall
    state: SessionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cells that are required for one reason: every kind at every call in every state of the group."""

    kinds: tuple[VenueFaultKind, ...]
    calls: tuple[VenueCall, ...]
    states: tuple[SessionState, ...]
    reason: str

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The group's cells."""
        return tuple(
            Cell(fault=kind, call=call, state=state)
            for kind, call, state in product(self.kinds, self.calls, self.states)
        )


SUBMIT_KINDS = (
    K.LOST,
    K.DELAYED_APPLY,
    K.ACCEPT_THEN_HANG,
    K.ACCEPT_THEN_RESET,
    K.ACCEPT_THEN_5XX,
    K.ACCEPT_THEN_GARBAGE,
    K.REJECT,
    K.HTTP_STATUS,
    K.DUPLICATE_ID,
    K.PARTIAL_FILL,
    K.SLOW,
    K.REDIRECT,
    K.NOT_VISIBLE,
    K.GARBAGE,
)
"""Everything that can happen to an order on its way."""
READ_KINDS = (K.HTTP_STATUS, K.GARBAGE, K.HANG, K.RESET)
"""Every way in which a read gives nothing to rely on."""
CANCEL_KINDS = (K.LOST, K.ACCEPT_THEN_HANG, K.ACCEPT_THEN_GARBAGE, K.HTTP_STATUS, K.REJECT)

REQUIRED_GROUPS = (
    Group(
        kinds=SUBMIT_KINDS,
        calls=(C.SUBMIT,),
        states=(S.OPENING, S.ADDING, S.CLOSING),
        reason="an order on its way is where money is doubled or lost, and entries and exits are handled apart",
    ),
    Group(
        kinds=(K.LOST, K.ACCEPT_THEN_HANG, K.HTTP_STATUS),
        calls=(C.SUBMIT,),
        states=(S.RECOVERING,),
        reason="an order that leaves right after a restart may be the second of its kind",
    ),
    Group(
        kinds=READ_KINDS,
        calls=(C.ORDER,),
        states=(S.OPENING, S.CLOSING, S.RECOVERING),
        reason="a look-up that fails must prove nothing about the order it asked for",
    ),
    Group(
        kinds=READ_KINDS,
        calls=(C.FILLS,),
        states=(S.OPENING, S.CLOSING, S.RECOVERING),
        reason="a fill that is not read must be posted later, once",
    ),
    Group(
        kinds=READ_KINDS,
        calls=(C.POSITIONS,),
        states=(S.FLAT, S.HELD, S.RECOVERING),
        reason="a failed read is not flat: nothing may open on it and no holding may vanish by it",
    ),
    Group(
        kinds=READ_KINDS,
        calls=(C.OPEN_ORDERS,),
        states=(S.HELD, S.RECOVERING),
        reason="a failed read is not 'no orders'",
    ),
    Group(
        kinds=CANCEL_KINDS,
        calls=(C.CANCEL,),
        states=(S.CLOSING,),
        reason="a rung that was not cancelled may still fill while the position leaves",
    ),
    Group(
        kinds=(K.HTTP_STATUS, K.GARBAGE, K.HANG),
        calls=(C.PROBE,),
        states=(S.RECOVERING,),
        reason="a session that cannot read its account may exit and must not enter",
    ),
)
REQUIRED: tuple[Cell, ...] = tuple(dict.fromkeys(cell for group in REQUIRED_GROUPS for cell in group.cells))
"""Every required cell once, in order; preflight seed i plants cell i modulo their number."""

KINDS_OF_CALL: dict[VenueCall, tuple[VenueFaultKind, ...]] = {
    C.SUBMIT: SUBMIT_KINDS,
    C.CANCEL: CANCEL_KINDS,
    **dict.fromkeys((C.ORDER, C.OPEN_ORDERS, C.ORDERS, C.FILLS, C.POSITION, C.POSITIONS, C.PROBE), READ_KINDS),
}
"""Which kinds a random fault of a call is drawn from."""


def missing(met: Iterable[Cell]) -> tuple[Cell, ...]:
    """Required cells that nothing has struck."""
    seen = set(met)
    return tuple(cell for cell in REQUIRED if cell not in seen)
