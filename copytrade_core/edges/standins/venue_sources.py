"""From what a person names on the command line to what a venue's stand-in serves: a script, bar files, stored bars.

The environment's names of the first version (`VIRTUAL_EXCHANGE_...`) count where nothing is named. How a run is begun
belongs to `venue_run`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.market.recorded_markets import RecordedMarkets
from copytrade_core.edges.standins.venue_server import DIALECTS, VenueServerConfig, drill_setup
from copytrade_core.edges.standins.venue_setup import VenueSetup, setup_from_json
from copytrade_core.edges.venue_feeds import VenueEnvironment, load_bars_feed, read_bars
from copytrade_core.model.bar import BarSeries, FundingSeries
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.units import Steps
from copytrade_core.model.venue import Venue, VenueMarket
from copytrade_core.virtual_exchange.fault_json import faults_to_json
from copytrade_core.virtual_exchange.feeds import BarsFeed

SCRIPT_CASH = "10000"
"""What a drill without a file and without `--cash` starts with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSources:
    """What was named. None or empty: not named.

    Attributes:
        script: JSON of a run (`VenueSetup`): its markets, price path, cash, faults.
        bar_files: NPZ or Parquet files.
        markets: which markets of the files.
        recorded: the bars of the store, when they are wanted.
        faults: JSON of faults; takes the place of the script's.
        cash: quote money as decimal text; takes the place of the script's.
        as_of_ms: where a run on bars begins; the first instant that all of them cover if None.
        speed: virtual seconds per real second.
    """

    script: Path | None
    bar_files: tuple[Path, ...]
    markets: tuple[Market, ...]
    recorded: RecordedMarkets | None
    faults: Path | None
    cash: str | None
    as_of_ms: int | None
    speed: float | None


def venue_config(
    venue: Venue,
    named: NamedSources,
    *,
    environment: VenueEnvironment,
    rules_of: Callable[[Market], Instrument],
    port: int,
    ready_file: Path | None,
) -> VenueServerConfig:
    """What the stand-in serves.

    Args:
        venue: whose language it speaks.
        named: what was named.
        environment: what the environment names.
        rules_of: trading rules of a market of a bar file.
        port: loopback port, 0 for any.
        ready_file: where to say that it is ready.

    Raises:
        BadInput: two sources at once, a file that cannot be used, bars that do not cover one common time.
    """
    sources = [named.script is not None, bool(named.bar_files), named.recorded is not None]
    if sum(sources) > 1:
        raise BadInput(
            "a stand-in has one source of prices",
            where=Where(field="script"),
            next_step="Name one of --script, --npz and --bars",
        )
    feed, markets = _bars(venue, named, environment, rules_of)
    covered_ms = None if feed is None else max(feed.starts_ms(market) for market in markets)
    setup = _setup(named, environment, covered_ms)
    return VenueServerConfig(venue=venue, setup=setup, port=port, markets=markets, feed=feed, ready_file=ready_file)


def _setup(named: NamedSources, environment: VenueEnvironment, covered_ms: int | None) -> VenueSetup:
    if named.script is not None:
        setup = setup_from_json(_content(named.script))
    elif covered_ms is None:
        setup = _drill(named.as_of_ms)
    else:
        setup = VenueSetup(now_ms=covered_ms if named.as_of_ms is None else named.as_of_ms, cash=SCRIPT_CASH)
    if named.cash is not None:
        setup = msgspec.structs.replace(setup, cash=named.cash)
    if named.speed is not None:
        setup = msgspec.structs.replace(setup, speed=named.speed)
    if named.faults is not None:
        return msgspec.structs.replace(setup, faults=msgspec.Raw(_content(named.faults)))
    if environment.faults:
        return msgspec.structs.replace(setup, faults=msgspec.Raw(faults_to_json(environment.faults)))
    return setup


def _drill(as_of_ms: int | None) -> VenueSetup:
    """Two markets that stand still; without an instant the clock is the real one and runs, for clients by hand."""
    if as_of_ms is not None:
        return drill_setup(as_of_ms, SCRIPT_CASH)
    return msgspec.structs.replace(drill_setup(int(time.time() * 1000), SCRIPT_CASH), speed=1.0)


def _bars(
    venue: Venue,
    named: NamedSources,
    environment: VenueEnvironment,
    rules_of: Callable[[Market], Instrument],
) -> tuple[BarsFeed | None, Mapping[Market, VenueMarket]]:
    if named.recorded is not None:
        return _stored(venue, named.recorded)
    paths = named.bar_files or (() if named.script is not None else environment.paths)
    if not paths:
        return None, {}
    markets = named.markets or environment.markets
    if not markets:
        raise BadInput(
            "which markets of the files are wanted was not said",
            where=Where(field="market"),
            next_step="Add --market BTC/USDT:USDT",
        )
    instruments = {market: rules_of(market) for market in markets}
    found = [series for path in paths for series in read_bars(path, markets=markets, instruments=instruments)]
    start_ms, end_ms = _common(found)
    feed = load_bars_feed(paths, markets=markets, instruments=instruments, funding={}, start_ms=start_ms, end_ms=end_ms)
    return feed, _listed(venue, instruments)


def _stored(venue: Venue, recorded: RecordedMarkets) -> tuple[BarsFeed, Mapping[Market, VenueMarket]]:
    if not recorded.bars:
        raise BadInput(
            "the store has no recorded bars", where=Where(field="bars"), next_step="Run `copytrade bars import` first"
        )
    instruments = {Market(each.market): each for each in recorded.instruments}
    funding: dict[Market, FundingSeries] = {each.market: each for each in recorded.funding}
    _ = _common(recorded.bars)
    feed = BarsFeed({each.market: each for each in recorded.bars}, instruments=instruments, funding=funding)
    return feed, _listed(venue, instruments)


def _listed(venue: Venue, instruments: Mapping[Market, Instrument]) -> Mapping[Market, VenueMarket]:
    dialect = DIALECTS[venue]({})
    return {
        market: VenueMarket(
            instrument=instrument, symbol=dialect.symbol_of(market), contract_steps=Steps(1), is_open=True
        )
        for market, instrument in instruments.items()
    }


def _common(found: list[BarSeries] | tuple[BarSeries, ...]) -> tuple[int, int]:
    start_ms = max((series.start_ms for series in found), default=0)
    end_ms = min((series.end_ms for series in found), default=0)
    if start_ms >= end_ms:
        late = max(found, key=lambda series: series.start_ms).market if found else "no market"
        raise BadInput(
            f"the bars have no time in common: {late} begins when others have ended", where=Where(field="bars")
        )
    return start_ms, end_ms


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"the file cannot be read: {error.strerror}", where=Where(file=str(path))) from error
