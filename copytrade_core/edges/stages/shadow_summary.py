"""One stored shadow session as a row for people and machines: its desired orders and what was seen of the venue.

Read from the store alone: nothing here loads a venue's client.
"""

from __future__ import annotations

from copytrade_core.edges.stages.canary_store import SHADOW, day_and_lead
from copytrade_core.edges.stages.workplace import Workplace

Row = dict[str, object]
KEPT = (
    *("venue", "read_at", "ended", "observed", "orders", "invalid", "probe_faults", "broken", "looks_unanswered"),
    *("rules_stricter_at_the_venue", "key_rights", "foreign_rows"),
)


def shadow_row(place: Workplace, key: str) -> Row:
    """A stored shadow session.

    Raises:
        NotStored: there is none.
        StoreFault: stored bytes were changed.
    """
    head = place.lake.require(SHADOW, key)
    document = place.lake.document_as(SHADOW, key, Row)
    return {
        "day": day_and_lead(key)[0],
        **{name: head.metadata[name] for name in KEPT},
        "balance_readable": document["balance_readable"],
        "leverage": document["leverage"],
        "folder": str(place.settings.data_dir / str(head.metadata["folder"])),
        "desired": desired_lines(place, key),
    }


def desired_lines(place: Workplace, key: str) -> list[Row]:
    """One line per desired order; `fault` is its first invalid field with the reason, None where it is valid.

    Raises:
        NotStored: no such session.
        StoreFault: stored bytes were changed.
    """
    orders = place.lake.document_as(SHADOW, key, Row)["orders"]
    assert isinstance(orders, list), "a shadow document has orders"
    return [_line(order) for order in orders]


def _line(order: Row) -> Row:
    fault = order["fault"]
    bps = (order["rounding_quantity_bps"], order["rounding_price_bps"])
    return {
        "at": order["at"],
        "market": order["market"],
        "intent": f"{order['kind']} {order['leg']}".strip(),
        "does": f"{'buy' if order['buys'] else 'sell'} {order['side']}",
        "client_order_id": order["client_order_id"],
        "rounding_bps": max((each for each in bps if isinstance(each, int)), default=None),
        "fault": f"{fault['field']}: {fault['detail']}" if isinstance(fault, dict) else None,
        "request": order["request"],
    }
