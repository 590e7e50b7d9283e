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
from copytrade_core.model.instrument import Market
from copytrade_core.model.order import Order
from copytrade_core.model.outcome import Unavailable
from copytrade_core.model.side import Side
from copytrade_core.model.units import Ticks
from copytrade_core.model.venue import PositionMode, VenueBalance, VenueMarket, VenuePosition, VenueProbe
from copytrade_core.orders.precision import check_order
from copytrade_core.session.shadow import DesiredOrder, ShadowFault, VenueLook

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
        positions: Callable[[], tuple[VenuePosition, ...] | Unavailable],
        close: Callable[[], None],
    ) -> None:
        self.probe = probe
        self.balance = balance
        self.positions = positions
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
        return found

    def balance(self) -> VenueBalance | Unavailable:
        """Quote money of the account."""
        return self._look.balance()

    def positions(self) -> tuple[VenuePosition, ...] | Unavailable:
        """What the account holds."""
        return self._look.positions()

    def leverage(self, market: Market, side: Side) -> int | Unavailable | None:
        """The leverage set for one market and side; None where this venue is not asked for it."""
        try:
            return self._adapter.leverage(self._markets().of(market), side)
        except Exception as error:  # noqa: BLE001 (whatever ccxt or the network raise)
            return Unavailable(call="leverage", why=self._words(error))

    @override
    def desired(self, order: Order, *, mark: Ticks | None, at_ms: int) -> DesiredOrder:
        fault, request = self._form(order, mark)
        return DesiredOrder(order=order, at_ms=at_ms, mark=mark, fault=fault, request=request)

    def close(self) -> None:
        """Give the connections back."""
        self._client.guard.adapter.close()
        self._look.close()

    def _form(self, order: Order, mark: Ticks | None) -> tuple[ShadowFault | None, tuple[tuple[str, str], ...]]:
        try:
            table = self._markets()
            market = table.of(order.market)
            checked = check_order(order, market, self.profile.limits, mark=mark)
            if checked is not None:
                return ShadowFault(kind=checked.kind.value, field=checked.field, detail=checked.detail), ()
            asked = self._adapter.order_request(order, table)
            taken = sorted(FORBIDDEN_PARAMS & set(asked.params))
            if taken:
                return ShadowFault(kind="forbidden_field", field=", ".join(taken), detail="is never sent"), ()
            built = self._client.stock.create_order_request(
                asked.symbol, asked.type, asked.side, asked.amount, asked.price, dict(asked.params)
            )
        except Exception as error:  # noqa: BLE001 (a form that cannot be built is an order that cannot be sent)
            field = error.where.field if isinstance(error, CopytradeError) else None
            return ShadowFault(kind="no_form", field=field or "order", detail=self._words(error)), ()
        fields = {name: _text(value) for name, value in built.items() if value is not None}
        fault = _field_fault(order, fields, spoken=table.spoken(order.quantity, market), mode=self._position_mode)
        return fault, () if fault is not None else tuple(sorted(fields.items()))

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
        look=_Look(broker.probe, broker.balance, broker.positions, broker.close),
        client=client,
        adapter=adapter_of(profile.venue, AdapterSetting(client=client, position_mode=position_mode, now_ms=now_ms)),
        credentials=credentials,
        position_mode=position_mode,
    )
