"""A run of a venue's stand-in and two clients of BingX's: one that signs by hand, and stock ccxt sent to loopback."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import ccxt
import httpx
import msgspec
import requests
from requests.adapters import HTTPAdapter
from typing_extensions import override

from copytrade_core.edges.standins.venue_setup import MarketSetup, VenueSetup

NOW = 1_779_000_000_000
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
ORDER = "/openApi/swap/v2/trade/order"


def run_setup(
    *, prices: Mapping[str, list[tuple[int, str]]] | None = None, now_ms: int = NOW, **more: Any
) -> VenueSetup:
    """Two markets, 10,000 USDT, BTC at 60,000 and ETH at 3,000 unless other prices are given."""
    path = {BTC: [(NOW, "60000.0")], ETH: [(NOW, "3000.00")]} | dict(prices or {})
    return VenueSetup(
        now_ms=now_ms,
        cash="10000",
        markets=[
            MarketSetup(market=BTC, tick_size="0.1", step_size="0.0001", min_quantity="0.0002", min_notional="2"),
            MarketSetup(market=ETH, tick_size="0.01", step_size="0.01", min_quantity="0.01", min_notional="2"),
        ],
        prices=path,
        **more,
    )


def with_faults(*faults: Mapping[str, object], **more: Any) -> VenueSetup:
    """The usual run with faults armed from the start."""
    return run_setup(faults=msgspec.Raw(msgspec.json.encode(list(faults))), **more)


class BingxDesk:
    """Signs requests as BingX's documents say and gives the decoded answer."""

    def __init__(self, base_url: str, *, timeout_s: float = 5.0) -> None:
        self.client = httpx.Client(base_url=base_url, trust_env=False, timeout=timeout_s)
        self.now_ms = NOW
        self.api_key = "standin-bingx-key"
        self.secret = "standin-bingx-secret"

    def request(self, method: str, path: str, **parameters: object) -> httpx.Response:
        """One signed request; `timestamp` may be given."""
        asked = {name: str(value) for name, value in parameters.items()}
        asked.setdefault("timestamp", str(self.now_ms))
        plain = "&".join(f"{name}={value}" for name, value in asked.items())
        signature = hmac.new(self.secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
        url = f"{path}?{urlencode(asked)}&signature={signature}"
        return self.client.request(method, url, headers={"X-BX-APIKEY": self.api_key})

    def answer(self, method: str, path: str, **parameters: object) -> dict[str, Any]:
        """The decoded body of one signed request."""
        return self.request(method, path, **parameters).json()

    def data(self, method: str, path: str, **parameters: object) -> Any:
        """The data of an answer that is a success."""
        answer = self.answer(method, path, **parameters)
        assert answer["code"] == 0, answer
        return answer["data"]

    def place(self, client_order_id: str = "c1", **changes: object) -> dict[str, Any]:
        """Ask for a market order that opens a long of 0.01 BTC, or for what is changed."""
        usual = {"symbol": "BTC-USDT", "type": "MARKET", "side": "BUY", "positionSide": "LONG", "quantity": "0.01"}
        asked = usual | {"clientOrderID": client_order_id} | changes
        return self.answer("POST", ORDER, **{name: value for name, value in asked.items() if value is not None})


class _ToLoopback(HTTPAdapter):
    """Whatever host a URL names, the bytes go to one port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._port = port
        super().__init__()

    @override
    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        return self.poolmanager.connection_from_host("127.0.0.1", self._port, "http")

    @override
    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Loopback speaks no TLS."""


def stock_bingx(base_url: str, *, timeout_ms: int = 5_000) -> Any:
    """Stock synchronous ccxt with the contract list loaded, at the stand-in's instant."""
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", _ToLoopback(int(base_url.rpartition(":")[2])))
    client: Any = ccxt.bingx(
        {
            "apiKey": "standin-bingx-key",
            "secret": "standin-bingx-secret",
            "session": session,
            "enableRateLimit": False,
            "timeout": timeout_ms,
            "options": {"defaultType": "swap"},
        }
    )
    client.milliseconds = lambda: NOW
    client.set_markets(client.fetch_swap_markets({}))
    return client
