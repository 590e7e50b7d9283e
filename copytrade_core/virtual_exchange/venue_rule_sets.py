"""The rules of the three venues, as data. What a rule means is in `venue_rules.py`."""

from __future__ import annotations

from collections.abc import Mapping

from copytrade_core.model.units import Ppm
from copytrade_core.model.venue import PositionMode, Venue
from copytrade_core.virtual_exchange.venue_rules import Basis, IdUniqueness, VenueModel, VenueRule, VenueRules


def _basis(
    documented: tuple[VenueRule | VenueModel, ...], fixture: tuple[VenueRule | VenueModel, ...]
) -> Mapping[VenueRule | VenueModel, Basis]:
    """Everything that is neither documented nor in a fixture is assumed."""
    known = dict.fromkeys(documented, Basis.DOCUMENTED) | dict.fromkeys(fixture, Basis.FIXTURE)
    return {rule: known.get(rule, Basis.ASSUMED) for rule in (*VenueRule, *VenueModel)}


BINGX = VenueRules(
    venue=Venue.BINGX,
    id_uniqueness=IdUniqueness.FOREVER,
    id_prefix="",
    id_pattern=r"[a-z0-9_.:/-]{1,40}",
    id_lowercased=True,
    id_lookup_after_final_ms=None,
    position_mode=PositionMode.HEDGE,
    reduce_only_in_hedge_mode=False,
    close_beyond_held_trims=False,
    resting_closes_freeze=True,
    flat_cancels_resting_closes=False,
    small_reductions=True,
    maker_fee=Ppm(200),
    taker_fee=Ppm(500),
    slippage=Ppm(100),
    slippage_slope=Ppm(10_000),
    slippage_max=Ppm(20_000),
    bar_share_max=Ppm(100_000),
    leverage=10,
    leverage_max=125,
    receive_window_ms=5_000,
    basis=_basis(
        documented=(
            VenueRule.DUPLICATE_CLIENT_ID,
            VenueRule.BAD_CLIENT_ID,
            VenueRule.INSUFFICIENT_MARGIN,
            VenueRule.UNKNOWN_ORDER,
            VenueRule.UNKNOWN_MARKET,
            VenueRule.REDUCE_ONLY_IN_HEDGE_MODE,
            VenueRule.NO_POSITION,
            VenueRule.REDUCE_ONLY_CONFLICT,
            VenueRule.POSITION_SIDE_MISMATCH,
            VenueRule.BELOW_MIN_NOTIONAL,
            VenueRule.ABOVE_MAX_NOTIONAL,
            VenueRule.ORDER_NOT_OPEN,
            VenueRule.MODE_CHANGE_WITH_EXPOSURE,
            VenueRule.MARKET_CLOSED,
            VenueRule.WOULD_CROSS,
            VenueRule.WOULD_TRIGGER,
            VenueRule.BAD_LEVERAGE,
            VenueModel.ID_UNIQUENESS,
            VenueModel.ID_CASE,
            VenueModel.RECEIVE_WINDOW,
            VenueModel.CROSS_MARGIN,
        ),
        fixture=(
            VenueRule.BELOW_MIN_QUANTITY,
            VenueModel.MAKER_FEE,
            VenueModel.TAKER_FEE,
        ),
    ),
)
"""BingX USDT-M. Refusals: the error lists of its pages on placing and cancelling an order, leverage and position mode
(101205, 101290, 101215, 101204, 101209, 101400, 101414, 110412, 80018). Fees, smallest quantity: contract rows."""

GATE = VenueRules(
    venue=Venue.GATE,
    id_uniqueness=IdUniqueness.OVERRIDE,
    id_prefix="t-",
    id_pattern=r"t-[A-Za-z0-9_.-]{1,28}",
    id_lowercased=False,
    id_lookup_after_final_ms=60_000,
    position_mode=PositionMode.ONE_WAY,
    reduce_only_in_hedge_mode=True,
    close_beyond_held_trims=True,
    resting_closes_freeze=False,
    flat_cancels_resting_closes=True,
    small_reductions=True,
    maker_fee=Ppm(200),
    taker_fee=Ppm(500),
    slippage=Ppm(100),
    slippage_slope=Ppm(10_000),
    slippage_max=Ppm(20_000),
    bar_share_max=Ppm(100_000),
    leverage=10,
    leverage_max=100,
    receive_window_ms=5_000,
    basis=_basis(
        documented=(
            VenueRule.BAD_CLIENT_ID,
            VenueRule.WOULD_CROSS,
            VenueRule.INSUFFICIENT_MARGIN,
            VenueRule.UNKNOWN_ORDER,
            VenueRule.UNKNOWN_MARKET,
            VenueRule.NO_POSITION,
            VenueModel.ID_LOOKUP_WINDOW,
            VenueModel.FUNDING,
            VenueModel.FLAT_CANCELS_RESTING_CLOSES,
        ),
        fixture=(VenueRule.BELOW_MIN_QUANTITY, VenueRule.OFF_GRID),
    ),
)
"""Gate USDT futures. An order that ended without a fill is found by its text for 60 s only, one with fills for ever:
the API's words on `GET .../orders/{order_id}`."""

BINANCE = VenueRules(
    venue=Venue.BINANCE,
    id_uniqueness=IdUniqueness.OPEN_ONLY,
    id_prefix="",
    id_pattern=r"[.A-Za-z0-9:/_-]{1,36}",
    id_lowercased=False,
    id_lookup_after_final_ms=None,
    position_mode=PositionMode.ONE_WAY,
    reduce_only_in_hedge_mode=False,
    close_beyond_held_trims=True,
    resting_closes_freeze=False,
    flat_cancels_resting_closes=True,
    small_reductions=True,
    maker_fee=Ppm(200),
    taker_fee=Ppm(500),
    slippage=Ppm(100),
    slippage_slope=Ppm(10_000),
    slippage_max=Ppm(20_000),
    bar_share_max=Ppm(100_000),
    leverage=20,
    leverage_max=125,
    receive_window_ms=5_000,
    basis=_basis(
        documented=(
            VenueRule.DUPLICATE_CLIENT_ID,
            VenueRule.BAD_CLIENT_ID,
            VenueRule.BELOW_MIN_QUANTITY,
            VenueRule.BELOW_MIN_NOTIONAL,
            VenueRule.OFF_GRID,
            VenueRule.POSITION_SIDE_MISMATCH,
            VenueRule.REDUCE_ONLY_IN_HEDGE_MODE,
            VenueRule.REDUCE_ONLY_CONFLICT,
            VenueRule.NO_POSITION,
            VenueRule.MODE_CHANGE_WITH_EXPOSURE,
            VenueRule.WOULD_CROSS,
            VenueRule.WOULD_TRIGGER,
            VenueRule.INSUFFICIENT_MARGIN,
            VenueRule.UNKNOWN_ORDER,
            VenueRule.UNKNOWN_MARKET,
            VenueRule.BAD_LEVERAGE,
            VenueModel.ID_UNIQUENESS,
            VenueModel.SMALL_REDUCTIONS,
            VenueModel.MAKER_FEE,
            VenueModel.TAKER_FEE,
            VenueModel.FUNDING,
            VenueModel.CROSS_MARGIN,
            VenueModel.RECEIVE_WINDOW,
        ),
        fixture=(),
    ),
)
"""Binance USD-M. Refusals: the published error list (-2021, -2022, -4061, -4067, -4116, -4164, -5022)."""

VENUE_RULES: Mapping[Venue, VenueRules] = {rules.venue: rules for rules in (BINGX, GATE, BINANCE)}
