"""The fast engine as the rest of the project calls it: prepare once, then replay thousands of policies.

It counts only while it equals the reference (`equivalence.py`). What it cannot express it refuses; it never approximates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import RUNG_FILL_MODELS, FillModel
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.sweep import SweepTable
from copytrade_core.replay import kernel
from copytrade_core.replay.arrays import PreparedMarkets, prepare_markets
from copytrade_core.replay.candidates import Candidates, pack
from copytrade_core.replay.reference import validate, validate_policy
from copytrade_core.replay.signals import Signals, signals_of

ENGINE = "kernel_v1"
"""The name under which equivalence is proved and recorded."""
MARKET_FILLS = (FillModel.NEXT_BAR_OPEN, FillModel.FIRST_BAR_CLOSE)
"""What the fast engine can fill market orders by; recorded quotes are the reference's."""
FILL_COLUMNS = (
    "episode",
    "leg",
    "bar_open_ms",
    "time_ms",
    "buys",
    "raw_price",
    "price",
    "quantity",
    "fee",
    "slippage",
)
TRIP_COLUMNS = (
    "episode",
    "entered_at_ms",
    "exited_at_ms",
    "quantity_max",
    "entered",
    "realised",
    "fees",
    "slippage",
    "funding",
    "pnl",
    "mae",
    "mfe",
    "bars_held",
    "dca_fills",
    "rungs_skipped",
    "rungs_planned",
    "notional_skipped",
    "exit_code",
)
CURVE_COLUMNS = ("time_ms", "equity", "worst_intrabar", "cash", "gross")
RATIOS = ("pnl_square_sum", "drawdown_realised_ratio", "drawdown_marked_ratio", "drawdown_intrabar_ratio")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Episodes, assumptions and markets as arrays, ready for any number of candidates.

    `episode_ids` are sorted; an episode's index is its place there.
    """

    episode_ids: tuple[str, ...]
    spec: ReplaySpec
    markets: PreparedMarkets
    signals: Signals
    bars: kernel.Bars
    assumed: kernel.Assumptions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FastRun:
    """One candidate in full; int64 tables with the columns of `FILL_COLUMNS`, `TRIP_COLUMNS` and `CURVE_COLUMNS`.

    Round trips are in order of (exit, episode id); fills are in that order, too, and within a trade in order of time.
    """

    fills: Int64s
    trips: Int64s
    curve: Int64s
    summary: SweepTable


def prepare(
    episodes: Sequence[Episode], spec: ReplaySpec, data: MarketData, markets: PreparedMarkets | None = None
) -> Prepared:
    """Everything that candidates share.

    Args:
        episodes: as for the reference.
        spec: assumptions; fills of market orders by `MARKET_FILLS` only.
        data: the markets.
        markets: `prepare_markets(data, spec.interval_ms)` when it is already there.

    Raises:
        BadInput: what the reference refuses before it runs, fill models that the kernel does not know, no episode.
    """
    if spec.market_fill not in MARKET_FILLS or spec.rung_fill not in RUNG_FILL_MODELS:
        raise BadInput(
            f"the fast engine does not know {spec.market_fill} with {spec.rung_fill}",
            where=Where(field="market_fill"),
            next_step="Use the reference engine, or next_bar_open_v1",
        )
    if not episodes:
        raise BadInput("there is no episode to replay", where=Where(field="episodes"))
    validate(episodes, spec, data)
    ordered = sorted(episodes, key=lambda episode: episode.episode_id)
    grid = markets if markets is not None else prepare_markets(data, spec.interval_ms)
    return Prepared(
        episode_ids=tuple(episode.episode_id for episode in ordered),
        spec=spec,
        markets=grid,
        signals=signals_of(ordered, spec.delay_s, data, grid),
        bars=_bars(grid),
        assumed=_assumptions(spec),
    )


def sweep(prepared: Prepared, policies: Sequence[PolicySpec], *, threads: int) -> SweepTable:
    """The summary of every policy.

    Raises:
        BadInput: no policy, or one that the kernel cannot express.
    """
    return sweep_packed(prepared, packed(policies), threads=threads)


def packed(policies: Sequence[PolicySpec]) -> Candidates:
    """Policies as rows, once for several sweeps; errors as `sweep`."""
    for policy in policies:
        validate_policy(policy)
    return pack(policies)


def sweep_packed(prepared: Prepared, candidates: Candidates, *, threads: int) -> SweepTable:
    """The summary of every packed candidate; the same on any number of threads."""
    out = np.zeros((len(candidates), kernel.O_COLUMNS), dtype=np.int64)
    outf = np.zeros((len(candidates), kernel.F_COLUMNS), dtype=np.float64)
    kernel.sweep_rows(*_shared(prepared), candidates.rows, candidates.ratios, max(1, threads), out, outf)
    return _table(prepared, candidates.rows[:, 0], out, outf)


def pnl_by_episode(prepared: Prepared, policies: Sequence[PolicySpec], *, threads: int) -> Int64s:
    """Net result (money) by policy and episode, shape `(n_policies, n_episodes)`; 0 where nothing was traded.

    Episodes are in the order of `prepared.episode_ids`.
    """
    candidates = packed(policies)
    pnl = np.zeros((len(candidates), len(prepared.episode_ids)), dtype=np.int64)
    kernel.pnl_rows(*_shared(prepared), candidates.rows, candidates.ratios, max(1, threads), pnl)
    return pnl


def run_one(prepared: Prepared, policy: PolicySpec) -> FastRun:
    """One policy with every fill, round trip and bar, to be compared with the reference or looked at."""
    candidates = packed([policy])
    out, outf = np.zeros(kernel.O_COLUMNS, dtype=np.int64), np.zeros(kernel.F_COLUMNS, dtype=np.float64)
    desk = kernel.run_details(*_shared(prepared), candidates.rows[0], candidates.ratios[0], out, outf)
    trips = desk.trips[: desk.account[kernel.A_TRIPS]]
    trips = trips[np.lexsort((trips[:, 0], trips[:, 2]))]
    fills = desk.fills[: desk.account[kernel.A_FILLS]]
    place = np.full(len(prepared.episode_ids), -1, dtype=np.int64)
    place[trips[:, 0]] = np.arange(len(trips))
    return FastRun(
        fills=fills[np.argsort(place[fills[:, 0]], kind="stable")],
        trips=trips,
        # A candidate that cannot be finished leaves trades open: there is no curve to draw.
        curve=_curve(prepared, desk, trips) if out[kernel.O_STATUS] == 0 else np.zeros((0, 5), dtype=np.int64),
        summary=_table(prepared, candidates.rows[:, 0], out[None, :], outf[None, :]),
    )


def _shared(prepared: Prepared) -> tuple[kernel.Bars, kernel.Assumptions, Int64s, Int64s, Int64s]:
    signals = prepared.signals
    return prepared.bars, prepared.assumed, signals.rows, signals.events, signals.events_count


def _bars(grid: PreparedMarkets) -> kernel.Bars:
    names = ("open", "close", "low", "high", "close_min", "offsets", "coarse_shift", "coarse_low", "coarse_close_min")
    funding = ("funding_start", "funding_bar", "funding_rate", "funding_slot", "funding_bars")
    return kernel.Bars(
        interval_ms=grid.interval_ms,
        first_bar=grid.first_bar,
        count=grid.bars_count,
        rules=grid.rules,
        **{name: getattr(grid, name) for name in (*names, *funding)},
    )


def _assumptions(spec: ReplaySpec) -> kernel.Assumptions:
    return kernel.Assumptions(
        at_close=spec.market_fill is FillModel.FIRST_BAR_CLOSE,
        touch=spec.rung_fill is FillModel.TOUCH,
        taker=spec.costs.taker_fee,
        maker=spec.costs.maker_fee,
        slippage=spec.costs.slippage,
        equity=spec.initial_equity,
        lead_balance=spec.lead_margin_balance or 0,
        gross_max=spec.caps.notional_gross_max or 0,
        daily_loss_max=spec.caps.daily_loss_max or 0,
    )


def _table(prepared: Prepared, sources: Int64s, out: Int64s, outf: Float64s) -> SweepTable:
    integers = [field.name for field in fields(SweepTable) if field.name not in RATIOS]
    columns = {name: np.ascontiguousarray(out[:, number]) for number, name in enumerate(integers)}
    ratios = {name: np.ascontiguousarray(outf[:, number]) for number, name in enumerate(RATIOS)}
    columns["skipped_count"] += len(prepared.episode_ids) - prepared.signals.signals_count[sources]
    return SweepTable(**columns, **ratios)


def _curve(prepared: Prepared, desk: kernel.Desk, trips: Int64s) -> Int64s:
    """The curve at every bar end while anything is held, from the events of the run and the closes."""
    grid, interval = prepared.markets, prepared.spec.interval_ms
    entry = trips[:, 1] // interval - grid.first_bar - int(prepared.assumed.at_close)
    last = entry + trips[:, TRIP_COLUMNS.index("bars_held")]
    active = np.zeros(grid.bars_count + 1, dtype=np.int64)
    np.add.at(active, entry, 1)
    np.add.at(active, last + 1, -1)
    bars = np.flatnonzero(np.cumsum(active)[:-1])
    events = desk.events[: desk.account[kernel.A_EVENTS]]
    paid = _summed(grid.funding_bars, -desk.paid, bars)
    equity = worst = prepared.spec.initial_equity + _summed(events[:, 0], events[:, 4], bars) + paid
    cash = prepared.spec.initial_equity + _summed(events[:, 0], events[:, 5], bars) + paid
    gross = np.zeros(len(bars), dtype=np.int64)
    for market in range(len(grid.names)):
        mine = events[events[:, 1] == market]
        net, units = _summed(mine[:, 0], mine[:, 2], bars), _summed(mine[:, 0], mine[:, 3], bars)
        fresh = mine[mine[:, 6] != 0]
        longs, shorts = (_fresh(fresh[fresh[:, 2] * sign > 0], bars) for sign in (1, -1))
        close = grid.close[market, bars].astype(np.int64)
        low, high = (np.where(units != 0, grid.low[2 * market + side, bars], 0).astype(np.int64) for side in (0, 1))
        equity = equity + net * close
        gross = gross + units * close
        worst = worst + ((units + net) // 2 - longs) * low + ((units - net) // 2 - shorts) * high + (longs - shorts) * close
    return np.stack(((bars + grid.first_bar + 1) * interval, equity, worst, cash, gross), axis=1)


def _summed(at: Int64s, amounts: Int64s, bars: Int64s) -> Int64s:
    """The sum of all amounts up to and including each bar."""
    order = np.argsort(at, kind="stable")
    total = np.concatenate(([0], np.cumsum(amounts[order])))
    return total[np.searchsorted(at[order], bars, side="right")]


def _fresh(entered: Int64s, bars: Int64s) -> Int64s:
    """Units that entered at the close of each bar."""
    out = np.zeros(len(bars), dtype=np.int64)
    np.add.at(out, np.searchsorted(bars, entered[:, 0]), entered[:, 3])
    return out
