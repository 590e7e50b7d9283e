"""Whether every entry kept the caps when it was planned, counted again from the venue's ledger."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from copytrade_core.edges.preflight.drill_markets import MARKETS
from copytrade_core.edges.preflight.record import DrillRecord
from copytrade_core.edges.preflight.venue_ledger import LedgerFill, LedgerOrder
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle
from copytrade_core.model.order_row import OrderRow
from copytrade_core.model.side import Side

HOUR_MS = 3_600_000
SLACK_PERCENT = 101
"""Steps are whole and fills slip: what is over by less than one in a hundred is within."""


class _Caps:
    """The venue's ledger, looked at from the side of our entries."""

    def __init__(self, record: DrillRecord) -> None:
        self._placed: dict[str, LedgerOrder] = {
            order.client_order_id: order for order in record.ledger.orders if order.client_order_id is not None
        }
        self._closed_by_others = [
            order for order in record.ledger.orders if order.reduces and order.client_order_id not in record.rows
        ]
        self._fills: defaultdict[str, list[LedgerFill]] = defaultdict(list)
        for fill in record.ledger.fills:
            self._fills[fill.venue_order_id].append(fill)
        self._moves: dict[Market, tuple[list[int], list[int]]] = {
            market: ([0], [int(drill.first_price)]) for market, drill in MARKETS.items()
        }
        for point in record.schedule.story.points:
            times, prices = self._moves[point.market]
            times.append(point.at_ms)
            prices.append(int(point.price))

    def notional_at(self, row: OrderRow, rows: list[OrderRow]) -> int:
        """Money held, resting and asked for when one entry was planned; `rows` are all of ours, in that order."""
        now_ms = row.planned_at_ms
        held: defaultdict[tuple[Market, Side], int] = defaultdict(int)
        money = self._money(row, int(row.order.quantity), now_ms)
        for other in rows:
            if other is row:
                break
            placed = self._placed.get(other.order.client_order_id)
            if placed is None:
                continue
            filled = self._filled(placed, now_ms)
            held[other.order.market, other.order.side] += filled if other.order.kind.is_entry else -filled
            if other.order.kind.is_entry and (placed.ended_at_ms is None or placed.ended_at_ms > now_ms):
                money += self._money(other, int(placed.quantity) - filled, now_ms)
        for order in self._closed_by_others:
            side = Side.SHORT if order.buys else Side.LONG
            held[order.market, side] -= self._filled(order, now_ms)
        for (market, _), steps in held.items():
            money += MARKETS[market].instrument.notional(self._mark(market, now_ms), max(0, steps))
        return money

    def _filled(self, order: LedgerOrder, at_ms: int) -> int:
        return sum(int(fill.quantity) for fill in self._fills[order.venue_order_id] if fill.time_ms <= at_ms)

    def _money(self, row: OrderRow, steps: int, now_ms: int) -> int:
        style, market = row.order.style, row.order.market
        price = style.price if isinstance(style, LimitStyle) else self._mark(market, now_ms)
        return MARKETS[market].instrument.notional(price, steps)

    def _mark(self, market: Market, at_ms: int) -> int:
        times, prices = self._moves[market]
        return prices[bisect_right(times, at_ms) - 1]


def over_the_caps(record: DrillRecord) -> Iterator[str]:
    """Every entry that left over a cap: filled + reserved + asked for, and entries within an hour."""
    caps, rows = _Caps(record), list(record.rows.values())
    left = {sent.order.client_order_id for sent in record.sent}
    for row in rows:
        if row.order.kind.is_entry and row.order.client_order_id in left:
            money = caps.notional_at(row, rows)
            if money * 100 > record.gross_cap * SLACK_PERCENT:
                yield f"{row.order.leg} of {row.order.episode_id}: {money} with it, the cap is {record.gross_cap}"
    times = [sent.at_ms for sent in record.sent if sent.order.kind.is_entry]
    most = record.schedule.story.orders_per_hour_max
    for index, at_ms in enumerate(times):
        within = sum(1 for earlier in times[: index + 1] if earlier > at_ms - HOUR_MS)
        if within > most:
            yield f"{within} entries within an hour, the cap is {most}"
