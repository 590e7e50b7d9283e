"""What one run of a venue's stand-in starts from, as JSON: markets, prices, cash, key, faults. The body of `reset`.

Which file or bar store it comes from is not known here.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Protocol

import msgspec

from copytrade_core.edges.standins.venue_dialect import StandinKey
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Money, Steps, Ticks, money_from_decimal
from copytrade_core.model.venue import PositionMode, Venue, VenueMarket


class MarketSetup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One market. Sizes are decimal text in base or quote units; `contract_size` is base units of one contract.

    `symbol` is what the venue calls it (None: as its rule for names says), `contract_size` None counts in steps.
    """

    market: str
    tick_size: str
    step_size: str
    min_quantity: str
    min_notional: str
    symbol: str | None = None
    contract_size: str | None = None
    is_open: bool = True


class KeySetup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Rights of the stand-in's own key."""

    can_trade: bool = True
    can_withdraw: bool = False
    ip_restricted: bool = True
    is_revoked: bool = False


class VenueSetup(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Everything a run starts from.

    `cash` is quote money as decimal text. `prices` gives a stepwise path `[epoch ms, decimal price]` for every market;
    None keeps the bars the server was started with, and `markets` None their markets. `until_ms` is the last instant
    the run will ask for: prices that end before are refused. `speed` is virtual seconds per real second.
    `position_mode` None is the venue's default. `options` are settings of the dialect (`create_answer`).
    """

    now_ms: int
    cash: str
    markets: list[MarketSetup] | None = None
    prices: dict[str, list[tuple[int, str]]] | None = None
    until_ms: int | None = None
    position_mode: PositionMode | None = None
    key: KeySetup = msgspec.field(default_factory=KeySetup)
    faults: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"[]"))
    seed: int = 0
    speed: float = 0.0
    options: dict[str, str] = {}


class NamesMarkets(Protocol):
    """The part of a dialect that knows how its venue names a market."""

    def symbol_of(self, market: Market) -> str:
        """The venue's name of a unified market."""
        ...


def setup_from_json(body: bytes) -> VenueSetup:
    """A run's start from JSON.

    Raises:
        BadInput: not JSON, an unknown or missing member, or one of another type.
    """
    try:
        return msgspec.json.decode(body, type=VenueSetup)
    except msgspec.MsgspecError as error:
        raise BadInput(
            f"this is no description of a run: {error}",
            where=Where(field="setup"),
            next_step="Give at least now_ms and cash, and for a scripted path markets and prices",
        ) from error


def fake_key(venue: Venue, rights: KeySetup) -> StandinKey:
    """The one key a venue's stand-in accepts."""
    return StandinKey(
        api_key=f"standin-{venue}-key",
        secret=f"standin-{venue}-secret",
        can_trade=rights.can_trade,
        can_withdraw=rights.can_withdraw,
        ip_restricted=rights.ip_restricted,
        is_revoked=rights.is_revoked,
    )


def cash_of(setup: VenueSetup) -> Money:
    """The account's quote money.

    Raises:
        BadInput: not a positive number.
    """
    return money_from_decimal(_positive(setup.cash, "cash"))


def markets_of(setup: list[MarketSetup], names: NamesMarkets, as_of_ms: int) -> dict[Market, VenueMarket]:
    """The markets by unified name.

    Raises:
        BadInput: a size that is no positive number, or a minimum or contract size off the grid.
        OutOfBounds: a grid too fine for exact money.
    """
    as_of = datetime.fromtimestamp(as_of_ms / 1000, tz=UTC)
    return {Market(each.market): _market(each, names, as_of) for each in setup}


def paths_of(
    prices: dict[str, list[tuple[int, str]]], markets: dict[Market, VenueMarket], until_ms: int | None
) -> dict[Market, tuple[tuple[int, Ticks], ...]]:
    """The scripted price points of every market, in ticks.

    Raises:
        BadInput: a market without prices or prices without market, times that do not increase, a price off the grid, or
            a path that ends before `until_ms`.
    """
    if set(prices) != set(markets):
        odd = sorted(set(prices) ^ set(markets))
        raise BadInput(f"markets and prices differ in {', '.join(odd)}", where=Where(field="prices"))
    return {market: _path(market, prices[market], each.instrument, until_ms) for market, each in markets.items()}


def _path(
    market: Market, points: list[tuple[int, str]], instrument: Instrument, until_ms: int | None
) -> tuple[tuple[int, Ticks], ...]:
    times = [time_ms for time_ms, _ in points]
    if not points or any(later <= earlier for earlier, later in itertools.pairwise(times)):
        raise BadInput(f"{market}: the price path needs points at increasing times", where=Where(field="prices"))
    if until_ms is not None and times[-1] < until_ms:
        raise BadInput(
            f"{market}: the price path ends at {times[-1]}, before {until_ms}",
            where=Where(field="prices"),
            next_step="Give it a last point at or after the end of the run",
        )
    return tuple((time_ms, _ticks(market, text, instrument)) for time_ms, text in points)


def _ticks(market: Market, text: str, instrument: Instrument) -> Ticks:
    count = _positive(text, "prices") / instrument.tick_size
    if count != count.to_integral_value():
        raise BadInput(f"{market}: price {text} is off the grid of {instrument.tick_size}", where=Where(field="prices"))
    return Ticks(int(count))


def _market(setup: MarketSetup, names: NamesMarkets, as_of: datetime) -> VenueMarket:
    market = Market(setup.market)
    step_size = _positive(setup.step_size, "step_size")
    instrument = Instrument(
        market=market,
        tick_size=_positive(setup.tick_size, "tick_size"),
        step_size=step_size,
        min_quantity=_steps(setup.min_quantity, step_size, "min_quantity"),
        min_notional=money_from_decimal(_positive(setup.min_notional, "min_notional")),
        as_of=as_of,
        source="stand-in",
    )
    contract_steps = (
        Steps(1) if setup.contract_size is None else _steps(setup.contract_size, step_size, "contract_size")
    )
    return VenueMarket(
        instrument=instrument,
        symbol=setup.symbol or names.symbol_of(market),
        contract_steps=contract_steps,
        is_open=setup.is_open,
    )


def _steps(text: str, step_size: Decimal, field: str) -> Steps:
    count = _positive(text, field) / step_size
    if count != count.to_integral_value():
        raise BadInput(f"{field} {text} is no multiple of the step {step_size}", where=Where(field=field))
    return Steps(int(count))


def _positive(text: str, field: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise BadInput(f"{text!r} is no number", where=Where(field=field)) from error
    if not value.is_finite() or value <= 0:
        raise BadInput(f"{field} must be a positive number, not {text}", where=Where(field=field))
    return value
