"""What a base URL may be. Asking it is the clients' work."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host name can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_base_url(text: str) -> str:
    """The URL without a trailing slash.

    Raises:
        ValueError: no scheme or host, a path or query, credentials inside, or plain http to another machine.
    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a base URL is https://host[:port]")
    if parts.username or parts.password:
        raise ValueError("a base URL holds no user name or password")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("a base URL has no path; the client knows the paths")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("plain http is only for loopback; use https")
    return text.rstrip("/")
