"""Gate's words for a contract, an order, a trade, a position and an account: the JSON of its answers.

Keys and JSON types are those of the published models and of ccxt's recorded answers. Which rows are asked for is not
known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from copytrade_core.edges.standins.plain_numbers import average_price, money_plain, plain, rate_plain
from copytrade_core.edges.standins.venue_dialect import StandinKey
from copytrade_core.model.intent import LimitStyle, MarketStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks, ceil_div
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrderStatus,
    VenuePosition,
)
from copytrade_core.virtual_exchange.venue_ask import EngineOrder
from copytrade_core.virtual_exchange.venue_matching import CUT, LEG_FLAT, NOTHING_LEFT
from copytrade_core.virtual_exchange.venue_rules import VenueRules

Row = dict[str, object]

USER_ID = 10_000_001
NOBODY = "api"
"""`text` of an order that came without one: how it was created."""
_SLIP_RATIO = "0.05"
_ENDED_AS = {CUT: "ioc", NOTHING_LEFT: "reduce_only", LEG_FLAT: "position_closed"}
_HISTORY = ("dnw", "pnl", "refr", "point_fee", "point_dnw", "bonus_dnw", "point_refr", "bonus_offset", "fee", "fund")


def sized(steps: int, market: VenueMarket, *, as_text: bool) -> object:
    """A signed quantity in contracts: text, or an integer rounded towards zero where the client reads no text."""
    contracts = Decimal(steps) / market.contract_steps
    return plain(contracts) if as_text else int(contracts)


def order_row(order: EngineOrder, market: VenueMarket, rules: VenueRules, *, as_text: bool) -> Row:
    """One order; `finish_as` and `finish_time` are only there when it is final."""
    sign = 1 if order.buys else -1
    price, tif = _asked(order, market)
    row: Row = {
        "id": int(order.venue_order_id),
        "user": USER_ID,
        "contract": market.symbol,
        "create_time": order.created_at_ms / 1000,
        "update_time": order.updated_at_ms / 1000,
        "status": "finished" if order.status.is_final else "open",
        "size": sized(sign * order.quantity, market, as_text=as_text),
        "left": sized(sign * (order.quantity - order.filled), market, as_text=as_text),
        "iceberg": sized(0, market, as_text=as_text),
        "price": price,
        "fill_price": plain(average_price(order, market.instrument)),
        "tif": tif,
        "text": order.client_order_id or NOBODY,
        "is_reduce_only": order.reduce_only,
        "is_close": False,
        "is_liq": False,
        "tkfr": rate_plain(rules.taker_fee),
        "mkfr": rate_plain(rules.maker_fee),
        "refu": 0,
        "refr": "0",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": "-",
        "biz_info": "-",
        "update_id": 1,
        "pnl": "0",
        "pnl_margin": "0",
        "bbo": "-",
        "market_order_slip_ratio": _SLIP_RATIO,
    }
    if order.status.is_final:
        row |= {"finish_as": _finished_as(order), "finish_time": order.updated_at_ms / 1000}
    return row


def trade_row(fill: VenueFill, order: EngineOrder, market: VenueMarket, *, as_text: bool) -> Row:
    """One trade of ours as `my_trades_timerange` shows it; `close_size` is what of it closed (documented)."""
    size = fill.quantity if fill.buys else -fill.quantity
    return {
        "trade_id": fill.trade_id,
        "create_time": fill.time_ms / 1000,
        "contract": market.symbol,
        "order_id": fill.venue_order_id,
        "size": sized(size, market, as_text=as_text),
        "close_size": sized(size if order.closes else 0, market, as_text=as_text),
        "price": plain(market.instrument.price(fill.price)),
        "role": "maker" if fill.is_maker else "taker",
        "text": order.client_order_id or NOBODY,
        "fee": money_plain(fill.fee),
        "point_fee": "0",
        "biz_info": "-",
        "amend_text": "-",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One place for a position: `side` in dual mode, None for the single one; `held` None when it is flat."""

    side: Side | None
    held: VenuePosition | None
    mark: Ticks
    leverage: int
    orders_count: int


def position_row(leg: Leg, market: VenueMarket, rules: VenueRules, *, now_ms: int, as_text: bool) -> Row:
    """One position; a flat one is shown with zeros. Margin is always cross: `leverage` 0 and a limit."""
    held = leg.held
    instrument = market.instrument
    quantity = 0 if held is None else held.quantity * held.side.sign
    value = instrument.notional(leg.mark, abs(quantity))
    entered = 0 if held is None else instrument.notional(held.entry_price, held.quantity)
    gained = (value - entered) * (1 if quantity > 0 else -1)
    return {
        "user": USER_ID,
        "contract": market.symbol,
        "mode": "single" if leg.side is None else f"dual_{leg.side}",
        "size": sized(quantity, market, as_text=as_text),
        "leverage": "0",
        "cross_leverage_limit": str(leg.leverage),
        "leverage_max": str(rules.leverage_max),
        "value": money_plain(value),
        "margin": money_plain(value // leg.leverage),
        "initial_margin": money_plain(value // leg.leverage),
        "maintenance_margin": "0",
        "maintenance_rate": "0.005",
        "entry_price": "0" if held is None else plain(instrument.price(held.entry_price)),
        "mark_price": plain(instrument.price(leg.mark)),
        "liq_price": "0",
        "unrealised_pnl": money_plain(gained),
        "realised_pnl": "0",
        "history_pnl": "0",
        "last_close_pnl": "0",
        "realised_point": "0",
        "history_point": "0",
        "pnl_pnl": "0",
        "pnl_fund": "0",
        "pnl_fee": "0",
        "risk_limit": "1000000",
        "adl_ranking": 6 if held is None else 5,
        "pending_orders": leg.orders_count,
        "close_order": None,
        "trade_max_size": sized(0, market, as_text=as_text),
        "update_time": now_ms // 1000,
        "update_id": 1,
        "open_time": 0 if held is None else now_ms // 1000,
    }


def account_row(balance: VenueBalance, unrealised: int, order_margin: int, mode: PositionMode, now_ms: int) -> Row:
    """The futures account. Documented: total = position_margin + order_margin + available, without what is unrealised.

    A profit that is not realised backs margin but never raises `available` above `total` (assumed).
    """
    total = balance.equity - unrealised
    available = min(balance.free, total)
    reserved = min(order_margin, total - available)
    return {
        "user": USER_ID,
        "currency": "USDT",
        "total": money_plain(total),
        "available": money_plain(available),
        "position_margin": money_plain(total - available - reserved),
        "order_margin": money_plain(reserved),
        "unrealised_pnl": money_plain(unrealised),
        "point": "0",
        "bonus": "0",
        "in_dual_mode": mode is PositionMode.HEDGE,
        "enable_credit": False,
        "history": dict.fromkeys(_HISTORY, "0") | {"cross_settle": "0"},
        "update_time": now_ms // 1000,
        "update_id": 1,
    }


def contract_row(market: VenueMarket, rules: VenueRules, mark: Ticks, *, as_text: bool) -> Row:
    """One row of the contract list."""
    instrument = market.instrument
    price, tick = plain(instrument.price(mark)), plain(instrument.tick_size)
    least = max(1, ceil_div(instrument.min_quantity, market.contract_steps)) * market.contract_steps
    return {
        "name": market.symbol,
        "type": "direct",
        "contract_type": "",
        "status": "trading" if market.is_open else "suspend",
        "in_delisting": not market.is_open,
        "is_pre_market": False,
        "quanto_multiplier": plain(instrument.quantity(market.contract_steps)),
        "order_price_round": tick,
        "mark_price_round": tick,
        "order_size_min": sized(least, market, as_text=as_text),
        "order_size_max": sized(1_000_000 * market.contract_steps, market, as_text=as_text),
        "market_order_size_max": "0",
        "enable_decimal": False,
        "order_price_deviate": "0.5",
        "orders_limit": 100,
        "last_price": price,
        "mark_price": price,
        "index_price": price,
        "mark_type": "index",
        "maker_fee_rate": rate_plain(rules.maker_fee),
        "taker_fee_rate": rate_plain(rules.taker_fee),
        "ref_discount_rate": "0",
        "ref_rebate_rate": "0.2",
        "leverage_min": "1",
        "leverage_max": str(rules.leverage_max),
        "cross_leverage_default": str(rules.leverage),
        "maintenance_rate": "0.005",
        "risk_limit_base": "1000000",
        "risk_limit_step": "1000000",
        "risk_limit_max": "1000000",
        "funding_rate": "0",
        "funding_interval": 28_800,
        "market_order_slip_ratio": _SLIP_RATIO,
        "create_time": 1_546_300_800,
    }


def key_row(key: StandinKey) -> Row:
    """The key as `account/main_keys` tells it. That the right to withdraw is a writable wallet is assumed."""
    return {
        "state": 3 if key.is_revoked else 1,
        "mode": 1,
        "name": "standin",
        "user_id": USER_ID,
        "currency_pairs": [],
        "ip_whitelist": ["127.0.0.1"] if key.ip_restricted else [],
        "perms": [
            {"name": "futures", "read_only": not key.can_trade},
            {"name": "account", "read_only": True},
            {"name": "wallet", "read_only": not key.can_withdraw},
        ],
        "key": {"mode": 1},
    }


def detail_row(key: StandinKey) -> Row:
    """The account as `account/detail` tells it; nothing in it says what the key may do."""
    return {
        "user_id": USER_ID,
        "ip_whitelist": ["127.0.0.1"] if key.ip_restricted else [],
        "currency_pairs": [],
        "key": {"mode": 1},
        "tier": 0,
        "tier_expire_time": "0001-01-01T00:00:00Z",
        "copy_trading_role": 0,
    }


def _asked(order: EngineOrder, market: VenueMarket) -> tuple[str, str]:
    """Price and time in force as the order asked for them."""
    match order.style:
        case LimitStyle(price=price, post_only=post_only):
            return plain(market.instrument.price(price)), "poc" if post_only else "gtc"
        case MarketStyle() | StopStyle():
            return "0", "ioc"


def _finished_as(order: EngineOrder) -> str:
    if order.status is VenueOrderStatus.FILLED:
        return "filled"
    return _ENDED_AS.get(order.why, "cancelled")
