"""The broker over stock ccxt: one account at one venue, every answer a value, nothing assumed.

How a venue's calls are made is its adapter's, what its codes prove its error table's. When to ask again, and what to do
with what is unknown, is the session's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import requests
from typing_extensions import override

from copytrade_core.edges.venues.adapter import AdapterSetting, VenueAdapter
from copytrade_core.edges.venues.catalogue import adapter_of
from copytrade_core.edges.venues.certificate import VenueCertificate, require_certified
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.envelope import VenueAnswer
from copytrade_core.edges.venues.error_table import proves_nothing
from copytrade_core.edges.venues.market_table import MarketTable
from copytrade_core.edges.venues.parse import (
    BadAnswer,
    Row,
    text_or_none,
)
from copytrade_core.edges.venues.profiles import IdUniqueness, VenueProfile
from copytrade_core.edges.venues.stock_client import CLIENT_VERSION, GuardedClient, StockClient, guarded_client
from copytrade_core.edges.venues.transport import RealVenue, VenueAddress
from copytrade_core.model.broker import Broker
from copytrade_core.model.errors import BadConfig, Where
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import (
    Absent,
    Accepted,
    CancelOutcome,
    DefiniteReject,
    RejectReason,
    SubmitOutcome,
    Unavailable,
    Unknown,
)
from copytrade_core.model.side import Side
from copytrade_core.model.venue import (
    PositionMode,
    VenueBalance,
    VenueFill,
    VenueMarket,
    VenueOrder,
    VenuePosition,
    VenueProbe,
)
from copytrade_core.orders.precision import OrderFaultKind, check_order

NOT_SENT = "not_sent"
"""In the place of a venue's code: not one byte of the order left this process."""
_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedMarkets:
    """A venue's markets as read once, for every broker of the same venue in this process."""

    client: StockClient
    table: MarketTable


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFault:
    """A call without a usable answer. `answer` is what the venue said, if anything; `sent` whether bytes left."""

    why: str
    answer: VenueAnswer | None
    sent: bool

    @property
    def code(self) -> str:
        """The venue's code, empty when there is none or when something else may have spoken."""
        return "" if self.answer is None or proves_nothing(self.answer.status) else self.answer.code

    @property
    def text(self) -> str:
        """The failure and the venue's code."""
        return f"{self.why} {self.code}".strip()


class CcxtBroker(Broker):
    """See `ccxt_broker`."""

    def __init__(
        self,
        profile: VenueProfile,
        client: GuardedClient,
        adapter: VenueAdapter,
        credentials: Credentials,
        position_mode: PositionMode,
        loaded: LoadedMarkets | None,
    ) -> None:
        self.submit_deadline_ms = profile.submit_deadline_ms
        self.same_id_after_not_placed = profile.id_uniqueness is IdUniqueness.FOR_EVER
        self.absence_is_final = False
        self.profile = profile
        self.position_mode = position_mode
        self._client = client
        self._adapter = adapter
        self._credentials = credentials
        self._may_withdraw = False
        self._loaded: LoadedMarkets | None = None
        if loaded is not None:
            _ = client.stock.set_markets_from_exchange(loaded.client)
            self._loaded = loaded

    @property
    def loaded(self) -> LoadedMarkets | None:
        """The markets, to be shared with other brokers of this venue; None before the first call that needs them."""
        return self._loaded

    def close(self) -> None:
        """Give the connections back; the broker can be used no more."""
        self._client.guard.adapter.close()

    def watch(self, watcher: Callable[[requests.PreparedRequest], None] | None) -> None:
        """Show every request to a watcher before it leaves; None ends it."""
        self._client.guard.adapter.watcher = watcher

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        return self._read("markets", lambda table: table.by_market)

    @override
    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        return self._unless_empty("positions", lambda table: self._adapter.positions(None, table))

    @override
    def position(self, market: Market) -> tuple[VenuePosition, ...] | Unavailable:
        return self._unless_empty("position", lambda table: self._adapter.positions(market, table))

    @override
    def open_orders(self) -> tuple[VenueOrder, ...] | Unavailable:
        return self._unless_empty("open_orders", self._adapter.open_orders)

    @override
    def orders(self, market: Market, *, since_ms: int) -> tuple[VenueOrder, ...] | Unavailable:
        return self._read("orders", lambda table: self._adapter.orders(table.of(market), since_ms, table))

    @override
    def order(self, market: Market, client_order_id: str) -> VenueOrder | Absent | Unavailable:
        found = self._call(lambda table: self._adapter.order(table.of(market), client_order_id, table))
        if isinstance(found, CallFault):
            if found.code in self.profile.errors.absent:
                return Absent()
            return Unavailable(call="order", why=found.text)
        if not found.client_order_id or not self._adapter.echoes(found.client_order_id, client_order_id):
            return Unavailable(call="order", why="another order was answered")
        return replace(found, client_order_id=client_order_id)

    @override
    def fills(self, market: Market, *, since_ms: int) -> tuple[VenueFill, ...] | Unavailable:
        return self._read("fills", lambda table: self._adapter.fills(table.of(market), since_ms, table))

    @override
    def balance(self) -> VenueBalance | Unavailable:
        return self._read("balance", lambda _table: self._adapter.balance())

    @override
    def probe(self) -> VenueProbe | Unavailable:
        """What the key may do; one that may withdraw is not traded with from then on."""
        found = self._read("probe", lambda _table: self._adapter.probe())
        if isinstance(found, VenueProbe):
            self._may_withdraw = found.can_withdraw
        return found

    @override
    def submit(self, order: Order) -> SubmitOutcome:
        if self._may_withdraw:
            return _not_sent(RejectReason.PERMISSION, "permissions: the key may withdraw")
        market = self._call(lambda table: table.of(order.market))
        if isinstance(market, CallFault):
            return _not_sent(RejectReason.BAD_REQUEST, f"market: {market.text}")
        fault = check_order(order, market, self.profile.limits, mark=None)
        if fault is not None and fault.kind is not OrderFaultKind.NO_REFERENCE_PRICE:
            return _not_sent(RejectReason.INVALID_ORDER, f"{fault.field}: {fault.detail}")
        answer = self._call(lambda table: self._adapter.place(order, table))
        return self._refused(answer) if isinstance(answer, CallFault) else self._placed(order, answer)

    @override
    def cancel(self, market: Market, client_order_id: str) -> CancelOutcome:
        done = self._call(lambda table: self._adapter.cancel(table.of(market), client_order_id))
        if not isinstance(done, CallFault):
            return CancelOutcome.DONE
        return CancelOutcome.NOT_OPEN if done.code in self.profile.errors.not_open else CancelOutcome.UNKNOWN

    @override
    def set_leverage(self, market: Market, side: Side, leverage: int) -> bool | Unavailable:
        return self._read("set_leverage", lambda table: self._adapter.set_leverage(table.of(market), side, leverage))

    def _placed(self, order: Order, answer: Row) -> SubmitOutcome:
        venue_order_id = text_or_none(answer, "id")
        if venue_order_id is None:
            return Unknown(why="no id in the answer", code="")
        if not self._adapter.echoes(text_or_none(answer, "clientOrderId"), order.client_order_id):
            return Unknown(why="another order was answered", code="")
        return Accepted(venue_order_id=venue_order_id)

    def _refused(self, fault: CallFault) -> SubmitOutcome:
        if not fault.sent:
            return _not_sent(RejectReason.BAD_REQUEST, fault.why)
        if fault.answer is None or not fault.answer.code:
            return Unknown(why=fault.why, code="")
        outcome = self.profile.errors.outcome(fault.answer)
        if isinstance(outcome, DefiniteReject):
            return replace(outcome, message=self._credentials.hide_in(outcome.message))
        return outcome

    def _read(self, call: str, action: Callable[[MarketTable], T]) -> T | Unavailable:
        found = self._call(action)
        return Unavailable(call=call, why=found.text) if isinstance(found, CallFault) else found

    def _unless_empty(self, call: str, action: Callable[[MarketTable], tuple[T, ...]]) -> tuple[T, ...] | Unavailable:
        """A list; an empty one only when a second reading agrees and the balance shows that we see the account."""
        found = self._read(call, action)
        if isinstance(found, Unavailable) or found:
            return found
        again = self._read(call, action)
        if isinstance(again, Unavailable):
            return again
        if again:
            return Unavailable(call=call, why="two readings disagree")
        balance = self.balance()
        return Unavailable(call=call, why=f"no balance: {balance.why}") if isinstance(balance, Unavailable) else ()

    def _call(self, action: Callable[[MarketTable], T]) -> T | CallFault:
        guard = self._client.guard
        guard.answer, sent_count = None, guard.sent_count
        try:
            table = self._table()
            guard.answer, sent_count = None, guard.sent_count
            return action(table)
        except BadAnswer as error:
            why = f"bad answer: {error.what}"
        except Exception as error:  # noqa: BLE001 (what ccxt did not map may have been sent all the same)
            why = _WORD.sub(" ", type(error).__name__).lower()
        return CallFault(why=self._credentials.hide_in(why), answer=guard.answer, sent=guard.sent_count != sent_count)

    def _table(self) -> MarketTable:
        if self._loaded is None:
            self._loaded = LoadedMarkets(client=self._client.stock, table=self._adapter.load_markets())
        return self._loaded.table


def _not_sent(reason: RejectReason, message: str) -> DefiniteReject:
    return DefiniteReject(reason=reason, code=NOT_SENT, message=message)


def ccxt_broker(
    profile: VenueProfile,
    *,
    credentials: Credentials,
    address: VenueAddress,
    certificate: VenueCertificate,
    now_ms: Callable[[], int],
    timeout_s: float,
    position_mode: PositionMode,
    markets: LoadedMarkets | None = None,
) -> CcxtBroker:
    """A broker over stock ccxt. Nothing is sent yet.

    Args:
        profile: the venue.
        credentials: key and secret of the account.
        address: the venue, or a stand-in on loopback.
        certificate: of this venue and this version of ccxt.
        now_ms: our clock; it dates every request.
        timeout_s: how long one request may wait for a byte.
        position_mode: how the account is set; what the venue says is `probe`'s.
        markets: those that another broker of this venue has loaded.

    Raises:
        BadConfig: an uncertified client (for the venue itself also one that nobody watched), the certificate or markets
            of another venue, or a mode that is not traded in.
    """
    require_certified(certificate, profile, CLIENT_VERSION)
    if isinstance(address, RealVenue) and not certificate.requests:
        raise BadConfig(
            f"nobody has watched what this client sends to {profile.venue}",
            where=Where(field="requests"),
            next_step=f"Run `copytrade certify --venue {profile.venue}`",
        )
    if position_mode not in profile.position_modes:
        raise BadConfig(f"{profile.venue} is not traded in {position_mode} mode", where=Where(field="position_mode"))
    if markets is not None and markets.client.id != profile.ccxt_id:
        raise BadConfig(f"markets of {markets.client.id} for {profile.venue}", where=Where(field="markets"))
    client = guarded_client(profile, address=address, credentials=credentials, now_ms=now_ms, timeout_s=timeout_s)
    adapter = adapter_of(profile.venue, AdapterSetting(client=client, position_mode=position_mode, now_ms=now_ms))
    return CcxtBroker(profile, client, adapter, credentials, position_mode, markets)
