"""A scripted trade in processes that are meant to be killed: session, journal on disk, broker over HTTP to a stand-in.

`main` forks a process for every trade it is asked for, because loading the client anew takes longer than the trade.
The venue's clock is virtual; the session moves it a second at a time and never back.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from copytrade_core.edges.runtime.control_files import ControlFiles
from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.edges.standins.venue_control import VenueControl
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import CcxtBroker, ccxt_broker
from copytrade_core.edges.venues.certify import certificate_of
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.caps import Caps
from copytrade_core.model.event import MarkSeen
from copytrade_core.model.units import Ppm, Ticks
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.runner import Runner
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.strategies.machine import strategy_of
from tests.trading_floor import BTC, FOLLOW, START_MS, closed, episode, instrument, ladder, opened, usdt

STEP_MS = 1_000
BEFORE_MS = 60_000
"""The venue's prices begin a minute before the lead opens."""
TURNS = ((0, 60_000), (20_000, 59_700), (45_000, 59_900))
"""When the price changes, from the lead's opening on, and to what: one rung fills, the other rests until the end."""
OPENED_AT_MS, CLOSED_AT_MS = START_MS, START_MS + 60_000
OVER_AT_MS = CLOSED_AT_MS + 20_000
GIVE_UP_AT_MS = START_MS + 900_000
POLICY = replace(FOLLOW, ladder=ladder("0.5", ("0.004", "0.3"), ("0.004", "0.2")))
RULES = instrument(tick="0.1", step="0.0001", min_notional=2)
IDENTITY = SessionIdentity(
    lead="4751838302089254401", strategy="follow", policy_digest="d", venue="bingx", account="k9"
)


def setup() -> VenueSetup:
    """The account, empty, and the price path."""
    points = [(START_MS - BEFORE_MS - 1, TURNS[0][1]), *((START_MS + after, price) for after, price in TURNS)]
    return VenueSetup(
        now_ms=START_MS - BEFORE_MS,
        cash="10000",
        markets=[MarketSetup(market=BTC, tick_size="0.1", step_size="0.0001", min_quantity="0.0001", min_notional="2")],
        prices={BTC: [(at_ms, f"{price}.0") for at_ms, price in points]},
        position_mode=PositionMode.HEDGE,
    )


def story():
    """What the session is told about the lead, with the time it becomes known."""
    life = episode(0, (CLOSED_AT_MS - START_MS) / 60_000, entry="60000", leave="59900")
    return ((OPENED_AT_MS, opened(life)), (CLOSED_AT_MS, closed(life)))


class Watch:
    """A feed that always knows everything, and the clock it knows it at."""

    def __init__(self, now_ms: int) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def mark(self, market: str, at_ms: int) -> Ticks:
        price = [price for after, price in TURNS if START_MS + after <= self.at_ms] or [TURNS[0][1]]
        return Ticks(price[-1] * 10)

    def mark_age_ms(self, market: str, now_ms: int) -> int:
        return 0

    def source_age_ms(self, episode_id: str, now_ms: int) -> int:
        return 0

    def correlation_ppm(self, market: str, other: str) -> int:
        return 1_000_000


def settings() -> RunnerSettings:
    cap = usdt(5_000)
    return RunnerSettings(
        strategy=strategy_of(POLICY),
        instruments={BTC: RULES},
        account=IDENTITY.account,
        lead_margin_balance=None,
        initial_equity=usdt(10_000),
        caps=Caps(
            notional_gross_max=cap,
            notional_one_side_max=cap,
            notional_correlated_max=cap,
            daily_loss_max=cap,
            orders_per_hour_max=50,
            source_age_s_max=60,
            mark_age_s_max=60,
            entry_drift_ppm_max=Ppm(50_000),
        ),
        position_mode=PositionMode.HEDGE,
        planned_entry_age_ms_max=30_000,
        clock_skew_ms_max=5_000,
    )


def broker_of(base_url: str, watch: Watch) -> CcxtBroker:
    profile, key = profile_of(Venue.BINGX), fake_key(Venue.BINGX, KeySetup())
    return ccxt_broker(
        profile,
        credentials=Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret)),
        address=Loopback(base_url=base_url),
        certificate=certificate_of(profile, requests=(), made_at_ms=START_MS),
        now_ms=watch.now_ms,
        timeout_s=5.0,
        position_mode=PositionMode.HEDGE,
    )


def trade(folder: Path, base_url: str) -> None:
    """The whole trade from wherever the journal stands to its end."""
    with VenueControl(base_url) as control:
        watch = Watch(int(control.state()["as_of_ms"]) + STEP_MS)
        control.set_time(watch.at_ms)
        path = folder / "session.sqlite"
        with SessionDb.open(path, identity=IDENTITY, run_id=str(os.getpid()), now_ms=watch.at_ms) as journal:
            runner = Runner(
                settings=settings(),
                broker=broker_of(base_url, watch),
                journal=journal,
                panel=ControlFiles(folder, now_ms=watch.now_ms, deadline_ms=None, approval_valid=None),
                clock=watch,
                market_watch=watch,
            )
            runner.start()
            while not is_over(runner, watch):
                one_second(runner, watch)
                watch.at_ms += STEP_MS
                control.set_time(watch.at_ms)


def is_over(runner: Runner, watch: Watch) -> bool:
    """Whether nothing more will happen.

    Raises:
        TimeoutError: it has not come to rest long after the last event.
    """
    if watch.at_ms > GIVE_UP_AT_MS:
        raise TimeoutError(f"not at rest: {runner.state.book.holdings} {runner.rows} {runner.alerts}")
    return watch.at_ms >= OVER_AT_MS and runner.settled and not runner.state.book.holdings


def one_second(runner: Runner, watch: Watch) -> None:
    """What has become known, the price, and one pass."""
    done = int(runner.cursor or 0)
    for number, (at_ms, event) in enumerate(story()[done:], start=done + 1):
        if at_ms <= watch.at_ms:
            runner.tell(event, cursor=str(number))
    for market in sorted({held.market for held in runner.state.book.holdings.values()}):
        price = watch.mark(market, watch.at_ms)
        runner.tell(MarkSeen(market=market, price=price, time_ms=watch.at_ms, age_ms=0))
    runner.pump()
    if watch.at_ms // STEP_MS % 30 == 0:
        runner.reconcile()


def main() -> None:
    """Reads `begin folder base_url`: forks a process and prints its pid. Reads `end`: prints how it ended, and when."""
    print("ready", flush=True)
    pid, began = 0, 0.0
    for line in sys.stdin:
        match line.split():
            case ["begin", folder, base_url]:
                pid, began = os.fork(), time.monotonic()
                if pid == 0:
                    os._exit(_trade(Path(folder), base_url))
                print(pid, flush=True)
            case _:
                # Only now: until then the pid is its own, dead or alive.
                _, status = os.waitpid(pid, 0)
                print(os.waitstatus_to_exitcode(status), time.monotonic() - began, flush=True)


def _trade(folder: Path, base_url: str) -> int:
    try:
        trade(folder, base_url)
    except Exception:  # noqa: BLE001 (a forked process never goes on as its mother)
        traceback.print_exc()
        return 1
    return 0
