"""Pages built from the recorded row, for the tests of `sources`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import polars as pl
import pytest

from copytrade_core.model.source import Endpoint, LeadId, SourcePage

LEAD = LeadId("4751838302089254401")
RECEIVED = datetime(2026, 5, 19, 8, 0, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": 1779098899731,
    "symbol": "BTCUSDT",
    "type": "UM",
    "opened": 1779098899731,
    "closed": 1779131766622,
    "avgCost": 76247.40865858,
    "avgClosePrice": 76716.96798367,
    "closingPnl": 11730.06149916,
    "maxOpenInterest": 24.981,
    "closedVolume": 24.981,
    "isolated": "Cross",
    "side": "Long",
    "status": "All Closed",
    "updateTime": 1779131766622,
    "leverage": "10",
    "roi": "0.05792760",
}
SLOT: dict[str, Any] = {
    "id": "0_BTCUSDT_BOTH",
    "symbol": "BTCUSDT",
    "collateral": "USDT",
    "positionAmount": "0.500",
    "entryPrice": "76000.1",
    "unrealizedProfit": "12.50000000",
    "cumRealized": "0",
    "askNotional": "0",
    "bidNotional": "0",
    "notionalValue": "38012.55",
    "markPrice": "76025.10000000",
    "leverage": 5,
    "isolated": False,
    "isolatedWallet": "0",
    "adl": 0,
    "positionSide": "BOTH",
    "breakEvenPrice": "76030.2",
}


class Pages:
    """Makes pages; `raw` takes any bytes."""

    lead = LEAD
    received = RECEIVED

    def row(self, **changes: Any) -> dict[str, Any]:
        return {**ROW, **changes}

    def slot(self, **changes: Any) -> dict[str, Any]:
        return {**SLOT, **changes}

    def raw(self, body: bytes, endpoint: Endpoint = Endpoint.POSITION_HISTORY, **changes: Any) -> SourcePage:
        given: dict[str, Any] = {
            "lead_id": LEAD,
            "endpoint": endpoint,
            "page": 1 if endpoint is Endpoint.POSITION_HISTORY else None,
            "url_path": "/bapi/test",
            "request": "{}",
            "status": 200,
            "headers": (),
            "body": body,
            "sha256": hashlib.sha256(body).hexdigest(),
            "received_at": RECEIVED,
        }
        return SourcePage(**{**given, **changes})

    def answer(self, data: Any, endpoint: Endpoint = Endpoint.POSITION_HISTORY, **changes: Any) -> SourcePage:
        code = changes.pop("code", "000000")
        body = json.dumps({"code": code, "message": None, "messageDetail": None, "data": data, "success": True})
        return self.raw(body.encode(), endpoint, **changes)

    def history(self, *rows: Any, total: int | None = None, **changes: Any) -> SourcePage:
        data = {"indexValue": None, "total": len(rows) if total is None else total, "list": list(rows)}
        return self.answer(data, Endpoint.POSITION_HISTORY, **changes)

    def open(self, *rows: Any, **changes: Any) -> SourcePage:
        return self.answer(list(rows), Endpoint.OPEN_POSITIONS, **changes)


@pytest.fixture(scope="session")
def pages() -> Pages:
    return Pages()


@pytest.fixture(scope="session")
def frame_of_values() -> Callable[[Iterable[object], pl.Schema], pl.DataFrame]:
    """Values written back as the rows of a schema: proof that reading them lost nothing."""

    def cell(value: object, column: str) -> object:
        found = getattr(value, column.removesuffix("_e8"))
        if isinstance(found, Decimal):
            assert found * 10**8 == int(found * 10**8), f"{column}: {found} has more than eight decimals"
            return int(found * 10**8)
        return found.value if isinstance(found, Enum) else found

    def frame(values: Iterable[object], schema: pl.Schema) -> pl.DataFrame:
        return pl.DataFrame([{name: cell(value, name) for name in schema} for value in values], schema=schema)

    return frame
