"""What a client would call what happened to its call: a refusal, an injected reject, an answer that never came.

The words are those of a client over a network; the HTTP faces let the real one find them.
"""

from __future__ import annotations

from copytrade_core.model.outcome import DefiniteReject, Exists, RejectReason, SubmitOutcome
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from copytrade_core.virtual_exchange.venue_rules import VenueRule

REASONS = {
    VenueRule.INSUFFICIENT_MARGIN: RejectReason.INSUFFICIENT_FUNDS,
    VenueRule.NO_POSITION: RejectReason.NO_POSITION,
    VenueRule.REDUCE_ONLY_CONFLICT: RejectReason.REDUCE_ONLY,
    VenueRule.REDUCE_ONLY_IN_HEDGE_MODE: RejectReason.REDUCE_ONLY,
    VenueRule.POSITION_SIDE_MISMATCH: RejectReason.POSITION_MODE,
    VenueRule.BAD_CLIENT_ID: RejectReason.BAD_REQUEST,
    VenueRule.UNKNOWN_MARKET: RejectReason.BAD_REQUEST,
    VenueRule.MARKET_CLOSED: RejectReason.OPERATION_REJECTED,
}
"""What a refusal of the engine means to a client; every other one is an invalid order."""
TIMEOUT, RESET, GARBAGE, REDIRECT, SKEW = "timeout", "reset", "bad_response", "redirect", "clock_skew"


def outcome_of(refusal: VenueRefusal) -> SubmitOutcome:
    """A refusal of the engine: the id exists already, or the order is definitely not placed."""
    if refusal.rule is VenueRule.DUPLICATE_CLIENT_ID:
        return Exists(code=refusal.rule.value)
    reason = REASONS.get(refusal.rule, RejectReason.INVALID_ORDER)
    return DefiniteReject(reason=reason, code=refusal.rule.value, message=refusal.message)


def why_of(fault: VenueFault) -> str:
    """Why a call has no trustworthy answer."""
    match fault.kind:
        case VenueFaultKind.LOST | VenueFaultKind.HANG | VenueFaultKind.ACCEPT_THEN_HANG:
            return TIMEOUT
        case VenueFaultKind.HTTP_STATUS | VenueFaultKind.ACCEPT_THEN_5XX:
            return f"http_{fault.status}"
        case VenueFaultKind.GARBAGE | VenueFaultKind.ACCEPT_THEN_GARBAGE:
            return GARBAGE
        case VenueFaultKind.REDIRECT:
            return REDIRECT
        case VenueFaultKind.REJECT:
            return f"rejected_{fault.code}"
        case _:
            return RESET


def rejected_by(fault: VenueFault) -> DefiniteReject:
    """An injected reject, with its own code and reason or the usual ones."""
    closes = fault.kind is VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT
    usual = RejectReason.REDUCE_ONLY if closes else RejectReason.INSUFFICIENT_FUNDS
    return DefiniteReject(
        reason=fault.reason or usual,
        code=fault.code or fault.kind.value,
        message=fault.message or "refused by an injected fault",
    )
