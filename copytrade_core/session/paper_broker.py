"""The broker of a paper session: an account of our own, filled by the functions that replay fills with. No network.

What it is told of prices comes from the session's feed; when, and whether an order should exist, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

from typing_extensions import override

from copytrade_core.model.bar import Bar
from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import (
    Absent,
    Accepted,
    CancelOutcome,
    DefiniteReject,
    Exists,
    RejectReason,
    SubmitOutcome,
    Unavailable,
)
from copytrade_core.model.side import Side
from copytrade_core.model.units import Money, Steps, Ticks
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenueOrderStatus,
    VenuePosition,
    VenueProbe,
)
from copytrade_core.session.paper_books import PaperBooks
from copytrade_core.session.paper_log import (
    PAPER_SCHEMA_VERSION,
    BarsBegun,
    Charged,
    Opened,
    PaperLog,
    PaperRecord,
    Placed,
    QuoteBegun,
    Stepped,
    TakenBack,
    decode_record,
    encode_record,
)
from copytrade_core.session.paper_matching import PaperMatching, PaperTerms
from copytrade_core.session.ports import Clock


class PaperBroker(Broker):
    """One paper account in hedge mode; every change is in the log before anybody hears of it.

    A client order id is taken once for ever. Reductions never open: one that finds nothing held is expired. `books` is
    everything the account has.

    Args:
        account: its alias.
        instruments: trading rules by market.
        terms: fill models, costs, delay and cash.
        log: where it survives.
        clock: our time.

    Raises:
        BadInput: the log is of another account, of other terms or damaged.
    """

    def __init__(
        self, *, account: str, instruments: Mapping[str, Instrument], terms: PaperTerms, log: PaperLog, clock: Clock
    ) -> None:
        self.submit_deadline_ms = 0
        self.same_id_after_not_placed = True
        self.absence_is_final = True
        self._instruments = instruments
        self._terms = terms
        self._log = log
        self._clock = clock
        self.books = PaperBooks(instruments=instruments, cash=terms.cash)
        self._matching = PaperMatching(instruments=instruments, terms=terms)
        self._begun: BarsBegun | QuoteBegun | None = None
        self._is_begun_logged = True
        self._waiting: Iterator[Fill] = iter(())
        self._matched_ms = 0
        self._quoted_ms: dict[Market, int] = {}
        self._restore(account)

    # -- prices -----------------------------------------------------------------------------------------------------

    def has_begun(self, open_ms: int) -> bool:
        """Whether something of the bars that open then, or of later ones, has happened here already."""
        return open_ms <= self._matched_ms

    def begin_bars(self, bars: tuple[Bar, ...], *, closing: frozenset[str]) -> bool:
        """Bars of one interval open; `step` then gives their fills. Bars that were begun before are gone on with.

        Returns:
            Whether there is a fill in bars that begin now.
        """
        if not bars or self.has_begun(bars[0].open_time_ms):
            return False
        self._begin(BarsBegun(bars=bars, closing=tuple(sorted(closing))), is_logged=False)
        first = next(self._waiting, None)
        if first is None:
            return False
        self._waiting = chain((first,), self._waiting)
        return True

    def begin_quote(self, market: Market, *, bid: Ticks, ask: Ticks, time_ms: int) -> None:
        """A best quote was seen; `step` then gives what fills at it. An older one than the last is left alone."""
        if time_ms >= self._quoted_ms.get(market, 0):
            self._begin(QuoteBegun(market=market, bid=bid, ask=ask, time_ms=time_ms), is_logged=False)

    def step(self) -> bool:
        """Let the next fill of what was begun happen; False when there is none.

        The caller tells the strategy, and sends and cancels what it wishes, before it asks for the next.
        """
        for fill in self._waiting:
            assert self._begun is not None, "fills come from what was begun"
            stepped = Stepped(client_order_id=fill.client_order_id, at_ms=self._clock.now_ms())
            begun = () if self._is_begun_logged else (self._begun,)
            self._append(*begun, stepped)
            self._is_begun_logged = True
            if self.books.filled(fill):
                return True
        return False

    def charge(self, charge_id: str, cost: Money) -> Money:
        """Pay funding, once for each id; gives what was paid under it, perhaps before a restart at another rate."""
        if charge_id not in self.books.charges:
            self._append(Charged(charge_id=charge_id, cost=cost))
            self.books.charged(charge_id, cost)
        return self.books.charges[charge_id]

    # -- the broker's face ------------------------------------------------------------------------------------------

    @override
    def markets(self) -> Mapping[Market, VenueMarket]:
        return {
            rules.market: VenueMarket(instrument=rules, symbol=rules.market, contract_steps=Steps(1), is_open=True)
            for rules in self._instruments.values()
        }

    @override
    def positions(self) -> tuple[VenuePosition, ...]:
        return self.books.account.positions()

    @override
    def position(self, market: Market) -> tuple[VenuePosition, ...]:
        return self.books.account.positions(market)

    @override
    def open_orders(self) -> tuple[VenueOrder, ...]:
        return self.books.open_orders()

    @override
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...]:
        return self.books.orders(market, since_ms)

    @override
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent:
        order = self.books.order(client_order_id)
        return order if order is not None and order.market == market else Absent()

    @override
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...]:
        return self.books.fills(market, since_ms)

    @override
    def balance(self) -> VenueBalance:
        return VenueBalance(equity=self.books.account.cash, free=self.books.account.cash)

    @override
    def probe(self) -> VenueProbe:
        return VenueProbe(
            can_trade=True,
            can_withdraw=False,
            ip_restricted=None,
            position_mode=PositionMode.HEDGE,
            clock_skew_ms=0,
        )

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        if self.books.order(order.client_order_id) is not None:
            return Exists(code="duplicate_client_order_id")
        refusal = self._refusal(order)
        if refusal is not None:
            return DefiniteReject(reason=RejectReason.INVALID_ORDER, code="paper", message=refusal)
        placed = Placed(order=order, at_ms=self._clock.now_ms(), matched_ms=self._matched_ms)
        self._append(placed)
        return Accepted(venue_order_id=self._placed(placed))

    @override
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        working = self.books.working(client_order_id)
        if working is None or working.market != market:
            return CancelOutcome.NOT_OPEN
        taken = TakenBack(client_order_id=client_order_id, at_ms=self._clock.now_ms())
        self._append(taken)
        self._taken_back(client_order_id)
        return CancelOutcome.DONE

    @override
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        return leverage == 1

    # -- how records change it --------------------------------------------------------------------------------------

    def _restore(self, account: str) -> None:
        records = self._log.load()
        opened = Opened(
            schema_version=PAPER_SCHEMA_VERSION,
            account=account,
            cash=self._terms.cash,
            terms=self._terms.text,
            at_ms=self._clock.now_ms(),
        )
        if not records:
            self._append(opened)
            return
        first = decode_record(records[0], 1)
        if not isinstance(first, Opened) or replace(first, at_ms=opened.at_ms) != opened:
            raise BadInput(
                f"the paper account was opened as {first}, not as {opened}",
                where=Where(field="paper_account"),
                next_step="Go on with the same account and terms, or start in an empty runtime directory",
            )
        for number, text in enumerate(records[1:], start=2):
            self._replay(decode_record(text, number), number)
        if self._begun is not None and self._clock.now_ms() > self._begun.moment_ms:
            # Its fills had all happened before time went on, or the prices are too old to fill at.
            self._waiting = iter(())

    def _replay(self, record: PaperRecord, number: int) -> None:
        match record:
            case Placed():
                self._matched_ms = max(self._matched_ms, record.matched_ms)
                _ = self._placed(record)
            case TakenBack(client_order_id=client_order_id):
                self._taken_back(client_order_id)
            case BarsBegun() | QuoteBegun():
                self._begin(record, is_logged=True)
            case Stepped(client_order_id=client_order_id):
                fill = next(self._waiting, None)
                if fill is None or fill.client_order_id != client_order_id:
                    raise BadInput(
                        "the paper account does not follow from its records",
                        where=Where(row=number, field="client_order_id"),
                        next_step="It was changed by hand, or by another version: start in an empty runtime directory",
                    )
                _ = self.books.filled(fill)
            case Charged(charge_id=charge_id, cost=cost):
                self.books.charged(charge_id, cost)
            case Opened():
                raise BadInput("a second account in one log", where=Where(row=number, field="paper_account"))

    def _begin(self, begun: BarsBegun | QuoteBegun, *, is_logged: bool) -> None:
        self._begun, self._is_begun_logged = begun, is_logged
        match begun:
            case BarsBegun(bars=bars, closing=closing):
                self._matched_ms = bars[0].open_time_ms
                self._waiting = self._matching.during_bars(bars, frozenset(closing))
            case QuoteBegun(market=market, bid=bid, ask=ask, time_ms=time_ms):
                self._quoted_ms[market] = time_ms
                self._waiting = self._matching.at_quote(market, bid=bid, ask=ask, time_ms=time_ms)

    def _placed(self, placed: Placed) -> str:
        """Take an order in; gives the account's own id of it."""
        order = placed.order
        venue_order_id = self.books.placed(order, placed.at_ms)
        executable_ms = max(order.live_from_ms, placed.at_ms) + self._terms.delay_ms
        self._matching.submit(replace(order, live_from_ms=executable_ms))
        return venue_order_id

    def _taken_back(self, client_order_id: str) -> None:
        self._matching.cancel(self.books.ended(client_order_id, VenueOrderStatus.CANCELLED))

    def _refusal(self, order: Order) -> str | None:
        rules = self._instruments.get(order.market)
        if rules is None:
            return f"{order.market} is not traded here"
        if order.quantity <= 0:
            return "the quantity is not positive"
        if order.kind.is_entry and order.quantity < max(1, rules.min_quantity):
            return "the quantity is below the minimum"
        return None

    def _append(self, *records: PaperRecord) -> None:
        self._log.append(tuple(encode_record(record) for record in records))
