"""The faults of a virtual venue: one vocabulary for every face, armed by call and by count.

What a fault does to a call is in `call_plan.py`; its JSON in `fault_json.py`; how a dialect words it
belongs to the face that speaks it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.side import Side
from copytrade_core.model.units import RATE_MAX, RATE_SCALE, Ppm, Steps, Ticks
from copytrade_core.virtual_exchange.venue_ask import VenueCall

FOR_EVER = 2**31
"""A count that no run reaches."""
PPM_PER_BPS = 100


class VenueFaultKind(StrEnum):
    """Every way in which a venue, or the way to it, is known or must be expected to misbehave."""

    LOST = "lost"
    """The request never arrives; the client waits until its time-out."""
    DELAYED_APPLY = "delayed_apply"
    """The connection breaks at once; the order is booked `delay_ms` later, or never after the receive window."""
    ACCEPT_THEN_HANG = "accept_then_hang"
    ACCEPT_THEN_RESET = "accept_then_reset"
    ACCEPT_THEN_5XX = "accept_then_5xx"
    ACCEPT_THEN_GARBAGE = "accept_then_garbage"
    """Done, and then the answer is HTTP 200 with a body that is no envelope."""
    REJECT = "reject"
    """The venue says no, with a code of its own, and does nothing."""
    HTTP_STATUS = "http_status"
    """An answer of the gateway's; nothing is done."""
    DUPLICATE_ID = "duplicate_id"
    """The gateway sent it twice: it is booked, and the answer says that the id is used."""
    PARTIAL_FILL = "partial_fill"
    """`ratio` fills; the rest follows after `delay_ms`, without one the venue cancels it."""
    SLOW = "slow"
    """Done at once, answered after `delay_ms`."""
    REDIRECT = "redirect"
    CLOCK_SKEW = "clock_skew"
    """The venue's clock is `skew_ms` ahead of ours; beyond the receive window every signed call is refused."""
    NOT_VISIBLE = "not_visible"
    """On submit: reads in `hides` miss the order for `delay_ms`. On a read: the account as it was `delay_ms` ago."""
    GARBAGE = "garbage"
    """HTTP 200 with a body that is no envelope; nothing is done."""
    HANG = "hang"
    RESET = "reset"
    EXTERNAL_ORDER = "external_order"
    EXTERNAL_POSITION = "external_position"
    MODE_FLIPPED = "mode_flipped"
    REJECT_NEXT_N_ORDERS = "reject_next_n_orders"
    REJECT_PROBABILITY = "reject_probability"
    SIMULATE_BINGX_REDUCEONLY_REJECT = "simulate_bingx_reduceonly_reject"
    """Orders that close are refused as reduce-only ones, and do nothing."""
    MAX_SLIPPAGE_BPS = "max_slippage_bps"
    """A taker slips by a seeded draw between 0 and `bps`, in place of the venue's own slippage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueFault:
    """One fault: on the `nth` to the `nth + count - 1`th call of `call` after arming (None: calls of any kind).

    Which of the other fields a kind needs and may have is in `FORMS`; `ratio` is ppm.

    Raises:
        BadInput: a field that the kind lacks or has no use for, or a value out of range; names the field.
    """

    kind: VenueFaultKind
    call: VenueCall | None = None
    nth: int = 1
    count: int = 1
    code: str | None = None
    message: str | None = None
    reason: RejectReason | None = None
    status: int | None = None
    delay_ms: int | None = None
    skew_ms: int | None = None
    ratio: Ppm | None = None
    bps: int | None = None
    hides: tuple[VenueCall, ...] | None = None
    market: Market | None = None
    side: Side | None = None
    buys: bool | None = None
    quantity: Steps | None = None
    price: Ticks | None = None

    def __post_init__(self) -> None:
        form = FORMS[self.kind]
        if self.call is None and len(form.calls) == 1:
            object.__setattr__(self, "call", next(iter(form.calls)))
        if (self.call is None and form.calls != ALL) or (self.call is not None and self.call not in form.calls):
            raise self._wrong("call", f"is one of {', '.join(sorted(form.calls))}")
        for name in PARAMETERS:
            given = getattr(self, name) is not None
            if given and name not in form.needs + form.may:
                raise self._wrong(name, "has no use here")
            if not given and name in form.needs:
                raise self._wrong(name, "is needed")
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise self._wrong(name, f"is between {least} and {most}")

    def _wrong(self, field: str, why: str) -> BadInput:
        return BadInput(f"The fault {self.kind.value} cannot be used: {field} {why}", where=Where(field=field))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """On which calls a kind may happen, and the fields it needs and may have."""

    calls: frozenset[VenueCall]
    needs: tuple[str, ...]
    may: tuple[str, ...]


ALL = frozenset(VenueCall)
SUBMIT = frozenset({VenueCall.SUBMIT})
WRITES = frozenset({VenueCall.SUBMIT, VenueCall.CANCEL, VenueCall.SET_LEVERAGE})
LAGGING = frozenset(
    {
        *(VenueCall.SUBMIT, VenueCall.ORDER, VenueCall.OPEN_ORDERS, VenueCall.ORDERS, VenueCall.FILLS),
        *(VenueCall.POSITION, VenueCall.POSITIONS),
    }
)
PARAMETERS = tuple(item.name for item in fields(VenueFault) if item.name not in ("kind", "call", "nth", "count"))
BOUNDS = {
    "nth": (1, FOR_EVER),
    "count": (1, FOR_EVER),
    "status": (300, 599),
    "delay_ms": (0, 86_400_000),
    "skew_ms": (-86_400_000, 86_400_000),
    "ratio": (1, RATE_SCALE),
    "bps": (0, RATE_MAX // PPM_PER_BPS),
    "quantity": (1, 10**12),
    "price": (1, 2**31 - 1),
}


def _form(calls: frozenset[VenueCall], needs: str = "", may: str = "") -> Form:
    return Form(calls=calls, needs=tuple(needs.split()), may=tuple(may.split()))


FORMS = {
    VenueFaultKind.LOST: _form(ALL),
    VenueFaultKind.DELAYED_APPLY: _form(SUBMIT, "delay_ms"),
    VenueFaultKind.ACCEPT_THEN_HANG: _form(WRITES),
    VenueFaultKind.ACCEPT_THEN_RESET: _form(WRITES),
    VenueFaultKind.ACCEPT_THEN_5XX: _form(WRITES, "status"),
    VenueFaultKind.ACCEPT_THEN_GARBAGE: _form(WRITES),
    VenueFaultKind.REJECT: _form(ALL, "code message", "reason"),
    VenueFaultKind.HTTP_STATUS: _form(ALL, "status"),
    VenueFaultKind.DUPLICATE_ID: _form(SUBMIT, "", "code message"),
    VenueFaultKind.PARTIAL_FILL: _form(SUBMIT, "ratio", "delay_ms"),
    VenueFaultKind.SLOW: _form(ALL, "delay_ms"),
    VenueFaultKind.REDIRECT: _form(ALL, "", "status"),
    VenueFaultKind.CLOCK_SKEW: _form(ALL, "skew_ms"),
    VenueFaultKind.NOT_VISIBLE: _form(LAGGING, "delay_ms", "hides"),
    VenueFaultKind.GARBAGE: _form(ALL),
    VenueFaultKind.HANG: _form(ALL),
    VenueFaultKind.RESET: _form(ALL),
    VenueFaultKind.EXTERNAL_ORDER: _form(ALL, "market buys quantity price", "side"),
    VenueFaultKind.EXTERNAL_POSITION: _form(ALL, "market side quantity"),
    VenueFaultKind.MODE_FLIPPED: _form(ALL),
    VenueFaultKind.REJECT_NEXT_N_ORDERS: _form(SUBMIT, "", "code message reason"),
    VenueFaultKind.REJECT_PROBABILITY: _form(SUBMIT, "ratio", "code message reason"),
    VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT: _form(SUBMIT, "", "code message"),
    VenueFaultKind.MAX_SLIPPAGE_BPS: _form(SUBMIT, "bps"),
}


class _Armed:
    """One fault and how many of its calls it has seen and hit."""

    __slots__ = ("fault", "seen")

    def __init__(self, fault: VenueFault) -> None:
        self.fault = fault
        self.seen = 0


class VenueFaultBook:
    """Armed faults and what came of them. Draws depend on the seed and on the number of earlier draws alone."""

    def __init__(self, faults: Sequence[VenueFault], *, seed: int) -> None:
        self._armed = [_Armed(fault) for fault in faults]
        self._met: list[tuple[VenueFault, VenueCall]] = []
        self._seed = seed
        self._draws = 0

    def arm(self, faults: Sequence[VenueFault]) -> None:
        """Add faults; their calls are counted from now on."""
        self._armed += [_Armed(fault) for fault in faults]

    def due(self, call: VenueCall, *, closes: bool = False) -> tuple[VenueFault, ...]:
        """The faults that happen to this call, in the order of arming; counts it. `closes`: its order closes."""
        if not self._armed:
            return ()
        hit: list[VenueFault] = []
        for armed in tuple(self._armed):
            fault = armed.fault
            if fault.call is not None and fault.call is not call:
                continue
            if fault.kind is VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT and not closes:
                continue
            armed.seen += 1
            if armed.seen >= fault.nth + fault.count - 1:
                self._armed.remove(armed)
            if armed.seen >= fault.nth and self._is_drawn(fault):
                hit.append(fault)
                self._met.append((fault, call))
        return tuple(hit)

    def postpone(self, fault: VenueFault) -> None:
        """A fault of the last call could not happen: it has not been met and stays armed for the next one."""
        for index in range(len(self._met) - 1, -1, -1):
            if self._met[index][0] is fault:
                del self._met[index]
                break
        for armed in self._armed:
            if armed.fault is fault:
                armed.seen -= 1
                return
        back = _Armed(fault)
        back.seen = fault.nth + fault.count - 2
        self._armed.append(back)

    def draw(self, most: int) -> int:
        """A seeded whole number in `[0, most]`."""
        self._draws += 1
        return _mixed(self._seed * 1_000_003 + self._draws) % (most + 1)

    def met(self) -> tuple[tuple[VenueFaultKind, VenueCall], ...]:
        """What really happened, in order."""
        return tuple((fault.kind, call) for fault, call in self._met)

    def waiting(self) -> tuple[VenueFault, ...]:
        """Faults that can still happen."""
        return tuple(armed.fault for armed in self._armed)

    def _is_drawn(self, fault: VenueFault) -> bool:
        if fault.kind is not VenueFaultKind.REJECT_PROBABILITY:
            return True
        assert fault.ratio is not None, "FORMS asks for it"
        return self.draw(RATE_SCALE - 1) < fault.ratio


def _mixed(number: int) -> int:
    """The finaliser of SplitMix64: equal on every machine, and a good enough die."""
    mask = 2**64 - 1
    number = (number + 0x9E3779B97F4A7C15) & mask
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & mask
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & mask
    return number ^ (number >> 31)
