"""What Gate says when it refuses: a label and sometimes a sentence for every rule, and where each is known from.

Labels are in Gate's published list ("documented"), in an answer that others have kept ("observed", "fixture"), or our
guess at which label fits the case ("assumed"). A label may come without any sentence.
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
    ZERO_SIZE = "zero_size"
    MARKET_NEEDS_IOC = "market_needs_ioc"


def _said(label: str, message: str, basis: Basis, *, status: int = 400) -> VenueError:
    return VenueError(status=status, code=label, message=message, basis=basis)


INVALID: Mapping[InvalidRequest, VenueError] = MappingProxyType(
    {
        InvalidRequest.MISSING: _said("MISSING_REQUIRED_PARAM", "Missing required parameter: {name}", Basis.DOCUMENTED),
        InvalidRequest.UNREADABLE: _said("INVALID_PARAM_VALUE", "invalid argument: {name}", Basis.FIXTURE),
        InvalidRequest.ZERO_SIZE: _said("INVALID_ARGUMENT", "invalid size", Basis.FIXTURE),
        InvalidRequest.MARKET_NEEDS_IOC: _said("INVALID_PARAM_VALUE", "invalid argument: #4", Basis.OBSERVED),
    }
)
"""`#4` is what Gate answered to an order without price whose `tif` was not `ioc` (gateapi-nodejs issue 20)."""

ORDER_NOT_FOUND = _said("ORDER_NOT_FOUND", "Order with ID {order_id} not found", Basis.OBSERVED, status=404)
CLIENT_ID_NOT_FOUND = _said(
    "CLIENT_ID_NOT_FOUND", "Order with client ID {order_id} not found", Basis.OBSERVED, status=404
)
"""Both sentences are in kept answers (gateapi-go issues 11 and 41); the status is documented."""

GATE_ERRORS: Mapping[VenueRule, VenueError] = MappingProxyType(
    {
        VenueRule.INSUFFICIENT_MARGIN: _said("INSUFFICIENT_AVAILABLE", "", Basis.OBSERVED),
        VenueRule.BELOW_MIN_QUANTITY: _said("SIZE_TOO_SMALL", "Your order size is too small", Basis.DOCUMENTED),
        VenueRule.BELOW_MIN_NOTIONAL: _said("SIZE_TOO_SMALL", "Your order size is too small", Basis.ASSUMED),
        VenueRule.ABOVE_MAX_NOTIONAL: _said("RISK_LIMIT_EXCEEDED", "Risk limit exceeded", Basis.DOCUMENTED),
        VenueRule.OFF_GRID: _said("INVALID_PARAM_VALUE", "invalid argument: price", Basis.ASSUMED),
        VenueRule.BAD_PRICE: _said("PRICE_TOO_DEVIATED", "Order price deviates from mark price", Basis.DOCUMENTED),
        VenueRule.NO_POSITION: _said("POSITION_EMPTY", "Position is empty", Basis.ASSUMED),
        VenueRule.REDUCE_ONLY_CONFLICT: _said("INCREASE_POSITION", "Order would increase position", Basis.ASSUMED),
        VenueRule.REDUCE_ONLY_IN_HEDGE_MODE: _said(
            "INVALID_PARAM_VALUE", "invalid argument: reduce_only", Basis.ASSUMED
        ),
        VenueRule.POSITION_SIDE_MISMATCH: _said("INVALID_PARAM_VALUE", "invalid argument: auto_size", Basis.ASSUMED),
        VenueRule.DUPLICATE_CLIENT_ID: _said("REPEATED_CREATION", "Duplicate order creation", Basis.DOCUMENTED),
        VenueRule.BAD_CLIENT_ID: _said("INVALID_PARAM_VALUE", "invalid argument: text", Basis.ASSUMED),
        VenueRule.UNKNOWN_ORDER: ORDER_NOT_FOUND,
        VenueRule.ORDER_NOT_OPEN: _said("ORDER_FINISHED", "Order already finished", Basis.DOCUMENTED),
        VenueRule.UNKNOWN_MARKET: _said("CONTRACT_NOT_FOUND", "Contract not found", Basis.DOCUMENTED),
        VenueRule.MARKET_CLOSED: _said("CONTRACT_IN_DELISTING", "Contract in delisting", Basis.DOCUMENTED),
        VenueRule.MODE_CHANGE_WITH_EXPOSURE: _said(
            "POSITION_HOLDING", "There are positions or pending orders", Basis.ASSUMED
        ),
        VenueRule.WOULD_CROSS: _said("ORDER_POC_IMMEDIATE", "Order would match at once", Basis.FIXTURE),
        VenueRule.WOULD_TRIGGER: _said("AUTO_TRIGGER_PRICE_LESS_LAST", "Trigger.Price", Basis.ASSUMED),
        VenueRule.BAD_LEVERAGE: _said("LEVERAGE_TOO_HIGH", "Leverage is out of range", Basis.DOCUMENTED),
    }
)
