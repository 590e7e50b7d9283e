"""The kernel's arrays, filled from what the rest of the project has, and its working memory. Nothing is computed."""

from __future__ import annotations

import numpy as np

from copytrade_core.model.bar import Int64s
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import FillModel
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.replay.arrays import PreparedMarkets
from copytrade_core.replay.kernel import layout as at


def fact_row(markets: PreparedMarkets, spec: ReplaySpec) -> Int64s:
    """Scalars, trading rules and funding in one row; an absent cap or balance is 0.

    Raises:
        BadInput: more markets than the kernel keeps sums for.
    """
    if len(markets.names) > at.MARKETS_MAX:
        raise BadInput(
            f"the fast engine takes {at.MARKETS_MAX} markets, not {len(markets.names)}", where=Where(field="bars")
        )
    sections = _funding(markets)
    out = np.zeros(at.F_SIZE + sum(len(section) for section in sections.values()), dtype=np.int64)
    scalars = {
        at.F_INTERVAL: markets.interval_ms,
        at.F_FIRST_BAR: markets.first_bar,
        at.F_MARKETS: len(markets.names),
        at.F_LEVELS: len(markets.offsets) - 1,
        at.F_BLOCK_SHIFT: markets.block_shift,
        at.F_BLOCKS: markets.blocks_at,
        at.F_AT_CLOSE: int(spec.market_fill is FillModel.FIRST_BAR_CLOSE),
        at.F_TOUCH: int(spec.rung_fill is FillModel.TOUCH),
        at.F_TAKER: spec.costs.taker_fee,
        at.F_MAKER: spec.costs.maker_fee,
        at.F_SLIPPAGE: spec.costs.slippage,
        at.F_EQUITY: spec.initial_equity,
        at.F_LEAD_BALANCE: spec.lead_margin_balance or 0,
        at.F_GROSS_MAX: spec.caps.notional_gross_max or 0,
        at.F_DAILY_LOSS_MAX: spec.caps.daily_loss_max or 0,
        at.F_PAY_COUNT: len(markets.funding_bars),
        at.F_PER_MARKET: per_market(spec),
    }
    for place, value in scalars.items():
        out[place] = value
    out[at.F_LEVEL : at.F_LEVEL + len(markets.offsets)] = markets.offsets
    out[at.F_RULES : at.F_RULES + markets.rules.size] = markets.rules.ravel()
    begin = at.F_SIZE
    for place, section in sections.items():
        out[place] = begin
        out[begin : begin + len(section)] = section
        begin += len(section)
    return out


def _funding(markets: PreparedMarkets) -> dict[int, Int64s]:
    return {
        at.F_PAY_START: markets.funding_start,
        at.F_PAY_BAR: markets.funding_bar,
        at.F_PAY_RATE: markets.funding_rate,
        at.F_PAY_PRICE: markets.funding_price,
        at.F_PAY_SLOT: markets.funding_slot,
        at.F_PAY_DAYS: markets.funding_bars,
    }


def per_market(spec: ReplaySpec) -> int:
    """Columns of a market in a state: with entries at a close, those that are fresh have two of their own."""
    return at.PER_MARKET_AT_CLOSE if spec.market_fill is FillModel.FIRST_BAR_CLOSE else at.PER_MARKET


def working_memory(
    markets: PreparedMarkets, spec: ReplaySpec, episodes: int, threads: int, *, pnl: bool, details: bool
) -> Int64s:
    """One row a thread; with places for results by episode, or for every fill and round trip, when they are wanted."""
    fills = episodes * (2 + at.RUNGS_MAX)
    width = at.S_MARKET + per_market(spec) * len(markets.names)
    blocks = markets.nodes.shape[1] // at.NODE - markets.blocks_at
    sections = {
        at.A_ACTIVE: at.ACTIVE * episodes,
        at.A_FREE: episodes,
        at.A_ORDERS: at.ORDER * (episodes + 1),
        at.A_SLOT_OF: episodes,
        at.A_DUE: 2 * (episodes + 1),
        at.A_PAID: len(markets.funding_bars),
        at.A_STATES: width * (2 * fills + 2),
        at.A_UNSURE: at.UNSURE * (2 * fills + blocks + 2),
        at.A_PNL: episodes if pnl else 0,
        at.A_FILLS: at.FILL * fills if details else 0,
        at.A_TRIPS: at.TRIP * episodes if details else 0,
    }
    begin = at.M_TRADES + at.TRADE * episodes
    size = begin + sum(sections.values())
    out = np.zeros((threads, size + 16), dtype=np.int64)
    for place, length in sections.items():
        out[:, place] = begin if length else 0
        begin += length
    free = int(out[0, at.A_FREE])
    out[:, free : free + episodes] = at.M_TRADES + at.TRADE * np.arange(episodes)
    return out
