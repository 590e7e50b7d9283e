"""BingX USDT-M as data: envelope, form, windows and codes, each with its source."""

from __future__ import annotations

from copytrade_core.edges.venues.envelope import Envelope, EnvelopeKind, Payload, Shape
from copytrade_core.edges.venues.error_table import ErrorTable, FactBasis, by_message, exists, rejects
from copytrade_core.edges.venues.profiles import IdUniqueness, VenueFact, VenueProfile
from copytrade_core.model.outcome import RejectReason
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.orders.precision import OrderLimits

RECEIVE_WINDOW_MS = 5_000
_SWAP = "/openApi/swap"
_ORDERS = (("data", "orders"),)
_ORDER = (("data", "order"), ("data",))
_ORDER_NEEDS = ("orderId", "symbol", "side", "status", "origQty", "executedQty")


def _shape(method: str, path: str, places: tuple[tuple[str, ...], ...], payload: Payload, *needs: str) -> Shape:
    return Shape(method=method, path=path, places=places, payload=payload, needs=needs)


ENVELOPE = Envelope(
    kind=EnvelopeKind.CODED,
    shapes=(
        _shape("GET", f"{_SWAP}/v2/server/time", (("data",),), Payload.ROW, "serverTime"),
        _shape("GET", f"{_SWAP}/v2/quote/contracts", (("data",),), Payload.ROWS, "symbol", "currency"),
        _shape("GET", f"{_SWAP}/v3/user/balance", (("data",),), Payload.ROWS, "asset", "equity", "availableMargin"),
        _shape(
            "GET",
            f"{_SWAP}/v2/user/positions",
            (("data",),),
            Payload.ROWS,
            *("symbol", "positionSide", "positionAmt", "avgPrice"),
        ),
        _shape("GET", f"{_SWAP}/v1/positionSide/dual", (("data",),), Payload.ROW, "dualSidePosition"),
        _shape("POST", f"{_SWAP}/v2/trade/leverage", (("data",),), Payload.ROW, "symbol"),
        # The lean create answer has little more than the id.
        _shape("POST", f"{_SWAP}/v2/trade/order", _ORDER, Payload.ROW, "orderId"),
        _shape("GET", f"{_SWAP}/v2/trade/order", _ORDER, Payload.ROW, *_ORDER_NEEDS),
        _shape("DELETE", f"{_SWAP}/v2/trade/order", _ORDER, Payload.ROW, "orderId"),
        _shape("GET", f"{_SWAP}/v2/trade/openOrders", _ORDERS, Payload.ROWS, *_ORDER_NEEDS),
        _shape("GET", f"{_SWAP}/v1/trade/fullOrder", _ORDERS, Payload.ROWS, *_ORDER_NEEDS),
        _shape(
            "GET",
            f"{_SWAP}/v2/trade/allFillOrders",
            (("data", "fill_orders"),),
            Payload.ROWS,
            *("orderId", "price", "volume", "commission"),
        ),
        _shape("GET", "/openApi/v1/account/apiPermissions", (("data",),), Payload.ROW, "permissions"),
    ),
)

_RULES = (
    *exists("101481", "109201"),
    by_message(None, "101400", any_of=("clientorderid", "client order id")),
    by_message(None, "109400", all_of=("clientorderid",), any_of=("exist", "duplicat", "repeat", "unique", "used")),
    *rejects(RejectReason.INSUFFICIENT_FUNDS, "100202", "101204", "80012"),
    *rejects(RejectReason.INSUFFICIENT_FUNDS, "101253", basis=FactBasis.DOCUMENTED),
    *rejects(RejectReason.NO_POSITION, "101205"),
    *rejects(RejectReason.NO_POSITION, "109420", basis=FactBasis.DOCUMENTED),
    *rejects(RejectReason.REDUCE_ONLY, "101290", basis=FactBasis.DOCUMENTED),
    *rejects(RejectReason.INVALID_ORDER, "110425", "100490", "109418", "109425"),
    *rejects(RejectReason.INVALID_ORDER, "101209", "101215", "101414", "110412", basis=FactBasis.DOCUMENTED),
    # One code, two meanings: a restricted pair (client), a timestamp out of the window (documentation). Neither places.
    *rejects(RejectReason.BAD_REQUEST, "100421"),
    *rejects(RejectReason.BAD_REQUEST, "80014", "100400"),
    *rejects(RejectReason.AUTHENTICATION, "100001", "100412", "100413", "401"),
    *rejects(RejectReason.PERMISSION, "100004", "100414", "100419", "403"),
    # The catch-alls: only messages that are understood prove anything.
    by_message(RejectReason.REDUCE_ONLY, "109400", any_of=("reduceonly", "reduce only", "reduce-only")),
    by_message(
        RejectReason.POSITION_MODE,
        "109400",
        any_of=("positionside", "position side", "position mode", "hedge mode", "one-way mode"),
    ),
    by_message(RejectReason.BAD_REQUEST, "109400", any_of=("invalid parameter", "timestamp")),
    by_message(RejectReason.REDUCE_ONLY, "101400", any_of=("reduceonly", "reduce only", "reduce-only")),
    by_message(RejectReason.NO_POSITION, "101400", all_of=("position",), any_of=("not exist", "no position")),
    by_message(
        RejectReason.INVALID_ORDER,
        "101400",
        any_of=("minimum", "precision", "price", "quantity", "amount", "trading pair"),
    ),
)

PROFILE = VenueProfile(
    venue=Venue.BINGX,
    ccxt_id="bingx",
    domains=("bingx.com",),
    envelope=ENVELOPE,
    errors=ErrorTable(
        ccxt_version="4.5.90",
        rules=_RULES,
        absent=frozenset({"80016", "109421"}),
        not_open=frozenset({"80016", "80018", "109414", "109421"}),
    ),
    limits=OrderLimits(
        id_length_max=40,
        # The venue lower-cases an id, so one with capitals could not be compared.
        id_alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_",
        id_prefix_taken="",
        has_stops=True,
    ),
    position_modes=(PositionMode.HEDGE, PositionMode.ONE_WAY),
    id_uniqueness=IdUniqueness.FOR_EVER,
    submit_deadline_ms=RECEIVE_WINDOW_MS,
    has_dead_man=True,
    options={"defaultType": "swap"},
    facts=(
        VenueFact(name="client order id", value="1-40 characters, lower-cased", basis=FactBasis.DOCUMENTED),
        VenueFact(name="client order id unique for ever", value="yes", basis=FactBasis.ASSUMED),
        VenueFact(name="receive window", value="recvWindow is sent: 5000 ms", basis=FactBasis.DOCUMENTED),
        VenueFact(name="reduce-only in hedge mode", value="not sent: the side says it", basis=FactBasis.CLIENT),
        VenueFact(name="look-up by client order id", value="GET trade/order clientOrderId", basis=FactBasis.DOCUMENTED),
        VenueFact(name="cancel by client order id", value="DELETE trade/order clientOrderID", basis=FactBasis.CLIENT),
        VenueFact(name="quantity", value="base units; fills asked for in COIN", basis=FactBasis.DOCUMENTED),
        VenueFact(name="rights", value="3 perpetual futures, 5 withdrawal", basis=FactBasis.DOCUMENTED),
        VenueFact(name="minimums", value="tradeMinQuantity, tradeMinUSDT", basis=FactBasis.DOCUMENTED),
        VenueFact(name="dead man", value="trade/cancelAllAfter; not used", basis=FactBasis.CLIENT),
        VenueFact(name="maker of a fill", value="not told: taken as taker", basis=FactBasis.CLIENT),
        VenueFact(name="side of a fill", value="from its order where the fill has none", basis=FactBasis.CLIENT),
    ),
)
