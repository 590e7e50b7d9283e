"""BingX's words for a position, a balance and a contract: the rows inside its envelopes.

Keys and JSON types are those of the documented samples and of ccxt's recorded answers. Orders and fills are elsewhere.
"""

from __future__ import annotations

import zlib
from decimal import Decimal

from copytrade_core.edges.standins.bingx_numbers import decimals_of, money_text, price_text, quantity_text
from copytrade_core.edges.standins.bingx_rows import Row
from copytrade_core.model.units import MONEY_SCALE, RATE_SCALE, Ticks
from copytrade_core.model.venue import PositionMode, VenueBalance, VenueMarket, VenuePosition
from copytrade_core.virtual_exchange.venue_rules import VenueRules

_POSITION_ID_BASE = 1_800_000_000_000_000_000


def position_row(
    position: VenuePosition, market: VenueMarket, *, mark: Ticks, leverage: int, mode: PositionMode, now_ms: int
) -> Row:
    """One open position. The venue shows its side also in one-way mode."""
    instrument = market.instrument
    value, entered = (instrument.notional(price, position.quantity) for price in (mark, position.entry_price))
    margin = entered // leverage
    gained = (value - entered) * position.side.sign
    quantity = quantity_text(position.quantity, instrument)
    return {
        "positionId": str(_POSITION_ID_BASE + zlib.crc32(f"{market.symbol} {position.side}".encode())),
        "symbol": market.symbol,
        "currency": "USDT",
        "positionAmt": quantity,
        "availableAmt": quantity,
        "positionSide": position.side.value.upper(),
        "isolated": False,
        "avgPrice": price_text(instrument.price(position.entry_price), instrument),
        "initialMargin": money_text(margin),
        "margin": money_text(margin + gained),
        "leverage": leverage,
        "unrealizedProfit": money_text(gained),
        "realisedProfit": "0.0000",
        "liquidationPrice": 0,
        "pnlRatio": f"{Decimal(gained) / margin:.4f}" if margin else "0.0000",
        "maxMarginReduction": "0.0000",
        "riskRate": "0.0000",
        "markPrice": price_text(instrument.price(mark), instrument),
        "positionValue": money_text(value),
        "onlyOnePosition": mode is PositionMode.ONE_WAY,
        "updateTime": now_ms,
    }


def balance_row(balance: VenueBalance, unrealised: int) -> Row:
    """The USDT row of the account."""
    return {
        "userId": "100***000",
        "asset": "USDT",
        "balance": money_text(balance.equity - unrealised),
        "equity": money_text(balance.equity),
        "unrealizedProfit": money_text(unrealised),
        "realisedProfit": "0.0000",
        "availableMargin": money_text(balance.free),
        "usedMargin": money_text(balance.equity - balance.free),
        "freezedMargin": "0.0000",
        "shortUid": "10000000",
    }


def contract_row(market: VenueMarket, rules: VenueRules, number: int) -> Row:
    """One row of the contract list. Precision is told as a count of decimals."""
    instrument = market.instrument
    base = instrument.market.partition("/")[0]
    maker, taker = (float(Decimal(rate) / RATE_SCALE) for rate in (rules.maker_fee, rules.taker_fee))
    return {
        "contractId": str(100 + number),
        "symbol": market.symbol,
        "size": f"{instrument.step_size.normalize():f}",
        "quantityPrecision": decimals_of(instrument.step_size),
        "pricePrecision": decimals_of(instrument.tick_size),
        "feeRate": taker,
        "makerFeeRate": maker,
        "takerFeeRate": taker,
        "tradeMinLimit": 0,
        "tradeMinQuantity": float(instrument.quantity(instrument.min_quantity)),
        "tradeMinUSDT": float(Decimal(instrument.min_notional) / MONEY_SCALE),
        "maxLongLeverage": rules.leverage_max,
        "maxShortLeverage": rules.leverage_max,
        "currency": "USDT",
        "asset": base,
        "status": 1 if market.is_open else 25,
        "apiStateOpen": "true" if market.is_open else "false",
        "apiStateClose": "true",
        "ensureTrigger": True,
        "triggerFeeRate": "0.00020000",
    }
