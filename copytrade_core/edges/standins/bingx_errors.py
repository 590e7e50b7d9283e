"""What BingX says when it refuses: a code and a sentence for every rule, and where each is known from.

BingX answers a refusal with HTTP 200. "Documented" is its own page of the endpoint, "observed" an answer that others
have kept (in issue reports or as a comment beside ccxt's table), "assumed" our guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from copytrade_core.edges.standins.venue_dialect import VenueError
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule


class AccessFault(StrEnum):
    """Why a request is not let in."""

    UNKNOWN_KEY = "unknown_key"
    NO_SIGNATURE = "no_signature"
    WRONG_SIGNATURE = "wrong_signature"
    OUTSIDE_WINDOW = "outside_window"


class InvalidRequest(StrEnum):
    """What is wrong with the parameters themselves."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    NO_ORDER_NAMED = "no_order_named"
    UNSUPPORTED_TYPE = "unsupported_type"
    SIDE_IN_HEDGE_MODE = "side_in_hedge_mode"
    SIDE_IN_ONE_WAY_MODE = "side_in_one_way_mode"


class DuplicateIdAnswer(StrEnum):
    """The three ways in which BingX tells that a client order id was used before."""

    BY_AGE = "by_age"
    """109201 within a second of the first, 101481 later, as both are documented."""
    CANNOT_BE_REPEATED = "101481"
    ONCE_PER_SECOND = "109201"
    INVALID_ORDER = "101400"
    """The catch-all code with a sentence that names the client order id."""


class NoPositionAnswer(StrEnum):
    """The two codes that mean "there is nothing to close"."""

    NO_POSITION_TO_CLOSE = "101205"
    POSITION_NOT_EXIST = "109420"


def _said(code: int, message: str, basis: Basis) -> VenueError:
    return VenueError(status=200, code=str(code), message=message, basis=basis)


ACCESS: Mapping[AccessFault, VenueError] = MappingProxyType(
    {
        AccessFault.UNKNOWN_KEY: _said(100413, "Incorrect apiKey", Basis.DOCUMENTED),
        AccessFault.NO_SIGNATURE: _said(100412, "Null signature", Basis.DOCUMENTED),
        AccessFault.WRONG_SIGNATURE: _said(
            100001, "Signature verification failed due to signature mismatch", Basis.OBSERVED
        ),
        AccessFault.OUTSIDE_WINDOW: _said(100421, "Null timestamp or timestamp mismatch", Basis.DOCUMENTED),
    }
)

INVALID: Mapping[InvalidRequest, VenueError] = MappingProxyType(
    {
        InvalidRequest.MISSING: _said(80014, "parameter {name} is must", Basis.DOCUMENTED),
        InvalidRequest.UNREADABLE: _said(109400, "Invalid parameters, err:{name}: {value}", Basis.OBSERVED),
        InvalidRequest.NO_ORDER_NAMED: _said(80001, "orderId and clientOrderId are both empty", Basis.DOCUMENTED),
        InvalidRequest.UNSUPPORTED_TYPE: _said(109400, "Invalid parameters, err:type: {value}", Basis.ASSUMED),
        InvalidRequest.SIDE_IN_HEDGE_MODE: _said(
            109400, "In the Hedge mode, the 'Side' field can only be set to LONG or SHORT.", Basis.DOCUMENTED
        ),
        InvalidRequest.SIDE_IN_ONE_WAY_MODE: _said(
            109400, "In the One-way mode, the 'Side' field can only be set to BOTH.", Basis.DOCUMENTED
        ),
    }
)

REFUSED: Mapping[VenueRule, VenueError] = MappingProxyType(
    {
        VenueRule.INSUFFICIENT_MARGIN: _said(101204, "Insufficient margin", Basis.DOCUMENTED),
        VenueRule.BELOW_MIN_QUANTITY: _said(101400, "The minimum order amount is {shown}.", Basis.OBSERVED),
        VenueRule.BELOW_MIN_NOTIONAL: _said(
            101400,
            "Please ensure that the minimum nominal value of the order placed must be greater than {shown}u",
            Basis.DOCUMENTED,
        ),
        VenueRule.ABOVE_MAX_NOTIONAL: _said(
            101209, "The maximum position value for this leverage is {shown} USDT.", Basis.DOCUMENTED
        ),
        VenueRule.OFF_GRID: _said(109400, "Invalid parameters, err:precision", Basis.ASSUMED),
        VenueRule.BAD_PRICE: _said(109400, "Invalid parameters, err:price", Basis.ASSUMED),
        VenueRule.NO_POSITION: _said(101205, "No position to close", Basis.DOCUMENTED),
        VenueRule.REDUCE_ONLY_CONFLICT: _said(
            101290,
            "The Reduce Only order can only decrease the position and not be used to open a position. "
            "Please check your positions and open orders.",
            Basis.DOCUMENTED,
        ),
        VenueRule.REDUCE_ONLY_IN_HEDGE_MODE: _said(
            109400, "In the Hedge mode, the 'ReduceOnly' field can not be filled.", Basis.OBSERVED
        ),
        VenueRule.POSITION_SIDE_MISMATCH: _said(109400, "{sentence}", Basis.DOCUMENTED),
        VenueRule.DUPLICATE_CLIENT_ID: _said(101481, "clientOrderID cannot be repeated", Basis.DOCUMENTED),
        VenueRule.BAD_CLIENT_ID: _said(109400, "Invalid parameters, err:clientOrderId", Basis.ASSUMED),
        VenueRule.UNKNOWN_ORDER: _said(80016, "order does not exist", Basis.DOCUMENTED),
        VenueRule.ORDER_NOT_OPEN: _said(80018, "order is already filled, The order doesn't exist", Basis.DOCUMENTED),
        VenueRule.UNKNOWN_MARKET: _said(
            109425,
            "{symbol} not exist, please verify it in api: /openApi/swap/v2/quote/contracts",
            Basis.OBSERVED,
        ),
        VenueRule.MARKET_CLOSED: _said(101400, "The trading pair is not available for trading", Basis.DOCUMENTED),
        VenueRule.MODE_CHANGE_WITH_EXPOSURE: _said(
            109400, "the account has positions or pending orders", Basis.ASSUMED
        ),
        VenueRule.WOULD_CROSS: _said(
            101215,
            "The Maker (Post Only) order ensures that the user always acts as a maker. If the order would immediately "
            "match with available orders in the market, it will be canceled.",
            Basis.DOCUMENTED,
        ),
        VenueRule.WOULD_TRIGGER: _said(
            110412, "Stop Loss price should be greater than the current price", Basis.DOCUMENTED
        ),
        VenueRule.BAD_LEVERAGE: _said(
            101414,
            "The maximum leverage for the trading pair is {most}, please reduce the leverage",
            Basis.DOCUMENTED,
        ),
    }
)
"""By rule of the engine. The sentence's numbers are filled in from the refusal."""

DUPLICATE: Mapping[DuplicateIdAnswer, VenueError] = MappingProxyType(
    {
        DuplicateIdAnswer.CANNOT_BE_REPEATED: REFUSED[VenueRule.DUPLICATE_CLIENT_ID],
        DuplicateIdAnswer.ONCE_PER_SECOND: _said(
            109201, "The same order number is only allowed to be submitted once within 1 second.", Basis.DOCUMENTED
        ),
        DuplicateIdAnswer.INVALID_ORDER: _said(101400, "clientOrderID cannot be repeated", Basis.ASSUMED),
    }
)
NO_POSITION: Mapping[NoPositionAnswer, VenueError] = MappingProxyType(
    {
        NoPositionAnswer.NO_POSITION_TO_CLOSE: REFUSED[VenueRule.NO_POSITION],
        NoPositionAnswer.POSITION_NOT_EXIST: _said(109420, "position not exist", Basis.OBSERVED),
    }
)

NO_PERMISSION = _said(100004, "Permission denied as the API key was created without the permission", Basis.DOCUMENTED)
NOTHING_TO_CANCEL = _said(109414, "order not exist", Basis.DOCUMENTED)
