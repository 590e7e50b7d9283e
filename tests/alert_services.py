"""Services that take alerts, on loopback: Telegram's Bot API (sendMessage) and a plain JSON hook."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from copytrade_core.edges.standins.server import loopback_socket, running_in_thread

TOKEN = "123456789:AAHs6t8kq_zJ0w1vNqGx4f9bC2dE5rT7yUo"
CHAT = "987654321"


@dataclass
class AlertServices:
    """What was taken, and what to answer instead: `failures` are HTTP statuses of the next requests."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    retry_after_s: int = 5
    base_url: str = ""

    @property
    def hook(self) -> str:
        return f"{self.base_url.replace('http', 'json')}/hook/s3cret-path"

    @property
    def telegram(self) -> str:
        return f"tgram://{TOKEN}/{CHAT}"

    async def hooked(self, request: Request) -> Response:
        if self.failures:
            self.refused.append(self.failures.pop(0))
            elsewhere = {"location": f"{self.base_url}/hook/elsewhere"}
            return PlainTextResponse("no", status_code=self.refused[-1], headers=elsewhere)
        self.taken.append(await request.json())
        return JSONResponse({"ok": True})

    async def bot(self, request: Request) -> Response:
        """https://core.telegram.org/bots/api#sendmessage: errors are an envelope with ok false."""

        def error(code: int, description: str) -> Response:
            self.refused.append(code)
            body = {"ok": False, "error_code": code, "description": description}
            return JSONResponse(body, status_code=code)

        if request.path_params["token"] != TOKEN:
            return error(401, "Unauthorized")
        if request.path_params["method"] != "sendMessage":
            return error(404, "Not Found")
        if self.failures:
            return error(self.failures.pop(0), f"Too Many Requests: retry after {self.retry_after_s}")
        asked = await request.json()
        if str(asked.get("chat_id")) != CHAT:
            return error(400, "Bad Request: chat not found")
        if not 1 <= len(asked.get("text", "")) <= 4096:
            return error(400, "Bad Request: message text is empty or too long")
        self.taken.append(asked)
        chat = {"id": int(CHAT), "type": "private"}
        result = {"message_id": len(self.taken), "chat": chat, "date": 0, "text": asked["text"]}
        return JSONResponse({"ok": True, "result": result})


@contextlib.contextmanager
def alert_services() -> Generator[AlertServices]:
    services = AlertServices()
    app = Starlette(
        routes=[
            Route("/hook/{rest:path}", services.hooked, methods=["POST"]),
            Route("/bot{token}/{method}", services.bot, methods=["POST"]),
        ]
    )
    with running_in_thread(app, loopback_socket("127.0.0.1", 0)) as base_url:
        services.base_url = base_url
        yield services
