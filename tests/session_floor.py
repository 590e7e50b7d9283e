"""A whole session in one process: strategy, journal, runner and a virtual venue on one clock that tests move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from typing_extensions import override

from copytrade_core.edges.runtime.session_db import SessionDb
from copytrade_core.model.broker import Broker
from copytrade_core.model.caps import Caps
from copytrade_core.model.controls import CLEAR, Controls
from copytrade_core.model.event import MarkSeen
from copytrade_core.model.instrument import Market
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.units import Ppm, Steps, Ticks
from copytrade_core.model.venue import PositionMode, VenueMarket
from copytrade_core.session.identity import SessionIdentity
from copytrade_core.session.ports import ControlPanel
from copytrade_core.session.runner import Runner
from copytrade_core.session.settings import RunnerSettings
from copytrade_core.strategies.machine import strategy_of
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook
from copytrade_core.virtual_exchange.feeds import ScriptedPath
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rule_sets import BINGX
from copytrade_core.virtual_exchange.venue_rules import VenueRules
from copytrade_core.virtual_exchange.virtual_broker import VirtualBroker
from tests.trading_floor import BTC, FOLLOW, START_MS, closed, episode, instrument, opened, usdt

WIDE = Caps(
    notional_gross_max=usdt(5_000),
    notional_one_side_max=usdt(5_000),
    notional_correlated_max=usdt(5_000),
    daily_loss_max=usdt(1_000),
    orders_per_hour_max=100,
    source_age_s_max=60,
    mark_age_s_max=60,
    entry_drift_ppm_max=Ppm(50_000),
)
IDENTITY = SessionIdentity(lead="lead", strategy="follow", policy_digest="digest", venue="bingx", account="test")


class Panel(ControlPanel):
    """Controls in memory."""

    def __init__(self) -> None:
        self.controls = CLEAR
        self.reasons: list[str] = []

    @override
    def read(self) -> Controls:
        return self.controls

    @override
    def stop_new_orders(self, reason: str) -> None:
        self.controls = replace(self.controls, stop_new_orders=True)
        self.reasons.append(reason)

    def set(self, **changes: bool) -> None:
        self.controls = replace(self.controls, **changes)


class Watch:
    """Everything is fresh unless a test says otherwise."""

    def __init__(self) -> None:
        self.price: Ticks | None = Ticks(100_000)
        self.age_ms: int | None = 0

    def mark(self, market: str, at_ms: int) -> Ticks | None:
        return self.price

    def mark_age_ms(self, market: str, now_ms: int) -> int | None:
        return self.age_ms

    def source_age_ms(self, episode_id: str, now_ms: int) -> int | None:
        return self.age_ms

    def correlation_ppm(self, market: str, other: str) -> int:
        return 1_000_000


class Session:
    """One session at one virtual account; `crash` drops the process and keeps journal, venue and controls."""

    def __init__(
        self,
        *,
        policy: PolicySpec = FOLLOW,
        faults: Sequence[VenueFault] = (),
        path: Sequence[tuple[int, int]] = ((0, 100_000),),
        caps: Caps = WIDE,
        rules: VenueRules = BINGX,
        wrap: Callable[[Broker], Broker] = lambda broker: broker,
    ) -> None:
        market = VenueMarket(
            instrument=instrument(min_notional=2), symbol="BTC-USDT", contract_steps=Steps(1), is_open=True
        )
        points = {BTC: [(START_MS + seconds * 1000, Ticks(price)) for seconds, price in path]}
        self.engine = VenueEngine(
            rules=rules, markets={BTC: market}, feed=ScriptedPath(points), cash=usdt(10_000), now_ms=START_MS
        )
        self.faults = VenueFaultBook(faults, seed=1)
        self.venue = VirtualBroker(
            self.engine,
            faults=self.faults,
            position_mode=PositionMode.HEDGE,
            timeout_ms=1_000,
            can_withdraw=False,
            ip_restricted=None,
        )
        self.broker = wrap(self.venue)
        self.panel, self.watch = Panel(), Watch()
        self.journal = SessionDb.in_memory(identity=IDENTITY, run_id="run", now_ms=START_MS)
        self.settings = RunnerSettings(
            strategy=strategy_of(policy),
            instruments={BTC: market.instrument},
            account="test",
            lead_margin_balance=None,
            initial_equity=usdt(10_000),
            caps=caps,
            position_mode=PositionMode.HEDGE,
            planned_entry_age_ms_max=10_000,
            clock_skew_ms_max=1_000,
        )
        self.episode = episode(0, 60)
        self.start()

    def now_ms(self) -> int:
        return self.engine.now_ms

    def start(self) -> None:
        self.runner = Runner(
            settings=self.settings,
            broker=self.broker,
            journal=self.journal,
            panel=self.panel,
            clock=self,
            market_watch=self.watch,
        )
        self.runner.start()

    def crash(self) -> None:
        self.journal.reopen()
        self.start()

    def open(self) -> None:
        """The lead opens; one pass."""
        self.runner.tell(opened(self.episode))
        self.runner.pump()

    def close(self) -> None:
        """The lead closes; one pass."""
        self.runner.tell(closed(self.episode))
        self.runner.pump()

    def let_pass(self, seconds: float, *, step_s: float = 1) -> None:
        """Time passes in steps; each tells a price and makes a pass."""
        until_ms = self.engine.now_ms + round(seconds * 1000)
        while self.engine.now_ms < until_ms:
            self.engine.advance(min(until_ms, self.engine.now_ms + round(step_s * 1000)))
            self.watch.price = self.engine.mark(BTC)
            self.runner.tell(MarkSeen(market=Market(BTC), price=self.watch.price, time_ms=self.now_ms(), age_ms=0))
            self.runner.pump()

    @property
    def at_venue(self) -> int:
        """What the account holds, in steps."""
        return sum(each.quantity for each in self.engine.positions())

    @property
    def in_book(self) -> int:
        """What our book holds, in steps."""
        return sum(each.quantity for each in self.runner.state.book.holdings.values())

    @property
    def orders(self) -> int:
        """How many orders the venue has ever seen."""
        return len(self.engine.orders(BTC, since_ms=0))

    @property
    def states(self) -> list[str]:
        return [row.state.value for row in self.runner.rows.values()]

    @property
    def alarms(self) -> set[str]:
        return {alert.kind.value for alert in self.runner.alerts}
