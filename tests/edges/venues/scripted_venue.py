"""A scripted venue on loopback: it answers what a test says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

NOW_MS = 1_767_225_600_000
KEY = "planted-key-8d1f"
SECRET = "planted-secret-77aa"


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Reply:
    """One answer: a JSON payload or raw text, or a broken connection."""

    payload: object = None
    status: int = 200
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    hang_up: bool = False
    drips: bool = False

    def body(self) -> bytes:
        return json.dumps(self.payload).encode() if self.raw is None else self.raw


Answer = Reply | Callable[[Asked], Reply]


class ScriptedVenue:
    """Answers by (method, path); 404 for what it was not told."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[Answer]] = {}
        self.asked: list[Asked] = []
        self.everywhere: Reply | None = None
        self.base_url = ""

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Answer so; the last answer is kept for ever."""
        self.answers[method, path] = list(answers)

    def sent(self, method: str, path: str) -> list[Asked]:
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]

    def reply_to(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.everywhere is not None:
            return self.everywhere
        waiting = self.answers.get((asked.method, asked.path))
        if not waiting:
            return Reply({"error": "not scripted"}, status=404)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer if isinstance(answer, Reply) else answer(asked)


def handler_of(venue: ScriptedVenue) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: 40 ms less for each answer

        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            params = dict(parse_qsl(parts.query, keep_blank_values=True))
            if body.startswith("{"):
                params |= {name: json.dumps(value).strip('"') for name, value in json.loads(body).items()}
            elif body:
                params |= dict(parse_qsl(body, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = venue.reply_to(Asked(self.command, parts.path, params, headers, body))
            if reply.delay_s:
                threading.Event().wait(reply.delay_s)
            if reply.hang_up:
                self.close_connection = True
                return
            payload = reply.body()
            self.send_response(reply.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(payload)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            for piece in [payload[n : n + 1] for n in range(len(payload))] if reply.drips else [payload]:
                with contextlib.suppress(OSError):
                    self.wfile.write(piece)
                    self.wfile.flush()
                threading.Event().wait(0.05 if reply.drips else 0)

        do_GET = do_POST = do_DELETE = do_PUT = answer  # noqa: N815 (the server's names)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
            pass

    return Handler
