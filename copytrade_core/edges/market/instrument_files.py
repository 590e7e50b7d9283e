"""Trading rules from files: the table in `settings/`, a saved exchangeInfo answer, Lean's symbol properties.

Rules in the store and rules asked from the exchange do not belong here.
"""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from copytrade_core.edges.market.bars_text import decimal_of
from copytrade_core.edges.market.market_answers import (
    PublishedRules,
    instrument_of,
    rules_of_exchange_info,
    rules_of_lean_table,
)
from copytrade_core.model.errors import BadConfig, BadInput, OutOfBounds, Where
from copytrade_core.model.instrument import Instrument, Market, symbol_of_market


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRules:
    """Steps and minimums of the venue that the follower uses, where they differ from the market's own.

    `step_size`, `min_quantity` in base units, `min_notional_usdt` in quote units.
    """

    step_size: Decimal
    min_quantity: Decimal
    min_notional_usdt: Decimal
    as_of: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentTable:
    """The settings' trading rules: by market, and the follower's venues by name."""

    file: str
    instruments: Mapping[str, Instrument]
    venues: Mapping[str, VenueRules]

    def market(self, market: str) -> Instrument:
        """The market's own rules.

        Raises:
            BadConfig: the table has none.
        """
        found = self.instruments.get(market)
        if found is None:
            raise BadConfig(
                f"{market} has no trading rules",
                where=Where(file=self.file, field=f'market."{market}"'),
                next_step="Add them to the table with as_of and source",
            )
        return found

    def venue(self, venue: str) -> VenueRules:
        """The rules of a follower's venue.

        Raises:
            BadConfig: the table has none of this name.
        """
        found = self.venues.get(venue)
        if found is None:
            known = ", ".join(sorted(self.venues)) or "none"
            raise BadConfig(f"No venue {venue!r}; there are: {known}", where=Where(file=self.file, field="venue"))
        return found


def follower_rules(instrument: Instrument, venue: VenueRules) -> Instrument:
    """A market's rules with the steps and minimums of the follower's venue; both sources are kept in `source`.

    Raises:
        OutOfBounds: the venue's step is too fine for the market's tick.
    """
    made = instrument_of(
        instrument.market,
        tick_size=instrument.tick_size,
        step_size=venue.step_size,
        min_quantity=venue.min_quantity,
        min_notional=venue.min_notional_usdt,
        as_of=instrument.as_of,
        source=f"market: {instrument.source}; venue: {venue.source} (as of {venue.as_of:%Y-%m-%d})",
    )
    return replace(made, tick_size=instrument.tick_size)


class _MarketEntry(msgspec.Struct, forbid_unknown_fields=True):
    tick_size: str
    step_size: str
    min_quantity: str
    min_notional_usdt: str
    as_of: datetime
    source: str


class _VenueEntry(msgspec.Struct, forbid_unknown_fields=True):
    step_size: str
    min_quantity: str
    min_notional_usdt: str
    as_of: datetime
    source: str


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    market: dict[str, _MarketEntry]
    venue: dict[str, _VenueEntry]


def load_instrument_table(path: Path) -> InstrumentTable:
    """Reads `settings/instruments.toml`.

    Raises:
        BadConfig: unreadable, an unknown or missing key, a number that is not text, an instant without offset; names
            file and field.
    """
    try:
        table = msgspec.convert(tomllib.loads(path.read_text("utf-8")), type=_Table)
    except OSError as error:
        raise BadConfig(f"The file cannot be read: {error.strerror}", where=Where(file=str(path))) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"The trading rules cannot be read: {error}", where=Where(file=str(path))) from error
    return InstrumentTable(
        file=str(path),
        instruments={name: _instrument(name, entry, path) for name, entry in table.market.items()},
        venues={name: _venue(name, entry, path) for name, entry in table.venue.items()},
    )


def _instrument(name: str, entry: _MarketEntry, path: Path) -> Instrument:
    place = f'market."{name}"'
    try:
        _ = symbol_of_market(name)
        return instrument_of(
            Market(name),
            tick_size=_number(entry.tick_size, f"{place}.tick_size", path),
            step_size=_number(entry.step_size, f"{place}.step_size", path),
            min_quantity=_number(entry.min_quantity, f"{place}.min_quantity", path),
            min_notional=_number(entry.min_notional_usdt, f"{place}.min_notional_usdt", path),
            as_of=_instant(entry.as_of, f"{place}.as_of", path),
            source=entry.source,
        )
    except (BadInput, OutOfBounds) as error:
        raise BadConfig(error.what, where=Where(file=str(path), field=place)) from error


def _venue(name: str, entry: _VenueEntry, path: Path) -> VenueRules:
    place = f"venue.{name}"
    rules = VenueRules(
        step_size=_number(entry.step_size, f"{place}.step_size", path),
        min_quantity=_number(entry.min_quantity, f"{place}.min_quantity", path),
        min_notional_usdt=_number(entry.min_notional_usdt, f"{place}.min_notional_usdt", path),
        as_of=_instant(entry.as_of, f"{place}.as_of", path),
        source=entry.source,
    )
    if rules.step_size <= 0:
        raise BadConfig("A step must be positive", where=Where(file=str(path), field=f"{place}.step_size"))
    return rules


def _number(text: str, field: str, path: Path) -> Decimal:
    number = decimal_of(text)
    if number is None or number < 0:
        raise BadConfig(f"{text!r} is not a number of zero or more", where=Where(file=str(path), field=field))
    return number


def _instant(at: datetime, field: str, path: Path) -> datetime:
    if at.tzinfo is None:
        raise BadConfig(
            "An instant needs an offset, as in 2026-01-01T00:00:00Z", where=Where(file=str(path), field=field)
        )
    return at


def read_exchange_info(path: Path, *, source: str, assumed_min_notional: Decimal | None) -> PublishedRules:
    """Trading rules of a saved exchangeInfo answer (`.json` or `.json.gz`); see `rules_of_exchange_info`.

    Raises:
        BadInput: unreadable, or not such an answer.
    """
    return rules_of_exchange_info(
        _content(path), Where(file=str(path)), source=source, assumed_min_notional=assumed_min_notional
    )


def read_lean_table(path: Path, *, as_of: datetime, source: str, assumed_min_notional: Decimal) -> PublishedRules:
    """Grids of Binance's perpetuals in Lean's symbol properties CSV; see `rules_of_lean_table`.

    Raises:
        BadInput: unreadable, or a column is missing.
    """
    return rules_of_lean_table(
        _content(path),
        Where(file=str(path)),
        exchange="binance",
        as_of=as_of,
        source=source,
        assumed_min_notional=assumed_min_notional,
    )


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.name.endswith(".gz") else content
    except (OSError, EOFError) as error:
        raise BadInput(f"The file cannot be read: {error}", where=Where(file=str(path))) from error
