"""One fault of a kind at a place, with parameters at random; and the words in which a venue refuses, by reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.units import Ppm
from copytrade_core.model.venue import Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A venue's code and message for one refusal."""

    code: str
    message: str


REFUSALS: Mapping[Venue, Mapping[RejectReason, Words]] = {
    Venue.BINGX: {
        RejectReason.INSUFFICIENT_FUNDS: Words(code="101204", message="Insufficient margin"),
        RejectReason.INVALID_ORDER: Words(code="110425", message="The order quantity is below the minimum"),
        RejectReason.NO_POSITION: Words(code="101205", message="No position to close"),
        RejectReason.REDUCE_ONLY: Words(code="101290", message="Reduce Only order can only decrease the position"),
        RejectReason.POSITION_MODE: Words(
            code="109400", message="In the Hedge mode, the 'PositionSide' field can only be set to LONG or SHORT."
        ),
        RejectReason.AUTHENTICATION: Words(code="100413", message="Incorrect apiKey"),
    },
    Venue.GATE: {
        RejectReason.INSUFFICIENT_FUNDS: Words(code="INSUFFICIENT_AVAILABLE", message="not enough available"),
        RejectReason.INVALID_ORDER: Words(code="INVALID_PARAM_VALUE", message="size is below the minimum"),
        RejectReason.NO_POSITION: Words(code="POSITION_EMPTY", message="empty position"),
        RejectReason.REDUCE_ONLY: Words(code="INCREASE_POSITION", message="reduce only order would increase"),
        RejectReason.POSITION_MODE: Words(code="POSITION_DUAL_MODE", message="position mode"),
        RejectReason.AUTHENTICATION: Words(code="INVALID_KEY", message="Invalid key provided"),
    },
    Venue.BINANCE: {
        RejectReason.INSUFFICIENT_FUNDS: Words(code="-2019", message="Margin is insufficient."),
        RejectReason.INVALID_ORDER: Words(
            code="-1111", message="Precision is over the maximum defined for this asset."
        ),
        RejectReason.NO_POSITION: Words(code="-2022", message="ReduceOnly Order is rejected."),
        RejectReason.REDUCE_ONLY: Words(code="-2022", message="ReduceOnly Order is rejected."),
        RejectReason.POSITION_MODE: Words(code="-4061", message="Order's position side does not match user's setting."),
        RejectReason.AUTHENTICATION: Words(code="-2015", message="Invalid API-key, IP, or permissions for action."),
    },
}
"""Codes and messages of the venues' own error lists, one for each reason a drill needs."""

_DELAYS_MS = (500, 2_000, 4_900)
"""Of a delayed order: all within the receive window, after which it would never arrive."""
_LAGS_MS = (1_000, 8_000, 30_000)
_LASTING = (VenueCall.CANCEL, VenueCall.POSITIONS, VenueCall.POSITION, VenueCall.OPEN_ORDERS, VenueCall.PROBE)
"""Calls whose faults may go on for minutes."""
_STATUSES = (500, 502, 503, 429)


def refusal(
    venue: Venue, reason: RejectReason, *, call: VenueCall = VenueCall.SUBMIT, nth: int = 1, count: int = 1
) -> VenueFault:
    """The venue says no, in its own words."""
    words = REFUSALS[venue][reason]
    return VenueFault(
        kind=VenueFaultKind.REJECT,
        call=call,
        nth=nth,
        count=count,
        code=words.code,
        message=words.message,
        reason=reason,
    )


def drawn_fault(
    rng: np.random.Generator, kind: VenueFaultKind, call: VenueCall, nth: int, *, venue: Venue
) -> VenueFault:
    """A fault of a kind that strikes the so many-th call; sometimes the one after it as well."""

    def one_of(values: tuple[int, ...]) -> int:
        return values[int(rng.integers(len(values)))]

    lasting = (1, 1, 2, 12) if call in _LASTING else (1, 1, 1, 2)
    count = lasting[int(rng.integers(4))]
    if kind is VenueFaultKind.REJECT:
        reasons = (RejectReason.INSUFFICIENT_FUNDS, RejectReason.INVALID_ORDER)
        return refusal(venue, reasons[int(rng.integers(2))], call=call, nth=nth, count=count)
    match kind:
        case VenueFaultKind.DELAYED_APPLY:
            return VenueFault(kind=kind, call=call, nth=nth, count=count, delay_ms=one_of(_DELAYS_MS))
        case VenueFaultKind.SLOW:
            return VenueFault(kind=kind, call=call, nth=nth, count=count, delay_ms=one_of((300, 1_500)))
        case VenueFaultKind.NOT_VISIBLE:
            return VenueFault(kind=kind, call=call, nth=nth, count=count, delay_ms=one_of(_LAGS_MS))
        case VenueFaultKind.ACCEPT_THEN_5XX:
            return VenueFault(kind=kind, call=call, nth=nth, count=count, status=one_of((500, 502, 504)))
        case VenueFaultKind.HTTP_STATUS:
            return VenueFault(kind=kind, call=call, nth=nth, count=count, status=one_of(_STATUSES))
        case VenueFaultKind.PARTIAL_FILL:
            ratio = Ppm(int(rng.integers(100_000, 900_000)))
            rest = None if rng.random() < 0.5 else one_of(_LAGS_MS)
            return VenueFault(kind=kind, call=call, nth=nth, count=count, ratio=ratio, delay_ms=rest)
        case _:
            return VenueFault(kind=kind, call=call, nth=nth, count=count)
