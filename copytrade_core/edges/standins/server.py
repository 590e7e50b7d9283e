"""Runs an ASGI application on loopback, in this process until a signal or in a thread for as long as it is used.

Nothing about what is served belongs here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from typing_extensions import override

from copytrade_core.edges.standins.wire import LoopbackProtocol
from copytrade_core.model.errors import BadConfig, Where

_START_TIMEOUT_S = 20.0
_GRACE_S = 1


def loopback_socket(host: str, port: int) -> socket.socket:
    """A listening socket on a loopback address; port 0 takes any free one.

    Raises:
        BadConfig: the host is not a loopback address, or the port cannot be had.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise BadConfig(
            f"a stand-in never listens on {host!r}",
            where=Where(field="host"),
            next_step="Use 127.0.0.1: what it serves must not be reachable from another machine",
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # The protocol is named because asyncio switches Nagle off only then: 40 ms less for each answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((str(address), port))
        listening.listen(128)
    except (OSError, OverflowError) as error:
        listening.close()
        raise BadConfig(
            f"port {port} on {address} cannot be used: {error}",
            where=Where(field="port"),
            next_step="Choose another port, or 0 for any free one",
        ) from error
    return listening


def url_of(listening: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LoopbackServer(uvicorn.Server):
    """uvicorn that says when it is ready and ends quietly, with exit code 0, on SIGTERM and SIGINT."""

    def __init__(self, app: ASGIApp, when_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=LoopbackProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        self._when_ready = when_ready

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept, then say so."""
        await super().startup(sockets)
        self._when_ready()

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave at the first signal; uvicorn would raise it again after the shutdown."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._leave) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                _ = signal.signal(number, handler)

    def _leave(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True


def run_until_signal(app: ASGIApp, listening: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serve on the socket until SIGTERM or SIGINT; closes the socket."""
    with listening:
        LoopbackServer(app, when_ready).run(sockets=[listening])


@contextlib.contextmanager
def running_in_thread(app: ASGIApp, listening: socket.socket) -> Generator[str]:
    """Serve on the socket from a thread while the context lasts; gives the base URL."""
    ready = threading.Event()
    server = LoopbackServer(app, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="standin", daemon=True)
    base_url = url_of(listening)
    with listening:
        thread.start()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not ready.wait(0.05):
            if not thread.is_alive() or time.monotonic() > deadline:
                raise BadConfig("the stand-in did not start", where=Where(request=base_url))
        try:
            yield base_url
        finally:
            server.should_exit = True
            thread.join()
