"""A lead that was made up: its pages, a policy that trades against it, and settings that ask nobody.

How many positions it has and what the market does belong to `small_lead.py` and to the tests of the orchestrator.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from copytrade_core.edges.market.market_store import Provenance, store_bars
from copytrade_core.edges.stages.instruments import market_rules
from copytrade_core.edges.stages.workplace import Workplace
from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.instrument import Market

MARKET = "BTC/USDT:USDT"
INTERVAL_MS = 300_000
HOUR_MS = 3_600_000
MADE = Provenance(file="made", code_version="test", parents={}, correction=None)
POLICY = """
signal = "contrarian_on_close"
[entry]
side = "both"
signal_age_s_max = 900
entry_drift_bps_max = 500
[ladder]
name = "single"
base_share_ratio = "1"
step_ratios = []
weights = []
add_mode = "multiplier"
anchor = "own_fill"
[exit]
family = "autonomous"
ttl_s = 3600
[sizing]
rule = "fixed"
target_notional_usdt = 100
headroom_bps = 50
[backoff]
failures_max = 3
cooldown_s = 60
"""


def closed_row(*, opened: int, closed: int, cost: float, leave: float, is_long: bool, pnl: float) -> dict[str, object]:
    """A position of 0.01 BTC as the public history shows it."""
    volume = 0.01
    return {
        "id": opened,
        "symbol": "BTCUSDT",
        "type": "UM",
        "opened": opened,
        "closed": closed,
        "avgCost": cost,
        "avgClosePrice": leave,
        "closingPnl": pnl,
        "maxOpenInterest": volume,
        "closedVolume": volume,
        "isolated": "Cross",
        "side": "Long" if is_long else "Short",
        "status": "All Closed",
        "updateTime": closed,
    }


def write_pages(folder: Path, rows: list[dict[str, object]]) -> None:
    """One page of closed positions; the folder's name is the lead's id."""
    folder.mkdir(parents=True)
    response = {"code": "000000", "message": None, "data": {"list": rows, "total": len(rows)}, "success": True}
    request = {"portfolioId": folder.name, "pageNumber": 1, "pageSize": 100}
    pages = [{"pageNumber": 1, "request": request, "response": response}]
    (folder / "position_history_pages_raw.json").write_text(json.dumps(pages))


def offline_settings(text: str, policy: str) -> str:
    """Settings with one policy, `settings/<policy>.toml`.

    Nobody listens at the hosts: a test that forgets to say poll: false fails instead of asking the internet.
    """
    for host in ("https://www.binance.com", "https://fapi.binance.com"):
        text = text.replace(host, "http://127.0.0.1:9")
    return text[: text.index("[policies]")] + f'[policies]\n{policy} = "settings/{policy}.toml"\n'


def loosened(contract: str, easy: Mapping[str, object]) -> str:
    """The contract with other values for some limits."""
    lines: list[str] = []
    for line in contract.splitlines():
        name = line.partition(" = ")[0]
        if name in easy:
            rest = line.split("value = ", 1)[1].split(",", 1)[1]
            line = f"{name} = {{ value = {easy[name]},{rest}"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines) + "\n"


def store_closes(place: Workplace, times: np.ndarray, closes: np.ndarray, opens: np.ndarray, *, reach: int) -> None:
    """Recorded bars that reach so many ticks beyond open and close."""
    series = BarSeries(
        market=Market(MARKET),
        interval_ms=INTERVAL_MS,
        origin=PriceOrigin.RECORDED,
        open_time_ms=times,
        open=opens,
        high=np.maximum(opens, closes) + reach,
        low=np.minimum(opens, closes) - reach,
        close=closes,
        volume=np.full(len(times), 5.0),
    )
    _ = store_bars(place.lake, series, tick_size=market_rules(place, MARKET).tick_size, provenance=MADE)
