"""Binance USD-M as data: envelope, form, windows and codes, each with its source."""

from __future__ import annotations

from copytrade_core.edges.venues.envelope import Envelope, EnvelopeKind, Payload, Shape
from copytrade_core.edges.venues.error_table import ErrorTable, FactBasis, exists, rejects
from copytrade_core.edges.venues.profiles import IdUniqueness, VenueFact, VenueProfile
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.orders.precision import OrderLimits

RECEIVE_WINDOW_MS = 5_000
_FAPI = "/fapi/v1"
_HERE: tuple[tuple[str, ...], ...] = ((),)
_ORDER_NEEDS = ("orderId", "clientOrderId", "symbol", "side", "status", "origQty", "executedQty")


def _shape(method: str, path: str, payload: Payload, *needs: str) -> Shape:
    return Shape(method=method, path=path, places=_HERE, payload=payload, needs=needs)


ENVELOPE = Envelope(
    kind=EnvelopeKind.BARE,
    shapes=(
        _shape("GET", f"{_FAPI}/time", Payload.ROW, "serverTime"),
        Shape(
            method="GET",
            path=f"{_FAPI}/exchangeInfo",
            places=(("symbols",),),
            payload=Payload.ROWS,
            needs=("symbol", "filters", "orderTypes"),
        ),
        _shape("GET", "/sapi/v1/account/apiRestrictions", Payload.ROW, "enableWithdrawals", "enableFutures"),
        _shape("GET", f"{_FAPI}/positionSide/dual", Payload.ROW, "dualSidePosition"),
        _shape("GET", "/fapi/v3/account", Payload.ROW, "totalMarginBalance", "availableBalance"),
        _shape("GET", "/fapi/v3/positionRisk", Payload.ROWS, "symbol", "positionSide", "positionAmt", "entryPrice"),
        _shape("POST", f"{_FAPI}/leverage", Payload.ROW, "leverage", "symbol"),
        _shape("POST", f"{_FAPI}/order", Payload.ROW, "orderId"),
        _shape("GET", f"{_FAPI}/order", Payload.ROW, *_ORDER_NEEDS),
        _shape("DELETE", f"{_FAPI}/order", Payload.ROW, "orderId"),
        _shape("GET", f"{_FAPI}/openOrders", Payload.ROWS, *_ORDER_NEEDS),
        _shape("GET", f"{_FAPI}/allOrders", Payload.ROWS, *_ORDER_NEEDS),
        _shape(
            "GET",
            f"{_FAPI}/userTrades",
            Payload.ROWS,
            *("id", "orderId", "side", "price", "qty", "commission", "commissionAsset", "time", "maker"),
        ),
    ),
)

_DOCUMENTED = FactBasis.DOCUMENTED
_RULES = (
    *exists("-4116", basis=_DOCUMENTED),
    *rejects(RejectReason.INSUFFICIENT_FUNDS, "-2018", "-2019", "-2024", basis=_DOCUMENTED),
    # Where nothing is held the venue says that a reduction is refused: it has no code of its own for "no position".
    *rejects(RejectReason.REDUCE_ONLY, "-2022", "-2026", "-4118", basis=_DOCUMENTED),
    *rejects(RejectReason.POSITION_MODE, "-4060", "-4061", basis=_DOCUMENTED),
    *rejects(
        RejectReason.INVALID_ORDER,
        *("-1013", "-1111", "-2021", "-4001", "-4002", "-4003", "-4004", "-4005", "-4013", "-4014", "-4015", "-4016"),
        *("-4023", "-4024", "-4164", "-5021", "-5022", "-4120"),
        basis=_DOCUMENTED,
    ),
    *rejects(
        RejectReason.BAD_REQUEST,
        *("-1021", "-1100", "-1101", "-1102", "-1103", "-1104", "-1105", "-1106", "-1108", "-1114", "-1115", "-1116"),
        *("-1117", "-1118", "-1121", "-1122", "-1128", "-1130", "-4140", "-4141"),
        basis=_DOCUMENTED,
    ),
    *rejects(RejectReason.BAD_REQUEST, "-5028"),
    *rejects(RejectReason.OPERATION_REJECTED, "-2025", "-2027", "-2028", "-4131", basis=_DOCUMENTED),
    # After one good answer ccxt reads -2015 as a temporary ban; the code says that the key is not good for this.
    *rejects(RejectReason.AUTHENTICATION, "-1022", "-1099", "-2014", "-2015", basis=_DOCUMENTED),
    *rejects(
        RejectReason.PERMISSION,
        *("-1002", "-1005", "-1011", "-2017", "-4087", "-4088", "-4192", "-4400", "-4401", "-4402"),
        basis=_DOCUMENTED,
    ),
)

PROFILE = VenueProfile(
    venue=Venue.BINANCE,
    ccxt_id="binanceusdm",
    domains=("binance.com",),
    envelope=ENVELOPE,
    errors=ErrorTable(
        ccxt_version="4.5.90",
        rules=_RULES,
        absent=frozenset({"-2013"}),
        not_open=frozenset({"-2011", "-2013"}),
    ),
    limits=OrderLimits(
        id_length_max=36,
        id_alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/_-",
        id_prefix_taken="",
        has_stops=False,
    ),
    position_modes=(PositionMode.HEDGE, PositionMode.ONE_WAY),
    id_uniqueness=IdUniqueness.WHILE_OPEN,
    submit_deadline_ms=RECEIVE_WINDOW_MS,
    has_dead_man=True,
    # The client's own window is twice as long.
    options={"recvWindow": RECEIVE_WINDOW_MS},
    facts=(
        VenueFact(name="client order id", value="1-36 characters", basis=_DOCUMENTED),
        VenueFact(name="client order id unique among open orders", value="yes", basis=_DOCUMENTED),
        VenueFact(name="receive window", value="recvWindow is sent: 5000 ms", basis=_DOCUMENTED),
        VenueFact(name="reduce-only in hedge mode", value="not sent: the side says it", basis=_DOCUMENTED),
        VenueFact(name="look-up by client order id", value="GET order origClientOrderId", basis=_DOCUMENTED),
        VenueFact(name="look-up after the end", value="not for ever", basis=_DOCUMENTED),
        VenueFact(name="cancel by client order id", value="DELETE order origClientOrderId", basis=_DOCUMENTED),
        VenueFact(name="fees", value="in the quote currency only; BNB fees are refused", basis=FactBasis.ASSUMED),
        VenueFact(name="withdrawal right", value="enableWithdrawals", basis=_DOCUMENTED),
        VenueFact(name="minimums", value="LOT_SIZE, MIN_NOTIONAL", basis=_DOCUMENTED),
        VenueFact(name="dead man", value="countdownCancelAll; not used", basis=FactBasis.CLIENT),
        VenueFact(name="stops", value="algo orders with other ids: not used", basis=FactBasis.CLIENT),
        VenueFact(name="-2015 proves not placed", value="yes, also during a ban", basis=FactBasis.ASSUMED),
    ),
)
