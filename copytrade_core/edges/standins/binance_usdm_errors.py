"""What Binance USD-M says when it refuses: a code and a sentence for every rule, and where each is known from.

"Documented" is the published error list, "observed" an answer that others have kept, "assumed" our guess at which code
fits the case. A refusal is HTTP 400 unless it is about the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from copytrade_core.edges.standins.venue_dialect import VenueError
from copytrade_core.virtual_exchange.venue_rules import Basis, VenueRule


class InvalidRequest(StrEnum):
    """What is wrong with the parameters themselves."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    BAD_SIDE = "bad_side"
    BAD_TYPE = "bad_type"
    BAD_TIME_IN_FORCE = "bad_time_in_force"
    BAD_POSITION_SIDE = "bad_position_side"
    ZERO_QUANTITY = "zero_quantity"
    BAD_INTERVAL = "bad_interval"
    BAD_LIMIT = "bad_limit"
    START_AFTER_END = "start_after_end"
    LONG_WINDOW = "long_window"


def _said(code: int, message: str, basis: Basis) -> VenueError:
    return VenueError(status=400, code=str(code), message=message, basis=basis)


INVALID: Mapping[InvalidRequest, VenueError] = MappingProxyType(
    {
        InvalidRequest.MISSING: _said(
            -1102, "Mandatory parameter '{name}' was not sent, was empty/null, or malformed.", Basis.DOCUMENTED
        ),
        InvalidRequest.UNREADABLE: _said(
            -1100, "Illegal characters found in parameter '{name}'; legal range is '{value}'.", Basis.DOCUMENTED
        ),
        InvalidRequest.BAD_SIDE: _said(-1117, "Invalid side.", Basis.DOCUMENTED),
        InvalidRequest.BAD_TYPE: _said(-1116, "Invalid orderType.", Basis.DOCUMENTED),
        InvalidRequest.BAD_TIME_IN_FORCE: _said(-1115, "Invalid timeInForce.", Basis.DOCUMENTED),
        InvalidRequest.BAD_POSITION_SIDE: _said(-4060, "Invalid position side.", Basis.DOCUMENTED),
        InvalidRequest.ZERO_QUANTITY: _said(-4003, "Quantity less than or equal to zero.", Basis.DOCUMENTED),
        InvalidRequest.BAD_INTERVAL: _said(-1120, "Invalid interval.", Basis.DOCUMENTED),
        InvalidRequest.BAD_LIMIT: _said(-1130, "Data sent for parameter '{name}' is not valid.", Basis.DOCUMENTED),
        InvalidRequest.START_AFTER_END: _said(-1023, "Start time is greater than end time.", Basis.DOCUMENTED),
        InvalidRequest.LONG_WINDOW: _said(
            -1127,
            "Lookup interval is too big. More than {value} hours between startTime and endTime.",
            Basis.DOCUMENTED,
        ),
    }
)

NO_SUCH_ORDER = _said(-2013, "Order does not exist.", Basis.DOCUMENTED)
"""Of a look-up; a cancel of the same order answers -2011."""
SAME_MODE = _said(-4059, "No need to change position side.", Basis.DOCUMENTED)
POSITION_EXISTS = _said(-4068, "Position side cannot be changed if there exists position.", Basis.DOCUMENTED)
ORDERS_EXIST = _said(-4067, "Position side cannot be changed if there exists open orders.", Basis.DOCUMENTED)
_REDUCE_ONLY = _said(-2022, "ReduceOnly Order is rejected.", Basis.DOCUMENTED)
_UNKNOWN_SENT = _said(-2011, "Unknown order sent.", Basis.DOCUMENTED)

BINANCE_ERRORS: Mapping[VenueRule, VenueError] = MappingProxyType(
    {
        VenueRule.INSUFFICIENT_MARGIN: _said(-2019, "Margin is insufficient.", Basis.DOCUMENTED),
        VenueRule.BELOW_MIN_QUANTITY: _said(-4004, "Quantity less than min quantity.", Basis.DOCUMENTED),
        VenueRule.BELOW_MIN_NOTIONAL: _said(
            -4164,
            "Order's notional must be no smaller than {minimum} (unless you choose reduce only).",
            Basis.DOCUMENTED,
        ),
        VenueRule.ABOVE_MAX_NOTIONAL: _said(
            -2027, "Exceeded the maximum allowable position at current leverage.", Basis.DOCUMENTED
        ),
        VenueRule.OFF_GRID: _said(-1111, "Precision is over the maximum defined for this asset.", Basis.DOCUMENTED),
        VenueRule.BAD_PRICE: _said(-4016, "Price is higher than mark price multiplier cap.", Basis.ASSUMED),
        VenueRule.NO_POSITION: _REDUCE_ONLY,
        VenueRule.REDUCE_ONLY_CONFLICT: _REDUCE_ONLY,
        VenueRule.REDUCE_ONLY_IN_HEDGE_MODE: _said(
            -1106, "Parameter 'reduceonly' sent when not required.", Basis.OBSERVED
        ),
        VenueRule.POSITION_SIDE_MISMATCH: _said(
            -4061, "Order's position side does not match user's setting.", Basis.DOCUMENTED
        ),
        VenueRule.DUPLICATE_CLIENT_ID: _said(-4116, "ClientOrderId is duplicated.", Basis.DOCUMENTED),
        VenueRule.BAD_CLIENT_ID: _said(-4015, "Client order id is not valid.", Basis.DOCUMENTED),
        VenueRule.UNKNOWN_ORDER: _UNKNOWN_SENT,
        VenueRule.ORDER_NOT_OPEN: _UNKNOWN_SENT,
        VenueRule.UNKNOWN_MARKET: _said(-1121, "Invalid symbol.", Basis.DOCUMENTED),
        VenueRule.MARKET_CLOSED: _said(-4140, "Invalid symbol status for opening position.", Basis.DOCUMENTED),
        VenueRule.MODE_CHANGE_WITH_EXPOSURE: POSITION_EXISTS,
        VenueRule.WOULD_CROSS: _said(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected.",
            Basis.FIXTURE,
        ),
        VenueRule.WOULD_TRIGGER: _said(-2021, "Order would immediately trigger.", Basis.DOCUMENTED),
        VenueRule.BAD_LEVERAGE: _said(-4028, "Leverage {leverage} is not valid", Basis.DOCUMENTED),
    }
)
