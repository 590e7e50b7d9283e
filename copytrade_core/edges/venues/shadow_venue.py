"""A venue as a shadow session sees it: reads, and orders validated to the last field. Nothing can be sent.

The class has no submit, no cancel and no way to set anything; and the connection under it lets no request but a GET
leave, whoever asks. Whether an order should exist is not asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

import requests
from typing_extensions import override

from copytrade_core.edges.venues.adapter import AdapterSetting, VenueAdapter
from copytrade_core.edges.venues.catalogue import adapter_of
from copytrade_core.edges.venues.ccxt_broker import ccxt_broker
from copytrade_core.edges.venues.certificate import VenueCertificate
from copytrade_core.edges.venues.credentials import Credentials
from copytrade_core.edges.venues.market_table import MarketTable
from copytrade_core.edges.venues.profiles import VenueProfile
from copytrade_core.edges.venues.stock_client import FORBIDDEN_PARAMS, GuardedClient, guarded_client
from copytrade_core.edges.venues.transport import VenueAddress
from copytrade_core.model.errors import BadConfig, CopytradeError, Where
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, VenueBalance, VenueMarket, VenueProbe
from copytrade_core.orders.precision import OrderFault, OrderFaultKind, Quantised, check_order, to_venue_grid
from copytrade_core.session.venue_look import DesiredOrder, Rounding, ShadowFault, VenueLook

READ_ONLY = "GET"
_QUANTITY_FIELDS = ("quantity", "size")
_SIDE_FIELD = "positionSide"
_REDUCE_FIELDS = ("reduceOnly", "reduce_only")


def refuse_writes(request: requests.PreparedRequest) -> None:
    """Let no request leave that could change anything.

    Raises:
        BadConfig: any method but GET; nothing was sent.
    """
    if request.method != READ_ONLY:
        raise BadConfig("a shadow session sends nothing but reads", where=Where(request=str(request.method)))


class _Look:
    """The reads of a broker and nothing else of it: they judge emptiness and absence as every session does."""

    def __init__(
        self,
        probe: Callable[[], VenueProbe | Unavailable],
        balance: Callable[[], VenueBalance | Unavailable],
        close: Callable[[], None],
    ) -> None:
        self.probe = probe
        self.balance = balance
        self.close = close


class ShadowVenue(VenueLook):
    """See `shadow_venue`."""

    def __init__(
        self,
        *,
        profile: VenueProfile,
        look: _Look,
        client: GuardedClient,
        adapter: VenueAdapter,
        credentials: Credentials,
        position_mode: PositionMode,
    ) -> None:
        self.profile = profile
        self._look = look
        self._client = client
        self._adapter = adapter
        self._credentials = credentials
        self._position_mode = position_mode
        self._table: MarketTable | None = None
        self._account_mode = position_mode

    @override
    def markets(self) -> Mapping[Market, VenueMarket] | Unavailable:
        try:
            return self._markets().by_market
        except Exception as error:  # noqa: BLE001 (whatever ccxt or the network raise)
            return Unavailable(call="markets", why=self._words(error))

    @override
    def probe(self) -> VenueProbe | Unavailable:
        found = self._look.probe()
        if isinstance(found, VenueProbe):
            require_safe_key(found)
            self._account_mode = found.position_mode
        return found

    def balance(self) -> VenueBalance | Unavailable:
        """Quote money of the account."""
        return self._look.balance()

    def leverage(self, market: Market, side: Side) -> int | Unavailable | None:
        """The leverage set for one market and side; None where this venue is not asked for it."""
        try:
            return self._adapter.leverage(self._markets().of(market), side)
        except Exception as error:  # noqa: BLE001 (whatever ccxt or the network raise)
            return Unavailable(call="leverage", why=self._words(error))

    @override
    def desired(self, order: Order, *, rules: Instrument, mark: Ticks | None, at_ms: int) -> DesiredOrder:
        rounding, found = None, self._placed_on_grid(order, rules)
        if not isinstance(found, ShadowFault):
            theirs, table, moved = found
            rounding = Rounding(quantity_bps=moved.quantity_change_bps, price_bps=moved.price_change_bps)
            found = _off_grid(moved) or self._form(theirs, table, _mark_there(mark, rules, table.of(order.market)))
        return DesiredOrder(
            order=order,
            at_ms=at_ms,
            mark=mark,
            rounding=rounding,
            fault=found if isinstance(found, ShadowFault) else None,
            request=() if isinstance(found, ShadowFault) else tuple(sorted(found.items())),
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.guard.adapter.close()
        self._look.close()

    def _placed_on_grid(self, order: Order, rules: Instrument) -> tuple[Order, MarketTable, Quantised] | ShadowFault:
        """The order counted in the venue's steps and ticks."""
        try:
            table = self._markets()
            moved = to_venue_grid(order, rules, table.of(order.market))
        except Exception as error:  # noqa: BLE001 (whatever ccxt or the network raise)
            return self._no_form(error)
        return _told(moved) if isinstance(moved, OrderFault) else (moved[0], table, moved[1])

    def _form(self, order: Order, table: MarketTable, mark: Ticks | None) -> dict[str, str] | ShadowFault:
        """Every field of the order, on the venue's grid, as it would go out."""
        market = table.of(order.market)
        checked = check_order(order, market, self.profile.limits, mark=mark)
        if checked is not None:
            return _told(checked)
        if self._account_mode is not self._position_mode:
            detail = f"the account is in {self._account_mode} mode, orders are said in {self._position_mode} mode"
            return ShadowFault(kind="position_mode", field="position_mode", detail=detail)
        try:
            asked = self._adapter.order_request(order, table)
            taken = sorted(FORBIDDEN_PARAMS & set(asked.params))
            if taken:
                return ShadowFault(kind="forbidden_field", field=", ".join(taken), detail="is never sent")
            built = self._client.stock.create_order_request(
                asked.symbol, asked.type, asked.side, asked.amount, asked.price, dict(asked.params)
            )
        except Exception as error:  # noqa: BLE001 (a form that cannot be built is an order that cannot be sent)
            return self._no_form(error)
        fields = {name: _text(value) for name, value in built.items() if value is not None}
        fault = _field_fault(order, fields, spoken=table.spoken(order.quantity, market), mode=self._position_mode)
        return fields if fault is None else fault

    def _no_form(self, error: Exception) -> ShadowFault:
        field = error.where.field if isinstance(error, CopytradeError) else None
        return ShadowFault(kind="no_form", field=field or "order", detail=self._words(error))

    def _markets(self) -> MarketTable:
        if self._table is None:
            self._table = self._adapter.load_markets()
        return self._table

    def _words(self, error: Exception) -> str:
        words = error.what if isinstance(error, CopytradeError) else type(error).__name__
        return self._credentials.hide_in(words)


def require_safe_key(probe: VenueProbe) -> None:
    """A key that could do harm in other hands is not used, not even to look.

    Raises:
        BadConfig: it may withdraw, or the venue says that it is bound to no address.
    """
    if probe.can_withdraw:
        raise BadConfig(
            "this API key may withdraw",
            where=Where(field="permissions"),
            next_step="Make a key that may trade and nothing else; copytrade never uses this one",
        )
    if probe.ip_restricted is False:
        raise BadConfig(
            "this API key is bound to no address: whoever finds it can use it",
            where=Where(field="ip_allow_list"),
            next_step="Bind the key to this machine's address at the venue",
        )


def _told(fault: OrderFault) -> ShadowFault:
    return ShadowFault(kind=fault.kind.value, field=fault.field, detail=fault.detail)


def _off_grid(moved: Quantised) -> ShadowFault | None:
    """Orders are never rounded on their way out: what the venue's grid does not hold cannot be sent."""
    for field, changed_bps in (("quantity", moved.quantity_change_bps), ("price", moved.price_change_bps)):
        if changed_bps:
            detail = f"the venue's grid is coarser than ours: the nearest it takes is up to {changed_bps} bps away"
            return ShadowFault(kind=OrderFaultKind.OFF_GRID.value, field=field, detail=detail)
    return None


def _mark_there(mark: Ticks | None, rules: Instrument, market: VenueMarket) -> Ticks | None:
    """A mark in the venue's ticks, rounded down: a notional is then never shown larger than it is."""
    return None if mark is None else Ticks(int(rules.price(mark) // market.instrument.tick_size))


def _field_fault(order: Order, fields: Mapping[str, str], *, spoken: str, mode: PositionMode) -> ShadowFault | None:
    """What is wrong with the fields that would really go out: the id, the quantity and the side must be the order's."""
    if not any(value in (order.client_order_id, f"t-{order.client_order_id}") for value in fields.values()):
        return ShadowFault(kind="field_differs", field="client_order_id", detail="our id is in no field")
    quantity = next((fields[name] for name in _QUANTITY_FIELDS if name in fields), None)
    if quantity is None or _magnitude(quantity) != Decimal(spoken):
        return ShadowFault(kind="field_differs", field="quantity", detail=f"{quantity} would be sent for {spoken}")
    side = fields.get(_SIDE_FIELD)
    if side is not None and side != (order.side.value.upper() if mode is PositionMode.HEDGE else "BOTH"):
        return ShadowFault(kind="field_differs", field=_SIDE_FIELD, detail=f"{side} in {mode} mode")
    reduces = any(fields.get(name) == "true" for name in _REDUCE_FIELDS)
    if order.reduce_only and mode is PositionMode.ONE_WAY and not reduces:
        return ShadowFault(kind="field_differs", field="reduce_only", detail="a reduction that could open")
    return None


def _text(value: object) -> str:
    """As it goes out: truth values in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _magnitude(text: str) -> Decimal | None:
    """Gate says the direction by a sign."""
    try:
        return abs(Decimal(text))
    except InvalidOperation:
        return None


def shadow_venue(
    profile: VenueProfile,
    *,
    credentials: Credentials,
    address: VenueAddress,
    certificate: VenueCertificate,
    now_ms: Callable[[], int],
    timeout_s: float,
    position_mode: PositionMode,
) -> ShadowVenue:
    """A venue to look at. Nothing is asked yet.

    Args:
        profile: the venue.
        credentials: key and secret of the account.
        address: the venue, or a stand-in on loopback.
        certificate: of this venue and this version of ccxt.
        now_ms: our clock.
        timeout_s: how long one request may wait for a byte.
        position_mode: how orders would be said: of the hedge form or of the one-way form.

    Raises:
        BadConfig: see `ccxt_broker`.
    """
    broker = ccxt_broker(
        profile,
        credentials=credentials,
        address=address,
        certificate=certificate,
        now_ms=now_ms,
        timeout_s=timeout_s,
        position_mode=position_mode,
    )
    broker.watch(refuse_writes)
    client = guarded_client(profile, address=address, credentials=credentials, now_ms=now_ms, timeout_s=timeout_s)
    client.guard.adapter.watcher = refuse_writes
    return ShadowVenue(
        profile=profile,
        look=_Look(broker.probe, broker.balance, broker.close),
        client=client,
        adapter=adapter_of(profile.venue, AdapterSetting(client=client, position_mode=position_mode, now_ms=now_ms)),
        credentials=credentials,
        position_mode=position_mode,
    )
