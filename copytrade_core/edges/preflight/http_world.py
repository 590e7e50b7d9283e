"""The venue of a drill as a stand-in over HTTP: the stock client signs, parses and fails for real."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress

import msgspec
from pydantic import SecretStr
from typing_extensions import override

from copytrade_core.edges.preflight.drill_markets import CASH, MARKETS, START_MS
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.story import ForeignAct, ForeignKind
from copytrade_core.edges.preflight.venue_ledger import LedgerFill, LedgerOrder, LedgerPosition, VenueLedger
from copytrade_core.edges.preflight.world import FOREIGN_STEPS, Place, World, own_id, price_paths, stranger_price
from copytrade_core.edges.standins.control import StandinRefused
from copytrade_core.edges.standins.venue_control import FlipMode, ForeignOrder, ForeignPosition, VenueControl
from copytrade_core.edges.standins.venue_ledger import OrderLine
from copytrade_core.edges.standins.venue_process import venue_process
from copytrade_core.edges.standins.venue_setup import KeySetup, MarketSetup, VenueSetup, fake_key
from copytrade_core.edges.venues.catalogue import profile_of
from copytrade_core.edges.venues.ccxt_broker import LoadedMarkets, ccxt_broker
from copytrade_core.edges.venues.certificate import VenueCertificate
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.transport import Loopback
from copytrade_core.model.broker import Broker
from copytrade_core.model.instrument import Market
from copytrade_core.model.units import Money, Steps, money_to_decimal
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.fault_json import faults_to_json
from copytrade_core.virtual_exchange.faults import VenueFaultKind
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_rules import Basis

TIMEOUT_S = 0.5
"""How long the client waits for a byte: real time, so it is short."""


class VenueStage:
    """A running stand-in and what its clients share.

    Args:
        venue: whose stand-in it is.
        base_url: where it answers.
        control: how it is steered.
        mode: how the account keeps positions.
        certificate: of the installed client at this venue.
    """

    def __init__(
        self, *, venue: Venue, base_url: str, control: VenueControl, mode: PositionMode, certificate: VenueCertificate
    ) -> None:
        self.venue = venue
        self.base_url = base_url
        self.control = control
        self.mode = mode
        self.certificate = certificate
        self.markets: LoadedMarkets | None = None


@contextmanager
def venue_stage(venue: Venue, *, mode: PositionMode, certificate: VenueCertificate) -> Generator[VenueStage]:
    """A stand-in in a process of its own for as long as drills last.

    Raises:
        BadInput: it did not start.
    """
    with venue_process(venue) as standin:
        yield VenueStage(
            venue=venue, base_url=standin.base_url, control=standin.control, mode=mode, certificate=certificate
        )


class HttpWorld(World):
    """One drill's account at a stand-in."""

    def __init__(self, schedule: Schedule, stage: VenueStage) -> None:
        self.mode = stage.mode
        self._stage = stage
        self._now_ms = START_MS
        self._paths = price_paths(schedule.story.points)
        self._met: tuple[tuple[VenueFaultKind, VenueCall], ...] = ()
        stage.control.reset(self._setup(schedule))

    def _setup(self, schedule: Schedule) -> VenueSetup:
        return VenueSetup(
            now_ms=START_MS,
            cash=str(money_to_decimal(CASH)),
            markets=[_market_setup(market) for market in MARKETS],
            prices={
                market: [(at_ms, str(MARKETS[market].instrument.price(price))) for at_ms, price in path]
                for market, path in self._paths.items()
            },
            position_mode=self.mode,
            faults=msgspec.Raw(faults_to_json(schedule.faults)),
            seed=schedule.seed or 0,
        )

    @override
    def broker(self, now_ms: Callable[[], int]) -> Broker:
        stage = self._stage
        profile, key = profile_of(stage.venue), fake_key(stage.venue, KeySetup())
        return ccxt_broker(
            profile,
            credentials=Credentials(api_key=SecretStr(key.api_key), secret=SecretStr(key.secret)),
            address=Loopback(base_url=stage.base_url),
            certificate=stage.certificate,
            now_ms=now_ms,
            timeout_s=TIMEOUT_S,
            position_mode=self.mode,
        )

    @override
    def now_ms(self) -> int:
        return self._now_ms

    @override
    def advance(self, to_ms: int) -> None:
        if to_ms > self._now_ms:
            self._stage.control.set_time(to_ms)
            self._now_ms = to_ms

    @override
    def act(self, act: ForeignAct) -> Mapping[Place, int]:
        control, instrument = self._stage.control, MARKETS[act.market].instrument
        before = self._held()
        hedged = self.mode is PositionMode.HEDGE
        quantity = str(instrument.quantity(FOREIGN_STEPS))
        match act.kind:
            case ForeignKind.ORDER:
                path = self._paths[act.market]
                mark = [price for at_ms, price in path if at_ms <= self._now_ms][-1]
                control.inject(
                    ForeignOrder(
                        market=act.market,
                        buys=act.side.entry_buys,
                        quantity=quantity,
                        price=str(instrument.price(stranger_price(act, mark))),
                        position_side=act.side if hedged else None,
                    )
                )
            case ForeignKind.POSITION:
                control.inject(ForeignPosition(market=act.market, side=act.side, quantity=quantity))
            case ForeignKind.CLOSES_OURS:
                self._close(act, before.get((act.market, act.side), 0))
            case ForeignKind.CLOSES_PART:
                self._close(act, before.get((act.market, act.side), 0) // 2)
            case ForeignKind.FLIPS_MODE:
                control.inject(FlipMode())
        after = self._held()
        return {place: after.get(place, 0) - before.get(place, 0) for place in {*before, *after}}

    def _close(self, act: ForeignAct, steps: int) -> None:
        if steps:
            hedged = self.mode is PositionMode.HEDGE
            order = ForeignOrder(
                market=act.market,
                buys=act.side.exit_buys,
                quantity=str(MARKETS[act.market].instrument.quantity(steps)),
                position_side=act.side if hedged else None,
                reduce_only=None if hedged else True,
            )
            # A venue may refuse a stranger too, as when resting closes have taken the position up: nothing happens.
            with suppress(StandinRefused):
                self._stage.control.inject(order)

    def _held(self) -> dict[Place, int]:
        return {(each.market, each.side): int(each.quantity) for each in self._stage.control.ledger().positions}

    @override
    def faults_met(self) -> Sequence[tuple[VenueFaultKind, VenueCall]]:
        """Known when the ledger has been read: asking after every call would double the requests."""
        return self._met

    @override
    def calls_count(self, call: VenueCall) -> int:
        return int(self._stage.control.ledger().calls_by_kind.get(call, 0))

    @override
    def filled_by_order(self) -> None:
        return None

    @override
    def ledger(self) -> VenueLedger:
        told = self._stage.control.ledger()
        self._met = tuple((VenueFaultKind(line.kind), VenueCall(line.call)) for line in told.faults_met)
        return VenueLedger(
            orders=tuple(_order(line, self._stage.venue) for line in told.orders),
            fills=tuple(
                LedgerFill(
                    venue_order_id=fill.venue_order_id,
                    market=fill.market,
                    buys=fill.buys,
                    price=fill.price,
                    quantity=fill.quantity,
                    time_ms=fill.time_ms,
                )
                for fill in told.fills
            ),
            positions=tuple(
                LedgerPosition(market=each.market, side=each.side, quantity=each.quantity) for each in told.positions
            ),
            cash=Money(told.cash),
            assumed_rules=tuple(
                sorted(
                    name
                    for used in (told.rules_used, told.dialect_used)
                    for name, basis in used.items()
                    if basis is Basis.ASSUMED
                )
            ),
            unknown_requests=(*told.unknown_requests, *told.internal_errors),
        )


def _order(line: OrderLine, venue: Venue) -> LedgerOrder:
    return LedgerOrder(
        client_order_id=own_id(line.client_order_id, venue),
        venue_order_id=line.venue_order_id,
        market=line.market,
        buys=line.buys,
        reduces=line.closes,
        quantity=Steps(line.quantity),
        filled=Steps(line.filled),
        is_live=not line.status.is_final,
        created_at_ms=line.created_at_ms,
        ended_at_ms=line.updated_at_ms if line.status.is_final else None,
    )


def _market_setup(market: Market) -> MarketSetup:
    instrument = MARKETS[market].instrument
    return MarketSetup(
        market=market,
        tick_size=str(instrument.tick_size),
        step_size=str(instrument.step_size),
        min_quantity=str(instrument.quantity(instrument.min_quantity)),
        min_notional=str(money_to_decimal(instrument.min_notional)),
        symbol=None,
    )
