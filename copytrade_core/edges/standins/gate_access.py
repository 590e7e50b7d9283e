"""Who Gate lets in: the key, the age of the request and its signature. What a request asks for is not read here.

The recipe is documented: HMAC-SHA512 of method, path, query without URL encoding, SHA-512 of the body, and seconds.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import unquote_plus

from copytrade_core.edges.standins.plain_numbers import count_of
from copytrade_core.edges.standins.venue_dialect import VenueError, VenueRequest
from copytrade_core.virtual_exchange.venue_rules import Basis

CLOCK_GAP_S_MAX = 60
"""Documented: a request whose Timestamp is further than this from the venue's clock is refused."""
EXPIRY_HEADER = "x-gate-exptime"
_HEADERS = ("KEY", "Timestamp", "SIGN")
_READS = ("GET",)
_DIGITS_MAX = 12


def gate_denied(request: VenueRequest) -> VenueError | None:
    """Why Gate refuses a signed request, or None.

    The order of the checks (key, clock, signature, rights) is assumed.
    """
    missing = next((name for name in _HEADERS if not request.headers.get(name.lower())), None)
    if missing is not None:
        return _refused(400, "MISSING_REQUIRED_HEADER", f"Missing required header: {missing}", Basis.DOCUMENTED)
    key = request.key
    if key.is_revoked or request.headers["key"] != key.api_key:
        return _refused(401, "INVALID_KEY", "Invalid key provided", Basis.OBSERVED)
    stated = request.headers["timestamp"]
    if not _is_seconds(stated) or abs(int(stated) - request.now_ms // 1000) > CLOCK_GAP_S_MAX:
        message = f"gap between request Timestamp and server time exceeds {CLOCK_GAP_S_MAX}"
        return _refused(403, "REQUEST_EXPIRED", message, Basis.OBSERVED)
    if not hmac.compare_digest(gate_signature(request, key.secret), request.headers["sign"]):
        return _refused(401, "INVALID_SIGNATURE", "Signature mismatch", Basis.OBSERVED)
    if _is_late(request):
        return _refused(403, "REQUEST_EXPIRED", "request is past its x-gate-exptime", Basis.ASSUMED)
    if not key.can_trade and request.method not in _READS:
        return _refused(403, "READ_ONLY", "API key has read only permission", Basis.DOCUMENTED)
    return None


def gate_signature(request: VenueRequest, secret: str) -> str:
    """The SIGN header that a request must carry, as lower-case hex."""
    text = "\n".join(
        (
            request.method,
            request.path,
            unquote_plus(request.query),
            hashlib.sha512(request.body).hexdigest(),
            request.headers["timestamp"],
        )
    )
    return hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()


def _is_late(request: VenueRequest) -> bool:
    """Documented: a request that names the last instant of its use is refused after it; the label is assumed."""
    last_ms = request.headers.get(EXPIRY_HEADER, "")
    return bool(last_ms) and (count_of(last_ms) or 0) < request.now_ms


def _is_seconds(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _refused(status: int, label: str, message: str, basis: Basis) -> VenueError:
    return VenueError(status=status, code=label, message=message, basis=basis)
