"""What tests of a virtual venue stand on: one market on a readable grid, a scripted path, an account with cash.

One tick is 1 USDT and one step 0.00001 coins: at 100,000 one step is worth one USDT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle, OrderStyle, StopStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import FundingRate, Ppm, Steps, Ticks
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.feeds import PriceFeed, ScriptedPath
from copytrade_core.virtual_exchange.venue_ask import PLAIN, EngineOrder, PlaceAsk, Placed, PlaceTerms, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rule_sets import BINANCE, BINGX
from copytrade_core.virtual_exchange.venue_rules import VenueRules
from tests.trading_floor import BTC, START_MS, instrument, usdt

FREE_BINGX = replace(BINGX, maker_fee=Ppm(0), taker_fee=Ppm(0), slippage=Ppm(0), slippage_slope=Ppm(0))
FREE_BINANCE = replace(BINANCE, maker_fee=Ppm(0), taker_fee=Ppm(0), slippage=Ppm(0), slippage_slope=Ppm(0))


def listed(market: Market = BTC, *, contract: int = 1, min_quantity: int = 1, min_notional: float = 2) -> VenueMarket:
    return VenueMarket(
        instrument=instrument(market, min_quantity=min_quantity, min_notional=min_notional),
        symbol=market.partition(":")[0].replace("/", "-"),
        contract_steps=Steps(contract),
        is_open=True,
    )


def path(
    points: Sequence[tuple[float, int]] = ((0, 100_000),),
    *,
    volume: int | None = None,
    funding: Mapping[int, int] | None = None,
    market: Market = BTC,
) -> ScriptedPath:
    """Prices by seconds after the start."""
    return ScriptedPath(
        {market: [(START_MS + round(second * 1000), Ticks(price)) for second, price in points]},
        volume=None if volume is None else Steps(volume),
        funding={market: {at: FundingRate(rate) for at, rate in (funding or {}).items()}},
    )


def engine(
    rules: VenueRules = FREE_BINGX,
    feed: PriceFeed | None = None,
    *,
    cash: float = 1_000,
    market: VenueMarket | None = None,
) -> VenueEngine:
    markets = {BTC: market or listed()}
    return VenueEngine(rules=rules, markets=markets, feed=feed or path(), cash=usdt(cash), now_ms=START_MS)


def ask(
    name: str | None = "a",
    quantity: int = 100,
    *,
    buys: bool = True,
    side: Side | None = Side.LONG,
    reduce_only: bool | None = None,
    style: OrderStyle | None = None,
    market: Market = BTC,
) -> PlaceAsk:
    return PlaceAsk(
        client_order_id=name,
        market=market,
        buys=buys,
        position_side=side,
        reduce_only=reduce_only,
        style=style or MarketStyle(),
        quantity=Steps(quantity),
    )


def net(name: str | None = "a", quantity: int = 100, **more) -> PlaceAsk:
    """An order of one-way mode."""
    return ask(name, quantity, side=None, **more)


def limit(price: int, *, post_only: bool = False) -> LimitStyle:
    return LimitStyle(price=Ticks(price), post_only=post_only)


def stop(trigger: int) -> StopStyle:
    return StopStyle(trigger=Ticks(trigger))


def placed(venue: VenueEngine, wish: PlaceAsk, terms: PlaceTerms = PLAIN) -> EngineOrder:
    done = venue.place(wish, terms)
    assert isinstance(done, Placed), done
    return done.order


def refusal(venue: VenueEngine, wish: PlaceAsk) -> str:
    done = venue.place(wish)
    assert isinstance(done, VenueRefusal), done
    return done.rule.value


def holds(venue: VenueEngine) -> list[tuple[str, int, int]]:
    return [(p.side.value, p.quantity, p.entry_price) for p in venue.positions()]


def later(venue: VenueEngine, seconds: float) -> None:
    venue.advance(venue.now_ms + round(seconds * 1000))


def now(venue: VenueEngine, order: EngineOrder) -> EngineOrder:
    """The order as it stands now."""
    return next(each for each in venue.all_orders() if each.venue_order_id == order.venue_order_id)


def prices(venue: VenueEngine) -> list[tuple[int, int]]:
    return [(fill.price, fill.quantity) for fill in venue.all_fills()]
