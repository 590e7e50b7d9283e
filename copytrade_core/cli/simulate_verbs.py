"""`copytrade simulate`: a stand-in of Binance on loopback, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from copytrade_core.cli.options import JsonFlag
from copytrade_core.cli.workplace import workplace

group = typer.Typer(no_args_is_help=True, help="A stand-in of Binance on loopback: pages of leads and a market.")

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
    from copytrade_core.edges.recorded_markets import RecordedMarkets, recorded_markets
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
