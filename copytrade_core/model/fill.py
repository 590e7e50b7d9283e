"""What a venue, or the virtual exchange, did with an order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks


class FillModel(StrEnum):
    """The rule that made a fill's price; versioned, because results name it."""

    NEXT_BAR_OPEN = "next_bar_open_v1"
    FIRST_BAR_CLOSE = "first_bar_close_v1"
    QUOTE_SNAPSHOT = "quote_snapshot_v1"
    TOUCH = "touch_v1"
    CLOSE_BEYOND = "close_beyond_v1"
    LEGACY_CONTRARIAN = "legacy_contrarian_v1"
    VENUE = "venue_v1"


MARKET_FILL_MODELS = (FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE, FillModel.QUOTE_SNAPSHOT)
RUNG_FILL_MODELS = (FillModel.TOUCH, FillModel.CLOSE_BEYOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """A fill. `raw_price` is the price before slippage, `price` the one paid; `slippage` and `fee` are money lost."""

    client_order_id: str
    kind: IntentKind
    episode_id: str
    market: Market
    side: Side
    leg: str
    buys: bool
    time_ms: int
    bar_open_ms: int
    raw_price: Ticks
    price: Ticks
    quantity: Steps
    fee: Money
    slippage: Money
    model: FillModel
    reason: str
