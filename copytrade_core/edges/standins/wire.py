"""What a stand-in answers with, and how it is put on the wire, whole or broken.

No endpoint knowledge belongs here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import msgspec
from starlette.types import Receive, Scope, Send
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

JSON_TYPE = "application/json;charset=UTF-8"
HTML_TYPE = "text/html"


class Break(StrEnum):
    """How the connection fails while the answer is sent."""

    TRUNCATED = "truncated"
    """Half of the body arrives, content-length promises all of it, then the connection closes."""
    RESET = "reset"
    """The connection is reset before a byte of the answer."""
    HANG = "hang"
    """Nothing is sent until the client has gone; it costs the server nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; `delay_s` is waited first, `broken` says how the connection fails."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    broken: Break | None = None


def json_answer(payload: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An answer whose body is the payload as compact JSON (`msgspec.Raw` parts go out byte for byte)."""
    return Answer(status=status, body=msgspec.json.encode(payload), content_type=JSON_TYPE, headers=headers)


class LoopbackProtocol(H11Protocol):
    """uvicorn's protocol that also remembers the transport of each open connection, so that faults can break it."""

    transports: ClassVar[dict[tuple[object, ...], asyncio.Transport]] = {}
    _peer: tuple[object, ...] | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport under (server port, client host, client port)."""
        super().connection_made(transport)
        self._peer = _connection_key(transport.get_extra_info("sockname"), transport.get_extra_info("peername"))
        self.transports[self._peer] = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the transport."""
        if self._peer is not None:
            _ = self.transports.pop(self._peer, None)
        super().connection_lost(exc)


def _connection_key(server: Sequence[object], client: Sequence[object]) -> tuple[object, ...]:
    return (server[1], client[0], client[1])


async def send_answer(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Put the answer on the wire as it asks to be."""
    if answer.delay_s > 0 and await _client_leaves(receive, answer.delay_s):
        return
    headers = [("content-type", answer.content_type), *answer.headers, ("content-length", str(len(answer.body)))]
    if answer.broken is not None:
        await _break_connection(answer, headers, scope, receive)
        return
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


async def _client_leaves(receive: Receive, within_s: float) -> bool:
    """Wait; True as soon as the client has gone, so that a slow answer costs no more than the client's patience."""
    message = asyncio.ensure_future(receive())
    done, _ = await asyncio.wait({message}, timeout=within_s)
    if not done:
        _ = message.cancel()
        return False
    return message.result()["type"] == "http.disconnect"


async def _break_connection(answer: Answer, headers: list[tuple[str, str]], scope: Scope, receive: Receive) -> None:
    transport = LoopbackProtocol.transports[_connection_key(scope["server"], scope["client"])]
    if answer.broken is Break.HANG:
        pass
    elif answer.broken is Break.TRUNCATED:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        transport.write(f"HTTP/1.1 {answer.status} OK\r\n{head}\r\n".encode("latin-1"))
        transport.write(answer.body[: len(answer.body) // 2])
        transport.close()
    else:
        raw = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
