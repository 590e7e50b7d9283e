"""Results of a replay: round trips, skipped and blocked signals, the equity curve."""

from __future__ import annotations

from dataclasses import dataclass

from copytrade_core.model.bar import Int64s, PriceOrigin
from copytrade_core.model.caps import ReplayCaps
from copytrade_core.model.errors import BadInput, Where
from copytrade_core.model.fill import Fill, FillModel
from copytrade_core.model.instrument import Market
from copytrade_core.model.side import Side
from copytrade_core.model.units import RATE_MAX, Money, Ppm, Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrip:
    """First fill to flat within one episode.

    Money fields are 1e-8 quote units. `pnl` is net: realised minus fees minus funding (slippage is in the prices and
    shown beside). `mae`/`mfe` are the worst and best marked gross results at the extremes of bars through whose end the
    position was held, the final gross result included. `is_truncated` marks an exit forced by the end of the bars.
    """

    episode_id: str
    source_id: str | None
    market: Market
    side: Side
    signal_at_ms: int
    entered_at_ms: int
    exited_at_ms: int
    quantity_max: Steps
    entered: Money
    realised: Money
    fees: Money
    slippage: Money
    funding: Money
    pnl: Money
    mae: Money
    mfe: Money
    bars_held: int
    dca_fills: int
    rungs_skipped: int
    rungs_planned: int
    notional_skipped: Money
    exit_reason: str
    is_truncated: bool
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A signal that was not traded, with the reason and what was compared."""

    episode_id: str
    source_id: str | None
    market: Market
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """An intent that risk refused; one record per episode, leg and reason."""

    episode_id: str
    leg: str
    reason: str
    at_ms: int
    numbers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EquityCurve:
    """Equity at every bar end while anything is held; int64 arrays of shape `(n,)`.

    `equity` = cash + unrealised at closes; `worst_intrabar` the same at each market's adverse extreme; `cash` realised
    only; `gross` notional held, at closes.
    """

    time_ms: Int64s
    equity: Int64s
    worst_intrabar: Int64s
    cash: Int64s
    gross: Int64s


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Costs of our own trading, with where each number comes from. Rates in ppm.

    A rate of zero is allowed because baselines and sensitivity runs need it; `source` must then say so.

    Raises:
        BadInput: a negative rate, one beyond RATE_MAX, or no source.
    """

    taker_fee: Ppm
    maker_fee: Ppm
    slippage: Ppm
    source: str

    def __post_init__(self) -> None:
        for name, rate in (("taker_fee", self.taker_fee), ("maker_fee", self.maker_fee), ("slippage", self.slippage)):
            if not 0 <= rate <= RATE_MAX:
                raise BadInput(f"{name} of {rate} ppm is outside 0..{RATE_MAX}", where=Where(field=name))
        if not self.source.strip():
            raise BadInput("costs must say where they come from", where=Where(field="source"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySpec:
    """What a replay assumes. `delay_s` is the time from the source event to our order."""

    market_fill: FillModel
    rung_fill: FillModel
    costs: CostModel
    delay_s: int
    initial_equity: Money
    lead_margin_balance: Money | None
    interval_ms: int
    caps: ReplayCaps


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayResult:
    """All that a replay produced, in the order it happened."""

    policy: str
    policy_digest: str
    spec: ReplaySpec
    origin: PriceOrigin
    funding_known: bool
    round_trips: tuple[RoundTrip, ...]
    skipped: tuple[Skipped, ...]
    blocked: tuple[Blocked, ...]
    equity: EquityCurve
    fill_hash: int
