"""What each venue's engine keeps to, as data: every rule with the basis it stands on. No account and no order is here.

A rule is either one that refuses (`VenueRule`) or one that decides how something happens (`VenueModel`). A run counts
which of them it relied on, so that a report can name the ones that nobody has seen at the real venue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.units import RATE_MAX, RATE_SCALE, Ppm
from copytrade_core.model.venue import PositionMode, Venue


class Basis(StrEnum):
    """What a rule stands on."""

    DOCUMENTED = "documented"
    """The venue's own documentation or error list says so."""
    FIXTURE = "fixture"
    """A recorded row or answer shows it (ccxt's static fixtures, the contract lists among the recorded data)."""
    OBSERVED = "observed"
    """A request to the venue showed it."""
    ASSUMED = "assumed"
    """Nobody has looked; chosen so that a broker that relies on kindness fails."""


class VenueRule(StrEnum):
    """Why the engine refuses a call."""

    INSUFFICIENT_MARGIN = "insufficient_margin"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    ABOVE_MAX_NOTIONAL = "above_max_notional"
    OFF_GRID = "off_grid"
    BAD_PRICE = "bad_price"
    NO_POSITION = "no_position"
    """A reducing order on a leg that holds nothing."""
    REDUCE_ONLY_CONFLICT = "reduce_only_conflict"
    """A reducing order in the wrong direction, or for more than is held and free."""
    REDUCE_ONLY_IN_HEDGE_MODE = "reduce_only_in_hedge_mode"
    POSITION_SIDE_MISMATCH = "position_side_mismatch"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    BAD_CLIENT_ID = "bad_client_id"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_NOT_OPEN = "order_not_open"
    UNKNOWN_MARKET = "unknown_market"
    MARKET_CLOSED = "market_closed"
    MODE_CHANGE_WITH_EXPOSURE = "mode_change_with_exposure"
    WOULD_CROSS = "would_cross"
    """A post-only order that would trade at once."""
    WOULD_TRIGGER = "would_trigger"
    """A stop whose trigger the price has passed already."""
    BAD_LEVERAGE = "bad_leverage"


class VenueModel(StrEnum):
    """How the engine does what it does not refuse."""

    ID_UNIQUENESS = "id_uniqueness"
    ID_CASE = "id_case"
    ID_LOOKUP_WINDOW = "id_lookup_window"
    MAKER_FEE = "maker_fee"
    TAKER_FEE = "taker_fee"
    SLIPPAGE = "slippage"
    PARTIAL_FILLS = "partial_fills"
    LIMIT_FILL = "limit_fill"
    STOP_FILL = "stop_fill"
    CROSS_MARGIN = "cross_margin"
    FUNDING = "funding"
    FUNDING_RATE_ABSENT = "funding_rate_absent"
    CLOSE_BEYOND_HELD = "close_beyond_held"
    RESTING_CLOSES_FREEZE = "resting_closes_freeze"
    FLAT_CANCELS_RESTING_CLOSES = "flat_cancels_resting_closes"
    SMALL_REDUCTIONS = "small_reductions"
    RECEIVE_WINDOW = "receive_window"


class IdUniqueness(StrEnum):
    """For how long a client order id is taken."""

    FOREVER = "forever"
    OPEN_ONLY = "open_only"
    """An id is free again once its order is final; a look-up finds the latest."""
    OVERRIDE = "override"
    """Nothing is refused: a later order takes the id over, and the earlier one can only be found by its venue id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRules:
    """One venue's rules. Rates are ppm, times milliseconds.

    `id_prefix` is what every client id must begin with; a client of ours puts it before its own and takes it off again.
    `id_pattern` must match a whole client id after `id_lowercased` was applied; `id_lookup_after_final_ms` is how long
    an order that ended without a fill is still found by its client id (None: always; one with fills always is).
    Slippage of a taker is `slippage` + `slippage_slope` x (its share of the bar's volume), at most `slippage_max`;
    nothing takes more than `bar_share_max` of one bar's volume (None: all of an order fills at once).
    `close_beyond_held_trims`: a reducing order for more than is held is cut down (else refused).
    `resting_closes_freeze`: what resting reducing limits already claim is not free for another.
    `flat_cancels_resting_closes`: they go when their leg is flat; else they stay, and still never open.
    `small_reductions`: a reduction may be under the minimum notional. `receive_window_ms`: how long after sending
    a request may still take effect.

    Raises:
        BadInput: a rate, share or leverage out of range, a pattern that cannot be read, a rule without a basis.
    """

    venue: Venue
    id_uniqueness: IdUniqueness
    id_prefix: str
    id_pattern: str
    id_lowercased: bool
    id_lookup_after_final_ms: int | None
    position_mode: PositionMode
    reduce_only_in_hedge_mode: bool
    close_beyond_held_trims: bool
    resting_closes_freeze: bool
    flat_cancels_resting_closes: bool
    small_reductions: bool
    maker_fee: Ppm
    taker_fee: Ppm
    slippage: Ppm
    slippage_slope: Ppm
    slippage_max: Ppm
    bar_share_max: Ppm | None
    leverage: int
    leverage_max: int
    receive_window_ms: int
    basis: Mapping[VenueRule | VenueModel, Basis]
    _id: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("maker_fee", "taker_fee", "slippage", "slippage_max"):
            if not -RATE_MAX <= getattr(self, name) <= RATE_MAX or (name != "maker_fee" and getattr(self, name) < 0):
                raise BadInput(f"{name} is out of range", where=Where(field=name))
        if self.slippage_slope < 0:
            raise BadInput("the slope of slippage is negative", where=Where(field="slippage_slope"))
        if self.bar_share_max is not None and not 0 < self.bar_share_max <= RATE_SCALE:
            raise BadInput(
                "a share of a bar's volume is between 0 and 1,000,000 ppm", where=Where(field="bar_share_max")
            )
        if not 1 <= self.leverage <= self.leverage_max:
            raise BadInput("leverage is between 1 and its maximum", where=Where(field="leverage"))
        without = [rule.value for rule in (*VenueRule, *VenueModel) if rule not in self.basis]
        if without:
            raise BadInput(f"rules without a basis: {', '.join(without)}", where=Where(field="basis"))
        try:
            object.__setattr__(self, "_id", re.compile(self.id_pattern))
        except re.error as error:
            raise BadInput(
                f"the pattern of client ids cannot be read: {error}", where=Where(field="id_pattern")
            ) from error

    def spelled(self, client_order_id: str) -> str:
        """A client id as the venue keeps it."""
        return client_order_id.lower() if self.id_lowercased else client_order_id

    def takes_id(self, client_order_id: str) -> bool:
        """Whether a spelled client id has a form that the venue takes."""
        return self._id.fullmatch(client_order_id) is not None
