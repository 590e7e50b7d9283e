"""Gate USDT futures as data: envelope, form, windows and labels, each with its source."""

from __future__ import annotations

from copytrade_core.edges.venues.envelope import Envelope, EnvelopeKind, Payload, Shape
from copytrade_core.edges.venues.error_table import ErrorTable, FactBasis, by_message, exists, rejects
from copytrade_core.edges.venues.profiles import IdUniqueness, VenueFact, VenueProfile
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.orders.precision import OrderLimits

EXPIRY_MS = 5_000
_USDT = "/api/v4/futures/usdt"
_HERE: tuple[tuple[str, ...], ...] = ((),)
_ORDER_NEEDS = ("id", "contract", "status", "size", "left", "create_time")


def _shape(method: str, path: str, payload: Payload, *needs: str) -> Shape:
    return Shape(method=method, path=path, places=_HERE, payload=payload, needs=needs)


ENVELOPE = Envelope(
    kind=EnvelopeKind.LABELLED,
    shapes=(
        _shape("GET", "/api/v4/spot/time", Payload.ROW, "server_time"),
        _shape("GET", f"{_USDT}/contracts", Payload.ROWS, "name", "quanto_multiplier", "order_price_round"),
        _shape("GET", f"{_USDT}/accounts", Payload.ROW, "total", "available", "unrealised_pnl", "in_dual_mode"),
        _shape("GET", f"{_USDT}/positions", Payload.ROWS, "contract", "size", "mode", "entry_price"),
        _shape("POST", f"{_USDT}/positions/[^/]+/leverage", Payload.ROW, "cross_leverage_limit"),
        _shape("POST", f"{_USDT}/dual_comp/positions/[^/]+/leverage", Payload.ROWS, "cross_leverage_limit"),
        _shape("POST", f"{_USDT}/orders", Payload.ROW, "id"),
        _shape("GET", f"{_USDT}/orders", Payload.ROWS, *_ORDER_NEEDS),
        _shape("GET", f"{_USDT}/orders_timerange", Payload.ROWS, *_ORDER_NEEDS),
        _shape("GET", f"{_USDT}/orders/[^/]+", Payload.ROW, *_ORDER_NEEDS),
        _shape("DELETE", f"{_USDT}/orders/[^/]+", Payload.ROW, "id"),
        _shape(
            "GET",
            f"{_USDT}/my_trades_timerange",
            Payload.ROWS,
            *("trade_id", "order_id", "size", "price", "fee", "role", "create_time"),
        ),
    ),
)

_RULES = (
    *exists("REPEATED_CREATION", basis=FactBasis.DOCUMENTED),
    *rejects(
        RejectReason.INSUFFICIENT_FUNDS,
        *("BALANCE_NOT_ENOUGH", "FUTURES_BALANCE_NOT_ENOUGH", "INSUFFICIENT_AVAILABLE", "MARGIN_BALANCE_NOT_ENOUGH"),
    ),
    *rejects(RejectReason.NO_POSITION, "POSITION_EMPTY"),
    *rejects(RejectReason.REDUCE_ONLY, "INCREASE_POSITION"),
    *rejects(
        RejectReason.INVALID_ORDER,
        *("INVALID_PRECISION", "ORDER_POC_IMMEDIATE", "POC_FILL_IMMEDIATELY", "PRICE_TOO_DEVIATED", "SIZE_TOO_LARGE"),
        *("SIZE_TOO_SMALL", "AMOUNT_TOO_LITTLE", "AMOUNT_TOO_MUCH", "PRICE_OVER_LIQUIDATION", "PRICE_OVER_BANKRUPT"),
        *("LIQUIDATE_IMMEDIATELY", "TOO_MANY_ORDERS", "PRICE_THRESHOLD_EXCEEDED"),
    ),
    *rejects(RejectReason.BAD_REQUEST, "INVALID_PROTOCOL", "INVALID_REQUEST_BODY", "MISSING_REQUIRED_PARAM"),
    *rejects(RejectReason.BAD_REQUEST, "BAD_REQUEST", "CONTRACT_NOT_FOUND", "INVALID_CURRENCY_PAIR"),
    # The catch-alls of Gate: an argument was named, so the order was read and not taken.
    by_message(RejectReason.BAD_REQUEST, "INVALID_PARAM_VALUE", any_of=("invalid argument", "too small", "order size")),
    by_message(RejectReason.BAD_REQUEST, "INVALID_ARGUMENT", any_of=("invalid",)),
    *rejects(
        RejectReason.OPERATION_REJECTED,
        *("RISK_LIMIT_EXCEEDED", "CONTRACT_IN_DELISTING", "POSITION_IN_LIQUIDATION", "POSITION_IN_CLOSE"),
        *("CONTRACT_NO_COUNTER", "LEVERAGE_TOO_HIGH", "TRADE_RESTRICTED"),
    ),
    *rejects(
        RejectReason.AUTHENTICATION,
        *("INVALID_KEY", "INVALID_SIGNATURE", "INVALID_CREDENTIALS", "AUTHENTICATION_FAILED"),
        *("MISSING_REQUIRED_HEADER", "REQUEST_EXPIRED"),
    ),
    *rejects(RejectReason.PERMISSION, "READ_ONLY", "FORBIDDEN", "IP_FORBIDDEN", "ACCOUNT_LOCKED", "SUB_ACCOUNT_LOCKED"),
)

PROFILE = VenueProfile(
    venue=Venue.GATE,
    ccxt_id="gate",
    domains=("gateio.ws", "gate.com"),
    envelope=ENVELOPE,
    errors=ErrorTable(
        ccxt_version="4.5.90",
        rules=_RULES,
        absent=frozenset({"ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND"}),
        not_open=frozenset({"ORDER_NOT_FOUND", "CLIENT_ID_NOT_FOUND", "ORDER_FINISHED", "ORDER_CLOSED"}),
    ),
    limits=OrderLimits(
        # 28 characters with the prefix `t-`, which ccxt writes in front of an id that does not begin with t.
        id_length_max=26,
        id_alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
        id_prefix_taken="t",
        has_stops=False,
    ),
    position_modes=(PositionMode.HEDGE, PositionMode.ONE_WAY),
    id_uniqueness=IdUniqueness.NEVER,
    submit_deadline_ms=EXPIRY_MS,
    has_dead_man=True,
    # Unset, the client would ask for the account before the first order, and swallow whatever goes wrong.
    options={"defaultType": "swap", "unifiedAccount": False},
    facts=(
        VenueFact(name="client order id", value="t- and up to 28 characters", basis=FactBasis.DOCUMENTED),
        VenueFact(name="a later order overrides an id", value="yes", basis=FactBasis.DOCUMENTED),
        VenueFact(name="quantity", value="contracts of quanto_multiplier base units", basis=FactBasis.DOCUMENTED),
        VenueFact(name="request expiry", value="x-gate-exptime is sent: 5000 ms", basis=FactBasis.DOCUMENTED),
        VenueFact(name="reduce-only in dual mode", value="sent; it picks the side", basis=FactBasis.DOCUMENTED),
        VenueFact(name="look-up by client order id", value="GET orders/t-...", basis=FactBasis.DOCUMENTED),
        VenueFact(name="look-up after the end", value="not for ever", basis=FactBasis.DOCUMENTED),
        VenueFact(name="cancel by client order id", value="DELETE orders/t-...", basis=FactBasis.DOCUMENTED),
        VenueFact(name="withdrawal right", value="a writable wallet in main_keys", basis=FactBasis.ASSUMED),
        VenueFact(name="leverage", value="cross margin, cross_leverage_limit", basis=FactBasis.DOCUMENTED),
        VenueFact(name="minimums", value="order_size_min; no notional", basis=FactBasis.DOCUMENTED),
        VenueFact(name="dead man", value="countdown_cancel_all; not used", basis=FactBasis.CLIENT),
        VenueFact(name="fees", value="in the quote currency only; points are refused", basis=FactBasis.ASSUMED),
        VenueFact(name="stops", value="other orders with other ids: not used", basis=FactBasis.CLIENT),
    ),
)
