"""Fills of a session's journal that are not noted yet, each with the wish behind it. Reads only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from copytrade_core.edges.runtime.session_rows import Values

Ask = Callable[[str, Values], list[tuple[Any, ...]]]
BPS = 10_000

_UNSEEN = """SELECT f.number, f.at_ms, f.client_order_id, f.episode_id, f.market, f.side, f.kind, f.leg, f.buys,
        f.time_ms, f.raw_price, f.price, f.quantity, f.model, i.body, o.sent_at_ms
    FROM fills f LEFT JOIN intents i ON i.client_order_id = f.client_order_id
        LEFT JOIN orders o ON o.client_order_id = f.client_order_id
    WHERE f.number > (SELECT coalesce(max(fill), 0) FROM slippage_observations) ORDER BY f.number"""


class Style(msgspec.Struct, frozen=True):
    """Where an order waits: a limit's price or a stop's trigger in ticks; neither for one at the market."""

    price: int | None = None
    trigger: int | None = None


class Wish(msgspec.Struct, frozen=True):
    """The part of a journalled intent that an observation needs; `reference_price` is what the decision saw."""

    style: Style
    reference_price: int
    decided_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenFill:
    """One fill of the journal with the wish behind it."""

    number: int
    at_ms: int
    client_order_id: str
    episode_id: str
    market: str
    side: str
    kind: str
    leg: str
    buys: int
    time_ms: int
    raw_price: int
    price: int
    quantity: int
    model: str
    wish: Wish | None
    sent_at_ms: int | None

    @property
    def wished(self) -> int | None:
        """A resting order's own price; otherwise what the decision saw. None for what nobody wished."""
        if self.wish is None:
            return None
        return self.wish.style.price or self.wish.style.trigger or self.wish.reference_price

    def worse_bps(self, expected: float) -> float:
        """Signed basis points of the fill against a price: positive = worse for us."""
        return self.lost_bps(expected, self.price, of=expected)

    def lost_bps(self, before: float, after: float, *, of: float) -> float:
        """What a move of the price costs this fill, in signed basis points of a price: positive = worse for us."""
        sign = 1 if self.buys else -1
        return sign * (after - before) / of * BPS


def unseen_fills(ask: Ask) -> list[SeenFill]:
    """Fills of the journal that have no observation yet, oldest first."""
    return [
        SeenFill(
            number=row[0],
            at_ms=row[1],
            client_order_id=row[2],
            episode_id=row[3],
            market=row[4],
            side=row[5],
            kind=row[6],
            leg=row[7],
            buys=row[8],
            time_ms=row[9],
            raw_price=row[10],
            price=row[11],
            quantity=row[12],
            model=row[13],
            wish=_wish(row[14]),
            sent_at_ms=row[15],
        )
        for row in ask(_UNSEEN, ())
    ]


def _wish(body: str | None) -> Wish | None:
    """The wish behind an order; None for what nobody wished: a close that somebody else made."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body, type=Wish)
    except msgspec.ValidationError:
        return None
