"""Whether BingX lets a request in: key, signature over the parameters, and the receive window on the venue's clock.

What the request asks for is judged elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl

from copytrade_core.edges.standins.bingx_errors import ACCESS, AccessFault
from copytrade_core.edges.standins.bingx_parameters import number_of
from copytrade_core.edges.standins.venue_dialect import VenueError, VenueRequest

KEY_HEADER = "x-bx-apikey"
WINDOW_MS = 5_000
"""How far a timestamp may be from the venue's clock when the request states no window (BingX, "Timestamp")."""


def signed_text(query: str, body: bytes) -> str:
    """What the signature is computed over: the parameters as sent, in their order, decoded, without the signature."""
    pairs = parse_qsl(query, keep_blank_values=True) + parse_qsl(body.decode("utf-8", "replace"))
    return "&".join(f"{name}={value}" for name, value in pairs if name != "signature")


def signature_of(text: str, secret: str) -> str:
    """HMAC-SHA256 as lower-case hexadecimal digits."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def denied(request: VenueRequest) -> VenueError | None:
    """Why the request is not let in; None lets it in."""
    fault = _fault(request)
    return None if fault is None else ACCESS[fault]


def _fault(request: VenueRequest) -> AccessFault | None:
    if request.headers.get(KEY_HEADER) != request.key.api_key or request.key.is_revoked:
        return AccessFault.UNKNOWN_KEY
    given = request.parameters.get("signature", "")
    if not given:
        return AccessFault.NO_SIGNATURE
    expected = signature_of(signed_text(request.query, request.body), request.key.secret)
    if not hmac.compare_digest(given.encode(), expected.encode()):
        return AccessFault.WRONG_SIGNATURE
    sent_at_ms = number_of(request.parameters.get("timestamp", ""))
    allowed_ms = number_of(request.parameters.get("recvWindow") or str(WINDOW_MS))
    if sent_at_ms is None or allowed_ms is None:
        return AccessFault.OUTSIDE_WINDOW
    return AccessFault.OUTSIDE_WINDOW if abs(request.now_ms - sent_at_ms) > allowed_ms else None
