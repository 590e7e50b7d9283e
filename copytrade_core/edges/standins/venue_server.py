"""Stand-ins of venues as processes of their own on loopback: which dialect, which prices, where, until a signal.

They never talk to a venue. What a venue says is its dialect; what it keeps is the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from copytrade_core.edges.standins.binance_usdm_dialect import BinanceUsdmDialect
from copytrade_core.edges.standins.bingx_dialect import BingxDialect, bingx_settings
from copytrade_core.edges.standins.gate_dialect import GateDialect
from copytrade_core.edges.standins.server import loopback_socket, run_until_signal, running_in_thread, url_of
from copytrade_core.edges.standins.venue_app import VenueApp
from copytrade_core.edges.standins.venue_control import VenueControl
from copytrade_core.edges.standins.venue_dialect import VenueDialect
from copytrade_core.edges.standins.venue_run import Ground, begun
from copytrade_core.edges.standins.venue_setup import MarketSetup, VenueSetup, setup_from_json
from copytrade_core.model.errors import BadInput, CopytradeError, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.venue import Venue, VenueMarket
from copytrade_core.virtual_exchange.feeds import PriceFeed

DIALECTS: Mapping[Venue, Callable[[Mapping[str, str]], VenueDialect]] = {
    Venue.BINGX: lambda options: BingxDialect(bingx_settings(options)),
    Venue.GATE: GateDialect,
    Venue.BINANCE: BinanceUsdmDialect,
}
"""How each venue's language is made from the options of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueServerConfig:
    """What a stand-in serves and where.

    Attributes:
        venue: whose language it speaks.
        setup: the first run; `reset` begins others.
        port: loopback port, 0 for any.
        host: a loopback address.
        markets: what a run lists that names no markets of its own; with `feed`.
        feed: bars for runs without a price path.
        ready_file: written when requests are accepted; None prints one JSON line instead.
    """

    venue: Venue
    setup: VenueSetup
    port: int
    host: str = "127.0.0.1"
    markets: Mapping[Market, VenueMarket] = field(default_factory=dict[Market, VenueMarket])
    feed: PriceFeed | None = None
    ready_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueStandin:
    """A running stand-in: where it answers and how it is steered."""

    base_url: str
    control: VenueControl


def venue_app(config: VenueServerConfig) -> VenueApp:
    """The application that a configuration describes, its first run begun.

    Raises:
        BadInput: a venue without dialect, or as `venue_run.begun`.
    """
    dialect_of = DIALECTS.get(config.venue)
    if dialect_of is None:
        raise BadInput(
            f"{config.venue} has no stand-in", where=Where(field="venue"), next_step=f"One of {', '.join(DIALECTS)}"
        )
    ground = Ground(dialect_of=dialect_of, markets=config.markets, feed=config.feed)
    return VenueApp(begun(config.setup, ground), ground)


def serve(config: VenueServerConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        BadConfig: the host is not loopback or the port cannot be had.
        BadInput: as `venue_app`.
    """
    app = venue_app(config)
    listening = loopback_socket(config.host, config.port)
    port = int(listening.getsockname()[1])
    ready = msgspec.json.encode(
        {"base_url": url_of(listening), "port": port, "pid": os.getpid(), "venue": config.venue}
    )
    run_until_signal(app, listening, lambda: announce(ready, config.ready_file))


@contextlib.contextmanager
def running_venue(config: VenueServerConfig) -> Generator[VenueStandin]:
    """A stand-in in a thread of this process while the context lasts."""
    app = venue_app(config)
    listening = loopback_socket(config.host, config.port)
    with running_in_thread(app, listening) as base_url, VenueControl(base_url) as control:
        yield VenueStandin(base_url=base_url, control=control)


def announce(ready: bytes, ready_file: Path | None) -> None:
    """Say where the stand-in listens: a whole file or none, or one line."""
    if ready_file is None:
        _ = sys.stdout.write(ready.decode() + "\n")
        _ = sys.stdout.flush()
        return
    unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}.tmp")
    _ = unfinished.write_bytes(ready)
    _ = unfinished.replace(ready_file)


def drill_setup(now_ms: int, cash: str) -> VenueSetup:
    """A run without a file: two markets at a price that stands still. For a look by hand, and to be reset."""
    sizes = {"BTC/USDT:USDT": ("0.1", "0.0001", "60000.0"), "ETH/USDT:USDT": ("0.01", "0.01", "3000.00")}
    return VenueSetup(
        now_ms=now_ms,
        cash=cash,
        markets=[
            MarketSetup(market=name, tick_size=tick, step_size=step, min_quantity=step, min_notional="2")
            for name, (tick, step, _) in sizes.items()
        ],
        prices={name: [(now_ms, price)] for name, (_, _, price) in sizes.items()},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m copytrade_core.edges.standins.venue_server --venue bingx`: 0 after a signal, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="standins.venue_server", description=__doc__)
    _ = parser.add_argument("--venue", choices=[each.value for each in DIALECTS], required=True)
    _ = parser.add_argument("--port", type=int, default=0, help="loopback port; 0 (default) takes a free one")
    _ = parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    _ = parser.add_argument("--ready-file", type=Path, help="write where it listens there, not to standard output")
    _ = parser.add_argument("--setup", type=Path, help="JSON of the first run; without it two markets that stand still")
    given = parser.parse_args(arguments)
    try:
        setup = drill_setup(0, "10000") if given.setup is None else setup_from_json(given.setup.read_bytes())
        serve(
            VenueServerConfig(
                venue=Venue(given.venue),
                setup=setup,
                port=given.port,
                host=given.host,
                ready_file=given.ready_file,
            )
        )
    except CopytradeError as error:
        _ = sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
