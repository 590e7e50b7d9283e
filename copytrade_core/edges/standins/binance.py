"""A stand-in of Binance on loopback: a lead's public pages and a market, as of a virtual instant, in the real dialect.

It never talks to Binance, and a simulated market is labelled so in every answer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from copytrade_core.edges.standins.app import StandinApp
from copytrade_core.edges.standins.control import StandinControl, VirtualClock
from copytrade_core.edges.standins.copy_trade_app import CopyTradeApp
from copytrade_core.edges.standins.faults import Fault, FaultBook, faults_from_json
from copytrade_core.edges.standins.futures_app import FuturesApp
from copytrade_core.edges.standins.lead_records import LeadRecord, records_from_directory
from copytrade_core.edges.standins.market_build import SimulationPlan, built_markets
from copytrade_core.edges.standins.market_data import ServedMarket
from copytrade_core.edges.standins.server import loopback_socket, run_until_signal, running_in_thread, url_of
from copytrade_core.model.bar import BarSeries, FundingSeries, PriceOrigin
from copytrade_core.model.errors import BadInput, CopytradeError, Where
from copytrade_core.model.instrument import Instrument

HISTORY_ROWS_MAX = 100
"""The page size of the position history that is known to be honoured."""
USUAL_PLAN = SimulationPlan(seed=1, volatility_bps=60, interval_ms=60_000, margin_ms=7 * 86_400_000)
"""Minute bars, 0.6 % an hour (about 60 % a year, as BTC), a week around the recorded prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandinConfig:
    """What a stand-in serves and where.

    Attributes:
        records: leads from saved pages (`records_from_directory`, `records_from_pages`).
        plan: how markets without bars are simulated.
        port: loopback port, 0 for any.
        host: a loopback address.
        as_of_ms: virtual instant at the start; None is just after the last closing time.
        speed: virtual seconds per real second, 0 stands still.
        bars: at most one series a market, the finest; with `instruments` for their grid.
        funding: recorded payments; simulated where there are none.
        instruments: rules of markets; assumed, and labelled so, for a simulated market without.
        faults: set from the start.
        page_rows_max: most rows of one history page.
        ready_file: written when requests are accepted; None prints one JSON line instead.
    """

    records: tuple[LeadRecord, ...]
    plan: SimulationPlan
    port: int
    host: str = "127.0.0.1"
    as_of_ms: int | None = None
    speed: float = 0.0
    bars: tuple[BarSeries, ...] = ()
    funding: tuple[FundingSeries, ...] = ()
    instruments: tuple[Instrument, ...] = ()
    faults: tuple[Fault, ...] = ()
    page_rows_max: int = HISTORY_ROWS_MAX
    ready_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BinanceStandin:
    """A running stand-in: where it answers and how it is steered."""

    base_url: str
    control: StandinControl


def standin_app(config: StandinConfig) -> StandinApp:
    """The application that a configuration describes, with its markets built.

    Raises:
        BadInput: no history row that could set the time, or bars that cannot be served.
    """
    markets = built_markets(
        config.records,
        bars=config.bars,
        funding=config.funding,
        instruments=config.instruments,
        plan=config.plan,
    )
    book = FaultBook(config.faults)
    return StandinApp(
        copy_trade=CopyTradeApp(config.records, markets=markets, book=book, page_rows_max=config.page_rows_max),
        futures=FuturesApp(markets),
        book=book,
        clock=VirtualClock(_start_ms(config), config.speed),
        about=_about(config, markets),
    )


def serve(config: StandinConfig) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        BadConfig: the host is not loopback or the port cannot be had.
        BadInput: as `standin_app`.
    """
    app = standin_app(config)
    listening = loopback_socket(config.host, config.port)
    port = int(listening.getsockname()[1])
    ready = msgspec.json.encode({"base_url": url_of(listening), "port": port, "pid": os.getpid()})
    run_until_signal(app, listening, lambda: _announce(ready, config.ready_file))


@contextlib.contextmanager
def running_standin(config: StandinConfig) -> Generator[BinanceStandin]:
    """A stand-in in a thread of this process while the context lasts."""
    app = standin_app(config)
    with running_in_thread(app, loopback_socket(config.host, config.port)) as base_url:
        yield BinanceStandin(base_url=base_url, control=StandinControl(base_url))


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m copytrade_core.edges.standins.binance --pages DIR`: exit code 0 after a signal, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="standins.binance", description=__doc__)
    _ = parser.add_argument("--pages", type=Path, required=True, help="folder of saved pages")
    _ = parser.add_argument("--port", type=int, default=0, help="loopback port; 0 (default) takes a free one")
    _ = parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    _ = parser.add_argument("--ready-file", type=Path, help="write where it listens there, not to standard output")
    _ = parser.add_argument("--as-of-ms", type=int, help="virtual instant; default just after the last close")
    _ = parser.add_argument("--speed", type=float, default=0.0, help="virtual seconds per real second")
    _ = parser.add_argument("--seed", type=int, default=USUAL_PLAN.seed, help="seed of the simulated market")
    _ = parser.add_argument("--faults", type=Path, help="JSON list of faults")
    given = parser.parse_args(arguments)
    try:
        serve(_config(given))
    except CopytradeError as error:
        _ = sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _config(given: argparse.Namespace) -> StandinConfig:
    return StandinConfig(
        records=records_from_directory(given.pages),
        plan=SimulationPlan(
            seed=given.seed,
            volatility_bps=USUAL_PLAN.volatility_bps,
            interval_ms=USUAL_PLAN.interval_ms,
            margin_ms=USUAL_PLAN.margin_ms,
        ),
        port=given.port,
        host=given.host,
        as_of_ms=given.as_of_ms,
        speed=given.speed,
        faults=() if given.faults is None else faults_from_json(given.faults.read_bytes()),
        ready_file=given.ready_file,
    )


def _start_ms(config: StandinConfig) -> int:
    if config.as_of_ms is not None:
        return config.as_of_ms
    closed = [row.closed_ms for record in config.records for row in record.history if row.closed_ms is not None]
    if not closed:
        raise BadInput(
            "no saved row says when it closed, so there is no instant to start at",
            where=Where(field="as_of_ms"),
            next_step="Say the virtual instant",
        )
    return max(closed) + 1000


def _announce(ready: bytes, ready_file: Path | None) -> None:
    """Say where the stand-in listens: a whole file or none, or one line."""
    if ready_file is None:
        _ = sys.stdout.write(ready.decode() + "\n")
        _ = sys.stdout.flush()
        return
    unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}.tmp")
    _ = unfinished.write_bytes(ready)
    _ = unfinished.replace(ready_file)


def _about(config: StandinConfig, markets: dict[str, ServedMarket]) -> dict[str, object]:
    simulated = any(market.bars.origin is PriceOrigin.SIMULATED for market in markets.values())
    return {
        "market_origin": (PriceOrigin.SIMULATED if simulated else PriceOrigin.RECORDED).value,
        "simulation": config.plan,
        "leads": [{"lead_id": record.lead_id, "history_rows": len(record.history)} for record in config.records],
        "markets": [
            {
                "symbol": market.symbol,
                "market": market.instrument.market,
                "origin": market.bars.origin.value,
                "funding_origin": market.funding_origin.value,
                "interval_ms": market.bars.interval_ms,
                "start_ms": market.bars.start_ms,
                "end_ms": market.bars.end_ms,
                "rules": market.instrument.source,
            }
            for market in markets.values()
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
