"""One bounded HTTP request, one rate limiter per host, and the retry rule around both.

Which answers are errors is decided by the caller (the copy-trading envelope, the market's own codes), not here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
import stamina

from copytrade_core.model.errors import BadConfig, CopytradeError, Where

USER_AGENT = "copytrade/0.1 (read-only research client)"
"""We say who we are; we do not pretend to be a browser."""


Outcome = TypeVar("Outcome")


class TransportFault(CopytradeError):
    """The request got no complete answer: refused, reset, timed out, cut short."""


class AnswerTooLarge(CopytradeError):
    """The answer exceeded the byte cap and was not read further."""


class DeadlineExceeded(CopytradeError):
    """The total time allowed for a call, its waits included, ran out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Every limit of a client; there are no defaults.

    `request_interval_s` is the least time between two requests to one host. `deadline_s` bounds one call with all its
    retries and waits. `backoff_jitter_s` is the largest random part of a wait.
    """

    connect_timeout_s: float
    read_timeout_s: float
    deadline_s: float
    body_bytes_max: int
    attempts_max: int
    backoff_initial_s: float
    backoff_max_s: float
    backoff_jitter_s: float
    request_interval_s: float

    def __post_init__(self) -> None:
        for name in ("connect_timeout_s", "read_timeout_s", "deadline_s", "body_bytes_max", "attempts_max"):
            if getattr(self, name) <= 0:
                raise BadConfig(f"{name} must be positive", where=Where(field=name))
        for name in ("backoff_initial_s", "backoff_max_s", "backoff_jitter_s", "request_interval_s"):
            if getattr(self, name) < 0:
                raise BadConfig(f"{name} must not be negative", where=Where(field=name))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One complete answer: status, all headers (lower-case names), body bytes, and when it had arrived."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: datetime

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)


class HostLimiter:
    """Spaces requests to each host by a fixed interval; safe across threads. One instance is shared per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_free: dict[str, float] = {}

    def wait(self, host: str, interval_s: float, *, until: float) -> None:
        """Sleep until this host may be asked again.

        Raises:
            DeadlineExceeded: the turn would come after `until` (a `time.monotonic` reading).
        """
        with self._lock:
            turn = max(time.monotonic(), self._next_free.get(host, 0.0))
            if turn > until:
                raise DeadlineExceeded(f"no turn to ask {host} before the deadline", where=Where(request=host))
            self._next_free[host] = turn + interval_s
        time.sleep(max(0.0, turn - time.monotonic()))

    def hold(self, host: str, wait_s: float) -> None:
        """Nobody asks this host for `wait_s` (the server said so)."""
        with self._lock:
            self._next_free[host] = max(self._next_free.get(host, 0.0), time.monotonic() + wait_s)


HOST_LIMITER = HostLimiter()
"""The process-wide limiter: two clients of one host share its turns."""


class BoundedHttp:
    """HTTP to one host with a byte cap and time-outs; no redirects, no proxy or netrc from the environment."""

    def __init__(self, base_url: str, limits: HttpLimits, *, limiter: HostLimiter = HOST_LIMITER) -> None:
        url = httpx.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise BadConfig(f"{base_url!r} is not a base URL", next_step="Write it as https://host[:port]")
        self.limits = limits
        self._limiter = limiter
        self._host = url.netloc.decode("ascii")
        self._client = httpx.Client(
            base_url=url,
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": USER_AGENT, "accept": "application/json"},
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def hold(self, wait_s: float) -> None:
        """Ask this host nothing for a while."""
        self._limiter.hold(self._host, wait_s)

    def request(
        self,
        method: str,
        path: str,
        *,
        until: float,
        params: dict[str, str] | None = None,
        json: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> HttpAnswer:
        """One request, one answer, no retry. `until` is a `time.monotonic` reading that nothing may outlive.

        Raises:
            TransportFault: no complete answer arrived.
            AnswerTooLarge: more bytes than `body_bytes_max`.
            DeadlineExceeded: no time left.
        """
        self._limiter.wait(self._host, self.limits.request_interval_s, until=until)
        sent = {"content-type": "application/json", **(headers or {})} if json is not None else headers
        where = Where(request=f"{method} {path}")
        try:
            with self._client.stream(method, path, params=params, content=json, headers=sent) as response:
                body = self._read(response, where, until)
        except httpx.HTTPError as fault:
            raise TransportFault(f"no complete answer: {type(fault).__name__} {fault}", where=where) from fault
        pairs = tuple((name.lower(), value) for name, value in response.headers.items())
        return HttpAnswer(status=response.status_code, headers=pairs, body=body, received_at=datetime.now(UTC))

    def _read(self, response: httpx.Response, where: Where, until: float) -> bytes:
        parts: list[bytes] = []
        left = self.limits.body_bytes_max
        for part in response.iter_bytes():
            left -= len(part)
            if left < 0:
                raise AnswerTooLarge(f"the answer is larger than {self.limits.body_bytes_max} bytes", where=where)
            if time.monotonic() > until:
                raise DeadlineExceeded("the answer was still arriving at the deadline", where=where)
            parts.append(part)
        return b"".join(parts)


def retry_after_s(answer: HttpAnswer) -> float | None:
    """Seconds that `Retry-After` asks for (a number or an HTTP date), or None when absent or unreadable."""
    text = answer.header("retry-after")
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def deadline(limits: HttpLimits) -> float:
    """The `time.monotonic` reading at which a call that starts now must be over."""
    return time.monotonic() + limits.deadline_s


def with_retries(
    attempt: Callable[[], Outcome], *, limits: HttpLimits, until: float, backoff: Callable[[Exception], bool | float]
) -> Outcome:
    """Run `attempt` until it succeeds, jittered exponential waits between tries.

    Args:
        attempt: one try; raises when it failed.
        limits: attempts and waits.
        until: the deadline of the whole call; a wait that would pass it is not begun.
        backoff: False to give up at once, True for the usual wait, a number of seconds when the server named one.

    Raises:
        Exception: the last one of `attempt`.
    """

    def hook(fault: Exception) -> bool | float:
        wanted = backoff(fault)
        if wanted is False or time.monotonic() + (0.0 if wanted is True else wanted) >= until:
            return False
        return wanted

    for tried in stamina.retry_context(
        on=hook,
        attempts=limits.attempts_max,
        timeout=max(0.001, until - time.monotonic()),
        wait_initial=limits.backoff_initial_s,
        wait_max=limits.backoff_max_s,
        wait_jitter=limits.backoff_jitter_s,
    ):
        with tried:
            return attempt()
    raise AssertionError("stamina yields at least one attempt")
