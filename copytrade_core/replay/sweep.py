"""The fast engine as the rest of the project calls it: prepare once, then replay thousands of policies.

It counts only while it equals the reference (`equivalence.py`). What it cannot express it refuses, never approximates.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from copytrade_core.model.bar import Float64s, Int64s
from copytrade_core.model.episode import Episode
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import RUNG_FILL_MODELS, FillModel
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.policy import PolicySpec
from copytrade_core.model.round_trip import ReplaySpec
from copytrade_core.model.sweep import SweepTable
from copytrade_core.replay.arrays import PreparedMarkets, prepare_markets
from copytrade_core.replay.candidates import Candidates, alike, pack
from copytrade_core.replay.kernel import layout as at
from copytrade_core.replay.kernel.many import replay_part
from copytrade_core.replay.kernel.memory import fact_row, per_market, working_memory
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
    facts: Int64s


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
    episodes: Sequence[Episode],
    spec: ReplaySpec,
    data: MarketData,
    markets: PreparedMarkets | None = None,
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
        signals=signals_of(ordered, spec, data, grid),
        facts=fact_row(grid, spec),
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
    memory = working_memory(
        prepared.markets, prepared.spec, len(prepared.episode_ids), max(1, threads), pnl=False, details=False
    )
    return _replayed(prepared, candidates, memory, np.zeros((len(candidates), 0), dtype=np.int64))


def pnl_by_episode(prepared: Prepared, policies: Sequence[PolicySpec], *, threads: int) -> Int64s:
    """Net result (money) by policy and episode, shape `(n_policies, n_episodes)`; 0 where nothing was traded.

    Episodes are in the order of `prepared.episode_ids`.
    """
    candidates, episodes = packed(policies), len(prepared.episode_ids)
    memory = working_memory(prepared.markets, prepared.spec, episodes, max(1, threads), pnl=True, details=False)
    pnl = np.zeros((len(candidates), episodes), dtype=np.int64)
    _ = _replayed(prepared, candidates, memory, pnl)
    return pnl


def run_one(prepared: Prepared, policy: PolicySpec) -> FastRun:
    """One policy with every fill, round trip and bar, to be compared with the reference or looked at."""
    memory = working_memory(prepared.markets, prepared.spec, len(prepared.episode_ids), 1, pnl=False, details=True)
    summary = _replayed(prepared, packed([policy]), memory, np.zeros((1, 0), dtype=np.int64))
    kept = memory[0]
    trips = _section(kept, at.A_TRIPS, int(kept[at.A_TRIPS_COUNT]), at.TRIP)
    trips = trips[np.lexsort((trips[:, 0], trips[:, 2]))]
    fills = _section(kept, at.A_FILLS, int(kept[at.A_FILLS_COUNT]), at.FILL)
    place = np.full(len(prepared.episode_ids), -1, dtype=np.int64)
    place[trips[:, 0]] = np.arange(len(trips))
    return FastRun(
        fills=fills[np.argsort(place[fills[:, 0]], kind="stable")],
        trips=trips,
        # A candidate that cannot be finished leaves trades open: there is no curve to draw.
        curve=_curve(prepared, kept, trips) if summary.status[0] == 0 else np.zeros((0, 5), dtype=np.int64),
        summary=summary,
    )


def _section(memory: Int64s, place: int, count: int, width: int) -> Int64s:
    begin = int(memory[place])
    return memory[begin : begin + count * width].reshape(count, width)


def _replayed(prepared: Prepared, candidates: Candidates, memory: Int64s, pnl: Int64s) -> SweepTable:
    out = np.zeros((len(candidates), at.O_COLUMNS), dtype=np.int64)
    ratios = np.zeros((len(candidates), at.X_COLUMNS), dtype=np.float64)
    signals = prepared.signals
    shared = (prepared.markets.nodes, prepared.facts)
    heard = (signals.rows, signals.events, signals.events_count)
    order = alike(candidates)

    def part(first: int) -> None:
        rows, levels = candidates.rows, candidates.ratios
        replay_part(*shared, *heard, rows, levels, memory[first], out, ratios, pnl, order, first, len(memory))

    if len(memory) == 1:
        part(0)
    else:
        with ThreadPoolExecutor(len(memory)) as threads:
            _ = list(threads.map(part, range(len(memory))))
    return _table(prepared, candidates.rows[:, 0], out, ratios)


def _table(prepared: Prepared, sources: Int64s, out: Int64s, ratios: Float64s) -> SweepTable:
    figures: dict[str, Any] = {name: np.ascontiguousarray(ratios[:, number]) for number, name in enumerate(RATIOS)}
    integers = [field.name for field in fields(SweepTable) if field.name not in RATIOS]
    figures |= {name: np.ascontiguousarray(out[:, number]) for number, name in enumerate(integers)}
    # The kernel hears no signal of an episode that, say, never closed: it is skipped, too.
    figures["skipped_count"] += len(prepared.episode_ids) - prepared.signals.signals_count[sources]
    return SweepTable(**figures)


def _curve(prepared: Prepared, memory: Int64s, trips: Int64s) -> Int64s:
    """The curve at every bar end while anything is held, from the states of the portfolio and the closes."""
    grid, spec = prepared.markets, prepared.spec
    entry = trips[:, 1] // spec.interval_ms - grid.first_bar - int(spec.market_fill is FillModel.FIRST_BAR_CLOSE)
    active = np.zeros(grid.bars_count + 1, dtype=np.int64)
    np.add.at(active, entry, 1)
    np.add.at(active, entry + trips[:, TRIP_COLUMNS.index("bars_held")] + 1, -1)
    bars = np.flatnonzero(np.cumsum(active)[:-1])
    columns = per_market(spec)
    states = _section(memory, at.A_STATES, int(memory[at.A_STATES_COUNT]), at.S_MARKET + columns * len(grid.names))
    now = states[np.searchsorted(states[:, at.S_BAR], bars, side="right") - 1]
    paid = _section(memory, at.A_PAID, len(grid.funding_bars), 1)[:, 0]
    funding = np.concatenate(([0], np.cumsum(paid)))[np.searchsorted(grid.funding_bars, bars, side="right")]
    equity = worst = spec.initial_equity + now[:, at.S_MONEY] - funding
    cash, gross = spec.initial_equity + now[:, at.S_CASH] - funding, np.zeros(len(bars), dtype=np.int64)
    for market in range(len(grid.names)):
        net, units, *entered = now[:, at.S_MARKET + columns * market :][:, :columns].T
        longs, shorts = entered or (0, 0)
        low, high, close = (
            np.where(units != 0, grid.bar_column(market, column)[bars], 0).astype(np.int64) for column in (0, 1, 2)
        )
        fresh = np.where(now[:, at.S_BAR] == bars, 1, 0)
        equity = equity + net * close
        gross = gross + units * close
        worst = worst + ((units + net) // 2 - longs * fresh) * low + ((units - net) // 2 - shorts * fresh) * high
        worst = worst + (longs - shorts) * fresh * close
    return np.stack(((bars + grid.first_bar + 1) * spec.interval_ms, equity, worst, cash, gross), axis=1)
