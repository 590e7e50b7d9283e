"""The venue of a drill: what the driver asks of it, and the one that lives in this process. Over HTTP: `http_world`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

from typing_extensions import override

from copytrade_core.edges.preflight.drill_markets import CASH, MARKETS, START_MS
from copytrade_core.edges.preflight.schedule import Schedule
from copytrade_core.edges.preflight.story import ForeignAct, ForeignKind, Point
from copytrade_core.edges.preflight.venue_ledger import LedgerFill, LedgerOrder, LedgerPosition, VenueLedger
from copytrade_core.model.broker import Broker
from copytrade_core.model.instrument import Market
from copytrade_core.model.intent import LimitStyle, MarketStyle
from copytrade_core.model.side import Side
from copytrade_core.model.units import Steps, Ticks
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook, VenueFaultKind
from copytrade_core.virtual_exchange.feeds import ScriptedPath
from copytrade_core.virtual_exchange.venue_ask import EngineOrder, PlaceAsk, VenueCall
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRules
from copytrade_core.virtual_exchange.virtual_broker import VirtualBroker

FOREIGN_STEPS = Steps(70)
TIMEOUT_MS = 1_000
FAR_BELOW_PERCENT, FAR_ABOVE_PERCENT = 60, 160
"""Where a stranger's order rests: out of reach of every story's prices."""
ID_PREFIX = {Venue.GATE: "t-"}
"""What a venue's broker writes before an id of ours."""
Place = tuple[Market, Side]


class World(ABC):
    """One account at one venue, for one drill."""

    mode: PositionMode

    @abstractmethod
    def broker(self, now_ms: Callable[[], int]) -> Broker:
        """The way to it, as a session that starts would make it."""

    @abstractmethod
    def now_ms(self) -> int:
        """The venue's clock: a call that waits in vain moves it."""

    @abstractmethod
    def advance(self, to_ms: int) -> None:
        """The venue's clock moves."""

    @abstractmethod
    def act(self, act: ForeignAct) -> Mapping[Place, int]:
        """Somebody else does something; returns by how many steps each position changed."""

    @abstractmethod
    def faults_met(self) -> Sequence[tuple[VenueFaultKind, VenueCall]]:
        """Faults that have struck so far, in order."""

    @abstractmethod
    def calls_count(self, call: VenueCall) -> int:
        """How many requests of a kind the venue has had: a broker may need two of them for one answer."""

    @abstractmethod
    def filled_by_order(self) -> Mapping[str, int] | None:
        """Steps filled by client order id so far; None where asking in the midst of a drill would cost too much."""

    @abstractmethod
    def ledger(self) -> VenueLedger:
        """The venue's own record."""


def own_id(client_order_id: str | None, venue: Venue) -> str | None:
    """A venue's client id as we know it."""
    return None if client_order_id is None else client_order_id.removeprefix(ID_PREFIX.get(venue, ""))


def price_paths(points: tuple[Point, ...]) -> dict[Market, list[tuple[int, Ticks]]]:
    """The whole price path of every drill market, from before the first moment."""
    paths = {market: [(START_MS - 1, drill.first_price)] for market, drill in MARKETS.items()}
    for point in points:
        paths[point.market].append((point.at_ms, point.price))
    return paths


def stranger_price(act: ForeignAct, mark: Ticks) -> Ticks:
    """Where a stranger's order rests."""
    percent = FAR_BELOW_PERCENT if act.side is Side.LONG else FAR_ABOVE_PERCENT
    return Ticks(mark * percent // 100)


def stranger_order(act: ForeignAct, mark: Ticks, mode: PositionMode) -> PlaceAsk:
    """A stranger's resting order, out of reach."""
    return PlaceAsk(
        client_order_id=None,
        market=act.market,
        buys=act.side.entry_buys,
        position_side=act.side if mode is PositionMode.HEDGE else None,
        reduce_only=None,
        style=LimitStyle(price=stranger_price(act, mark), post_only=False),
        quantity=FOREIGN_STEPS,
    )


class CountingFaults(VenueFaultBook):
    """Faults that also count every call, armed or not."""

    def __init__(self, faults: Sequence[VenueFault], *, seed: int) -> None:
        super().__init__(faults, seed=seed)
        self.counts: dict[VenueCall, int] = {}

    @override
    def due(self, call: VenueCall, *, closes: bool = False) -> tuple[VenueFault, ...]:
        self.counts[call] = self.counts.get(call, 0) + 1
        return super().due(call, closes=closes)


class InProcessWorld(World):
    """The engine in this process."""

    def __init__(self, schedule: Schedule, rules: VenueRules) -> None:
        self.mode = rules.position_mode
        self._engine = VenueEngine(
            rules=rules,
            markets={market: drill.at_venue for market, drill in MARKETS.items()},
            feed=ScriptedPath(price_paths(schedule.story.points)),
            cash=CASH,
            now_ms=START_MS,
        )
        self._faults = CountingFaults(schedule.faults, seed=schedule.seed or 0)

    @override
    def broker(self, now_ms: Callable[[], int]) -> Broker:
        return VirtualBroker(
            self._engine,
            faults=self._faults,
            position_mode=self.mode,
            timeout_ms=TIMEOUT_MS,
            can_withdraw=False,
            ip_restricted=True,
        )

    @override
    def now_ms(self) -> int:
        return self._engine.now_ms

    @override
    def advance(self, to_ms: int) -> None:
        if to_ms > self._engine.now_ms:
            self._engine.advance(to_ms)

    @override
    def act(self, act: ForeignAct) -> Mapping[Place, int]:
        before = self._held()
        match act.kind:
            case ForeignKind.ORDER:
                _ = self._engine.inject_order(stranger_order(act, self._engine.mark(act.market), self.mode))
            case ForeignKind.POSITION:
                _ = self._engine.inject_position(act.market, act.side, FOREIGN_STEPS)
            case ForeignKind.CLOSES_OURS:
                self._close(act, before.get((act.market, act.side), 0))
            case ForeignKind.CLOSES_PART:
                self._close(act, before.get((act.market, act.side), 0) // 2)
            case ForeignKind.FLIPS_MODE:
                _ = self._engine.flip_mode()
        after = self._held()
        return {place: after.get(place, 0) - before.get(place, 0) for place in {*before, *after}}

    def _close(self, act: ForeignAct, held: int) -> None:
        if held:
            ask = PlaceAsk(
                client_order_id=None,
                market=act.market,
                buys=act.side.exit_buys,
                position_side=act.side if self.mode is PositionMode.HEDGE else None,
                reduce_only=None if self.mode is PositionMode.HEDGE else True,
                style=MarketStyle(),
                quantity=Steps(held),
            )
            _ = self._engine.inject_order(ask)

    def _held(self) -> dict[Place, int]:
        return {(each.market, each.side): int(each.quantity) for each in self._engine.positions()}

    @override
    def faults_met(self) -> Sequence[tuple[VenueFaultKind, VenueCall]]:
        return self._faults.met()

    @override
    def calls_count(self, call: VenueCall) -> int:
        return self._faults.counts.get(call, 0)

    @override
    def filled_by_order(self) -> Mapping[str, int]:
        venue = self._engine.rules.venue
        filled = {own_id(order.client_order_id, venue): int(order.filled) for order in self._engine.all_orders()}
        return {client_order_id: steps for client_order_id, steps in filled.items() if client_order_id and steps}

    @override
    def ledger(self) -> VenueLedger:
        engine = self._engine
        return VenueLedger(
            orders=tuple(_ledger_order(order, engine.rules.venue) for order in engine.all_orders()),
            fills=tuple(
                LedgerFill(
                    venue_order_id=fill.venue_order_id,
                    market=fill.market,
                    buys=fill.buys,
                    price=fill.price,
                    quantity=fill.quantity,
                    time_ms=fill.time_ms,
                )
                for fill in engine.all_fills()
            ),
            positions=tuple(
                LedgerPosition(market=each.market, side=each.side, quantity=each.quantity)
                for each in engine.all_positions()
            ),
            cash=engine.cash,
            assumed_rules=tuple(
                sorted(str(rule) for rule, basis in engine.rules_used().items() if basis is Basis.ASSUMED)
            ),
            unknown_requests=(),
        )


def _ledger_order(order: EngineOrder, venue: Venue) -> LedgerOrder:
    return LedgerOrder(
        client_order_id=own_id(order.client_order_id, venue),
        venue_order_id=order.venue_order_id,
        market=order.market,
        buys=order.buys,
        reduces=order.closes,
        quantity=order.quantity,
        filled=order.filled,
        is_live=not order.status.is_final,
        created_at_ms=order.created_at_ms,
        ended_at_ms=order.updated_at_ms if order.status.is_final else None,
    )
