"""Trading rules: asked from the exchange or taken from the settings' table, and as our own orders must obey them.

Bars and funding have a stage of their own.
"""

from __future__ import annotations

from contextlib import closing

from copytrade_core.edges.lake import Head
from copytrade_core.edges.market.http_market import FuturesMarket
from copytrade_core.edges.market.instrument_files import follower_rules, load_instrument_table
from copytrade_core.edges.market.market_refresh import refresh_instruments
from copytrade_core.edges.market.market_store import INSTRUMENTS, Provenance, load_instrument, store_instrument
from copytrade_core.edges.settings_values import http_limits
from copytrade_core.edges.stages.workplace import StageOutcome, Workplace
from copytrade_core.model.digest import digest_of
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.units import money_to_decimal


def exchange_of(place: Workplace) -> FuturesMarket:
    """A client of the market-data host of the settings."""
    market = place.settings.market
    return FuturesMarket(base_url=market.base_url, limits=http_limits(market))


def fetch_instruments(place: Workplace, market: str) -> StageOutcome:
    """Stores the exchange's present trading rules of a market (`instruments`).

    Raises:
        NotStored: the exchange has none of this market.
        MarketRefused, TransportFault, AnswerTooLarge, DeadlineExceeded: no usable answer.
    """
    with closing(exchange_of(place)) as exchange:
        heads = refresh_instruments(place.lake, exchange, markets=frozenset({market}), code_version=place.code_version)
    return StageOutcome(heads=heads, metadata=described(load_instrument(place.lake, market)))


def market_rules(place: Workplace, market: str) -> Instrument:
    """The market's own rules: as stored, else as the settings' table says (which is then stored).

    Raises:
        BadConfig: neither has them.
    """
    if place.lake.head(INSTRUMENTS, market) is None:
        _ = _from_table(place, market)
    return load_instrument(place.lake, market)


def _from_table(place: Workplace, market: str) -> Head:
    path = place.settings.paths.instruments
    instrument = load_instrument_table(path).market(market)
    return store_instrument(
        place.lake,
        instrument,
        provenance=Provenance(file=str(path), code_version=place.code_version, parents={}, correction=None),
    )


def trading_rules(place: Workplace, market: str) -> tuple[Instrument, str]:
    """The rules our orders obey (the market's tick, our venue's step and minimums) and their digest.

    Raises:
        BadConfig: the market or the venue of the settings has no rules.
    """
    venue = load_instrument_table(place.settings.paths.instruments).venue(place.settings.replay.venue_rules)
    rules = follower_rules(market_rules(place, market), venue)
    return rules, digest_of(rules)


def described(instrument: Instrument) -> dict[str, object]:
    """Trading rules in words and numbers."""
    return {
        "market": str(instrument.market),
        "tick_size": str(instrument.tick_size),
        "step_size": str(instrument.step_size),
        "min_quantity": str(instrument.quantity(instrument.min_quantity)),
        "min_notional_usdt": str(money_to_decimal(instrument.min_notional)),
        "as_of": instrument.as_of.isoformat(),
        "source": instrument.source,
    }
