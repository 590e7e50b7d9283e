"""Messages to a person through apprise: Telegram first, and every other service that it speaks.

An address is a secret: it is in no message, log line or error of ours. When a message leaves is decided in `monitor`.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote

import apprise
from apprise.plugins.telegram import NotifyTelegram
from pydantic import SecretStr
from typing_extensions import override

from copytrade_core.edges.settings_monitor import AlertsSection
from copytrade_core.model.errors import BadConfig, Where

_HIDDEN = "********"
_SECRET_LENGTH_MIN = 4
"""Shorter pieces of an address are words like `v1`; hiding them would hide the reason too."""
_WHY_MAX = 300
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)\S+")
_RETRY_AFTER = re.compile(r"retry after (\d{1,9})")
"""What Telegram's Bot API says with status 429; apprise hands on its words."""
_APPRISE = logging.getLogger(apprise.logger.name)
_REQUESTS = logging.getLogger("urllib3")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """A service did not take a message; `why` says it without the address."""

    why: str


class AlertChannel:
    """One address that messages go to.

    Args:
        url: an apprise URL: `tgram://<bot token>/<chat id>`, `json://host/path`, …
        settings: time-outs, tries, and where Telegram's Bot API is.
        variable: where the URL came from, for errors.
        sleep: lets the wait between tries pass.

    Raises:
        BadConfig: no service of apprise's understands the URL; it is not shown.
    """

    def __init__(
        self, url: SecretStr, settings: AlertsSection, *, variable: str, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._secrets = _pieces(url.get_secret_value())
        self._settings = settings
        self._sleep = sleep
        asset = apprise.AppriseAsset(
            app_id="copytrade",
            # Nothing on disk, no thread of its own, and no redirect: an address must not travel to another host.
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            async_mode=False,
            http_redirects=False,
            secure_logging=True,
            allow_templates=False,
        )
        with _captured() as said:
            service = apprise.Apprise.instantiate(url.get_secret_value(), asset=asset)
        if service is None:
            raise BadConfig(
                f"the alert address is none that apprise understands{self._reason(said)}",
                where=Where(field=variable),
                next_step="Use a URL like tgram://TOKEN/CHAT; https://appriseit.com lists all services",
            )
        service.socket_connect_timeout = service.socket_read_timeout = settings.timeout_s
        if service.overflow_mode is apprise.OverflowMode.UPSTREAM:
            # A service refuses what is too long for it, and would refuse it at every try.
            service.overflow_mode = apprise.OverflowMode.SPLIT
        if isinstance(service, NotifyTelegram):
            service.notify_url = f"{settings.telegram_base_url}/bot"
        self.service_name = str(service.service_name)
        self._apprise = apprise.Apprise(asset=asset)
        self._apprise.add(service)

    def send(self, title: str, body: str) -> NotTaken | None:
        """Sends one message, with a few tries; None when it was taken.

        A service that asks for a pause gets it; for one longer than `timeout_s` it is left alone in this call.
        """
        why, pause_s = "", 0.0
        for attempt in range(self._settings.attempts_max):
            if pause_s > self._settings.timeout_s:
                break
            if attempt:
                self._sleep(max(pause_s, self._settings.retry_wait_s * 2 ** (attempt - 1)))
            with _captured() as said:
                taken = self._apprise.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
            if taken:
                return None
            why = self._reason(said)
            asked = _RETRY_AFTER.search(why)
            pause_s = float(asked[1]) if asked else 0.0
        return NotTaken(why=f"{self.service_name} did not take it{why}"[:_WHY_MAX])

    @override
    def __repr__(self) -> str:
        return f"AlertChannel({self.service_name})"

    def _reason(self, said: list[str]) -> str:
        if not said:
            return ""
        # Short pieces are not worth replacing one by one, so a whole address is hidden first.
        text = _ADDRESS.sub(rf"\g<1>{_HIDDEN}", said[-1])
        for piece in self._secrets:
            text = text.replace(piece, _HIDDEN)
        return f": {text}"


def _pieces(url: str) -> list[str]:
    """Everything in an address that may be secret, the longest first: whatever stands behind its scheme."""
    rest = url.partition("://")[2] or url
    found = {rest, *(piece for text in (rest, unquote(rest)) for piece in re.split(r"[^A-Za-z0-9_.\-]+", text))}
    found |= set(re.split(r"[/@?&]+", unquote(rest)))
    return sorted((each for each in found if len(each) >= _SECRET_LENGTH_MIN), key=len, reverse=True)


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _captured() -> Generator[list[str]]:
    """What apprise warns of goes here and nowhere else, and nothing is said of its requests: both hold addresses."""
    listener, silence = _Listener(), logging.NullHandler()
    with _only(_APPRISE, listener), _only(_REQUESTS, silence):
        yield listener.said


@contextmanager
def _only(logger: logging.Logger, handler: logging.Handler) -> Generator[None]:
    before = (logger.propagate, logger.level, logger.handlers[:])
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.propagate, level, logger.handlers[:] = before
        logger.setLevel(level)
