"""One run of a venue's stand-in: the account, its clock, its faults, and what was asked since it began.

Bytes and connections are `venue_app`; what a venue says is its dialect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from copytrade_core.edges.standins.control import SetTime, VirtualClock
from copytrade_core.edges.standins.venue_control import ChangeKey, Inject
from copytrade_core.edges.standins.venue_dialect import StandinKey, VenueDialect, VenueRequest
from copytrade_core.edges.standins.venue_foreign import meddle
from copytrade_core.edges.standins.venue_ledger import FaultLine, VenueLedger, ledger_of
from copytrade_core.edges.standins.venue_requests import RouteTable
from copytrade_core.edges.standins.venue_setup import KeySetup, VenueSetup, cash_of, fake_key, markets_of, paths_of
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.venue import VenueMarket
from copytrade_core.virtual_exchange.fault_json import faults_from_json
from copytrade_core.virtual_exchange.faults import VenueFault, VenueFaultBook
from copytrade_core.virtual_exchange.feeds import PriceFeed, ScriptedPath
from copytrade_core.virtual_exchange.venue_ask import VenueCall
from copytrade_core.virtual_exchange.venue_engine import VenueEngine
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule

_WEAKNESS = (Basis.DOCUMENTED, Basis.FIXTURE, Basis.OBSERVED, Basis.ASSUMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What outlives a run: how the dialect is made from a run's options, and the bars a run may stand on."""

    dialect_of: Callable[[Mapping[str, str]], VenueDialect]
    markets: Mapping[Market, VenueMarket]
    feed: PriceFeed | None


class VenueRun:
    """What changes while a run goes on.

    Args:
        dialect: the venue's language.
        engine: the account.
        book: the faults.
        key: the one key that is accepted.
        seed: what the draws of faults depend on.
        speed: virtual seconds per real second.
    """

    def __init__(
        self,
        *,
        dialect: VenueDialect,
        engine: VenueEngine,
        book: VenueFaultBook,
        key: StandinKey,
        seed: int,
        speed: float,
    ) -> None:
        self.dialect = dialect
        self.engine = engine
        self.book = book
        self.key = key
        self.seed = seed
        self.routes = RouteTable(dialect.routes)
        self.calls: Counter[str] = Counter()
        self.calls_by_kind: Counter[VenueCall] = Counter()
        self.unknown_requests: list[str] = []
        self.internal_errors: list[str] = []
        self._met: Counter[tuple[str, str]] = Counter()
        self._used: dict[str, Basis] = {}
        self._clock = VirtualClock(engine.now_ms, speed)

    def tick(self) -> None:
        """Let the engine reach the clock's instant; a clock without speed stands still."""
        if self._clock.speed > 0:
            self._advance(max(self.engine.now_ms, self._clock.now_ms()))

    def set_time(self, wanted: SetTime) -> None:
        """Move the clock.

        Raises:
            BadInput: backwards, or beyond the last price.
        """
        if wanted.as_of_ms < self.engine.now_ms:
            raise BadInput(
                f"the venue's clock is at {self.engine.now_ms} and never goes back", where=Where(field="as_of_ms")
            )
        self._advance(wanted.as_of_ms)
        self._clock.set(wanted)

    def set_faults(self, faults: Sequence[VenueFault]) -> None:
        """Replace the faults and count their calls from now on; what has been met stays in the ledger.

        Raises:
            BadInput: a fault on a market that the run does not have.
        """
        refuse_strangers(faults, self.engine.markets)
        self._met = self._faults_met()
        self.book = VenueFaultBook(faults, seed=self.seed)

    def note_words(self, name: str, basis: Basis) -> None:
        """An endpoint or an error was answered with words that stand on this; of two the weaker is kept."""
        self._used[name] = max(basis, self._used.get(name, basis), key=_WEAKNESS.index)

    def inject(self, what: Inject) -> None:
        """Somebody else does something with the account.

        Raises:
            BadInput: an unknown market, a quantity off the grid, an order that the venue refuses.
        """
        if isinstance(what, ChangeKey):
            self.key = replace(self.key, **msgspec.structs.asdict(what))
        else:
            meddle(self.engine, what)

    def ledger(self) -> VenueLedger:
        """The run so far."""
        met = self._faults_met().items()
        return ledger_of(
            self.engine,
            dialect_used=dict(self._used),
            faults_met=tuple(FaultLine(kind=kind, call=call, count=count) for (kind, call), count in met),
            unknown_requests=tuple(self.unknown_requests),
            internal_errors=tuple(self.internal_errors),
            calls=dict(self.calls),
            calls_by_kind=dict(self.calls_by_kind),
        )

    def state(self) -> dict[str, object]:
        """What the stand-in says about itself."""
        return {
            "venue": self.dialect.venue,
            "as_of_ms": self.engine.now_ms,
            "speed": self._clock.speed,
            "position_mode": self.engine.position_mode,
            "markets": {market: each.symbol for market, each in self.engine.markets.items()},
            "api_key": self.key.api_key,
            "calls": dict(self.calls),
            "unknown_requests": self.unknown_requests,
            "internal_errors": self.internal_errors,
        }

    def _advance(self, to_ms: int) -> None:
        for market in self.engine.markets:
            ends_ms = self.engine.feed.ends_ms(market)
            if to_ms >= ends_ms:
                raise BadInput(
                    f"{market} has no price at {to_ms}: its prices end at {ends_ms}", where=Where(field=market)
                )
        self.engine.advance(to_ms)

    def _faults_met(self) -> Counter[tuple[str, str]]:
        return self._met + Counter((str(kind), str(call)) for kind, call in self.book.met())


def begun(setup: VenueSetup, ground: Ground) -> VenueRun:
    """A new run.

    Raises:
        BadInput: no prices for a market, prices that end before the run does, an unknown option or fault, an error
            table with a hole, a market that the venue's list cannot show.
    """
    dialect = ground.dialect_of(setup.options)
    _refuse_holes(dialect)
    markets = ground.markets if setup.markets is None else markets_of(setup.markets, dialect, setup.now_ms)
    engine = VenueEngine(
        rules=dialect.rules,
        markets=markets,
        feed=_feed(setup, ground, markets),
        cash=cash_of(setup),
        now_ms=setup.now_ms,
    )
    _refuse_unlistable(dialect, engine)
    if setup.position_mode is not None:
        _ = engine.set_position_mode(setup.position_mode)
    faults = faults_from_json(bytes(setup.faults))
    refuse_strangers(faults, markets)
    book = VenueFaultBook(faults, seed=setup.seed)
    return VenueRun(
        dialect=dialect,
        engine=engine,
        book=book,
        key=fake_key(dialect.venue, setup.key),
        seed=setup.seed,
        speed=setup.speed,
    )


def refuse_strangers(faults: Sequence[VenueFault], markets: Mapping[Market, VenueMarket]) -> None:
    """Refuse a fault on a market that is not listed.

    Raises:
        BadInput: names the market.
    """
    for row, fault in enumerate(faults):
        if fault.market is not None and fault.market not in markets:
            raise BadInput(f"this run has no market {fault.market}", where=Where(row=row, field="market"))


def _refuse_holes(dialect: VenueDialect) -> None:
    missing = [rule.value for rule in VenueRule if rule not in dialect.errors]
    if missing:
        raise BadInput(
            f"the error table of {dialect.venue} has no words for {', '.join(missing)}",
            where=Where(field="errors"),
            next_step="Every rule of the engine needs a code and a sentence",
        )


def _refuse_unlistable(dialect: VenueDialect, engine: VenueEngine) -> None:
    """Let the dialect list its markets once: what it cannot word is refused here and not in the middle of a run."""
    request = VenueRequest(
        method="GET",
        path="",
        query="",
        body=b"",
        headers={},
        parameters={},
        now_ms=engine.now_ms,
        key=fake_key(dialect.venue, KeySetup()),
        place=engine.place,
        as_of_ms=None,
    )
    for route in dialect.routes:
        if route.call is VenueCall.MARKETS:
            _ = route.handler(request, engine)


def _feed(setup: VenueSetup, ground: Ground, markets: Mapping[Market, VenueMarket]) -> PriceFeed:
    if setup.prices is not None:
        feed: PriceFeed | None = ScriptedPath(paths_of(setup.prices, dict(markets), setup.until_ms))
    else:
        feed = ground.feed
    if feed is None:
        raise BadInput(
            "there are neither prices in the setup nor bars behind the server",
            where=Where(field="prices"),
            next_step="Give the setup a price path for every market",
        )
    last_ms = setup.now_ms if setup.until_ms is None else setup.until_ms
    for market in markets:
        starts_ms, ends_ms = feed.starts_ms(market), feed.ends_ms(market)
        if not starts_ms <= setup.now_ms or last_ms >= ends_ms:
            raise BadInput(
                f"{market}: prices from {starts_ms} to {ends_ms} do not cover {setup.now_ms} to {last_ms}",
                where=Where(field="until_ms"),
                next_step="Use bars that reach from the start to the end of the run",
            )
    return feed
