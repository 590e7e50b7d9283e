"""What a fault looks like on the wire: the answer that a client gets, or that it gets none.

Which fault is due, and what it does to the account, is decided by `virtual_exchange.call_plan`.
"""

from __future__ import annotations

from copytrade_core.edges.standins.venue_dialect import VenueDialect, VenueError
from copytrade_core.edges.standins.wire import HTML_TYPE, JSON_TYPE, Answer, Break
from copytrade_core.model.outcome import RejectReason
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueRefusal
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule

TRAP = "/redirected"
"""Where a redirect points: a path that no venue has, so that following it is recorded and voids the run."""
APPLIES = frozenset(
    {
        VenueFaultKind.ACCEPT_THEN_HANG,
        VenueFaultKind.ACCEPT_THEN_RESET,
        VenueFaultKind.ACCEPT_THEN_5XX,
        VenueFaultKind.ACCEPT_THEN_GARBAGE,
        VenueFaultKind.DUPLICATE_ID,
    }
)
"""Faults before which the venue does what it was asked to do."""
_RULES = {
    RejectReason.INSUFFICIENT_FUNDS: VenueRule.INSUFFICIENT_MARGIN,
    RejectReason.INVALID_ORDER: VenueRule.BELOW_MIN_NOTIONAL,
    RejectReason.NO_POSITION: VenueRule.NO_POSITION,
    RejectReason.REDUCE_ONLY: VenueRule.REDUCE_ONLY_CONFLICT,
}
"""The rule whose words a rejection takes that names no code of its own."""
_GARBAGE = (
    b"{}",
    b'{"status":"ok"}',
    b"[]",
    b"<html><body>Just a moment...</body></html>",
    b"null",
    b"",
)
_HANG = Answer(status=200, body=b"", content_type=JSON_TYPE, broken=Break.HANG)
_RESET = Answer(status=200, body=b"", content_type=JSON_TYPE, broken=Break.RESET)


def garbage(nth: int) -> Answer:
    """HTTP 200 with a body that is no venue's envelope; one after the other."""
    body = _GARBAGE[nth % len(_GARBAGE)]
    return Answer(status=200, body=body, content_type=HTML_TYPE if body.startswith(b"<") else JSON_TYPE)


def gateway(status: int) -> Answer:
    """A gateway's own page, not the venue's words; a redirect points to the trap."""
    headers: tuple[tuple[str, str], ...] = ()
    if 300 <= status < 400:
        headers = (("location", TRAP),)
    elif status in (418, 429):
        headers = (("retry-after", "1"),)
    body = f"<html><head><title>{status}</title></head></html>".encode()
    return Answer(status=status, body=body, content_type=HTML_TYPE, headers=headers)


def faulty(fault: VenueFault, dialect: VenueDialect, nth: int) -> Answer | VenueError:
    """What the client gets for the nth fault of a run: an answer, or an error still to be put into the envelope."""
    match fault.kind:
        case VenueFaultKind.LOST | VenueFaultKind.HANG | VenueFaultKind.ACCEPT_THEN_HANG:
            return _HANG
        case VenueFaultKind.HTTP_STATUS | VenueFaultKind.ACCEPT_THEN_5XX:
            return gateway(fault.status or 502)
        case VenueFaultKind.REDIRECT:
            return gateway(fault.status or 302)
        case VenueFaultKind.GARBAGE | VenueFaultKind.ACCEPT_THEN_GARBAGE:
            return garbage(nth)
        case VenueFaultKind.DUPLICATE_ID:
            return _told(fault, dialect, VenueRule.DUPLICATE_CLIENT_ID)
        case VenueFaultKind.SIMULATE_BINGX_REDUCEONLY_REJECT:
            return _told(fault, dialect, VenueRule.REDUCE_ONLY_CONFLICT)
        case VenueFaultKind.REJECT | VenueFaultKind.REJECT_NEXT_N_ORDERS | VenueFaultKind.REJECT_PROBABILITY:
            reason = RejectReason.INSUFFICIENT_FUNDS if fault.reason is None else fault.reason
            return _told(fault, dialect, _RULES.get(reason, VenueRule.INSUFFICIENT_MARGIN))
        case _:
            return _RESET


def _told(fault: VenueFault, dialect: VenueDialect, usual: VenueRule) -> VenueError:
    """The fault's own code and sentence, or what the venue says for the usual rule."""
    known = dialect.words_for(VenueRefusal(rule=usual, message="", facts=()))
    if fault.code is None:
        return known
    return VenueError(
        status=fault.status or known.status, code=fault.code, message=fault.message or "", basis=Basis.ASSUMED
    )
