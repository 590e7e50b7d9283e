"""What somebody else does to the account of a stand-in: an order, a position by hand, the other position mode.

Faults that do the same before a call are `virtual_exchange.call_plan`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from copytrade_core.edges.standins.venue_control import FlipMode, ForeignOrder, ForeignPosition
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.intent import LimitStyle, MarketStyle
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.virtual_exchange.venue_ask import PlaceAsk, VenueRefusal
from copytrade_core.virtual_exchange.venue_engine import VenueEngine


def meddle(engine: VenueEngine, what: ForeignOrder | ForeignPosition | FlipMode) -> None:
    """Do it.

    Raises:
        BadInput: an unknown market, a quantity or price off the grid, an order that the venue refuses, a mode that
            cannot change because one market holds both sides.
    """
    match what:
        case ForeignOrder():
            done = engine.inject_order(_foreign_ask(what, engine))
            if isinstance(done, VenueRefusal):
                raise BadInput(f"the venue refuses the order: {done.rule}", where=Where(field="inject"))
        case ForeignPosition(market=name, side=side, quantity=quantity):
            steps = Steps(_on_grid(quantity, _instrument(engine, name).step_size, "quantity"))
            _ = engine.inject_position(Market(name), side, steps)
        case FlipMode():
            if not engine.flip_mode():
                raise BadInput("a market holds both sides, so the mode cannot change", where=Where(field="inject"))


def _foreign_ask(what: ForeignOrder, engine: VenueEngine) -> PlaceAsk:
    instrument = _instrument(engine, what.market)
    style = MarketStyle()
    if what.price is not None:
        price = Ticks(_on_grid(what.price, instrument.tick_size, "price"))
        style = LimitStyle(price=price, post_only=False)
    return PlaceAsk(
        client_order_id=what.client_order_id,
        market=Market(what.market),
        buys=what.buys,
        position_side=what.position_side,
        reduce_only=what.reduce_only,
        style=style,
        quantity=Steps(_on_grid(what.quantity, instrument.step_size, "quantity")),
    )


def _instrument(engine: VenueEngine, market: str) -> Instrument:
    found = engine.markets.get(Market(market))
    if found is None:
        raise BadInput(f"this run has no market {market}", where=Where(field="market"))
    return found.instrument


def _on_grid(text: str, unit: Decimal, field: str) -> int:
    try:
        count = Decimal(text) / unit
    except InvalidOperation as error:
        raise BadInput(f"{text!r} is no number", where=Where(field=field)) from error
    if not count.is_finite() or count <= 0 or count != count.to_integral_value():
        raise BadInput(f"{field} {text} is no positive multiple of {unit}", where=Where(field=field))
    return int(count)
