"""Hand-made replay results: round trips and curves with the numbers a test states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from copytrade_core.model.bar import BarSeries, PriceOrigin
from copytrade_core.model.caps import UNCAPPED_REPLAY
from copytrade_core.model.episode import Episode, EpisodeState, Provenance, episode_id
from copytrade_core.model.fill import FillModel
from copytrade_core.model.instrument import Instrument, Market
from copytrade_core.model.market_data import MarketData
from copytrade_core.model.round_trip import CostModel, EquityCurve, ReplayResult, ReplaySpec, RoundTrip
from copytrade_core.model.side import Side
from copytrade_core.model.source import LeadId
from copytrade_core.model.units import MONEY_SCALE, Money, Ppm, Steps

HOUR_MS = 3_600_000
START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
BTC = Market("BTC/USDT:USDT")


def money(usdt: float) -> Money:
    return Money(round(usdt * MONEY_SCALE))


@dataclass(frozen=True)
class Made:
    """Builders; hours count from 2026-01-01 00:00 UTC."""

    market: Market = BTC
    start_ms: int = START_MS

    def trip(
        self,
        *,
        pnl: float,
        entered_h: float,
        exited_h: float,
        entered: float = 100.0,
        fees: float = 0.0,
        slippage: float = 0.0,
        funding: float = 0.0,
        mae: float = 0.0,
        mfe: float = 0.0,
        side: Side = Side.LONG,
        dca_fills: int = 0,
        notional_skipped: float = 0.0,
        truncated: bool = False,
        name: str | None = None,
    ) -> RoundTrip:
        return RoundTrip(
            episode_id=name or f"e{entered_h}-{exited_h}-{pnl}",
            source_id=None,
            market=self.market,
            side=side,
            signal_at_ms=START_MS + round(entered_h * HOUR_MS),
            entered_at_ms=START_MS + round(entered_h * HOUR_MS),
            exited_at_ms=START_MS + round(exited_h * HOUR_MS),
            quantity_max=Steps(1000),
            entered=money(entered),
            realised=money(pnl + fees + funding),
            fees=money(fees),
            slippage=money(slippage),
            funding=money(funding),
            pnl=money(pnl),
            mae=money(mae),
            mfe=money(mfe),
            bars_held=1,
            dca_fills=dca_fills,
            rungs_skipped=0,
            rungs_planned=0,
            notional_skipped=money(notional_skipped),
            exit_reason="ttl",
            is_truncated=truncated,
            fills=(),
        )

    def curve(self, points: Sequence[tuple[float, float, float, float]]) -> EquityCurve:
        """Points are (hour, equity, worst inside the bar, gross)."""
        columns = list(zip(*points, strict=True)) if points else [(), (), (), ()]
        scaled = [np.array([money(value) for value in column], dtype=np.int64) for column in columns[1:]]
        return EquityCurve(
            time_ms=np.array([START_MS + round(hour * HOUR_MS) for hour in columns[0]], dtype=np.int64),
            equity=scaled[0],
            worst_intrabar=scaled[1],
            cash=scaled[0],
            gross=scaled[2],
        )

    def result(
        self,
        trips: Sequence[RoundTrip],
        points: Sequence[tuple[float, float, float, float]] = (),
        *,
        equity: float = 1000.0,
        origin: PriceOrigin = PriceOrigin.RECORDED,
        funding_known: bool = True,
        delay_s: int = 60,
    ) -> ReplayResult:
        return ReplayResult(
            policy="contrarian_on_close/both/plain/autonomous",
            policy_digest="0" * 64,
            spec=ReplaySpec(
                market_fill=FillModel.NEXT_BAR_OPEN,
                rung_fill=FillModel.CLOSE_BEYOND,
                costs=CostModel(taker_fee=Ppm(500), maker_fee=Ppm(200), slippage=Ppm(300), source="a test"),
                delay_s=delay_s,
                initial_equity=money(equity),
                lead_margin_balance=None,
                interval_ms=300_000,
                caps=UNCAPPED_REPLAY,
            ),
            origin=origin,
            funding_known=funding_known,
            round_trips=tuple(trips),
            skipped=(),
            blocked=(),
            equity=self.curve(points),
            fill_hash=0,
        )

    def episode(
        self,
        *,
        opened_h: float,
        closed_h: float,
        entry: str = "100",
        exit_price: str = "101",
        side: Side = Side.LONG,
        market: Market = BTC,
        quantity: str = "1",
    ) -> Episode:
        opened_at, closed_at = START + timedelta(hours=opened_h), START + timedelta(hours=closed_h)
        return Episode(
            episode_id=episode_id("1", market, side, opened_at),
            lead_id=LeadId("1"),
            market=market,
            side=side,
            state=EpisodeState.CLOSED,
            provenance=Provenance.RECONSTRUCTED,
            opened_at=opened_at,
            open_known_at=opened_at,
            closed_at=closed_at,
            close_known_at=closed_at,
            entry_price=Decimal(entry),
            exit_price=Decimal(exit_price),
            quantity_max=Decimal(quantity),
            closed_volume=Decimal(quantity),
            source_id="7",
            leverage=Decimal(1),
        )

    def instrument(self, market: Market = BTC) -> Instrument:
        return Instrument(
            market=market,
            tick_size=Decimal("0.01"),
            step_size=Decimal("0.001"),
            min_quantity=Steps(1),
            min_notional=money(5),
            as_of=START,
            source="a test",
        )

    def bars(self, closes: Sequence[float], market: Market = BTC, *, interval_ms: int = HOUR_MS) -> BarSeries:
        """Bars from hour 0 whose open is the close before them; the first opens at its close."""
        close = np.array([round(price * 100) for price in closes], dtype=np.int32)
        opens = np.concatenate([close[:1], close[:-1]])
        return BarSeries(
            market=market,
            interval_ms=interval_ms,
            origin=PriceOrigin.RECORDED,
            open_time_ms=START_MS + np.arange(len(close), dtype=np.int64) * interval_ms,
            open=opens,
            high=np.maximum(opens, close),
            low=np.minimum(opens, close),
            close=close,
            volume=np.ones(len(close)),
        )

    def market_data(self, *series: BarSeries) -> MarketData:
        return MarketData(
            bars={bars.market: bars for bars in series},
            funding={},
            quotes={},
            instruments={bars.market: self.instrument(bars.market) for bars in series},
        )


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()
