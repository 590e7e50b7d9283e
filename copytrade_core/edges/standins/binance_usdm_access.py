"""Who Binance USD-M lets in: the key, the receive window and the signature. What a request asks for is not read here.

The recipe is documented: HMAC-SHA256 of the query followed by the body, both as sent, without `signature`.
"""

from __future__ import annotations

import hashlib
import hmac

from copytrade_core.edges.standins.venue_dialect import VenueError, VenueRequest
from copytrade_core.virtual_exchange.venue_rules import Basis

RECEIVE_WINDOW_MS_USUAL = 5_000
RECEIVE_WINDOW_MS_MAX = 60_000
AHEAD_MS_MAX = 1_000
"""Documented: a request from more than a second in the venue's future is refused, whatever its window."""
_SIGNATURE = "signature="
_DIGITS_MAX = 15


def binance_denied(request: VenueRequest) -> VenueError | None:
    """Why Binance refuses a signed request, or None. The order of the checks is assumed."""
    given, key = request.headers.get("x-mbx-apikey", ""), request.key
    if not given:
        return _refused(401, -2014, "API-key format invalid.")
    if key.is_revoked or given != key.api_key or (not key.can_trade and request.method != "GET"):
        return _refused(401, -2015, "Invalid API-key, IP, or permissions for action.")
    return _outside_window(request) or _unsigned(request)


def binance_signature(request: VenueRequest, secret: str) -> str:
    """What the parameter `signature` must be, as lower-case hex."""
    signed = _without_signature(request.query) + _without_signature(request.body.decode("latin-1"))
    return hmac.new(secret.encode(), signed.encode("latin-1"), hashlib.sha256).hexdigest()


def _outside_window(request: VenueRequest) -> VenueError | None:
    stated = request.parameters.get("timestamp", "")
    if not _is_count(stated):
        return _refused(400, -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.")
    window = request.parameters.get("recvWindow", str(RECEIVE_WINDOW_MS_USUAL))
    if not _is_count(window) or int(window) > RECEIVE_WINDOW_MS_MAX:
        return _refused(400, -1131, f"recvWindow must be less than {RECEIVE_WINDOW_MS_MAX}")
    ahead_ms = int(stated) - request.now_ms
    if ahead_ms >= AHEAD_MS_MAX:
        return _refused(400, -1021, f"Timestamp for this request was {AHEAD_MS_MAX}ms ahead of the server's time.")
    if -ahead_ms > int(window):
        return _refused(400, -1021, "Timestamp for this request is outside of the recvWindow.")
    return None


def _unsigned(request: VenueRequest) -> VenueError | None:
    given = request.parameters.get("signature", "")
    if not given:
        return _refused(400, -1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
    if not hmac.compare_digest(binance_signature(request, request.key.secret).encode(), given.encode()):
        return _refused(400, -1022, "Signature for this request is not valid.")
    return None


def _without_signature(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith(_SIGNATURE))


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _refused(status: int, code: int, message: str) -> VenueError:
    return VenueError(status=status, code=str(code), message=message, basis=Basis.DOCUMENTED)
