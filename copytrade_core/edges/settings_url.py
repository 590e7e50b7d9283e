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


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL and nothing else of it, in one spelling: `https://www.example.com`."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    is_usual = parts.port in {None, {"http": 80, "https": 443}.get(parts.scheme)}
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{parts.port}"


def checked_standin_url(text: str) -> str:
    """An address on this machine without a trailing slash, or nothing, which means the venue itself.

    Raises:
        ValueError: another machine, or no `http://127.0.0.1:port`.
    """
    if not text:
        return text
    parts = urlsplit(checked_base_url(text))
    if parts.scheme != "http" or parts.hostname != "127.0.0.1" or parts.port is None:
        raise ValueError("it is empty (the venue itself) or a stand-in's http://127.0.0.1:PORT")
    return text.rstrip("/")
