"""`copytrade simulate`: stand-ins on loopback, until Ctrl-C: Binance's pages of leads, and venues that take orders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from copytrade_core.cli.options import JsonFlag
from copytrade_core.cli.workplace import workplace

if TYPE_CHECKING:
    from copytrade_core.edges.stages.workplace import Workplace
    from copytrade_core.edges.standins.venue_sources import NamedSources

group = typer.Typer(
    no_args_is_help=True, help="Stand-ins on loopback: pages of leads with a market, and venues that take orders."
)

FromDir = Annotated[Path, typer.Option("--from-dir", metavar="DIR", help="Folder of saved pages.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Loopback port; 0 takes any free one.")]
Speed = Annotated[float, typer.Option("--speed", min=0, help="Virtual seconds per real second; 0 stands still.")]
AsOf = Annotated[int | None, typer.Option("--as-of-ms", help="Virtual instant; default is just after the last close.")]
ReadyFile = Annotated[
    Path | None, typer.Option("--ready-file", metavar="FILE", help="Write where it listens there when it is ready.")
]
Simulated = Annotated[
    bool, typer.Option("--simulated", help="Simulate every market, also those with imported bars in the store.")
]

Script = Annotated[
    Path | None,
    typer.Option("--script", metavar="FILE", help="JSON of a run: now_ms, cash, markets, prices, faults."),
]
BarFiles = Annotated[
    list[Path] | None, typer.Option("--npz", metavar="FILE", help="Bars as NPZ or Parquet; may be repeated.")
]
Markets = Annotated[
    list[str] | None, typer.Option("--market", metavar="NAME", help="Market of the bar files; may be repeated.")
]
StoredBars = Annotated[bool, typer.Option("--bars", help="The recorded bars of the store.")]
Faults = Annotated[
    Path | None, typer.Option("--faults", metavar="FILE", help="JSON of faults, instead of the script's.")
]
Cash = Annotated[
    str | None, typer.Option("--cash", metavar="USDT", help="What the account starts with, instead of the script's.")
]
FromMs = Annotated[
    int | None, typer.Option("--as-of-ms", help="Where a run on bars begins; default is the first instant they cover.")
]
VenueSpeed = Annotated[
    float | None,
    typer.Option("--speed", min=0, help="Virtual seconds per real second; default 0, without script and bars 1."),
]


def add_to(app: typer.Typer) -> None:
    """Adds the verbs of this module."""
    app.add_typer(group, name="simulate")


@group.command("binance")
def binance(
    from_dir: FromDir,
    port: Port = 0,
    speed: Speed = 0.0,
    as_of_ms: AsOf = None,
    ready_file: ReadyFile = None,
    simulated: Simulated = False,
    json_output: JsonFlag = True,
) -> None:
    """Serve saved pages and a market until Ctrl-C; prints one JSON line when ready.

    Markets with imported bars in the store are served from them; the others are simulated through the lead's recorded
    prices. Every answer says which.

    Example: copytrade simulate binance --from-dir data/sample/leads --port 8900
    """
    del json_output  # the one line it prints is JSON in any case
    from copytrade_core.edges.market.recorded_markets import RecordedMarkets, recorded_markets
    from copytrade_core.edges.standins.binance import USUAL_PLAN, StandinConfig, serve
    from copytrade_core.edges.standins.lead_records import records_from_directory

    nothing = RecordedMarkets(bars=(), funding=(), instruments=())
    recorded = nothing if simulated else recorded_markets(workplace())
    serve(
        StandinConfig(
            records=records_from_directory(from_dir),
            plan=USUAL_PLAN,
            port=port,
            as_of_ms=as_of_ms,
            speed=speed,
            ready_file=ready_file,
            bars=recorded.bars,
            funding=recorded.funding,
            instruments=recorded.instruments,
        )
    )


@group.command("source")
def source(from_dir: FromDir, port: Port = 0, json_output: JsonFlag = True) -> None:
    """The same server, for those who only need the lead's pages.

    Example: copytrade simulate source --from-dir data/sample/leads --port 8900
    """
    binance(from_dir=from_dir, port=port, simulated=True, json_output=json_output)


VENUE_VERBS = {
    "bingx": (
        "bingx",
        """Serve BingX's USDT-M perpetual futures with a made-up key until Ctrl-C; prints one JSON line when ready.

    Nothing is traded: the account is virtual, and so is its clock, which `/__standin__/time` moves. Without a script or
    bars two markets stand still, and the clock runs with the real one.

    Example: copytrade simulate bingx --port 8901 --script run.json --faults faults.json --cash 5000
    """,
    ),
    "gate": (
        "gate",
        """Serve Gate's USDT futures, as `simulate bingx` serves BingX's.

    Example: copytrade simulate gate --port 8902 --script run.json
    """,
    ),
    "binance-usdm": (
        "binance",
        """Serve Binance's USD-M futures with orders, as `simulate bingx` serves BingX's.

    Example: copytrade simulate binance-usdm --port 8903 --script run.json
    """,
    ),
}
"""Verb: the venue and what the help says."""


def _venue_verb(venue: str) -> Callable[..., None]:
    def verb(
        script: Script = None,
        npz: BarFiles = None,
        market: Markets = None,
        faults: Faults = None,
        cash: Cash = None,
        as_of_ms: FromMs = None,
        speed: VenueSpeed = None,
        ready_file: ReadyFile = None,
        port: Port = 0,
        bars: StoredBars = False,
        json_output: JsonFlag = True,
    ) -> None:
        del json_output  # the one line it prints is JSON in any case
        from copytrade_core.edges.market.recorded_markets import recorded_markets
        from copytrade_core.edges.standins.venue_sources import NamedSources
        from copytrade_core.model.instrument import Market

        place = workplace()
        named = NamedSources(
            script=script,
            bar_files=tuple(npz or ()),
            markets=tuple(Market(name) for name in market or ()),
            recorded=recorded_markets(place) if bars else None,
            faults=faults,
            cash=cash,
            as_of_ms=as_of_ms,
            speed=speed,
        )
        _serve_venue(venue, named, place, port, ready_file)

    return verb


def _serve_venue(venue: str, named: NamedSources, place: Workplace, port: int, ready_file: Path | None) -> None:
    import os

    from copytrade_core.edges.stages.instruments import market_rules
    from copytrade_core.edges.standins.venue_server import serve
    from copytrade_core.edges.standins.venue_sources import venue_config
    from copytrade_core.edges.venue_feeds import venue_environment
    from copytrade_core.model.venue import Venue

    serve(
        venue_config(
            Venue(venue),
            named,
            environment=venue_environment(os.environ),
            rules_of=lambda market: market_rules(place, market),
            port=port,
            ready_file=ready_file,
        )
    )


for _name, (_venue, _about) in VENUE_VERBS.items():
    _verb = _venue_verb(_venue)
    _verb.__doc__ = _about
    _ = group.command(_name)(_verb)
