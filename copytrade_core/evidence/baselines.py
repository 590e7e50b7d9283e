"""What else the same money would have done: lead prices (an artefact), and buying and holding.

No baseline is a promise: the artefact one rests on prices that nobody could trade at, and says so in its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from copytrade_core.evidence.drawdown import max_drawdown_ratio
from copytrade_core.model.bar import BarSeries
from copytrade_core.model.episode import Episode
from copytrade_core.model.fill import Fill
from copytrade_core.model.instrument import Instrument
from copytrade_core.model.intent import IntentKind
from copytrade_core.model.policy import SignalMode
from copytrade_core.model.round_trip import CostModel, ReplayResult, RoundTrip
from copytrade_core.model.units import RATE_SCALE, money_to_float

ARTEFACT_PRICE = "artefact_price"
"""The label of everything that rests on a lead's average prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtefactResult:
    """Our round trips as if the lead's own average prices could be had; never usable for promotion.

    `price_gap_bps_mean` is how much worse our executable prices were than the lead's, over all fills compared, in bps
    of the lead's price (positive = the lead's price was better); `fills_compared_count` of them.
    """

    label: str
    trades_count: int
    net_pnl_usdt: float
    net_ratio: float
    win_ratio: float | None
    profit_factor: float | None
    expectancy_usdt: float | None
    fills_compared_count: int
    price_gap_bps_mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRecord:
    """The lead's own closed episodes at its average prices, same notional each, no cost: what its page suggests."""

    label: str
    episodes_count: int
    winners_count: int
    win_ratio: float | None
    gross_pnl_usdt: float
    notional_usdt: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyAndHold:
    """The whole initial equity in one market from the first bar of the period to the last, one buy and one sale."""

    market: str
    net_ratio: float
    net_pnl_usdt: float
    max_drawdown_ratio: float


def lead_record(episodes: Sequence[Episode], *, notional_usdt: float) -> LeadRecord:
    """Follows every closed episode from `avgCost` to `avgClosePrice` with the same notional, without costs."""
    returns = [
        episode.side.sign * (float(episode.exit_price) / float(episode.entry_price) - 1)
        for episode in episodes
        if episode.exit_price is not None
    ]
    winners = sum(value > 0 for value in returns)
    return LeadRecord(
        label=ARTEFACT_PRICE,
        episodes_count=len(returns),
        winners_count=winners,
        win_ratio=winners / len(returns) if returns else None,
        gross_pnl_usdt=sum(returns) * notional_usdt,
        notional_usdt=notional_usdt,
    )


def artefact_result(
    result: ReplayResult, episodes: Sequence[Episode], instruments: Mapping[str, Instrument], signal: SignalMode
) -> ArtefactResult:
    """Reprices what the lead's prices can replace, and keeps everything else of the executable run.

    A follower opens at the lead's average entry and, when the lead's close ended the trade, closes at its average
    close. A contrarian opens at the lead's average close; its exit has no lead price and stays. Fees stay as paid.
    """
    by_id = {episode.episode_id: episode for episode in episodes}
    nets: list[float] = []
    gaps: list[float] = []
    for trip in result.round_trips:
        net = money_to_float(trip.pnl)
        for fill, lead_price in _repriced(trip, by_id.get(trip.episode_id), signal):
            instrument = instruments[trip.market]
            paid = float(instrument.price(fill.price))
            worse = (paid - lead_price) if fill.buys else (lead_price - paid)
            net += worse * float(instrument.quantity(fill.quantity))
            gaps.append(worse / lead_price * 10_000)
        nets.append(net)
    won, lost = sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)
    return ArtefactResult(
        label=ARTEFACT_PRICE,
        trades_count=len(nets),
        net_pnl_usdt=sum(nets),
        net_ratio=sum(nets) / money_to_float(result.spec.initial_equity),
        win_ratio=sum(net > 0 for net in nets) / len(nets) if nets else None,
        profit_factor=won / lost if lost else None,
        expectancy_usdt=sum(nets) / len(nets) if nets else None,
        fills_compared_count=len(gaps),
        price_gap_bps_mean=sum(gaps) / len(gaps) if gaps else None,
    )


def _repriced(trip: RoundTrip, episode: Episode | None, signal: SignalMode) -> list[tuple[Fill, float]]:
    if episode is None:
        return []
    follows = signal is SignalMode.FOLLOW_OPEN
    entry_price = episode.entry_price if follows else episode.exit_price
    repriced: list[tuple[Fill, float]] = []
    for fill in trip.fills:
        if fill.kind is IntentKind.OPEN and entry_price is not None:
            repriced.append((fill, float(entry_price)))
        elif follows and fill.kind is IntentKind.CLOSE and _at_source_close(fill, episode):
            repriced.append((fill, float(episode.exit_price or 0)))
    return repriced


def _at_source_close(fill: Fill, episode: Episode) -> bool:
    """Whether the lead's close made this fill: it came at or after it (an earlier exit was our own)."""
    if episode.exit_price is None or episode.closed_at is None:
        return False
    return fill.time_ms >= round(episode.closed_at.timestamp() * 1000)


def buy_and_hold(
    series: BarSeries, *, start_ms: int, end_ms: int, costs: CostModel, initial_equity: int
) -> BuyAndHold | None:
    """Buys at the first open at or after the start, sells at the last close known at the end; None without bars there.

    Taker fee and slippage are paid on both trades.
    """
    first, last = series.index_at_or_after(start_ms), series.index_known_at(end_ms)
    if first >= len(series) or last < first:
        return None
    rate = (costs.taker_fee + costs.slippage) / RATE_SCALE
    bought, sold = float(series.open[first]), float(series.close[last])
    net_ratio = sold / bought * (1 - rate) - (1 + rate)
    held = series.close[first : last + 1].astype("int64")
    return BuyAndHold(
        market=series.market,
        net_ratio=net_ratio,
        net_pnl_usdt=net_ratio * money_to_float(initial_equity),
        max_drawdown_ratio=max_drawdown_ratio(held),
    )
