"""Settling the original study's recorded trades: one CSV row in, one accounted trade out.

Opening the file is not done here; what the accounting is, is in `legacy_accounting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import market_of_symbol
from copytrade_core.model.side import Side
from copytrade_core.replay.legacy_accounting import LegacyLeg, LegacyTrade, leg_notionals, settle

HOLDING = timedelta(hours=72)
BAR = timedelta(minutes=1)
"""The study was made on 1-minute candles."""
RUNG_OF_BASE_WEIGHT = 1
"""Index of the recorded rung that weighs as much as the base leg (1.0) on both sides."""


class _Rung(msgspec.Struct):
    level: float
    notional: float


_rungs = msgspec.json.Decoder(list[_Rung])


def trade_from_record(record: Mapping[str, str], *, rungs_count: int, file: str, row: int) -> LegacyTrade:
    """The trade that a row of `plain_trades.csv` (0 rungs) or `dca3_trades.csv` (3 rungs) records, accounted anew.

    Only the recorded fills are read (`id symbol side entry_utc exit_utc entry exit fills_json`); average, return and
    pnl are computed. The base leg's notional is not recorded: it is that of the second rung, which has its weight, when
    that rung filled, else its share of the target. The two may differ in the last bit.

    Raises:
        BadInput: a field that is missing or cannot be read; names file, row and field.
    """

    def text(field: str) -> str:
        value = record.get(field)
        if not value:
            raise BadInput("a recorded trade lacks a field", where=Where(file=file, row=row, field=field))
        return value

    try:
        side = Side(text("side").lower())
        rungs = _rungs.decode(text("fills_json"))
        entered_at, exited_at = _instant(text("entry_utc")), _instant(text("exit_utc"))
        entry, leave = float(text("entry")), float(text("exit"))
    except (ValueError, msgspec.DecodeError) as error:
        raise BadInput(f"a recorded trade cannot be read: {error}", where=Where(file=file, row=row)) from error
    market = market_of_symbol(text("symbol"))
    if market is None or len(rungs) > rungs_count:
        raise BadInput("a recorded trade is of another market or ladder", where=Where(file=file, row=row))
    has_twin = len(rungs) > RUNG_OF_BASE_WEIGHT
    base = rungs[RUNG_OF_BASE_WEIGHT].notional if has_twin else leg_notionals(side, rungs_count)[0]
    return settle(
        source_id=text("id"),
        market=market,
        side=side,
        entered_at=entered_at,
        exited_at=exited_at,
        exit_price=leave,
        legs=[
            LegacyLeg(price=entry, notional_usdt=base),
            *(LegacyLeg(price=rung.level, notional_usdt=rung.notional) for rung in rungs),
        ],
        is_truncated=exited_at + BAR <= entered_at + HOLDING,
    )


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return at
