"""What a lead's public pages show at a virtual instant, computed from the saved history.

No HTTP, no faults. Rows of the closed history go out byte for byte; open rows are rebuilt in the source's own dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from copytrade_core.edges.standins.lead_records import HistoryRow, LeadRecord
from copytrade_core.edges.standins.market_data import ServedMarket
from copytrade_core.model.instrument import market_of_symbol

EMPTY_SLOT_SYMBOLS = ("SNTUSDT", "XRPUSDT", "DOGEUSDT", "SOLUSDT", "HYPEUSDT", "BNBUSDT", "BTCUSDT", "ETHUSDT")
"""Symbols that the open-positions array carries besides the lead's own; the real one carries every symbol."""
_SLOT_SIDES = ("BOTH", "LONG", "SHORT")
_UNKNOWN_DETAIL_FIELDS = (
    "aumAmount",
    "avatarUrl",
    "badgeName",
    "badgeModifyTime",
    "badgeCopierCount",
    "closeLeadCount",
    "closedTime",
    "copierPnl",
    "currentCopyCount",
    "maxCopyCount",
    "totalCopyCount",
    "mockCopyCount",
    "favoriteCount",
    "description",
    "endTime",
    "fixedAmountMinCopyUsd",
    "fixedRadioMinCopyUsd",
    "hasCopy",
    "hasMock",
    "lockPeriod",
    "marginBalance",
    "privateLeadPortfolioId",
    "profitSharingRate",
    "rebateFee",
    "riskControlMaxCopyCount",
    "sharpRatio",
    "tag",
    "unrealizedProfitShareAmount",
    "userId",
    "split",
)


def closed_rows(record: LeadRecord, as_of_ms: int, *, held_back: int, by_opening: bool) -> list[HistoryRow]:
    """History rows closed by `as_of_ms`, newest closed first (or newest opened first).

    The newest `held_back` of them count as still open. Rows without a readable closing time are always shown, last.
    """
    placed = [row for row in record.history if row.closed_ms is not None and row.closed_ms <= as_of_ms]
    placed.sort(key=lambda row: row.closed_ms or 0, reverse=True)
    shown = placed[held_back:]
    if by_opening:
        shown.sort(key=lambda row: row.opened_ms or 0, reverse=True)
    return [*shown, *(row for row in record.history if row.closed_ms is None)]


def open_rows(record: LeadRecord, as_of_ms: int, *, held_back: int) -> list[HistoryRow]:
    """Rows of positions that are held at `as_of_ms`: opened by then and not yet closed."""
    placed = sorted((r for r in record.history if r.closed_ms is not None and r.closed_ms <= as_of_ms), key=_closed)
    later = [r for r in record.history if r.closed_ms is not None and r.closed_ms > as_of_ms]
    held = placed[len(placed) - held_back :] if held_back else []
    return sorted(
        (row for row in (*held, *later) if row.opened_ms is not None and row.opened_ms <= as_of_ms),
        key=lambda row: row.opened_ms or 0,
    )


def position_slots(
    rows: Sequence[HistoryRow], symbols: Iterable[str], markets: Mapping[str, ServedMarket], as_of_ms: int
) -> list[dict[str, object]]:
    """The open-positions array: every symbol x BOTH, LONG, SHORT, zero unless a row fills the slot.

    Positions are shown in hedge mode. When two rows claim one slot the later opened one is shown, as a slot holds one
    position only.
    """
    taken = {(row.text("symbol", ""), row.text("side", "").upper()): row for row in rows}
    names = sorted({*EMPTY_SLOT_SYMBOLS, *symbols, *(symbol for symbol, _ in taken)})
    slots: list[dict[str, object]] = []
    for symbol in names:
        price = _mark(markets.get(symbol), as_of_ms)
        for side in _SLOT_SIDES:
            row = taken.get((symbol, side))
            slots.append(_empty_slot(symbol, side) if row is None else _held_slot(row, symbol, side, price))
    return slots


def derived_orders(record: LeadRecord, as_of_ms: int) -> list[dict[str, object]]:
    """Orders as the history implies them (one to open, one to close), newest first; labelled derived when served."""
    orders: list[tuple[int, dict[str, object]]] = []
    for row in record.history:
        for at, price, quantity, opening in (
            (row.opened_ms, "avgCost", "maxOpenInterest", True),
            (row.closed_ms, "avgClosePrice", "closedVolume", False),
        ):
            if at is not None and at <= as_of_ms:
                orders.append((at, _order(row, at, price, quantity, opening=opening)))
    orders.sort(key=lambda order: order[0], reverse=True)
    return [order for _, order in orders]


def derived_performance(rows: Sequence[HistoryRow], time_range: str, since_ms: int) -> dict[str, object]:
    """Performance of closed rows since an instant; what cannot be known from them is null."""
    pnl = [
        value for row in rows if (row.closed_ms or 0) >= since_ms and (value := row.number("closingPnl")) is not None
    ]
    wins = sum(value > 0 for value in pnl)
    return {
        "timeRange": time_range,
        "roi": None,
        "pnl": f"{sum(pnl, Decimal(0)):.8f}",
        "mdd": None,
        "copierPnl": None,
        "winRate": f"{Decimal(100 * wins) / len(pnl):.8f}" if pnl else "0.00000000",
        "winOrders": wins,
        "totalOrder": len(pnl),
        "sharpRatio": None,
    }


def derived_chart(rows: Sequence[HistoryRow], data_type: str, since_ms: int) -> list[dict[str, object]]:
    """The running sum of closed PnL (or of the rows' own roi, in percent) since an instant, one point per close."""
    name, scale = ("roi", 100) if data_type == "ROI" else ("closingPnl", 1)
    points: list[dict[str, object]] = []
    total = Decimal(0)
    for row in sorted(rows, key=_closed):
        if row.closed_ms is not None and row.closed_ms >= since_ms:
            total += (row.number(name) or Decimal(0)) * scale
            points.append({"value": float(total), "dataType": data_type, "dateTime": row.closed_ms})
    return points


def derived_detail(record: LeadRecord, *, positions_shown: bool) -> dict[str, object]:
    """A detail page of the real shape for a lead whose own was not saved: unknown facts are null."""
    opened = [row.opened_ms for row in record.history if row.opened_ms is not None]
    closed = [row.closed_ms for row in record.history if row.closed_ms is not None]
    return {
        **dict.fromkeys(_UNKNOWN_DETAIL_FIELDS),
        "leadPortfolioId": record.lead_id,
        "publicLeadPortfolioId": record.lead_id,
        "nickname": f"Lead {record.lead_id[-4:]}",
        "copierPnlAsset": "USDT",
        "initInvestAsset": "USDT",
        "futuresType": "UM",
        "leadOwner": False,
        "portfolioType": "PUBLIC",
        "status": "ACTIVE",
        "positionShow": positions_shown,
        "startTime": min(opened, default=None),
        "lastTradeTime": max((*opened, *closed), default=None),
        "tagItemVos": [],
    }


def list_row(record: LeadRecord, performance: Mapping[str, object]) -> dict[str, object]:
    """One row of the public lead list."""
    opened = [row.opened_ms for row in record.history if row.opened_ms is not None]
    return {
        "leadPortfolioId": record.lead_id,
        "nickname": f"Lead {record.lead_id[-4:]}",
        "avatarUrl": None,
        "roi": None,
        "pnl": float(str(performance["pnl"])),
        "aum": None,
        "mdd": None,
        "winRate": float(str(performance["winRate"])),
        "sharpRatio": None,
        "currentCopyCount": 0,
        "maxCopyCount": 0,
        "startTime": min(opened, default=None),
        "portfolioType": "PUBLIC",
        "copierPnl": None,
        "chartItems": [],
    }


def _closed(row: HistoryRow) -> int:
    return row.closed_ms or 0


def _mark(market: ServedMarket | None, as_of_ms: int) -> Decimal | None:
    return None if market is None else market.instrument.price(market.price_ticks(as_of_ms))


def _empty_slot(symbol: str, side: str) -> dict[str, object]:
    return {
        "id": f"0_{symbol}_{side}",
        "symbol": symbol,
        "collateral": _quote(symbol),
        "positionAmount": "0",
        "entryPrice": "0.0",
        "unrealizedProfit": "0.00000000",
        "cumRealized": "0",
        "askNotional": "0",
        "bidNotional": "0",
        "notionalValue": "0",
        "markPrice": "0.00000000",
        "leverage": 5,
        "isolated": False,
        "isolatedWallet": "0",
        "adl": 0,
        "positionSide": side,
        "breakEvenPrice": "0.0",
    }


def _held_slot(row: HistoryRow, symbol: str, side: str, mark: Decimal | None) -> dict[str, object]:
    """A slot that holds a position: entry avgCost, quantity maxOpenInterest, a short one negative."""
    quantity = row.number("maxOpenInterest") or Decimal(0)
    entry = row.number("avgCost") or Decimal(0)
    signed = -abs(quantity) if side == "SHORT" else quantity
    price = entry if mark is None else mark
    leverage = row.number("leverage")
    return {
        **_empty_slot(symbol, side),
        "positionAmount": f"{signed:f}",
        "entryPrice": row.text("avgCost", "0.0"),
        "breakEvenPrice": row.text("avgCost", "0.0"),
        "markPrice": f"{price:.8f}",
        "notionalValue": f"{signed * price:.8f}",
        "unrealizedProfit": f"{signed * (price - entry):.8f}",
        "leverage": 5 if leverage is None else int(leverage),
        "isolated": row.text("isolated", "Cross") == "Isolated",
        "adl": 2,
    }


def _order(row: HistoryRow, at_ms: int, price: str, quantity: str, *, opening: bool) -> dict[str, object]:
    symbol, side = row.text("symbol", ""), row.text("side", "").upper()
    quote = _quote(symbol)
    pnl = row.number("closingPnl")
    return {
        "symbol": symbol,
        "baseAsset": symbol.removesuffix(quote),
        "quoteAsset": quote,
        "side": "BUY" if (side == "LONG") == opening else "SELL",
        "type": "MARKET",
        "positionSide": side,
        "executedQty": _exact(row.number(quantity)),
        "avgPrice": _exact(row.number(price)),
        "totalPnl": _exact(Decimal(0) if opening or pnl is None else pnl),
        "orderTime": at_ms,
        "orderUpdateTime": at_ms,
    }


def _exact(value: Decimal | None) -> msgspec.Raw:
    return msgspec.Raw(b"null" if value is None else f"{value:f}".encode())


def _quote(symbol: str) -> str:
    market = market_of_symbol(symbol)
    return "USDT" if market is None else market.split(":")[1]
