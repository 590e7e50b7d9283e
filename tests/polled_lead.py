"""A lead that was polled every minute, written straight into an archive: what tests of archived polls stand on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from copytrade_core.edges.pages.page_archive import Observation, PageArchive
from copytrade_core.model.source import Endpoint

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
SHOWN = {"status": "ACTIVE", "positionShow": True}


def slots(held: Sequence[tuple[str, str, str]], mark: float) -> bytes:
    """The open-positions answer: every symbol and side, mostly zero; `held` are (symbol, amount, entry)."""
    taken = {symbol: (amount, entry) for symbol, amount, entry in held}
    rows = [
        {
            "id": f"{symbol}_LONG",
            "symbol": symbol,
            "collateral": "USDT",
            "positionAmount": taken.get(symbol, ("0", "0"))[0],
            "entryPrice": taken.get(symbol, ("0", "0"))[1],
            "breakEvenPrice": "0",
            "markPrice": f"{mark:.2f}" if symbol in taken else "0",
            "unrealizedProfit": "0",
            "cumRealized": "0",
            "askNotional": "0",
            "bidNotional": "0",
            "notionalValue": "0",
            "leverage": 10,
            "isolated": False,
            "adl": 0,
            "positionSide": "LONG",
        }
        for symbol in SYMBOLS
    ]
    return json.dumps({"code": "000000", "data": rows, "success": True}).encode()


def write_polls(root: Path, lead_id: str, polls: Sequence[tuple[int, bytes]], *, detail_every: int = 4) -> PageArchive:
    """Observations at epoch ms with their bodies; a detail page before every so many of them."""
    archive = PageArchive(root)
    detail = json.dumps({"code": "000000", "data": {"leadPortfolioId": lead_id, **SHOWN}}).encode()
    details = [(at_ms - 1_000, detail) for at_ms, _ in polls[::detail_every]]
    for endpoint, answers in ((Endpoint.OPEN_POSITIONS, polls), (Endpoint.LEAD_DETAIL, details)):
        folder = root / lead_id / endpoint.value
        (folder / "bodies").mkdir(parents=True)
        names: dict[bytes, str] = {}
        lines: list[bytes] = []
        for at_ms, body in answers:
            if body not in names:
                names[body] = hashlib.sha256(body).hexdigest()
                (folder / "bodies" / names[body]).write_bytes(body)
            seen = Observation(
                endpoint=endpoint,
                page=None,
                url_path="/p",
                request=f'{{"portfolioId":"{lead_id}"}}',
                status=200,
                headers=(),
                sha256=names[body],
                bytes_count=len(body),
                received_at_us=at_ms * 1000,
            )
            lines.append(msgspec.json.encode(seen))
        (folder / "observations.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return archive


def at(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, tz=UTC)
